#include "glint/data/surface_layout.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/parallel.h"
#include "glint/image/image_name.h"
#include "glint/image/mask_file.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr const char* kDefectClass = "defect";
constexpr const char* kKolektorEnding = "_label";
constexpr const char* kKolektor2Ending = "_GT";
constexpr const char* kDagmEnding = "_label";
constexpr std::uint64_t kMaxLabelBytes = std::uint64_t{16} << 20;

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  return list_files(folder, [](const fs::path& file) { return is_image_file(file); });
}

/// The number of "kos07"; 0 for any other name.
int commutator_number(const fs::path& folder) {
  const std::string name = folder.filename().native();
  return name.size() <= 6 && name.starts_with("kos") && all_digits(std::string_view(name).substr(3))
             ? std::stoi(name.substr(3))
             : 0;
}

/// Full and short names of NEU's classes.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNeuClasses = {
    {{"crazing", "Cr"},
     {"inclusion", "In"},
     {"patches", "Pa"},
     {"pitted_surface", "PS"},
     {"rolled-in_scale", "RS"},
     {"scratches", "Sc"}}};

/// The class that "crazing_12" names; empty for any other name.
std::string neu_class(const fs::path& picture) {
  const std::string stem = picture.stem().native();
  const std::size_t end = stem.rfind('_');
  if (end == std::string::npos || !all_digits(std::string_view(stem).substr(end + 1))) return "";
  for (const auto& [name, brief] : kNeuClasses) {
    if (stem.compare(0, end, name) == 0 || stem.compare(0, end, brief) == 0) return std::string(name);
  }
  return "";
}

bool looks_like_neu(const fs::path& root) {
  const std::vector<fs::path> pictures = pictures_in(root);
  return !pictures.empty() && std::all_of(pictures.begin(), pictures.end(),
                                          [](const fs::path& p) { return !neu_class(p).empty(); });
}

/// A photograph and the label image beside it.
struct LabelledPicture {
  fs::path picture, label;
  bool defective = false;
};

/// The photographs in `folder` whose label images are called like them with `ending` behind; a fault for each
/// that has none.
std::vector<LabelledPicture> labelled_pictures(SampleListing& listing, const fs::path& folder,
                                               const std::string& ending) {
  const std::vector<fs::path> files = pictures_in(folder);
  std::map<std::string, fs::path> by_stem;
  for (const fs::path& file : files) by_stem.emplace(file.stem().native(), file);
  std::vector<LabelledPicture> out;
  for (const fs::path& file : files) {
    const std::string stem = file.stem().native();
    if (stem.find(ending) != std::string::npos) continue;  // left out by name unless it is a label below
    const auto label = by_stem.find(stem + ending);
    if (label == by_stem.end()) {
      listing.account_for(file);
      listing.faults().add(file, fmt::format("{}: its label image {}{}.* is missing; restore it",
                                             name_line(file), name_line(stem), ending));
      continue;
    }
    listing.account_for(label->second);
    out.push_back({file, label->second});
  }
  return out;
}

/// Good or defective is in the label images alone, so that these are decoded here. Those that do not decode
/// become faults and are taken out.
void read_labels(SampleListing& listing, std::vector<LabelledPicture>& pictures) {
  std::vector<char> bad(pictures.size(), 0);
  parallel_for(std::ssize(pictures), [&](std::int64_t i) {
    try {
      const Mask mask = read_mask(pictures[i].label, MaskRule::kNonZero);
      pictures[i].defective = std::find(mask.pixels.begin(), mask.pixels.end(), 1) != mask.pixels.end();
    } catch (const Error& e) {
      listing.faults().add(pictures[i].label, e.what());
      bad[i] = 1;
    }
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (bad[i] != 0) listing.account_for(pictures[i].picture);
    if (bad[i] == 0) pictures[kept++] = pictures[i];
  }
  pictures.resize(kept);
}

void add_picture(SampleListing& listing, const LabelledPicture& picture, Role role) {
  listing.add_listed(picture.picture, role, picture.defective ? kDefectClass : kGoodClass,
                     picture.defective ? std::optional(picture.label) : std::nullopt);
}

/// Good pictures of a published training part train; its defective ones are named.
void add_training_part(SampleListing& listing, const std::vector<LabelledPicture>& pictures,
                       const std::string& part) {
  int left_out = 0;
  for (const LabelledPicture& picture : pictures) {
    if (!picture.defective) {
      add_picture(listing, picture, Role::kTrain);
      continue;
    }
    listing.account_for(picture.picture);
    ++left_out;
  }
  if (left_out > 0)
    listing.notice(
        fmt::format("{}: {} defective images of the training part are not trained on", part, left_out));
}

/// One part of DAGM. The label images say which pictures are defective; Labels.txt must agree.
std::vector<LabelledPicture> dagm_part(SampleListing& listing, const fs::path& folder) {
  std::map<std::string, std::string> listed;
  const fs::path labels = folder / "Label", list = labels / "Labels.txt";
  const bool has_list = is_there(list);
  if (has_list) listed = parse_dagm_labels(read_text(list, kMaxLabelBytes), name_line(list));
  std::map<std::string, fs::path> label_of;  // by the picture's stem
  for (const fs::path& file : pictures_in(labels)) {
    std::string stem = file.stem().native();
    if (!stem.ends_with(kDagmEnding)) continue;
    label_of.emplace(stem.substr(0, stem.size() - std::string_view(kDagmEnding).size()), file);
  }
  std::vector<LabelledPicture> out;
  for (const fs::path& file : pictures_in(folder)) {
    LabelledPicture picture{file, {}};
    if (const auto label = label_of.find(file.stem().native()); label != label_of.end()) {
      picture.defective = true;
      picture.label = label->second;
      listing.account_for(picture.label);
      label_of.erase(label);
    }
    const auto entry = listed.find(file.filename().native());
    if (has_list && (entry == listed.end() || entry->second.empty() == picture.defective)) {
      listing.account_for(file);
      listing.faults().add(
          file,
          fmt::format("{}: {} in {}, but {}; restore what the download has", name_line(file),
                      entry == listed.end()   ? "not listed"
                      : entry->second.empty() ? "good"
                                              : "defective",
                      name_line(list), picture.defective ? "it has a label image" : "it has no label image"));
      continue;
    }
    out.push_back(std::move(picture));
  }
  for (const auto& [stem, label] : label_of) {
    listing.account_for(label);
    listing.faults().add(
        label,
        fmt::format("{}: a label image without its picture; remove it or add the picture", name_line(label)));
  }
  return out;
}

}  // namespace

std::optional<DatasetLayout> recognise_surface_layout(const fs::path& root) try {
  if (is_folder(root / "Train" / "Label") && is_folder(root / "Test")) return DatasetLayout::kDagm;
  if (is_folder(root / "train") && is_folder(root / "test") && !is_folder(root / "train" / kGoodClass)) {
    for (const fs::path& file : pictures_in(root / "train")) {
      if (file.stem().native().ends_with(kKolektor2Ending)) return DatasetLayout::kKolektor2;
    }
    return std::nullopt;
  }
  for (const fs::path& folder : list_folders(root)) {
    if (commutator_number(folder) == 0) continue;
    for (const fs::path& file : pictures_in(folder)) {
      if (file.stem().native().ends_with(kKolektorEnding)) return DatasetLayout::kKolektor;
    }
  }
  if (list_folders(root).empty() && looks_like_neu(root)) return DatasetLayout::kNeu;
  return std::nullopt;
} catch (const Error&) {
  return std::nullopt;  // a folder that cannot be listed: the reader of another layout names it
}

void list_kolektor(SampleListing& listing) {
  constexpr int kTestEvery = 3;
  for (const fs::path& folder : list_folders(listing.root())) {
    const int number = commutator_number(folder);
    if (number == 0) continue;
    std::vector<LabelledPicture> pictures = labelled_pictures(listing, folder, kKolektorEnding);
    read_labels(listing, pictures);
    for (const LabelledPicture& picture : pictures)
      add_picture(listing, picture,
                  picture.defective || number % kTestEvery == 0 ? Role::kTest : Role::kTrain);
  }
  listing.notice(
      "KolektorSDD has no division for learning from good parts: good surfaces of every third commutator "
      "(kos03, kos06, ...) and all defective ones test, the other good ones train");
}

void list_kolektor_2(SampleListing& listing) {
  for (const auto& [name, role] : {std::pair("train", Role::kTrain), std::pair("test", Role::kTest)}) {
    std::vector<LabelledPicture> pictures =
        labelled_pictures(listing, listing.root() / name, kKolektor2Ending);
    read_labels(listing, pictures);
    if (role == Role::kTrain) {
      add_training_part(listing, pictures, name);
    } else {
      for (const LabelledPicture& picture : pictures) add_picture(listing, picture, role);
    }
  }
}

void list_dagm(SampleListing& listing) {
  add_training_part(listing, dagm_part(listing, listing.root() / "Train"), "Train");
  for (const LabelledPicture& picture : dagm_part(listing, listing.root() / "Test"))
    add_picture(listing, picture, Role::kTest);
  listing.notice(
      "DAGM marks defects by ellipses around them: pixel figures count good texture inside an ellipse as "
      "defect");
}

void list_neu(SampleListing& listing) {
  for (const fs::path& file : pictures_in(listing.root()))
    listing.add_listed(file, Role::kTest, neu_class(file), std::nullopt);
  listing.notice(
      "NEU's six classes are defects without good parts and without masks: test images only; good parts to "
      "train on must come from elsewhere");
}

std::map<std::string, std::string> parse_dagm_labels(std::string_view text, const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::map<std::string, std::string> out;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(std::move(word));
    if (fields.empty() || (number == 1 && fields.size() == 1 && all_digits(fields[0]))) continue;
    const auto refuse = [&](const char* why) {
      fail(ErrorCode::kBadInput, "{}: line {}: {}", file, number, why);
    };
    if (fields.size() != 5) refuse("not the five fields number, 0 or 1, picture, number, label image");
    if (fields[1] != "0" && fields[1] != "1") refuse("the second field is neither 0 nor 1");
    const bool defective = fields[1] == "1";
    if (defective == (fields[4] == "0")) refuse("a label image goes with 1, and 0 in its place with 0");
    if (!out.emplace(fields[2], defective ? fields[4] : "").second)
      refuse("a picture that was listed before");
  }
  return out;
}

}  // namespace glint
