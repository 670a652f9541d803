// A watched folder: each new, complete image file becomes one trigger. A file is known by name, size and time
// of change; the journal remembers what was inspected, so a restart inspects what arrived meanwhile and
// nothing twice. What is not inspected (folders, other files, broken links) is named in the source's notice.

#include <algorithm>
#include <map>
#include <set>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/image/codec.h"
#include "glint/station/reasons.h"
#include "glint/station/threaded_source.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kScanPause{100};
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 28;
constexpr std::chrono::milliseconds kLongestPause{60000};

/// Programs put files of their own beside images: "._part.png" (macOS), ".part.png.Xy12" (rsync).
bool is_hidden(const fs::path& file) {
  return file.filename().native().starts_with('.');
}

/// The ids of the parts in a listing, by file name: the name without its ending, or all of it where two files
/// would get one id ("a.png" and "a.bmp"). Two names never become one id.
std::map<std::string, std::string> part_ids(const std::vector<fs::path>& files) {
  std::map<std::string, int> wanted;  // by how many
  for (const fs::path& file : files) {
    ++wanted[file.filename().native()];
    ++wanted[file.stem().native()];
  }
  std::map<std::string, std::string> out;
  for (const fs::path& file : files) {
    const std::string name = file.filename().native(), stem = file.stem().native();
    out[name] = name_text(wanted[stem] == 1 || stem == name ? stem : name);
  }
  return out;
}

class FolderSource : public ThreadedSource {
 public:
  FolderSource(const SourceSpec& spec, const SourceOptions& options, Line& line, const JournalReader& journal,
               SourceListener listener)
      : ThreadedSource(spec, std::move(listener)),
        folder_(spec.address),
        options_(options),
        line_(line),
        journal_(journal) {
    if (!fs::is_directory(folder_))
      fail(ErrorCode::kNotFound, "{}: no such folder to watch", name_line(folder_));
    list_folder(folder_);  // a folder that cannot be read is an error now, not a quiet source
    start([this] { run(); });
  }
  ~FolderSource() override { finish(); }

  std::shared_ptr<Ticket> request(const std::string&) override { return nullptr; }

 private:
  /// What a file looked like, since when it has, and what became of it.
  struct Seen {
    std::string key;
    Clock::time_point since;
    std::shared_ptr<Ticket> ticket;  ///< of the try that is under way
    int tries = 0;                   ///< that are on record
    bool done = false;
  };

  std::string key_of(const fs::path& file) const {
    std::error_code ec;
    const auto bytes = fs::file_size(file, ec);
    if (ec) return "";
    const auto time = fs::last_write_time(file, ec).time_since_epoch().count();
    return ec ? "" : fmt::format("{}:{}:{}:{}", status_.name, name_text(file.filename()), bytes, time);
  }

  /// Never throws because of the file: what cannot be read is recorded as NO DECISION.
  std::shared_ptr<Ticket> inspect(const fs::path& file, const std::string& key, const std::string& part_id) {
    Trigger trigger;
    trigger.source = status_.name;
    trigger.name = name_line(file.filename());
    trigger.part_id = part_id;
    trigger.idempotency_key = key;
    {
      const std::lock_guard guard(mutex_);
      trigger.sequence = ++status_.triggers;
      status_.frames = status_.triggers;
      status_.last_frame_us = unix_micros();
    }
    const Trigger facts = trigger;  // without the file, for a refusal
    std::string fault;
    std::error_code ec;
    try {
      trigger.file = read_file(file, kMostFileBytes);
    } catch (const std::bad_alloc&) {
      fault = kNoMemory;
    } catch (const Error& e) {
      fault = fs::exists(file, ec) ? e.what() : trigger.name + ": the file vanished before it was inspected";
    }
    if (!fault.empty()) return line_.refuse(facts, fault);
    try {
      return line_.submit_waiting(std::move(trigger));
    } catch (const Error& e) {  // its key is another image's: other bytes with the same size and time
      return line_.refuse(facts, e.what());
    }
  }

  /// What an earlier run or this one has on record of a file.
  void recall(Seen& seen) const {
    const auto records = journal_.all_with_key(seen.key);
    seen.tries = static_cast<int>(records.size());
    seen.done = !records.empty() && (!may_be_tried_again(records.front()) || seen.tries >= kFolderTries);
  }

  /// Looks at the outcome of the last try: done, or again after a pause.
  void settle_outcome(Seen& seen) const {
    const auto outcome = seen.ticket->poll();
    if (!outcome) return;
    seen.ticket = nullptr;
    seen.tries += outcome->recorded ? 1 : 0;
    seen.done = !may_be_tried_again(outcome->record) || seen.tries >= kFolderTries;
    const auto pause = std::min(options_.try_again * (1 << std::min(seen.tries, 5)), kLongestPause);
    if (!seen.done) seen.since = Clock::now() + pause - options_.settle;
  }

  void look_at(const fs::path& file, const std::string& part_id) {
    const std::string key = key_of(file);
    Seen& seen = seen_[file.filename().native()];
    if (seen.key != key) {
      Seen fresh{key, Clock::now(), nullptr, 0, false};
      if (!key.empty()) recall(fresh);  // throws while the journal cannot be read: looked at again
      seen = std::move(fresh);
    } else if (seen.ticket) {
      settle_outcome(seen);
    } else if (!seen.done && !key.empty() && Clock::now() - seen.since >= options_.settle) {
      seen.ticket = inspect(file, key, part_id);
      seen.done = !seen.ticket;  // the line has stopped
    }
  }

  void scan() {
    std::error_code ec;
    if (!fs::is_directory(folder_, ec)) {
      return change_state(SourceState::kGone, name_line(folder_) + ": the folder is gone; waiting for it");
    }
    const FolderListing listing = list_folder(folder_);
    change_state(SourceState::kRunning, "");
    std::vector<fs::path> images;
    for (const fs::path& file : listing.files) {
      if (is_image_file(file) && !is_hidden(file)) images.push_back(file);
    }
    const auto ids = part_ids(images);
    std::set<std::string> present;
    for (const fs::path& file : images) {
      if (stop_.stopped()) return;
      const std::string name = file.filename().native();
      present.insert(name);
      look_at(file, ids.at(name));
    }
    // A file that is gone while its try is under way needs no second look.
    std::erase_if(seen_, [&](const auto& entry) { return !present.contains(entry.first); });
    notice_others(listing);
  }

  /// Names what lies there and is not inspected, once it has been there for the settling time.
  void notice_others(const FolderListing& listing) {
    std::map<std::string, const char*> found;
    for (const fs::path& folder : listing.folders) found[folder.filename().native()] = "a folder";
    for (const fs::path& other : listing.others)
      found[other.filename().native()] =
          fs::is_symlink(fs::symlink_status(other)) ? "a link to nothing" : "no file that can be read";
    for (const fs::path& file : listing.files) {
      if (is_hidden(file)) {
        found[file.filename().native()] = "a hidden file";
      } else if (!is_image_file(file)) {
        found[file.filename().native()] = "no PNG, JPEG, BMP or TIFF";
      }
    }
    std::erase_if(others_, [&](const auto& entry) { return !found.contains(entry.first); });
    constexpr int kNamed = 5;
    std::string text;
    int count = 0;
    const auto now = Clock::now();
    for (const auto& [name, what] : found) {
      const auto since = others_.try_emplace(name, now).first->second;
      if (now - since < options_.settle) continue;
      if (++count <= kNamed) text += fmt::format("{}{} ({})", count > 1 ? ", " : "", name_line(name), what);
    }
    if (count > kNamed) text += fmt::format(" and {} more", count - kNamed);
    change_notice(count > 0 ? "not inspected: " + text : "");
  }

  void run() {
    while (!stop_.wait_for(kScanPause)) {
      try {
        scan();
      } catch (const std::exception& e) {  // a journal that cannot be read, a folder that cannot be listed
        change_state(SourceState::kGone, e.what());
      }
    }
  }

  fs::path folder_;
  SourceOptions options_;
  Line& line_;
  const JournalReader& journal_;
  std::map<std::string, Seen> seen_;                 ///< by the name's bytes
  std::map<std::string, Clock::time_point> others_;  ///< since when; by the name's bytes
};

}  // namespace

std::unique_ptr<Source> make_folder_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                           const JournalReader& journal, SourceListener listener) {
  return std::make_unique<FolderSource>(spec, options, line, journal, std::move(listener));
}

}  // namespace glint
