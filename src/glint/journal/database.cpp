#include "glint/journal/database.h"

#include <sqlite3.h>

#include <cctype>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {

int Database::open(const std::string& name, int flags) {
  sqlite3_close(handle_);
  handle_ = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return code;
  sqlite3_busy_timeout(handle_, 5000);
  // A file may come from a stranger: no statement of ours may damage its structure, none runs its triggers.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  return SQLITE_OK;
}

int Database::probe() const {
  return sqlite3_exec(handle_, "SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
}

Database::Database(const std::filesystem::path& path, DatabaseAccess access) : path_(path) {
  std::error_code ec;
  if (access == DatabaseAccess::kReadOnly && !std::filesystem::exists(path, ec))
    fail(ErrorCode::kNotFound, "{}: no such journal", name_line(path));
  const int code =
      open(path.native(), access == DatabaseAccess::kReadOnly ? SQLITE_OPEN_READONLY
                                                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (code != SQLITE_OK) {
    const std::string message = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close(handle_);
    fail(ErrorCode::kIo, "{}: the journal cannot be opened ({}); check the folder and its permissions",
         name_line(path), message);
  }
  if (access == DatabaseAccess::kReadWrite && sqlite3_db_readonly(handle_, "main") == 1) {
    sqlite3_close(handle_);
    fail(ErrorCode::kIo, "{}: cannot be written; check file and folder permissions", name_line(path));
  }
  if (access == DatabaseAccess::kReadOnly) {
    const int read = probe() & 0xff;
    if (read == SQLITE_CANTOPEN || read == SQLITE_READONLY || read == SQLITE_IOERR || read == SQLITE_PERM)
      open_without_shared_memory();
  }
}

void Database::open_without_shared_memory() {
  // A read of a database with a write-ahead log makes two files beside it, which fails here. Without a log
  // the file alone is all there is ("immutable"); with one, SQLite keeps the log's index in its own memory
  // when it holds the file for itself, and unix-none leaves out the locks that this place cannot give.
  std::error_code ec;
  std::filesystem::path whole = std::filesystem::canonical(path_, ec);  // the log lies beside a link's target
  if (ec) whole = std::filesystem::absolute(path_);
  const std::filesystem::path log = whole.native() + "-wal";
  const auto bytes = std::filesystem::file_size(log, ec);
  reads_leftover_log_ = !ec && bytes > 0;
  std::string uri = "file:";
  for (const char c : whole.native()) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' || c == '-';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  const int code = open(uri + (reads_leftover_log_ ? "?mode=ro&vfs=unix-none" : "?mode=ro&immutable=1"),
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  if (code == SQLITE_OK && reads_leftover_log_)
    sqlite3_exec(handle_, "PRAGMA locking_mode = EXCLUSIVE", nullptr, nullptr, nullptr);
  if (const int read = code == SQLITE_OK ? probe() : code; read != SQLITE_OK) {
    const std::string message = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close(handle_);
    handle_ = nullptr;
    fail(ErrorCode::kIo,
         "{}: the journal cannot be read here ({}); copy it with its -wal file to a folder that "
         "may be written",
         name_line(path_), message);
  }
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

void Database::raise(int code) const {
  const std::string file = name_line(path_), message = sqlite3_errmsg(handle_);
  switch (code & 0xff) {
    case SQLITE_FULL:
      fail(ErrorCode::kIo, "{}: the disk is full; make room or move the journal", file);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      fail(ErrorCode::kIo, "{}: cannot be written ({}); check file and folder permissions", file, message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      fail(ErrorCode::kBadInput,
           "{}: not a journal, or a damaged one ({}); move it away and start a new one, `glint journal "
           "verify` tells what is left of it",
           file, message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      fail(ErrorCode::kIo, "{}: another program holds the journal locked ({})", file, message);
    default:
      fail(ErrorCode::kIo, "{}: {} ({})", file, message, sqlite3_errstr(code));
  }
}

void Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) raise(code);
}

std::int64_t Database::integer(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  const int code =
      sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()), &handle_, nullptr);
  if (code != SQLITE_OK) database_.raise(code);
}

Statement::Statement(Database& database, const Query& query) : Statement(database, query.sql) {
  for (const auto& value : query.values) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      bind(*number);
    } else {
      bind(std::string_view(std::get<std::string>(value)));
    }
  }
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

Statement& Statement::bind(std::int64_t value) {
  GLINT_CHECK(sqlite3_bind_int64(handle_, ++bound_, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  GLINT_CHECK(sqlite3_bind_text(handle_, ++bound_, text.data(), static_cast<int>(text.size()),
                                SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.raise(code);
  return false;
}

void Statement::run() {
  GLINT_CHECK(!step());
  reset();
}

void Statement::reset() {
  sqlite3_reset(handle_);
  bound_ = 0;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

std::string Statement::text(int column) const {
  const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return p == nullptr ? std::string()
                      : std::string(p, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {  // SQLite rolled back by itself after a full disk or an I/O error
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace glint
