#include "glint/labels/label_import.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/random.h"
#include "glint/data/box_list.h"
#include "glint/data/dataset_writer.h"
#include "glint/data/photograph_index.h"
#include "glint/image/codec.h"
#include "glint/image/image_name.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::size_t kListedProblems = 50;

/// One image of the new dataset.
struct Item {
  fs::path path;
  std::string label;
  const LabelledImage* labelled = nullptr;
};

bool is_among(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

void check_label(const std::string& label, const ImportOptions& options) {
  if (!fits_a_folder(label) || label == kGoodClass || is_among(options.good, label)) {
    fail(ErrorCode::kBadInput, "the label '{}' cannot name a defect class's folder; rename it", label);
  }
  if (!options.classes.empty() && !is_among(options.classes, label)) {
    const std::string near = nearest_name(label, options.classes);
    fail(ErrorCode::kBadInput, "unknown label '{}'{}", label,
         near.empty() ? "; it is not among --classes" : "; did you mean '" + near + "'?");
  }
}

/// The class that the choices for the whole image give it; empty when there is none.
std::string chosen_class(const LabelledImage& image, const ImportOptions& options) {
  std::string out;
  for (const std::string& choice : image.choices) {
    const bool good = is_among(options.good, choice);
    if (!good && !is_among(options.classes, choice) && (options.good.empty() || !options.classes.empty())) {
      fail(ErrorCode::kBadInput,
           "the choice '{}' for the whole image: say which choices mean a good part (--good-choices), and "
           "which are "
           "defect classes (--classes)",
           choice);
    }
    if (!good) check_label(choice, options);
    const std::string label = good ? kGoodClass : choice;
    if (!out.empty() && (out == kGoodClass) != good) {
      fail(ErrorCode::kBadInput, "its choices '{}' contradict each other", fmt::join(image.choices, "', '"));
    }
    out = out.empty() || out == label ? label : kCombinedClass;
  }
  return out;
}

std::string class_of_regions(const LabelledImage& image, const ImportOptions& options) {
  std::string out;
  const auto add = [&](const std::string& label) {
    check_label(label, options);
    out = out.empty() || out == label ? label : kCombinedClass;
  };
  for (const LabelledRegion& region : image.regions) add(region.label);
  if (!image.boxes.empty() && options.boxes == BoxUse::kRefuse) {
    fail(
        ErrorCode::kBadInput,
        "a box alone is no mask; draw the outline, or take the boxes' classes without masks (--boxes class)");
  }
  for (const DefectBox& box : image.boxes) add(box.label);
  return out;
}

/// Never good by lack of something better: an image is good when nothing at all is said of it, or when a
/// choice says so.
std::string class_of(const LabelledImage& image, const ImportOptions& options) {
  std::vector<std::string> places, remarks;
  for (const ShapelessResult& result : image.shapeless) {
    if (!is_among(options.ignored, result.kind))
      (result.marks_a_place ? places : remarks).push_back(result.kind);
  }
  if (!places.empty()) {
    fail(ErrorCode::kBadInput,
         "a result of the type '{}' has no area and cannot become a mask; draw the region, or leave such "
         "results "
         "out if they mark no defect (--ignore {})",
         places[0], places[0]);
  }
  std::string marked = class_of_regions(image, options);
  if (!marked.empty()) {
    for (const std::string& choice : image.choices) {
      if (is_among(options.good, choice))
        fail(ErrorCode::kBadInput, "the choice '{}' contradicts its regions", choice);
    }
    return marked;
  }
  if (std::string chosen = chosen_class(image, options); !chosen.empty()) return chosen;
  if (!remarks.empty()) {
    fail(ErrorCode::kBadInput,
         "it has a '{}' and no region: good or not? Add a choice or a region, or say that such results tell "
         "nothing of defects (--ignore {})",
         remarks[0], remarks[0]);
  }
  return kGoodClass;
}

/// The same file under two classes.
void find_contradictions(const std::vector<Item>& items, std::vector<std::string>& problems) {
  std::map<std::string, const Item*> known;
  for (const Item& item : items) {
    const auto [other, fresh] = known.emplace(sha256_hex(read_file(item.path)), &item);
    if (fresh || other->second->label == item.label) continue;
    problems.push_back(fmt::format("{} and {} are the same file, but '{}' and '{}'; keep one",
                                   name_line(other->second->path), name_line(item.path), other->second->label,
                                   item.label));
  }
}

[[noreturn]] void fail_with(const std::vector<std::string>& problems) {
  std::string list;
  for (std::size_t i = 0; i < std::min(problems.size(), kListedProblems); ++i) list += "\n  " + problems[i];
  if (problems.size() > kListedProblems)
    list += fmt::format("\n  and {} more", problems.size() - kListedProblems);
  fail(ErrorCode::kBadInput, "nothing was imported; {} problems:{}", problems.size(), list);
}

std::optional<Mask> mask_of(const Item& item) {
  if (item.labelled == nullptr || item.labelled->regions.empty()) return std::nullopt;
  if (!item.labelled->boxes.empty()) return std::nullopt;  // it would call the boxed defects normal
  Mask out(item.labelled->width, item.labelled->height);
  for (const LabelledRegion& region : item.labelled->regions)
    add_region(out, rasterise(region.shape, out.width, out.height));
  return out;
}

ImportSummary write_items(const std::vector<Item>& items, const ImportOptions& options, const fs::path& out,
                          ProgressSink& progress) {
  std::vector<int> good;
  for (int i = 0; i < std::ssize(items); ++i) {
    if (items[i].label == kGoodClass) good.push_back(i);
  }
  auto share =
      static_cast<std::size_t>(std::lround(options.test_good_share * static_cast<double>(good.size())));
  if (options.test_good_share > 0 && good.size() > 1) share = std::max<std::size_t>(share, 1);
  std::set<int> testing;
  for (const int g : permutation(static_cast<int>(good.size()), Rng(options.seed, "import.test_good"))) {
    if (testing.size() < share) testing.insert(good[g]);
  }
  ImportSummary summary;
  DatasetWriter writer(out);
  BoxList boxes;
  progress.begin("importing", std::ssize(items));
  for (int i = 0; i < std::ssize(items); ++i) {
    throw_if_cancelled();
    const Item& item = items[i];
    const bool train = item.label == kGoodClass && testing.count(i) == 0;
    const std::string id =
        writer.add(item.path, train ? Role::kTrain : Role::kTest, item.label, mask_of(item));
    if (item.label != kGoodClass) {
      ++summary.anomalous[item.label];
      if (item.labelled != nullptr) {
        summary.regions += static_cast<int>(item.labelled->regions.size());
        summary.boxes += static_cast<int>(item.labelled->boxes.size());
        if (!item.labelled->boxes.empty()) boxes[id] = item.labelled->boxes;
      }
    } else {
      ++(train ? summary.train_good : summary.test_good);
    }
    progress.advance(i + 1, "");
  }
  if (!boxes.empty()) writer.add_text(kBoxFile, box_csv(boxes));
  writer.finish();
  progress.end();
  if (good.empty()) {
    summary.notices.emplace_back(
        "there is no good part among the images: they test, but nothing can be trained on them alone");
  }
  return summary;
}

/// Size and mask of a labelled photograph, refused with one sentence.
void check_image(const Item& item) {
  const RgbImage image = read_image(item.path);
  const LabelledImage& labelled = *item.labelled;
  if (labelled.width != 0 && (labelled.width != image.width || labelled.height != image.height)) {
    fail(ErrorCode::kBadInput,
         "{}: {}x{}, but the labels were drawn on {}x{}; give the image that was labelled",
         name_line(item.path), image.width, image.height, labelled.width, labelled.height);
  }
  for (std::size_t i = 0; i < labelled.regions.size(); ++i) {
    const Mask mask = rasterise(labelled.regions[i].shape, labelled.width, labelled.height);
    if (std::find(mask.pixels.begin(), mask.pixels.end(), 1) == mask.pixels.end()) {
      fail(ErrorCode::kBadInput, "region {} ('{}') covers no pixel; draw it again or remove it", i + 1,
           labelled.regions[i].label);
    }
  }
}

/// Images that a list of defective ones does not name.
void add_good(const std::vector<fs::path>& images, std::vector<Item>& items,
              std::vector<std::string>& problems) {
  for (const fs::path& path : images) {
    throw_if_cancelled();
    try {
      read_image(path);
      items.push_back({path, kGoodClass, nullptr});
    } catch (const Error& e) {
      problems.emplace_back(e.what());
    }
  }
}

}  // namespace

void add_region(Mask& combined, const Mask& region) {
  GLINT_CHECK(combined.width == region.width && combined.height == region.height);
  const int w = combined.width, h = combined.height;
  const Mask before = combined;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      if (region.pixels[static_cast<std::size_t>(y) * w + x] == 0) continue;
      bool touches = false;
      for (int v = std::max(0, y - 1); v <= std::min(h - 1, y + 1); ++v) {
        for (int u = std::max(0, x - 1); u <= std::min(w - 1, x + 1); ++u)
          touches = touches || before.pixels[static_cast<std::size_t>(v) * w + u] != 0;
      }
      if (!touches) combined.pixels[static_cast<std::size_t>(y) * w + x] = 1;
    }
  }
}

ImportSummary import_labels(const LabelFile& labels, const fs::path& images, const ImportOptions& options,
                            const fs::path& out, ProgressSink& progress) {
  const PhotographIndex index(images);
  std::vector<std::string> problems = labels.problems;
  std::vector<Item> items;
  std::map<fs::path, std::string> seen;
  int unmarked = 0;
  progress.begin("checking images", std::ssize(labels.images));
  for (const LabelledImage& image : labels.images) {
    throw_if_cancelled();
    try {
      const fs::path path = index.find(image.name);
      if (const auto [other, fresh] = seen.emplace(path, image.name); !fresh)
        fail(ErrorCode::kBadInput, "{}: the same image as {}; keep one of the two", image.name,
             other->second);
      try {
        Item item{path, class_of(image, options), &image};
        check_image(item);
        items.push_back(std::move(item));
      } catch (const Error& e) {
        fail(ErrorCode::kBadInput, "{}: {}", image.name, e.what());
      }
      unmarked += image.says_nothing() ? 1 : 0;
    } catch (const Error& e) {
      problems.emplace_back(e.what());
    }
    progress.advance(std::ssize(items), "");
  }
  progress.end();
  if (items.empty() && problems.empty()) problems.emplace_back("the file lists no image");
  std::vector<fs::path> unlisted;
  for (const fs::path& path : index.tree().images) {
    if (!seen.contains(path)) unlisted.push_back(path);
  }
  if (labels.unlisted_are_good) add_good(unlisted, items, problems);
  if (problems.empty()) find_contradictions(items, problems);
  if (!problems.empty()) fail_with(problems);
  ImportSummary summary = write_items(items, options, out, progress);
  if (unmarked > 0) {
    summary.notices.push_back(
        fmt::format("{} images count as good because the file marks nothing on them", unmarked));
  }
  if (!unlisted.empty() && labels.unlisted_are_good) {
    summary.notices.push_back(
        fmt::format("{} images count as good because the file, which lists defects only, does not name them",
                    unlisted.size()));
  } else if (!unlisted.empty()) {
    summary.notices.push_back(
        fmt::format("{}: not in the file and left out ({})", first_and_count(unlisted, images),
                    unlisted.size() == 1 ? "1 image" : fmt::format("{} images", unlisted.size())));
  }
  return summary;
}

ImportSummary import_folders(const fs::path& good, const fs::path& bad, const ImportOptions& options,
                             const fs::path& out, ProgressSink& progress) {
  std::vector<Item> items;
  std::vector<std::string> problems, notices;
  std::set<fs::path> used;
  const auto add = [&](const fs::path& folder, const std::string& label) {
    const ImageTree tree = list_images(folder, Below::kLeaveOut);
    for (const fs::path& path : tree.images) {
      items.push_back({path, label, nullptr});
      used.insert(fs::absolute(path).lexically_normal());
    }
    for (const BrokenEntry& entry : tree.broken) problems.push_back(entry.sentence);
  };
  for (const fs::path& folder : {good, bad}) {
    std::error_code ec;
    if (!folder.empty() && !fs::is_directory(folder, ec))
      fail(ErrorCode::kNotFound, "{}: no such folder", name_line(folder));
  }
  add(good, kGoodClass);
  if (items.empty() && problems.empty()) fail(ErrorCode::kBadInput, "{}: no image in it", name_line(good));
  if (!bad.empty()) {
    add(bad, "bad");
    for (const fs::path& folder : list_folders(bad)) {
      if (is_foreign_name(folder)) continue;
      const std::string label = name_text(folder.filename());
      // Names come from folders, so any that is not the good parts' will do.
      if (label == kGoodClass)
        fail(ErrorCode::kBadInput, "{}: a defect class cannot be called '{}'", name_line(folder), kGoodClass);
      add(folder, label);
    }
  }
  for (const fs::path& folder : {good, bad}) {
    if (folder.empty()) continue;
    const ImageTree tree = list_images(folder);
    std::vector<fs::path> left;
    for (const fs::path& path : tree.images) {
      if (!used.contains(fs::absolute(path).lexically_normal())) left.push_back(path);
    }
    if (!left.empty()) {
      notices.push_back(fmt::format(
          "{}: {} left out: in a folder inside {} that is no class", first_and_count(left, folder),
          left.size() == 1 ? "1 image is" : fmt::format("{} images are", left.size()), name_line(folder)));
    }
    for (std::string& sentence : left_out_notices(tree, folder)) notices.push_back(std::move(sentence));
  }
  progress.begin("checking images", std::ssize(items));
  for (std::size_t i = 0; i < items.size(); ++i) {
    throw_if_cancelled();
    try {
      read_image(items[i].path);
    } catch (const Error& e) {
      problems.emplace_back(e.what());
    }
    progress.advance(static_cast<std::int64_t>(i) + 1, "");
  }
  progress.end();
  if (problems.empty()) find_contradictions(items, problems);
  if (!problems.empty()) fail_with(problems);
  ImportSummary summary = write_items(items, options, out, progress);
  summary.notices = std::move(notices);
  return summary;
}

}  // namespace glint
