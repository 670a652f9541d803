// Files, identical images, and captures that interleave.
#include <algorithm>
#include <map>

#include "glint/audit/findings.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/data/sample_mask.h"
#include "glint/data/split_lock.h"
#include "glint/image/codec.h"

namespace glint {
namespace {

std::string pixel_hash(const RgbImage& image) {
  std::vector<std::uint8_t> content(8);
  for (int i = 0; i < 4; ++i) {
    content[i] = static_cast<std::uint8_t>(image.width >> (8 * i));
    content[4 + i] = static_cast<std::uint8_t>(image.height >> (8 * i));
  }
  content.insert(content.end(), image.pixels.begin(), image.pixels.end());
  return sha256_hex(std::as_bytes(std::span(content)));
}

bool is_test(const AuditedImage& image) {
  return image.sample.role == Role::kTest;
}

}  // namespace

std::vector<AuditedImage> measure_dataset(const Dataset& dataset, ProgressSink& progress) {
  std::vector<AuditedImage> out;
  for (const auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (const Sample& sample : *part) out.push_back({sample});
  }
  progress.begin("measuring images", std::ssize(out));
  parallel_for(std::ssize(out), [&](std::int64_t i) {
    throw_if_cancelled();
    AuditedImage& item = out[i];
    const RgbImage image = read_image(item.sample.path);
    if (image.width >= 8 && image.height >= 8) item.measures = measure_image(image);
    item.perceptual = perceptual_hash(image);
    item.pixel_sha256 = pixel_hash(image);
    if (item.sample.mask) {
      const MaskFile mask = read_sample_mask(item.sample);
      item.mask = measure_mask(image, mask.mask);
      item.mask_grey_share = mask.grey_share;
      item.mask_notices = mask.notices;
    }
    progress.advance(i + 1, "");
  });
  progress.end();
  return out;
}

std::vector<Finding> audit_files(const Dataset& dataset) {
  std::vector<Finding> out;
  if (!dataset.faults.empty()) {
    out.push_back({Severity::kError,
                   "files",
                   fmt::format("files that cannot be used: {}", dataset.faults.size()),
                   "glint train and glint evaluate refuse a dataset with such files.",
                   "Repair or remove each of them.",
                   {}});
    for (const DatasetFault& fault : dataset.faults) out[0].items.push_back({{fault.id}, fault.sentence});
  }
  if (!dataset.warnings.empty()) {
    out.push_back({Severity::kNotice,
                   "files",
                   fmt::format("notices of the scan of the folders: {}", dataset.warnings.size()),
                   "A picture that is left out neither trains nor tests; a folder at another place than the "
                   "layout's counts as something else, or not at all.",
                   "Move what should be used to where the layout has it (docs/datasets.md).",
                   {}});
    for (const std::string& warning : dataset.warnings) out.back().items.push_back({{}, warning});
  }
  return out;
}

std::vector<Finding> audit_identity(const std::vector<AuditedImage>& images) {
  std::map<std::string, std::vector<const AuditedImage*>> by_pixels;
  for (const AuditedImage& image : images) by_pixels[image.pixel_sha256].push_back(&image);
  Finding leak{Severity::kError,
               "leakage",
               "",
               "The detector has learned these test images; every figure on them is too good.",
               "Remove the copies from the test set (or from training) and lock the split: glint split lock.",
               {}};
  Finding classes{
      Severity::kError,
      "leakage",
      "",
      "The same picture cannot be both good and anomalous, nor of two defect classes; one label is "
      "wrong.",
      "Decide which label is right and remove the other copy.",
      {}};
  Finding repeated{Severity::kWarning,
                   "leakage",
                   "",
                   "Repeated images count twice in training and in calibration, and make the calibration's "
                   "guarantee too narrow.",
                   "Keep one of each group.",
                   {}};
  for (const auto& [hash, group] : by_pixels) {
    if (group.size() < 2) continue;
    FindingItem item;
    bool same_bytes = true, test = false, other = false, labels_differ = false;
    for (const AuditedImage* image : group) {
      item.ids.push_back(image->sample.id);
      same_bytes = same_bytes && image->sample.sha256 == group[0]->sample.sha256;
      labels_differ = labels_differ || image->sample.label != group[0]->sample.label;
      (is_test(*image) ? test : other) = true;
    }
    item.note = same_bytes ? "identical files" : "identical pixels in different files";
    if (labels_differ) classes.items.push_back(item);
    if (test && other) {
      leak.items.push_back(item);
    } else if (!labels_differ) {
      repeated.items.push_back(item);
    }
  }
  leak.title = fmt::format("test images that are also training or calibration images: {}", leak.items.size());
  classes.title = fmt::format("pictures with two labels: {}", classes.items.size());
  repeated.title =
      fmt::format("groups of identical images on one side of the split: {}", repeated.items.size());
  std::vector<Finding> out;
  for (Finding* finding : {&leak, &classes, &repeated}) {
    if (!finding->items.empty()) out.push_back(std::move(*finding));
  }
  return out;
}

std::vector<Finding> audit_sequence(const std::vector<AuditedImage>& images) {
  std::vector<std::pair<std::int64_t, const AuditedImage*>> order;
  for (const AuditedImage& image : images) {
    if (image.sample.anomalous()) continue;
    const auto time = capture_time(image.sample.path.filename().string());
    if (!time) return {};
    order.emplace_back(*time, &image);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // A test image counts when the images before and after it include a training image nearer than ten
  // times the median spacing: the same run, minutes apart.
  std::vector<std::int64_t> spacing;
  for (std::size_t i = 1; i < order.size(); ++i) spacing.push_back(order[i].first - order[i - 1].first);
  if (spacing.size() < 20) return {};
  std::nth_element(spacing.begin(), spacing.begin() + spacing.size() / 2, spacing.end());
  const std::int64_t near = std::max<std::int64_t>(1, 10 * spacing[spacing.size() / 2]);
  Finding finding{
      Severity::kError,
      "leakage",
      "",
      "Images of one run that are seconds or minutes apart show the same part under the same light. "
      "A random split puts such neighbours on both sides, and the test measures memory.",
      "Split by time or by group: glint split time, glint split group.",
      {}};
  int tests = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!is_test(*order[i].second)) continue;
    ++tests;
    const AuditedImage* nearest = nullptr;
    std::int64_t distance = near + 1;
    for (const int step : {-1, 1}) {
      for (auto j = static_cast<std::int64_t>(i) + step; j >= 0 && j < std::ssize(order); j += step) {
        const std::int64_t d = std::abs(order[j].first - order[i].first);
        if (d >= distance) break;
        if (is_test(*order[j].second)) continue;
        nearest = order[j].second;
        distance = d;
        break;
      }
    }
    if (nearest != nullptr) {
      finding.items.push_back(
          {{order[i].second->sample.id, nearest->sample.id}, fmt::format("captured {} s apart", distance)});
    }
  }
  // Some neighbours are unavoidable at the border of a split by time.
  if (tests == 0 || std::ssize(finding.items) < std::max<std::int64_t>(3, tests / 10)) return {};
  finding.title = fmt::format(
      "{} of {} good test images were captured within {} s of a training image: training and test interleave",
      finding.items.size(), tests, near);
  return {finding};
}

}  // namespace glint
