#include "glint/inspect/inspect_inputs.h"

#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

/// "3 files (a.webp, b.txt, c.pdf)"; at most three by name.
std::string some_of(const std::vector<fs::path>& paths, const char* what) {
  constexpr std::size_t kNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(kNamed, paths.size()); ++i)
    names += (i > 0 ? ", " : "") + name_line(paths[i].filename());
  return fmt::format("{} {}{} ({}{})", paths.size(), what, paths.size() == 1 ? "" : "s", names,
                     paths.size() > kNamed ? ", ..." : "");
}

class Collector {
 public:
  void add(const fs::path& argument) {
    std::error_code ec;
    const fs::file_status status = fs::status(argument, ec);
    if (fs::is_directory(status)) return add_folder(argument);
    if (fs::is_regular_file(status)) return add_file(argument, "");
    const std::string why = status.type() == fs::file_type::not_found ? "no such file or folder"
                            : fs::exists(status)                      ? "is neither a file nor a folder"
                                                 : "cannot be looked at (" + ec.message() + ")";
    add_file(argument, why);
  }
  InspectInputs take() { return std::move(out_); }

 private:
  void add_file(const fs::path& path, const std::string& refusal) {
    std::error_code ec;
    const fs::path whole = fs::absolute(path, ec).lexically_normal();
    if (!seen_.insert(ec ? path : whole).second) {
      out_.notices.push_back(name_line(path) + ": is named twice and judged once");
    } else {
      out_.inputs.push_back({path, refusal});
    }
  }

  void add_folder(const fs::path& folder) {
    FolderListing listing;
    try {
      listing = list_folder(folder);
    } catch (const Error&) {
      return add_file(folder, "the folder cannot be listed; check its permissions");
    }
    std::vector<fs::path> foreign, strange;
    bool any = false;
    for (const fs::path& file : listing.files) {
      if (is_image_file(file)) {
        add_file(file, "");
        any = true;
      } else {
        foreign.push_back(file);
      }
    }
    for (const fs::path& other : listing.others) {
      if (is_image_file(other)) {
        add_file(other, "is a link to nothing, or no file");
        any = true;
      } else {
        strange.push_back(other);
      }
    }
    if (!any) add_file(folder, "no image in this folder");
    std::string unread;
    const auto tell = [&](const std::vector<fs::path>& paths, const char* what) {
      if (!paths.empty()) unread += (unread.empty() ? "" : ", ") + some_of(paths, what);
    };
    tell(foreign, "other file");
    tell(listing.folders, "sub-folder");
    tell(strange, "broken link or device");
    if (!unread.empty()) out_.notices.push_back(fmt::format("{}: not read: {}", name_line(folder), unread));
  }

  InspectInputs out_;
  std::set<fs::path> seen_;
};

}  // namespace

InspectInputs collect_inputs(const std::vector<fs::path>& arguments) {
  Collector collector;
  for (const fs::path& argument : arguments) collector.add(argument);
  return collector.take();
}

}  // namespace glint
