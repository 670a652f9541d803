#include "glint/journal/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <regex>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/files.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr const char* kInspection = "inspection";
constexpr const char* kReview = "review";
constexpr const char* kEvent = "event";
constexpr std::int64_t kApplicationId = 0x676c6e74;  // "glnt"
constexpr std::int64_t kVersion = 1;

/// The columns after `hash` are read out of the body, so that there is one truth and it is the hashed one.
constexpr const char* kSchema = R"(
CREATE TABLE record(
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL,
  time_us INTEGER GENERATED ALWAYS AS (json_extract(body, '$.time_us')) VIRTUAL,
  verdict TEXT GENERATED ALWAYS AS (json_extract(body, '$.verdict')) VIRTUAL,
  part_id TEXT GENERATED ALWAYS AS (json_extract(body, '$.part_id')) VIRTUAL,
  idempotency_key TEXT GENERATED ALWAYS AS (json_extract(body, '$.idempotency_key')) VIRTUAL,
  model TEXT GENERATED ALWAYS AS (json_extract(body, '$.model')) VIRTUAL,
  inspection INTEGER GENERATED ALWAYS AS (json_extract(body, '$.inspection')) VIRTUAL);
CREATE INDEX record_time ON record(kind, time_us, verdict);
CREATE INDEX record_verdict ON record(kind, verdict, id);
CREATE INDEX record_part ON record(part_id, id) WHERE part_id IS NOT NULL;
CREATE INDEX record_key ON record(idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX record_model ON record(model, id) WHERE model IS NOT NULL;
CREATE INDEX record_inspection ON record(inspection, id) WHERE inspection IS NOT NULL;
CREATE TABLE head(one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE kept_image(inspection INTEGER PRIMARY KEY, file TEXT NOT NULL, bytes INTEGER NOT NULL);
)";

void check_identity(Database& database, const fs::path& path) {
  if (database.integer("PRAGMA application_id") != kApplicationId) {
    fail(ErrorCode::kBadInput, "{}: a database, but not a journal of glint; name another file",
         path.string());
  }
  if (const std::int64_t version = database.integer("PRAGMA user_version"); version != kVersion) {
    fail(ErrorCode::kBadInput, "{}: a journal of version {}, this glint reads version {}", path.string(),
         version, kVersion);
  }
}

ChainHead read_head(Database& database) {
  Statement query(database, "SELECT id, hash FROM head");
  return query.step() ? ChainHead{query.integer(0), query.text(1)} : ChainHead{0, chain_origin()};
}

json parse_body(std::int64_t id, const std::string& text) {
  json body = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) fail(ErrorCode::kBadInput, "journal record {}: its text is not JSON", id);
  return body;
}

/// Columns: id, body, review id, review body.
constexpr const char* kReviewedColumns =
    "SELECT i.id, i.body, r.id, r.body FROM record i LEFT JOIN record r ON r.id = "
    "(SELECT max(id) FROM record WHERE inspection = i.id) WHERE i.kind = 'inspection'";

ReviewedInspection reviewed_row(const Statement& row) {
  const std::int64_t id = row.integer(0);
  ReviewedInspection out{inspection_from_json(id, parse_body(id, row.text(1))), std::nullopt};
  if (!row.is_null(2)) out.review = review_from_json(row.integer(2), parse_body(row.integer(2), row.text(3)));
  return out;
}

}  // namespace

std::string chain_origin() {
  return std::string(64, '0');
}

std::string chain_hash(const std::string& previous, std::int64_t id, std::string_view kind,
                       std::string_view body) {
  const std::string text = fmt::format("{}\n{}\n{}\n{}", previous, id, kind, body);
  return sha256_hex(std::as_bytes(std::span(text)));
}

fs::path images_folder_of(const fs::path& journal) {
  return journal.string() + ".images";
}

/// Held while a server writes. The kernel drops it when the process ends, however it ends.
class Journal::Lock {
 public:
  explicit Lock(const fs::path& path) {
    const std::string file = path.string() + ".lock";
    if (path.has_parent_path()) make_folder(path.parent_path());
    handle_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (handle_ < 0) {
      fail(ErrorCode::kIo, "{}: cannot be written ({}); check the folder's permissions", path.string(),
           std::strerror(errno));
    }
    if (::flock(handle_, LOCK_EX | LOCK_NB) != 0) {
      char holder[32] = {};
      const ssize_t n = ::read(handle_, holder, sizeof(holder) - 1);
      ::close(handle_);
      fail(ErrorCode::kIo, "{}: another server (process {}) writes this journal; stop it or name another",
           path.string(), n > 0 ? holder : "unknown");
    }
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(handle_, 0) != 0 || ::pwrite(handle_, pid.data(), pid.size(), 0) < 0) {
      // only for the message above
    }
  }
  ~Lock() { ::close(handle_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int handle_ = -1;
};

namespace {

/// Makes the file a journal when it is new; Error(kBadInput) when it is something else or damaged.
const fs::path& prepared(const fs::path& path) {
  Database database(path, DatabaseAccess::kReadWrite);
  database.execute("PRAGMA journal_mode = WAL");
  if (database.integer("SELECT count(*) FROM sqlite_schema") == 0) {
    Transaction transaction(database);
    database.execute(fmt::format("{} PRAGMA application_id = {}; PRAGMA user_version = {};", kSchema,
                                 kApplicationId, kVersion));
    transaction.commit();
  }
  check_identity(database, path);
  Statement check(database, "PRAGMA quick_check(1)");
  if (check.step() && check.text(0) != "ok") {
    fail(ErrorCode::kBadInput, "{}: the journal is damaged ({}); move it away and start a new one",
         path.string(), check.text(0));
  }
  return path;
}

}  // namespace

Journal::Journal(const fs::path& path, const JournalOptions& options)
    : path_(path),
      lock_(std::make_unique<Lock>(path)),
      database_(prepared(path), DatabaseAccess::kReadWrite),
      reader_(path, DatabaseAccess::kReadWrite) {
  // Durable at each commit: a verdict is answered only after its record is on disk.
  database_.execute("PRAGMA synchronous = FULL");
  if (options.max_bytes > 0) {
    const std::int64_t page = database_.integer("PRAGMA page_size");
    database_.execute(
        fmt::format("PRAGMA max_page_count = {}", std::max<std::int64_t>(1, options.max_bytes / page)));
  }
  reader_.database_.execute("PRAGMA query_only = ON");
  struct stat file {};
  if (::stat(path_.c_str(), &file) == 0) {
    device_ = file.st_dev;
    inode_ = file.st_ino;
  }
}

Journal::~Journal() = default;

void Journal::check_in_place() const {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0 || file.st_dev != device_ || file.st_ino != inode_) {
    fail(ErrorCode::kIo,
         "{}: the journal was deleted, moved or replaced while in use; put it back or restart",
         path_.string());
  }
}

std::int64_t Journal::append_row(std::string_view kind, const json& body, ChainHead& head) {
  const std::string text = json_line(body);
  const std::string previous = std::move(head.hash);
  ++head.id;
  head.hash = chain_hash(previous, head.id, kind, text);
  Statement(database_, "INSERT INTO record(id, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?)")
      .bind(head.id)
      .bind(kind)
      .bind(text)
      .bind(previous)
      .bind(head.hash)
      .run();
  Statement(database_, "INSERT OR REPLACE INTO head(one, id, hash) VALUES (1, ?, ?)")
      .bind(head.id)
      .bind(head.hash)
      .run();
  return head.id;
}

void Journal::append(std::span<InspectionRecord* const> records) {
  const std::lock_guard guard(mutex_);
  check_in_place();
  Transaction transaction(database_);
  ChainHead head = read_head(database_);
  std::vector<std::int64_t> ids;
  for (const InspectionRecord* record : records)
    ids.push_back(append_row(kInspection, to_json(*record), head));
  transaction.commit();
  for (std::size_t i = 0; i < records.size(); ++i) records[i]->id = ids[i];
}

ReviewRecord Journal::append(ReviewRecord review) {
  const std::lock_guard guard(mutex_);
  check_in_place();
  Transaction transaction(database_);
  Statement exists(database_, "SELECT 1 FROM record WHERE id = ? AND kind = 'inspection'");
  if (!exists.bind(review.inspection).step())
    fail(ErrorCode::kNotFound, "there is no inspection {}", review.inspection);
  ChainHead head = read_head(database_);
  review.id = append_row(kReview, to_json(review), head);
  transaction.commit();
  return review;
}

EventRecord Journal::append(EventRecord event) {
  const std::lock_guard guard(mutex_);
  check_in_place();
  Transaction transaction(database_);
  ChainHead head = read_head(database_);
  event.id = append_row(kEvent, to_json(event), head);
  transaction.commit();
  return event;
}

fs::path Journal::images_folder() const {
  return images_folder_of(path_);
}

void Journal::note_image(std::int64_t inspection, const std::string& file, std::int64_t bytes) {
  const std::lock_guard guard(mutex_);
  Statement(database_, "INSERT OR REPLACE INTO kept_image(inspection, file, bytes) VALUES (?, ?, ?)")
      .bind(inspection)
      .bind(file)
      .bind(bytes)
      .run();
}

std::vector<Journal::KeptImage> Journal::oldest_images(int limit) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, "SELECT inspection, file, bytes FROM kept_image ORDER BY inspection LIMIT ?");
  query.bind(limit);
  std::vector<KeptImage> out;
  while (query.step()) out.push_back({query.integer(0), query.text(1), query.integer(2)});
  return out;
}

void Journal::forget_image(std::int64_t inspection) {
  const std::lock_guard guard(mutex_);
  Statement(database_, "DELETE FROM kept_image WHERE inspection = ?").bind(inspection).run();
}

std::int64_t Journal::kept_bytes() const {
  const std::lock_guard guard(mutex_);
  return database_.integer("SELECT sum(bytes) FROM kept_image");
}

JournalReader::JournalReader(const fs::path& path) : JournalReader(path, DatabaseAccess::kReadOnly) {
  check_identity(database_, path);
}

JournalReader::JournalReader(const fs::path& path, DatabaseAccess access) : database_(path, access) {}

std::vector<ReviewedInspection> JournalReader::list(const InspectionFilter& f) const {
  std::string sql = kReviewedColumns;
  if (f.before_id) sql += " AND i.id < ?";
  if (f.after_id) sql += " AND i.id > ?";
  if (f.since_us) sql += " AND i.time_us >= ?";
  if (f.until_us) sql += " AND i.time_us < ?";
  if (f.verdict) sql += " AND i.verdict = ?";
  if (!f.part_id.empty()) sql += " AND i.part_id = ?";
  if (!f.source.empty()) sql += " AND json_extract(i.body, '$.source') = ?";
  if (!f.model.empty()) sql += " AND i.model = ?";
  if (f.reviewed_only) sql += " AND r.id IS NOT NULL";
  sql += f.after_id ? " ORDER BY i.id ASC LIMIT ?" : " ORDER BY i.id DESC LIMIT ?";
  const std::lock_guard guard(mutex_);
  Statement query(database_, sql);
  if (f.before_id) query.bind(*f.before_id);
  if (f.after_id) query.bind(*f.after_id);
  if (f.since_us) query.bind(*f.since_us);
  if (f.until_us) query.bind(*f.until_us);
  if (f.verdict) query.bind(enum_name(*f.verdict));
  for (const std::string* text : {&f.part_id, &f.source, &f.model}) {
    if (!text->empty()) query.bind(*text);
  }
  query.bind(f.limit);
  std::vector<ReviewedInspection> out;
  while (query.step()) out.push_back(reviewed_row(query));
  return out;
}

std::optional<ReviewedInspection> JournalReader::find(std::int64_t id) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, std::string(kReviewedColumns) + " AND i.id = ?");
  query.bind(id);
  return query.step() ? std::optional(reviewed_row(query)) : std::nullopt;
}

std::optional<InspectionRecord> JournalReader::find_by_key(const std::string& key) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_,
                  "SELECT id, body FROM record WHERE idempotency_key = ? ORDER BY id DESC LIMIT 1");
  query.bind(key);
  if (!query.step()) return std::nullopt;
  return inspection_from_json(query.integer(0), parse_body(query.integer(0), query.text(1)));
}

std::vector<InspectionRecord> JournalReader::first_of_model(const std::string& model, int limit) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, "SELECT id, body FROM record WHERE model = ? ORDER BY id LIMIT ?");
  query.bind(model).bind(limit);
  std::vector<InspectionRecord> out;
  while (query.step())
    out.push_back(inspection_from_json(query.integer(0), parse_body(query.integer(0), query.text(1))));
  return out;
}

std::map<Verdict, std::int64_t> JournalReader::counts_since(std::int64_t time_us) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_,
                  "SELECT verdict, count(*) FROM record WHERE kind = 'inspection' AND time_us >= ? "
                  "GROUP BY verdict");
  query.bind(time_us);
  std::map<Verdict, std::int64_t> out;
  while (query.step()) out[parse_enum<Verdict>(query.text(0), "verdict")] = query.integer(1);
  return out;
}

std::int64_t JournalReader::last_time_us() const {
  const std::lock_guard guard(mutex_);
  return database_.integer("SELECT time_us FROM record ORDER BY id DESC LIMIT 1");
}

ChainHead JournalReader::head() const {
  const std::lock_guard guard(mutex_);
  return read_head(database_);
}

void JournalReader::for_each(const std::function<void(const json&)>& visit) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, "SELECT id, kind, body, previous, hash FROM record ORDER BY id");
  while (query.step()) {
    visit({{"id", query.integer(0)},
           {"kind", query.text(1)},
           {"body", query.text(2)},
           {"previous", query.text(3)},
           {"hash", query.text(4)}});
  }
}

std::string JournalReader::kept_image(std::int64_t inspection) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, "SELECT file FROM kept_image WHERE inspection = ?");
  query.bind(inspection);
  if (!query.step()) return "";
  // The name becomes a path, and a journal may come from a stranger.
  static const std::regex kName("[0-9]{6,13}/[0-9]{9,16}[.][a-z]{3,4}");
  std::string name = query.text(0);
  if (!std::regex_match(name, kName))
    fail(ErrorCode::kBadInput, "{}: the journal names an odd image file for inspection {}", name, inspection);
  return name;
}

}  // namespace glint
