#include "glint/inspect/picture_names.h"

#include <algorithm>
#include <map>
#include <set>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

/// Each item takes the first of its candidates that no other item wants too; in the end a number decides.
std::vector<fs::path> different(const std::vector<std::vector<fs::path>>& candidates) {
  std::vector<std::size_t> level(candidates.size(), 0);
  std::vector<fs::path> out(candidates.size());
  for (bool clash = true; clash;) {
    clash = false;
    std::map<fs::path, std::vector<std::size_t>> wanted;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto& names = candidates[i];
      if (level[i] < names.size()) {
        out[i] = names[level[i]];
      } else {
        out[i] = names.back();
        const std::size_t times = level[i] - names.size();
        const std::string again = times > 0 ? fmt::format(".{}", times) : "";
        out[i].replace_filename(fmt::format("{}.{}{}.jpg", names.back().stem().native(), i + 1, again));
      }
      wanted[out[i]].push_back(i);
    }
    for (const auto& [name, items] : wanted) {
      if (items.size() < 2) continue;
      clash = true;
      for (const std::size_t i : items) ++level[i];
    }
  }
  return out;
}

fs::path with_jpg(const fs::path& name) {
  return name.native() + ".jpg";
}

/// A label as one folder: it may come from a list and be anything.
fs::path label_folder(const std::string& label) {
  constexpr std::size_t kLongest = 200;
  std::string out = label.substr(0, kLongest);
  for (char& c : out) {
    if (c == '/' || c == '\0') c = '_';
  }
  if (out.empty() || out.front() == '.') out.insert(0, "_");
  return out;
}

fs::path common_folder(const std::vector<fs::path>& files) {
  fs::path common = files.empty() ? fs::path() : files[0].parent_path();
  for (const fs::path& file : files) {
    while (common.has_relative_path()) {
      const fs::path inside = file.lexically_relative(common);
      if (!inside.empty() && *inside.begin() != "..") break;
      common = common.parent_path();
    }
  }
  return common;
}

}  // namespace

std::vector<fs::path> overlay_names(const std::vector<fs::path>& photographs) {
  std::vector<fs::path> whole;
  for (const fs::path& path : photographs) whole.push_back(fs::absolute(path).lexically_normal());
  const fs::path common = common_folder(whole);
  std::vector<std::vector<fs::path>> candidates;
  for (const fs::path& path : whole) {
    const fs::path folder = path.parent_path().lexically_relative(common), stem = with_jpg(path.stem());
    const fs::path below = folder == "." ? fs::path() : folder;
    candidates.push_back({stem, below / stem, below / with_jpg(path.filename())});
  }
  return different(candidates);
}

std::vector<fs::path> map_names(const std::vector<const Sample*>& samples) {
  std::vector<std::vector<fs::path>> candidates;
  for (const Sample* sample : samples) {
    const fs::path folder = label_folder(sample->label);
    candidates.push_back(
        {folder / with_jpg(sample->path.stem()), folder / with_jpg(sample->path.filename())});
  }
  return different(candidates);
}

void check_pictures(const fs::path& folder, const std::vector<fs::path>& pictures,
                    const std::vector<fs::path>& photographs) {
  std::error_code ec;
  std::set<fs::path> real;
  for (const fs::path& photograph : photographs) real.insert(fs::weakly_canonical(photograph, ec));
  for (const fs::path& picture : pictures) {
    if (real.count(fs::weakly_canonical(folder / picture, ec))) {
      fail(ErrorCode::kBadInput, "{}: the picture {} would replace a photograph there; name another folder",
           name_line(folder), name_line(picture));
    }
  }
}

}  // namespace glint
