#include "glint/data/listed_layout.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/data/dataset_writer.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxListBytes = std::uint64_t{256} << 20;

/// The root's absolute path by its names alone: links stay, no slash at the end.
fs::path named_root(const fs::path& root) {
  const fs::path whole = fs::absolute(root).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

/// Where the folder beside it is looked for: by name, and where a link leads.
std::vector<fs::path> parents(const fs::path& root) {
  std::error_code ec;
  const fs::path real = fs::canonical(root, ec);
  return {root.parent_path(), (ec ? root : real).parent_path()};
}

/// `base`/`entry` when that stays below `base`. Lists that were written on Windows have backslashes, and a
/// name's bytes may be written as name_text does; the entry itself comes first.
fs::path path_inside(const fs::path& base, const std::string& entry, const fs::path& list) {
  std::string slashes = entry;
  std::replace(slashes.begin(), slashes.end(), '\\', '/');
  fs::path first;
  for (const std::string& text : {entry, name_bytes(entry), slashes}) {
    const fs::path path = fs::path(text).lexically_normal();
    if (text.empty() || path.is_absolute() || *path.begin() == "..") {
      fail(ErrorCode::kBadInput, "{}: the entry '{}' points outside the dataset", name_line(list),
           name_line(entry));
    }
    if (first.empty()) first = base / path;
    if (is_there(base / path)) return base / path;
  }
  return first;
}

/// Column numbers of VisA's list by name.
std::map<std::string, std::size_t> visa_columns(const std::vector<std::vector<std::string>>& rows,
                                                const fs::path& list) {
  std::map<std::string, std::size_t> out;
  if (!rows.empty()) {
    for (std::size_t i = 0; i < rows[0].size(); ++i) out[rows[0][i]] = i;
  }
  for (const char* name : {"object", "split", "label", "image", "mask"}) {
    if (!out.contains(name))
      fail(ErrorCode::kBadInput, "{}: no column '{}' in its first line", name_line(list), name);
  }
  return out;
}

void check_word(const std::string& word, std::pair<const char*, const char*> allowed,
                const std::string& where) {
  if (word == allowed.first || word == allowed.second) return;
  fail(ErrorCode::kBadInput, "{}: '{}' is neither '{}' nor '{}'", where, name_line(word), allowed.first,
       allowed.second);
}

}  // namespace

void list_visa(SampleListing& listing, const std::string& category) {
  const fs::path root = named_root(listing.root());
  fs::path list;
  for (const fs::path& parent : parents(root)) {
    if (list.empty() || !is_there(list)) list = parent / "split_csv" / "1cls.csv";
  }
  if (!is_there(list)) {
    fail(ErrorCode::kBadInput,
         "{}: VisA's list of training and test images is missing; keep the folder split_csv of the download "
         "beside the categories",
         name_line(list));
  }
  const auto rows = parse_csv(read_text(list, kMaxListBytes), name_line(list));
  auto column = visa_columns(rows, list);
  std::size_t named = 0, anomalous_training = 0;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const std::vector<std::string>& fields = rows[r];
    const std::string where = fmt::format("{}, row {}", name_line(list), r + 1);
    if (fields.size() < rows[0].size()) {
      fail(ErrorCode::kBadInput, "{}: {} fields instead of {}", where, fields.size(), rows[0].size());
    }
    if (name_text(fields[column["object"]]) != category) continue;
    ++named;
    check_word(fields[column["split"]], {"train", "test"}, where);
    check_word(fields[column["label"]], {"normal", "anomaly"}, where);
    const bool normal = fields[column["label"]] == "normal", train = fields[column["split"]] == "train";
    if (train && !normal) {  // some of the published splits train with anomalies; not this one
      ++anomalous_training;
      continue;
    }
    const fs::path image = path_inside(root.parent_path(), fields[column["image"]], list);
    if (*path_in(root, image).begin() == "..") {
      fail(ErrorCode::kBadInput, "{}: the entry '{}' points outside the category", where,
           name_line(fields[column["image"]]));
    }
    if (!is_there(image)) {
      listing.faults().add(image, fmt::format("{}: named in {}, but absent", name_line(image), where));
      continue;
    }
    const std::string& mask = fields[column["mask"]];
    listing.add_listed(
        image, train ? Role::kTrain : Role::kTest, normal ? kGoodClass : "anomaly",
        normal || mask.empty() ? std::nullopt : std::optional(path_inside(root.parent_path(), mask, list)));
  }
  if (named == 0) {
    fail(ErrorCode::kBadInput, "{}: names no image of '{}'; the category's folder must keep its name",
         name_line(list), name_line(root.filename()));
  }
  if (anomalous_training > 0) {
    listing.notice(fmt::format("{}: {} anomalous images of its training part are not trained on",
                               name_line(list.filename()), anomalous_training));
  }
}

fs::path real_iad_list(const fs::path& root) {
  const fs::path whole = named_root(root);
  fs::path file = whole.filename();
  file += ".json";
  if (is_there(whole / file)) return whole / file;
  for (const fs::path& parent : parents(whole)) {
    for (const fs::path& folder : {parent, parent / "realiad_jsons", parent.parent_path() / "realiad_jsons",
                                   parent / "realiad_jsons" / "realiad_jsons"}) {
      if (is_there(folder / file)) return folder / file;
    }
  }
  return {};
}

void list_real_iad(SampleListing& listing) {
  const fs::path root = named_root(listing.root());
  const fs::path list = real_iad_list(root);
  if (list.empty()) {
    fail(ErrorCode::kBadInput,
         "{}: Real-IAD's list {}.json is missing; put it into the folder, beside it, or into "
         "../realiad_jsons",
         name_line(root), name_line(root.filename()));
  }
  const std::string name = name_line(list);
  const json all = json::parse(read_text(list, kMaxListBytes), nullptr, false);
  if (!all.is_object() || !all.contains("train") || !all.contains("test"))
    fail(ErrorCode::kBadInput, "{}: not a list of Real-IAD (no \"train\" and \"test\")", name);
  auto text = [](const json& object, const char* key) {
    return object.is_object() && object.contains(key) && object[key].is_string()
               ? object[key].get<std::string>()
               : std::string();
  };
  const json meta = all.value("meta", json::object());
  std::string normal = text(meta, "normal_class");
  if (normal.empty()) normal = "OK";
  std::size_t anomalous_training = 0;
  for (const auto& [part, role] : {std::pair("train", Role::kTrain), std::pair("test", Role::kTest)}) {
    if (!all[part].is_array()) fail(ErrorCode::kBadInput, "{}: \"{}\" is no array", name, part);
    for (std::size_t i = 0; i < all[part].size(); ++i) {
      const json& entry = all[part][i];
      const std::string image = text(entry, "image_path"), kind = text(entry, "anomaly_class"),
                        mask = text(entry, "mask_path");
      if (image.empty() || kind.empty()) {
        fail(ErrorCode::kBadInput, "{}: \"{}\"[{}] lacks image_path or anomaly_class", name, part, i);
      }
      if (!fits_a_folder(kind)) {
        fail(ErrorCode::kBadInput, "{}: \"{}\"[{}]: '{}' cannot name a class", name, part, i,
             name_line(kind));
      }
      if (kind != normal && kind == kGoodClass) {
        fail(ErrorCode::kBadInput, "{}: \"{}\"[{}] is of a class '{}', but '{}' means good there", name, part,
             i, kind, normal);
      }
      if (role == Role::kTrain && kind != normal) {  // the fully unsupervised lists mix them in
        ++anomalous_training;
        continue;
      }
      const fs::path path = path_inside(root, image, list);
      if (!is_there(path)) {
        listing.faults().add(path, fmt::format("{}: named in {}, but absent", name_line(path), name));
        continue;
      }
      listing.add_listed(
          path, role, kind == normal ? kGoodClass : kind,
          kind == normal || mask.empty() ? std::nullopt : std::optional(path_inside(root, mask, list)));
    }
  }
  if (anomalous_training > 0) {
    listing.notice(fmt::format("{}: {} anomalous images of its training part are not trained on",
                               name_line(list.filename()), anomalous_training));
  }
}

}  // namespace glint
