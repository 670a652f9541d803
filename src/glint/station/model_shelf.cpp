#include "glint/station/model_shelf.h"

#include <sys/stat.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/options.h"

namespace fs = std::filesystem;

namespace glint {

ModelShelf::ModelShelf(const std::vector<fs::path>& files, JudgeLoader loader) : loader_(std::move(loader)) {
  for (const fs::path& path : files) {
    std::vector<fs::path> found{path};
    if (fs::is_directory(path)) {
      found = list_files(path, [](const fs::path& p) { return lower_extension(p) == ".glint"; });
      if (found.empty()) fail(ErrorCode::kNotFound, "{}: no *.glint file in this folder", name_line(path));
    }
    for (const fs::path& file : found) {
      const std::string name = name_text(file.stem());
      for (const Place& other : places_) {
        if (other.name == name) {
          fail(ErrorCode::kConfig, "{} and {} have the same name; rename one", name_line(other.file),
               name_line(file));
        }
      }
      places_.push_back({name, file, {}});
    }
  }
  if (places_.empty()) fail(ErrorCode::kConfig, "no model given");
  activate(places_.front().name);
}

ModelShelf::Place& ModelShelf::find(const std::string& name) {
  std::vector<std::string> names;
  for (Place& place : places_) {
    if (place.name == name) return place;
    names.push_back(place.name);
  }
  const std::string near = nearest_name(name, names);
  fail(ErrorCode::kNotFound, "no model '{}' here{}", name,
       near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near));
}

std::shared_ptr<const Judge> ModelShelf::active() const {
  const std::lock_guard guard(mutex_);
  return active_.loaded.judge;
}

std::string ModelShelf::active_name() const {
  const std::lock_guard guard(mutex_);
  return active_.name;
}

std::optional<ModelShelf::Stamp> ModelShelf::stamp_of(const fs::path& file) {
  struct stat found {};
  std::error_code ec;
  const auto modified = fs::last_write_time(file, ec);
  if (ec || ::stat(file.c_str(), &found) != 0) return std::nullopt;
  return Stamp{modified, static_cast<std::uintmax_t>(found.st_size), found.st_ino};
}

std::vector<ShelfEntry> ModelShelf::list() const {
  const std::lock_guard guard(mutex_);
  std::vector<ShelfEntry> out;
  for (const Place& place : places_) {
    const bool changed = place.loaded.judge && stamp_of(place.file) != place.loaded.stamp;
    out.push_back({place.name, place.file, place.loaded.judge, place.name == active_.name,
                   previous_.loaded.judge && place.name == previous_.name, changed});
  }
  return out;
}

void ModelShelf::make_active(const Place& place) {
  if (place.loaded.judge == active_.loaded.judge) return;
  if (active_.loaded.judge) previous_ = active_;
  active_ = {place.name, place.loaded};
}

void ModelShelf::load(const std::string& name) {
  const std::lock_guard loading(loading_);
  fs::path file;
  {
    const std::lock_guard guard(mutex_);
    file = find(name).file;
  }
  // Before the content: a file that changes while it is read differs from its stamp afterwards.
  const Stamp stamp = stamp_of(file).value_or(Stamp{});
  auto judge = loader_(read_file(file), name_line(file));
  const std::lock_guard guard(mutex_);
  Place& place = find(name);
  place.loaded = {std::move(judge), stamp};
  if (active_.name == name) make_active(place);
}

void ModelShelf::activate(const std::string& name) {
  {
    const std::lock_guard guard(mutex_);
    const Place& place = find(name);
    if (place.loaded.judge) return make_active(place);
  }
  load(name);
  const std::lock_guard guard(mutex_);
  make_active(find(name));
}

void ModelShelf::roll_back() {
  const std::lock_guard guard(mutex_);
  if (!previous_.loaded.judge)
    fail(ErrorCode::kConfig, "no other model was active before; nothing to go back to");
  std::swap(active_, previous_);
  find(active_.name).loaded = active_.loaded;
}

}  // namespace glint
