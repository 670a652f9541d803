// A watched folder: each new, complete image file becomes one trigger. A file is known by name, size and time
// of change; the journal remembers what was inspected, so a restart inspects what arrived meanwhile and
// nothing twice.

#include <map>
#include <set>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/station/threaded_source.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::chrono::milliseconds kScanPause{100};

class FolderSource : public ThreadedSource {
 public:
  FolderSource(const SourceSpec& spec, const SourceOptions& options, Line& line, const JournalReader& journal,
               SourceListener listener)
      : ThreadedSource(spec, std::move(listener)),
        folder_(spec.address),
        options_(options),
        line_(line),
        journal_(journal) {
    if (!fs::is_directory(folder_)) fail(ErrorCode::kNotFound, "{}: no such folder to watch", spec.address);
    start([this] { run(); });
  }
  ~FolderSource() override { finish(); }

  std::shared_ptr<Ticket> request(const std::string&) override { return nullptr; }

 private:
  /// What a file looked like, and since when it has.
  struct Seen {
    std::string key;
    std::chrono::steady_clock::time_point since;
    bool done = false;
  };

  std::string key_of(const fs::path& file) const {
    std::error_code ec;
    const auto bytes = fs::file_size(file, ec);
    if (ec) return "";
    const auto time = fs::last_write_time(file, ec).time_since_epoch().count();
    return ec ? "" : fmt::format("{}:{}:{}:{}", status_.name, file.filename().string(), bytes, time);
  }

  void inspect(const fs::path& file, const std::string& key) {
    Trigger trigger;
    trigger.source = status_.name;
    trigger.name = file.filename().string();
    trigger.part_id = file.stem().string();
    trigger.idempotency_key = key;
    {
      const std::lock_guard guard(mutex_);
      trigger.sequence = ++status_.triggers;
      status_.frames = status_.triggers;
      status_.last_frame_us = unix_micros();
    }
    try {
      trigger.file = read_file(file, kMostBytes);
      line_.submit_waiting(std::move(trigger));
    } catch (const Error& e) {
      line_.refuse(std::move(trigger), e.what());
    }
  }

  void scan() {
    std::error_code ec;
    if (!fs::is_directory(folder_, ec)) {
      return change_state(SourceState::kGone, folder_.string() + ": the folder is gone; waiting for it");
    }
    change_state(SourceState::kRunning, "");
    const auto now = std::chrono::steady_clock::now();
    std::set<std::string> present;
    for (const fs::path& file : list_files(folder_, is_image_file)) {
      if (stop_.stopped()) return;
      const std::string name = file.filename().string(), key = key_of(file);
      present.insert(name);
      Seen& seen = seen_[name];
      if (seen.key != key) {
        seen = {key, now, journal_.find_by_key(key).has_value()};
      } else if (!seen.done && !key.empty() && now - seen.since >= options_.settle) {
        seen.done = true;
        inspect(file, key);
      }
    }
    std::erase_if(seen_, [&](const auto& entry) { return !present.contains(entry.first); });
  }

  void run() {
    while (!stop_.wait_for(kScanPause)) {
      try {
        scan();
      } catch (const std::exception& e) {  // a journal that cannot be read, a folder that vanishes
        change_state(SourceState::kGone, e.what());
      }
    }
  }

  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 28;

  fs::path folder_;
  SourceOptions options_;
  Line& line_;
  const JournalReader& journal_;
  std::map<std::string, Seen> seen_;
};

}  // namespace

std::unique_ptr<Source> make_folder_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                           const JournalReader& journal, SourceListener listener) {
  return std::make_unique<FolderSource>(spec, options, line, journal, std::move(listener));
}

}  // namespace glint
