#include "glint/data/photograph_index.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::size_t kUploadPrefix = 9;  // "0a1b2c3d-", by Label Studio

bool has_upload_prefix(const std::string& file) {
  return file.size() > kUploadPrefix && file[kUploadPrefix - 1] == '-' &&
         std::all_of(file.begin(), file.begin() + kUploadPrefix - 1,
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string percent_decoded(const std::string& text) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(16 * digit(text[i + 1]) + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string with_slashes(std::string text) {
  std::replace(text.begin(), text.end(), '\\', '/');
  return text;
}

/// The path of an address: without scheme and host, and without what follows '?' or '#'. Label Studio's local
/// files have theirs in "?d=".
std::string path_of_address(const std::string& name) {
  if (const auto local = name.find("?d="); local != std::string::npos) {
    return name.substr(local + 3, name.find('&', local) - local - 3);
  }
  const auto scheme = name.find("://");
  if (scheme == std::string::npos) return name;
  const auto path = name.find('/', scheme + 3);
  return path == std::string::npos ? "" : name.substr(path, name.find_first_of("?#", path) - path);
}

/// Ways to read what an export wrote, as paths without root; the name as it stands first.
std::vector<fs::path> readings(const std::string& name) {
  std::vector<fs::path> out;
  const std::string address = path_of_address(name);
  for (const std::string& text : {name, name_bytes(name), address, percent_decoded(address)}) {
    for (const std::string& form : {text, with_slashes(text)}) {
      const fs::path path = fs::path(form).lexically_normal().relative_path();
      if (!path.empty() && path.has_filename() && std::find(out.begin(), out.end(), path) == out.end())
        out.push_back(path);
    }
  }
  return out;
}

/// True when one path ends with the other.
bool ends_alike(const fs::path& a, const fs::path& b) {
  auto i = a.end(), j = b.end();
  while (i != a.begin() && j != b.begin()) {
    if (*--i != *--j) return false;
  }
  return true;
}

/// Label Studio loses the folders of what is uploaded.
bool was_uploaded(const std::string& name) {
  return with_slashes(name).find("upload/") != std::string::npos;
}

}  // namespace

PhotographIndex::PhotographIndex(const fs::path& folder) : folder_(folder) {
  std::error_code ec;
  if (!fs::is_directory(folder, ec)) fail(ErrorCode::kNotFound, "{}: no such folder", name_line(folder));
  tree_ = list_images(folder);
  for (const fs::path& image : tree_.images) by_name_.emplace(image.filename().native(), image);
}

std::vector<fs::path> PhotographIndex::named(const fs::path& path) const {
  std::vector<fs::path> out;
  const auto [first, last] = by_name_.equal_range(path.filename().native());
  for (auto it = first; it != last; ++it) out.push_back(it->second);
  return out;
}

std::vector<fs::path> PhotographIndex::uploaded(const fs::path& path) const {
  const std::string file = path.filename().native();
  return has_upload_prefix(file) ? named(file.substr(kUploadPrefix)) : std::vector<fs::path>();
}

fs::path PhotographIndex::find(const std::string& name) const {
  std::vector<fs::path> found, elsewhere;
  const auto use = [&](const std::vector<fs::path>& images, const fs::path& wanted, bool by_name_alone) {
    // The whole path first, then those that the folders do not contradict.
    for (const fs::path& image : images) {
      if (path_in(folder_, image) == wanted) {
        found = {image};
        return;
      }
    }
    for (const fs::path& image : images) {
      const bool fits = by_name_alone || ends_alike(path_in(folder_, image), wanted) ||
                        ends_alike(fs::absolute(image).lexically_normal(), wanted);
      (fits ? found : elsewhere).push_back(image);
    }
  };
  const std::vector<fs::path> wanted = readings(name);
  for (const fs::path& path : wanted) {
    if (found.empty()) use(named(path), path, was_uploaded(name));
  }
  for (const fs::path& path : wanted) {
    if (found.empty()) use(uploaded(path), path, true);
  }
  const std::string said = name_line(name);
  if (found.size() > 1) {
    fail(ErrorCode::kBadInput,
         "{}: could be {} or {}; give them different names, or their folders in the export", said,
         name_line(found[0]), name_line(found[1]));
  }
  if (!found.empty()) return found[0];
  if (!elsewhere.empty()) {
    fail(ErrorCode::kBadInput,
         "{}: there is a file of that name in another folder only, {}; name the folder that the export's "
         "paths "
         "start from",
         said, name_line(elsewhere[0]));
  }
  fail(ErrorCode::kBadInput, "{}: no such image below {}", said, name_line(folder_));
}

}  // namespace glint
