#include "glint/journal/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/journal/schema.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr const char* kInspection = "inspection";
constexpr const char* kReview = "review";
constexpr const char* kEvent = "event";

}  // namespace

std::string chain_origin() {
  return std::string(64, '0');
}

std::string chain_hash(const std::string& previous, std::int64_t id, std::string_view kind,
                       std::string_view body) {
  const std::string text = fmt::format("{}\n{}\n{}\n{}", previous, id, kind, body);
  return sha256_hex(text);
}

fs::path images_folder_of(const fs::path& journal) {
  fs::path folder = journal;
  return folder += ".images";
}

/// Held while a server writes. The kernel drops it when the process ends, however it ends.
class Journal::Lock {
 public:
  explicit Lock(const fs::path& path) {
    const std::string file = path.native() + ".lock";
    if (path.has_parent_path()) make_folder(path.parent_path());
    handle_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (handle_ < 0) {
      fail(ErrorCode::kIo, "{}: cannot be written ({}); check the folder's permissions", name_line(path),
           std::strerror(errno));
    }
    if (::flock(handle_, LOCK_EX | LOCK_NB) != 0) {
      char holder[32] = {};
      const ssize_t n = ::read(handle_, holder, sizeof(holder) - 1);
      ::close(handle_);
      fail(ErrorCode::kIo, "{}: another server (process {}) writes this journal; stop it or name another",
           name_line(path), n > 0 ? holder : "unknown");
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

Journal::Journal(const fs::path& path, const JournalOptions& options)
    : path_(path),
      lock_(std::make_unique<Lock>(path)),
      database_(prepare_journal(path, options.notice), DatabaseAccess::kReadWrite),
      reader_(path, DatabaseAccess::kReadWrite),
      searches_(path, DatabaseAccess::kReadWrite) {
  // Durable at each commit: a verdict is answered only after its record is on disk.
  database_.execute("PRAGMA synchronous = FULL");
  if (options.max_bytes > 0) {
    const std::int64_t page = database_.integer("PRAGMA page_size");
    database_.execute(
        fmt::format("PRAGMA max_page_count = {}", std::max<std::int64_t>(1, options.max_bytes / page)));
  }
  reader_.database_.execute("PRAGMA query_only = ON");
  searches_.database_.execute("PRAGMA query_only = ON");
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
         name_line(path_));
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

}  // namespace glint
