#include "glint/journal/database.h"

#include <sqlite3.h>

#include "glint/base/error.h"

namespace glint {

Database::Database(const std::filesystem::path& path, DatabaseAccess access) : path_(path) {
  std::error_code ec;
  if (access == DatabaseAccess::kReadOnly && !std::filesystem::exists(path, ec))
    fail(ErrorCode::kNotFound, "{}: no such journal", path.string());
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (access == DatabaseAccess::kReadOnly ? SQLITE_OPEN_READONLY
                                                         : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
  if (code != SQLITE_OK) {
    const std::string message = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close(handle_);
    fail(ErrorCode::kIo, "{}: the journal cannot be opened ({}); check the folder and its permissions",
         path.string(), message);
  }
  sqlite3_busy_timeout(handle_, 5000);
  // A file may come from a stranger: no statement of ours may damage its structure, none runs its triggers.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

void Database::raise(int code) const {
  const std::string file = path_.string(), message = sqlite3_errmsg(handle_);
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
