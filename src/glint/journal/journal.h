// The record of every inspection: one SQLite file (WAL) with one append-only table whose rows form a hash
// chain. docs/journal.md documents the format. Images are kept beside it by image_store.h.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glint/journal/database.h"
#include "glint/journal/record.h"

namespace glint {

/// The newest link of the chain. Noted elsewhere, it also proves that nothing was cut off the end.
struct ChainHead {
  std::int64_t id = 0;
  std::string hash;  ///< 64 hexadecimal digits; 64 zeros before the first record
};

/// SHA-256 over "previous\nid\nkind\nbody".
std::string chain_hash(const std::string& previous, std::int64_t id, std::string_view kind,
                       std::string_view body);
/// What the first record names as its predecessor.
std::string chain_origin();

/// Inspections of a listing. Empty and absent fields do not filter.
struct InspectionFilter {
  std::optional<std::int64_t> before_id;  ///< older than this record: for paging back
  std::optional<std::int64_t> after_id;   ///< newer than this record, oldest first: for paging forward
  std::optional<std::int64_t> since_us, until_us;
  std::optional<Verdict> verdict;
  std::string part_id, source, model;
  bool reviewed_only = false;
  int limit = 50;
  std::int64_t most_examined = 20'000;  ///< records that one page looks at, see JournalReader::page
};

/// An inspection with the last review of it.
struct ReviewedInspection {
  InspectionRecord inspection;
  std::optional<ReviewRecord> review;
  /// The review's verdict where there is one.
  Verdict final_verdict() const { return review ? review->verdict : inspection.verdict; }
};

/// Part of a listing.
struct InspectionPage {
  std::vector<ReviewedInspection> inspections;
  /// Where the next page starts (before_id, or after_id when paging forward); absent at the end. A page may
  /// be shorter than its limit, even empty, and have one: the search went through most_examined records.
  std::optional<std::int64_t> next;
};

/// Reads a journal, also one that a server is writing to. Thread-safe.
class JournalReader {
 public:
  /// Error(kBadInput) when the file is no journal of this version.
  explicit JournalReader(const std::filesystem::path& path);

  /// Newest first, or oldest first with `after_id`. Looks at no more than filter.most_examined records, so
  /// that nobody waits long for a search that finds little.
  InspectionPage page(const InspectionFilter& filter) const;
  /// The first filter.limit inspections that match, however many records it takes.
  std::vector<ReviewedInspection> list(InspectionFilter filter) const;
  std::optional<ReviewedInspection> find(std::int64_t id) const;
  std::optional<InspectionRecord> find_by_key(const std::string& idempotency_key) const;
  /// Everything that was recorded under a key, newest first: tries that ended in NO DECISION may be repeated.
  std::vector<InspectionRecord> all_with_key(const std::string& idempotency_key) const;
  /// The first inspections that a model made, oldest first.
  std::vector<InspectionRecord> first_of_model(const std::string& model, int limit) const;
  /// Inspections by verdict since a time.
  std::map<Verdict, std::int64_t> counts_since(std::int64_t time_us) const;
  /// Time of the newest record, 0 without one.
  std::int64_t last_time_us() const;
  ChainHead head() const;
  /// Every record in order, as {"id", "kind", "body", "previous", "hash"}.
  void for_each(const std::function<void(const nlohmann::json&)>& visit) const;

  /// The file of an inspection's image below the journal's folder of images; empty when none was kept.
  std::string kept_image(std::int64_t inspection) const;
  /// True when the newest records lie in FILE-wal and the place cannot be written: the two belong together.
  bool reads_leftover_log() const { return database_.reads_leftover_log(); }

 private:
  friend class Journal;
  JournalReader(const std::filesystem::path& path, DatabaseAccess access);

  mutable std::mutex mutex_;
  mutable Database database_;
  bool source_index_ = true;
};

struct JournalOptions {
  std::int64_t max_bytes = 0;  ///< of the database file; 0 = until the disk is full
  /// Told what takes long while a journal is opened; may be empty.
  std::function<void(const std::string&)> notice;
};

/// The one writer of a journal. Thread-safe.
class Journal {
 public:
  /// Opens or creates. Error(kIo) when another server holds it or it cannot be written; Error(kBadInput) when
  /// it is damaged or no journal.
  explicit Journal(const std::filesystem::path& path, const JournalOptions& options = {});
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Appends all or nothing and gives the records their ids. On disk when it returns.
  void append(std::span<InspectionRecord* const> records);
  /// Error(kNotFound) when there is no such inspection.
  ReviewRecord append(ReviewRecord review);
  EventRecord append(EventRecord event);

  /// For the line: look-ups of one record, so that the line never waits for a search.
  const JournalReader& reader() const { return reader_; }
  /// For everybody else; a connection of its own.
  const JournalReader& searches() const { return searches_; }
  const std::filesystem::path& path() const { return path_; }

  /// Where kept images lie, and what is known of them. Not part of the chain: images may be deleted.
  std::filesystem::path images_folder() const;
  void note_image(std::int64_t inspection, const std::string& file, std::int64_t bytes);
  struct KeptImage {
    std::int64_t inspection = 0;
    std::string file;
    std::int64_t bytes = 0;
  };
  std::vector<KeptImage> oldest_images(int limit) const;
  void forget_image(std::int64_t inspection);
  std::int64_t kept_bytes() const;

 private:
  class Lock;
  std::int64_t append_row(std::string_view kind, const nlohmann::json& body, ChainHead& head);
  /// SQLite goes on writing to a file that was deleted or moved away; those records would be lost.
  void check_in_place() const;

  std::filesystem::path path_;
  std::unique_ptr<Lock> lock_;
  mutable std::mutex mutex_;
  mutable Database database_;
  JournalReader reader_, searches_;
  std::uint64_t device_ = 0, inode_ = 0;  ///< of the file as opened
};

/// Folder of kept images that belongs to a journal file.
std::filesystem::path images_folder_of(const std::filesystem::path& journal);

}  // namespace glint
