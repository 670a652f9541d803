// The models a station may use: the files named at its start, one of them active, and the way back to the one
// before. A model is in memory as it was loaded; a file that is replaced meanwhile changes nothing until it
// is loaded again.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "glint/station/judge.h"

namespace glint {

/// One model of the shelf.
struct ShelfEntry {
  std::string name;  ///< the file's stem; what requests use, never as a path
  std::filesystem::path file;
  std::shared_ptr<const Judge> judge;  ///< null until loaded
  bool active = false;
  bool previous = false;      ///< the one that roll_back returns to
  bool file_changed = false;  ///< the file is not the one that was loaded, or is gone
};

/// Thread-safe.
class ModelShelf {
 public:
  /// Files, or folders whose *.glint files are taken. Loads and activates the first. Errors as the loader's,
  /// or when two files have one name.
  ModelShelf(const std::vector<std::filesystem::path>& files, JudgeLoader loader);

  std::shared_ptr<const Judge> active() const;
  std::string active_name() const;
  std::vector<ShelfEntry> list() const;

  /// Reads the file (again). An active model is replaced at once. What was loaded stays when this fails.
  void load(const std::string& name);
  /// Loads when needed. Error(kNotFound) for a name that is not on the shelf.
  void activate(const std::string& name);
  /// Back to what was active before, as it was loaded then. Error(kConfig) when there is none.
  void roll_back();

 private:
  /// What a file looked like when it was read.
  struct Stamp {
    std::filesystem::file_time_type modified;
    std::uintmax_t bytes = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  /// A judge with the look of the file that it came from: the two go together, also back.
  struct Loaded {
    std::shared_ptr<const Judge> judge;  ///< null until loaded
    Stamp stamp;
  };
  struct Place {
    std::string name;
    std::filesystem::path file;
    Loaded loaded;
  };
  struct Choice {
    std::string name;
    Loaded loaded;
  };
  /// Absent when there is no such file.
  static std::optional<Stamp> stamp_of(const std::filesystem::path& file);
  Place& find(const std::string& name);
  void make_active(const Place& place);

  JudgeLoader loader_;
  std::mutex loading_;  ///< one load at a time; held without mutex_, so that inspection goes on
  mutable std::mutex mutex_;
  std::vector<Place> places_;
  Choice active_, previous_;
};

}  // namespace glint
