// Masks, and whether the defects are large enough for the detector's input.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "glint/audit/findings.h"
#include "glint/base/error.h"
#include "glint/base/order_statistics.h"

namespace glint {
namespace {

/// Anti-aliased outlines and lossy files; a few grey pixels do no harm.
constexpr double kGreyShare = 0.001;
/// Below this the outline runs where nothing changes.
constexpr double kLooseOutline = 0.5;

Finding mask_finding(Severity severity, std::string why, std::string advice) {
  return {severity, "masks", "", std::move(why), std::move(advice), {}};
}

}  // namespace

std::vector<Finding> audit_masks(const std::vector<AuditedImage>& images) {
  Finding empty =
      mask_finding(Severity::kError, "An anomalous image without a defect pixel has no place to find.",
                   "Draw the defect, or move the image to another class.");
  Finding on_good =
      mask_finding(Severity::kError, "A good image has no defect; image or mask is in the wrong folder.",
                   "Move the image to its defect class, or remove the mask.");
  Finding grey =
      mask_finding(Severity::kWarning,
                   "Grey pixels are cut at half of the range; published code treats them in other ways, so "
                   "figures are not comparable.",
                   "Export masks with 0 and 255 only, as PNG.");
  Finding ruled = mask_finding(Severity::kWarning,
                               "Black and white says for sure what is a defect; any other mask is read by a "
                               "rule (docs/datasets.md), which may not be what its writer meant.",
                               "Look at these masks, and export them with 0 and 255 only, as PNG.");
  Finding holes = mask_finding(Severity::kWarning, "A hole inside a defect counts as normal surface.",
                               "Fill the holes, unless the part is good there (recommendation 8).");
  Finding loose =
      mask_finding(Severity::kNotice,
                   "A mask wider than its defect asks the detector to mark plain surface: AUPRO and pixel "
                   "figures fall for no fault of it.",
                   "Draw masks close to the defect (recommendation 8).");
  Finding many =
      mask_finding(Severity::kNotice, "AUPRO weighs every region alike; specks count as much as a scratch.",
                   "One region per defect; remove specks (recommendation 8).");
  Finding missing =
      mask_finding(Severity::kWarning,
                   "Images without a mask count in image figures only, so image and pixel figures speak "
                   "of different sets.",
                   "Add the masks.");
  const bool any =
      std::any_of(images.begin(), images.end(), [](const auto& i) { return i.mask.has_value(); });
  for (const AuditedImage& image : images) {
    const std::string& id = image.sample.id;
    if (!image.mask) {
      if (any && image.sample.anomalous()) missing.items.push_back({{id}, ""});
      continue;
    }
    const MaskMeasures& m = *image.mask;
    if (!image.sample.anomalous()) {
      if (m.area_px > 0) on_good.items.push_back({{id}, fmt::format("{} defect pixels", m.area_px)});
      continue;
    }
    if (m.area_px == 0) empty.items.push_back({{id}, ""});
    if (image.mask_grey_share > kGreyShare) {
      grey.items.push_back({{id}, fmt::format("{:.1f} % grey pixels", 100 * image.mask_grey_share)});
    }
    for (const MaskNotice& notice : image.mask_notices) {
      if (notice.what != kCutAtHalf)
        ruled.items.push_back({{id}, fmt::format("{}: {}", notice.what, notice.detail)});
    }
    if (m.holes > 0) holes.items.push_back({{id}, fmt::format("{} holes", m.holes)});
    if (m.outline_over_inside < kLooseOutline) {
      loose.items.push_back(
          {{id}, fmt::format("gradient on the outline {:.2f} of that inside", m.outline_over_inside)});
    }
    if (m.regions > 10) many.items.push_back({{id}, fmt::format("{} regions", m.regions)});
  }
  empty.title = fmt::format("empty masks: {}", empty.items.size());
  on_good.title = fmt::format("good images whose mask has defect pixels: {}", on_good.items.size());
  grey.title = fmt::format("masks that are not binary: {}", grey.items.size());
  ruled.title = fmt::format("masks that are read by a rule: {}", ruled.items.size());
  holes.title = fmt::format("masks with holes: {}", holes.items.size());
  loose.title = fmt::format("masks that look wider than their defect: {}", loose.items.size());
  many.title = fmt::format("masks with more than 10 regions: {}", many.items.size());
  missing.title = fmt::format("anomalous images without a mask: {}", missing.items.size());
  std::vector<Finding> out;
  for (Finding* finding : {&empty, &on_good, &missing, &ruled, &grey, &holes, &many, &loose}) {
    if (!finding->items.empty()) out.push_back(std::move(*finding));
  }
  return out;
}

std::vector<Finding> audit_resolution(const std::vector<AuditedImage>& images,
                                      const ResolutionOptions& options) {
  std::vector<Finding> out;
  const std::string why =
      "A detector sees features of 8 pixels and more; what is smaller melts into the surface. The study "
      "found that the smallest defect must span at least 8 to 10 pixels.";
  // Span of the smallest region of every mask at the network's input.
  std::vector<std::pair<double, const AuditedImage*>> spans;
  for (const AuditedImage& image : images) {
    if (!image.mask || image.mask->regions == 0) continue;
    const double scale =
        options.input_size / std::sqrt(static_cast<double>(image.sample.width) * image.sample.height);
    spans.emplace_back(scale * image.mask->smallest_diameter_px, &image);
  }
  std::sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto small =
      std::count_if(spans.begin(), spans.end(), [](const auto& s) { return s.first < kLeastDefectSpanPx; });
  auto advice = [&](double span, int side) {
    const int needed = static_cast<int>(std::ceil(options.input_size * kLeastDefectSpanPx / span / 32) * 32);
    const int tiles = static_cast<int>(std::ceil(static_cast<double>(needed) / options.input_size));
    return needed <= side
               ? fmt::format(
                     "Train with --set input.size={} (slower by {:.1f} times), which is like {}x{} tiles of "
                     "{} pixels; or crop the image to the part (recommendation 5).",
                     needed, std::pow(static_cast<double>(needed) / options.input_size, 2), tiles, tiles,
                     options.input_size)
               : fmt::format(
                     "The photograph itself has too few pixels: {} would be needed on a side and it has {}. "
                     "Move nearer, crop tighter, or use a better camera (recommendations 4 and 5).",
                     needed, side);
  };
  if (small > 0) {
    const auto& [middle_span, middle] = spans[static_cast<std::size_t>(small) / 2];
    Finding finding{
        Severity::kWarning,
        "resolution",
        fmt::format("in {} of {} masks the smallest defect spans less than {} pixels at an input of {}",
                    small, spans.size(), kLeastDefectSpanPx, options.input_size),
        why,
        "For half of them: " + advice(middle_span, std::max(middle->sample.width, middle->sample.height)),
        {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(small) && i < 12; ++i) {
      finding.items.push_back({{spans[i].second->sample.id}, fmt::format("{:.1f} pixels", spans[i].first)});
    }
    out.push_back(std::move(finding));
  }
  if (options.pixel_pitch_um > 0 && !images.empty()) {
    const Sample& sample = images[0].sample;
    const double scale = options.input_size / std::sqrt(static_cast<double>(sample.width) * sample.height);
    const double span = options.smallest_defect_um / options.pixel_pitch_um * scale;
    if (span < kLeastDefectSpanPx) {
      out.push_back(
          {Severity::kWarning,
           "resolution",
           fmt::format("a defect of {:g} um spans {:.1f} pixels at an input of {} ({:g} um per pixel of the "
                       "photograph)",
                       options.smallest_defect_um, span, options.input_size, options.pixel_pitch_um),
           why,
           advice(span, std::max(sample.width, sample.height)),
           {}});
    }
  }
  return out;
}

std::vector<MaskSummary> mask_summaries(const std::vector<AuditedImage>& images) {
  std::map<std::string, std::vector<const AuditedImage*>> classes;
  for (const AuditedImage& image : images) {
    if (image.sample.anomalous()) classes[image.sample.label].push_back(&image);
  }
  std::vector<MaskSummary> out;
  for (const auto& [label, members] : classes) {
    MaskSummary s;
    s.label = label;
    s.images = static_cast<int>(members.size());
    std::vector<double> areas;
    for (const AuditedImage* image : members) {
      if (!image->mask || image->mask->area_px == 0) continue;
      ++s.with_mask;
      s.regions += image->mask->regions;
      areas.push_back(static_cast<double>(image->mask->area_px));
      s.share_mean += areas.back() / (static_cast<double>(image->sample.width) * image->sample.height);
    }
    if (!areas.empty()) {
      const auto [least, most] = std::minmax_element(areas.begin(), areas.end());
      s.area_least = *least;
      s.area_most = *most;
      s.area_median = median(areas);
      s.area_mean = std::accumulate(areas.begin(), areas.end(), 0.0) / static_cast<double>(areas.size());
      s.share_mean /= static_cast<double>(areas.size());
    }
    out.push_back(s);
  }
  return out;
}

}  // namespace glint
