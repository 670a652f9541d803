#include "glint/data/image_tree.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/image/codec.h"
#include "glint/image/image_name.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

bool is_picture(const fs::path& path) {
  return is_image_file(path) || is_unread_image(path);
}

/// `path` without links, for telling whether a folder lies in itself; empty when that cannot be said.
fs::path resolved(const fs::path& path) {
  std::error_code ec;
  return fs::canonical(path, ec);
}

/// Pictures in a folder of another program, which is not worth an error when it cannot be listed.
int count_pictures(const fs::path& folder) {
  int count = 0;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, ec), end;
       !ec && it != end; it.increment(ec)) {
    std::error_code ignored;
    count += it->is_regular_file(ignored) && is_picture(it->path()) ? 1 : 0;
  }
  return count;
}

/// Hidden files end like any other: "._photo.png" holds no picture, but its name says so.
bool named_like_a_picture(const fs::path& path) {
  const std::string name = path.filename().native();
  return name.starts_with(".") ? is_image_file("x" + name) : is_picture(path);
}

class Walk {
 public:
  explicit Walk(Below below) : below_(below) {}

  void enter(const fs::path& folder) {
    const fs::path real = resolved(folder);
    if (std::find(inside_.begin(), inside_.end(), real) != inside_.end()) {
      add_broken(folder, "a link to a folder that it lies in; remove it");
      return;
    }
    FolderListing listing;
    try {
      listing = list_folder(folder);
    } catch (const Error& e) {
      out_.broken.push_back({folder, e.what()});
      return;
    }
    out_.folders.push_back(folder);
    for (const fs::path& file : listing.files) add_file(file);
    for (const fs::path& other : listing.others) {
      if (!is_foreign_name(other)) add_other(other);
    }
    inside_.push_back(real);
    for (const fs::path& inner : listing.folders) {
      if (is_foreign_name(inner)) {
        if (const int pictures = count_pictures(inner); pictures > 0)
          out_.foreign.push_back({inner, pictures});
      } else if (below_ == Below::kInclude) {
        enter(inner);
      }
    }
    inside_.pop_back();
  }
  ImageTree take() { return std::move(out_); }

 private:
  void add_file(const fs::path& file) {
    if (is_foreign_name(file)) {
      if (named_like_a_picture(file)) out_.foreign.push_back({file, 1});
    } else if (is_image_file(file)) {
      out_.images.push_back(file);
    } else if (is_unread_image(file)) {
      out_.unread.push_back(file);
    }
  }
  void add_other(const fs::path& other) {
    std::error_code ec;
    if (fs::is_symlink(fs::symlink_status(other, ec))) {
      add_broken(other, "a link whose target cannot be found; restore the target or remove the link");
    } else {
      add_broken(other,
                 "neither a file nor a folder, or one that cannot be looked at; remove it or check the "
                 "permissions of its folder");
    }
  }
  void add_broken(const fs::path& path, const char* why) {
    out_.broken.push_back({path, fmt::format("{}: {}", name_line(path), why)});
  }

  Below below_;
  ImageTree out_;
  std::vector<fs::path> inside_;  ///< the folders around the current one, without links
};

}  // namespace

ImageTree list_images(const fs::path& folder, Below below) {
  Walk walk(below);
  walk.enter(folder);
  return walk.take();
}

fs::path path_in(const fs::path& root, const fs::path& path) {
  return fs::absolute(path).lexically_normal().lexically_relative(fs::absolute(root).lexically_normal());
}

std::string first_and_count(const std::vector<fs::path>& paths, const fs::path& root) {
  std::string out = name_line(path_in(root, paths.at(0)));
  if (paths.size() > 1) out += fmt::format(" and {} more", paths.size() - 1);
  return out;
}

std::vector<std::string> left_out_notices(const ImageTree& tree, const fs::path& root) {
  std::vector<std::string> out;
  if (!tree.unread.empty()) {
    out.push_back(fmt::format("{}: {} left out, of a kind that is not read here; convert to PNG",
                              first_and_count(tree.unread, root),
                              tree.unread.size() == 1 ? "a picture is" : "pictures are"));
  }
  if (!tree.foreign.empty()) {
    std::string named;
    int pictures = 0;
    for (std::size_t i = 0; i < tree.foreign.size(); ++i) {
      pictures += tree.foreign[i].pictures;
      if (i < kNamedFolders) named += (i > 0 ? ", " : "") + name_line(path_in(root, tree.foreign[i].path));
    }
    if (tree.foreign.size() > kNamedFolders)
      named += fmt::format(" and {} more", tree.foreign.size() - kNamedFolders);
    out.push_back(fmt::format("{}: left out as another program's; pictures in there: {}", named, pictures));
  }
  return out;
}

}  // namespace glint
