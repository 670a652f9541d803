#include "glint/data/label_import.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/random.h"
#include "glint/data/dataset_writer.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::size_t kListedProblems = 50;

/// Finds photographs by what an export calls them.
class ImageIndex {
 public:
  explicit ImageIndex(const fs::path& folder) : folder_(folder) {
    if (!fs::is_directory(folder)) fail(ErrorCode::kNotFound, "{}: no such folder", folder.string());
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && is_image_file(entry.path()))
        by_name_.emplace(entry.path().filename().string(), entry.path());
    }
  }

  /// Error(kBadInput) with one sentence when there is none or more than one.
  fs::path find(const std::string& name) const {
    std::string path = name;
    if (const auto local = path.find("?d="); local != std::string::npos) path = path.substr(local + 3);
    path = percent_decoded(path);
    const fs::path relative = fs::path(path).lexically_normal();
    if (!relative.empty() && !relative.is_absolute() && *relative.begin() != ".." &&
        fs::is_regular_file(folder_ / relative))
      return folder_ / relative;
    std::string file = relative.filename().string();
    if (by_name_.count(file) == 0 && has_upload_prefix(file)) file = file.substr(9);
    const auto [first, last] = by_name_.equal_range(file);
    if (first == last) fail(ErrorCode::kBadInput, "{}: no such image below {}", name, folder_.string());
    if (std::next(first) != last) {
      fail(ErrorCode::kBadInput, "{}: could be {} or {}; give them different names", name,
           first->second.string(), std::next(first)->second.string());
    }
    return first->second;
  }

 private:
  static bool has_upload_prefix(const std::string& file) {
    return file.size() > 9 && file[8] == '-' && std::all_of(file.begin(), file.begin() + 8, [](char c) {
             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
  }
  static std::string percent_decoded(const std::string& text) {
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

  fs::path folder_;
  std::multimap<std::string, fs::path> by_name_;
};

bool fit_for_a_folder(const std::string& label) {
  return !label.empty() && label.size() < 200 && label[0] != '.' &&
         label.find_first_of("/\\:*?\"<>|\n\r\t") == std::string::npos &&
         label.find('\0') == std::string::npos;
}

/// One image of the new dataset.
struct Item {
  fs::path path;
  std::string label;
  const LabelledImage* labelled = nullptr;
};

std::string class_of(const LabelledImage& image, const ImportOptions& options) {
  std::string out = kGoodClass;
  for (const LabelledRegion& region : image.regions) {
    const std::string& label = region.label;
    if (!fit_for_a_folder(label) || label == kGoodClass) {
      fail(ErrorCode::kBadInput, "{}: the label '{}' cannot name a defect class's folder; rename it",
           image.name, label);
    }
    if (!options.classes.empty() &&
        std::find(options.classes.begin(), options.classes.end(), label) == options.classes.end()) {
      const std::string near = nearest_name(label, options.classes);
      fail(ErrorCode::kBadInput, "{}: unknown label '{}'{}", image.name, label,
           near.empty() ? "; it is not among --classes" : "; did you mean '" + near + "'?");
    }
    out = out == kGoodClass || out == label ? label : kCombinedClass;
  }
  return out;
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
  progress.begin("importing", std::ssize(items));
  for (int i = 0; i < std::ssize(items); ++i) {
    throw_if_cancelled();
    const Item& item = items[i];
    const bool train = item.label == kGoodClass && testing.count(i) == 0;
    writer.add(item.path, train ? Role::kTrain : Role::kTest, item.label, mask_of(item));
    if (item.label != kGoodClass) {
      ++summary.anomalous[item.label];
      if (item.labelled != nullptr) summary.regions += static_cast<int>(item.labelled->regions.size());
    } else {
      ++(train ? summary.train_good : summary.test_good);
    }
    progress.advance(i + 1, "");
  }
  writer.finish();
  progress.end();
  return summary;
}

/// Size and mask of a labelled photograph, refused with one sentence.
void check_image(const Item& item) {
  const RgbImage image = read_image(item.path);
  const LabelledImage& labelled = *item.labelled;
  if (labelled.width != 0 && (labelled.width != image.width || labelled.height != image.height)) {
    fail(ErrorCode::kBadInput,
         "{}: {}x{}, but the labels were drawn on {}x{}; give the image that was labelled",
         item.path.string(), image.width, image.height, labelled.width, labelled.height);
  }
  for (std::size_t i = 0; i < labelled.regions.size(); ++i) {
    const Mask mask = rasterise(labelled.regions[i].shape, labelled.width, labelled.height);
    if (std::find(mask.pixels.begin(), mask.pixels.end(), 1) == mask.pixels.end()) {
      fail(ErrorCode::kBadInput, "{}: region {} ('{}') covers no pixel; draw it again or remove it",
           labelled.name, i + 1, labelled.regions[i].label);
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
  const ImageIndex index(images);
  std::vector<std::string> problems = labels.problems;
  std::vector<Item> items;
  std::map<fs::path, std::string> seen;
  progress.begin("checking images", std::ssize(labels.images));
  for (const LabelledImage& image : labels.images) {
    throw_if_cancelled();
    try {
      Item item{index.find(image.name), class_of(image, options), &image};
      const auto [other, fresh] = seen.emplace(item.path, image.name);
      if (!fresh)
        fail(ErrorCode::kBadInput, "{}: the same image as {}; keep one of the two", image.name,
             other->second);
      check_image(item);
      items.push_back(std::move(item));
    } catch (const Error& e) {
      problems.emplace_back(e.what());
    }
    progress.advance(std::ssize(items), "");
  }
  progress.end();
  if (items.empty() && problems.empty()) problems.emplace_back("the file lists no image");
  if (!problems.empty()) fail_with(problems);
  return write_items(items, options, out, progress);
}

ImportSummary import_folders(const fs::path& good, const fs::path& bad, const ImportOptions& options,
                             const fs::path& out, ProgressSink& progress) {
  std::vector<Item> items;
  auto add = [&](const fs::path& folder, const std::string& label) {
    for (const fs::path& path : list_files(folder, is_image_file)) items.push_back({path, label, nullptr});
  };
  for (const fs::path& folder : {good, bad}) {
    if (!folder.empty() && !fs::is_directory(folder))
      fail(ErrorCode::kNotFound, "{}: no such folder", folder.string());
  }
  add(good, kGoodClass);
  if (items.empty()) fail(ErrorCode::kBadInput, "{}: no image in it", good.string());
  if (!bad.empty()) {
    add(bad, "bad");
    for (const fs::path& folder : list_folders(bad)) {
      if (folder.filename() == kGoodClass)
        fail(ErrorCode::kBadInput, "{}: a defect class cannot be called '{}'", folder.string(), kGoodClass);
      add(folder, folder.filename().string());
    }
  }
  std::vector<std::string> problems;
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
  if (!problems.empty()) fail_with(problems);
  return write_items(items, options, out, progress);
}

}  // namespace glint
