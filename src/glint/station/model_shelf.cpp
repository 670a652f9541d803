#include "glint/station/model_shelf.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/options.h"

namespace fs = std::filesystem;

namespace glint {

ModelShelf::ModelShelf(const std::vector<fs::path>& files, JudgeLoader loader) : loader_(std::move(loader)) {
  for (const fs::path& path : files) {
    std::vector<fs::path> found{path};
    if (fs::is_directory(path)) {
      found = list_files(path, [](const fs::path& p) { return lower_extension(p) == ".glint"; });
      if (found.empty()) fail(ErrorCode::kNotFound, "{}: no *.glint file in this folder", path.string());
    }
    for (const fs::path& file : found) {
      const std::string name = file.stem().string();
      for (const Place& other : places_) {
        if (other.name == name) {
          fail(ErrorCode::kConfig, "{} and {} have the same name; rename one", other.file.string(),
               file.string());
        }
      }
      places_.push_back({name, file, nullptr, {}, 0});
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
  return active_.judge;
}

std::string ModelShelf::active_name() const {
  const std::lock_guard guard(mutex_);
  return active_.name;
}

std::vector<ShelfEntry> ModelShelf::list() const {
  const std::lock_guard guard(mutex_);
  std::vector<ShelfEntry> out;
  for (const Place& place : places_) {
    std::error_code ec;
    const auto bytes = fs::file_size(place.file, ec);
    const bool changed =
        place.judge && (ec || bytes != place.bytes || fs::last_write_time(place.file, ec) != place.modified);
    out.push_back({place.name, place.file, place.judge, place.name == active_.name,
                   previous_.judge && place.name == previous_.name, changed});
  }
  return out;
}

void ModelShelf::make_active(const Place& place) {
  if (place.judge == active_.judge) return;
  if (active_.judge) previous_ = active_;
  active_ = {place.name, place.judge};
}

void ModelShelf::load(const std::string& name) {
  const std::lock_guard loading(loading_);
  fs::path file;
  {
    const std::lock_guard guard(mutex_);
    file = find(name).file;
  }
  std::error_code ec;
  const auto modified = fs::last_write_time(file, ec);
  const Bytes content = read_file(file);
  auto judge = loader_(content, file.string());
  const std::lock_guard guard(mutex_);
  Place& place = find(name);
  place.judge = std::move(judge);
  place.modified = modified;
  place.bytes = content.size();
  if (active_.name == name) make_active(place);
}

void ModelShelf::activate(const std::string& name) {
  {
    const std::lock_guard guard(mutex_);
    const Place& place = find(name);
    if (place.judge) return make_active(place);
  }
  load(name);
  const std::lock_guard guard(mutex_);
  make_active(find(name));
}

void ModelShelf::roll_back() {
  const std::lock_guard guard(mutex_);
  if (!previous_.judge) fail(ErrorCode::kConfig, "no other model was active before; nothing to go back to");
  std::swap(active_, previous_);
  find(active_.name).judge = active_.judge;
}

}  // namespace glint
