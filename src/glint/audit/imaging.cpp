// Light, colour, focus, noise and framing over the good images: outliers, drift, and what is wrong as a rule.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "glint/audit/findings.h"
#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/data/split_lock.h"

namespace glint {
namespace {

/// Robust deviations from the median beyond which a value is an outlier; a normal one in two million.
constexpr double kOutlierDeviations = 5;
/// Rank correlation with the order of capture that counts as drift, with p < 0.001.
constexpr double kDriftCorrelation = 0.5;
constexpr std::size_t kLeastImages = 10;
constexpr std::size_t kShownItems = 24;

struct MeasureSpec {
  const char* name;
  const char* unit;
  double (*get)(const ImageMeasures&);
  double least_deviation;  ///< smaller spreads are not worth a finding
  bool drifts;             ///< worth a look over time
  const char* why;
  const char* advice;
};

const char* const kLightWhy =
    "The detector learns brightness and colour as part of normal; an image taken under other light looks "
    "anomalous, and widens what counts as normal when it is trained on.";
const char* const kLightAdvice =
    "Fix exposure, gain and colour temperature; switch automatic white balance off; shield the part from "
    "room light (recommendation 2).";
const char* const kFramingWhy =
    "Moved, turned, scaled or cut-off parts make every position show many things, which hides small defects.";
const char* const kFramingAdvice =
    "Fix the part's position and orientation with a stop or a jig (recommendation 3).";

const MeasureSpec kMeasures[] = {
    {"brightness", "grey levels", [](const ImageMeasures& m) { return m.brightness; }, 1.0, true, kLightWhy,
     kLightAdvice},
    {"red over green", "ratio", [](const ImageMeasures& m) { return m.red_over_green; }, 0.005, true,
     kLightWhy, kLightAdvice},
    {"blue over green", "ratio", [](const ImageMeasures& m) { return m.blue_over_green; }, 0.005, true,
     kLightWhy, kLightAdvice},
    {"corner over centre brightness", "ratio", [](const ImageMeasures& m) { return m.corner_over_centre; },
     0.01, true, "A vignette that changes moves the normal brightness of the borders.", kLightAdvice},
    {"highlight share", "of the image", [](const ImageMeasures& m) { return m.highlight_share; }, 0.002, true,
     "A highlight looks like a defect's peak and hides what lies under it.",
     "Diffuse the light, or fix lamp and part so that the highlight does not move (recommendation 2)."},
    {"highlight position across", "of the width", [](const ImageMeasures& m) { return m.highlight_x; }, 0.01,
     true, "A highlight that moves cannot be learned as normal.",
     "Fix lamp and part so that the highlight does not move (recommendation 2)."},
    {"highlight position down", "of the height", [](const ImageMeasures& m) { return m.highlight_y; }, 0.01,
     true, "A highlight that moves cannot be learned as normal.",
     "Fix lamp and part so that the highlight does not move (recommendation 2)."},
    {"focus", "Laplacian variance over variance", [](const ImageMeasures& m) { return m.focus; }, 0.0005,
     true, "Blurred images hide small defects, and sharp ones then look anomalous.",
     "Use a fixed focal length and focus; remove blurred images (recommendation 4)."},
    {"noise", "grey levels", [](const ImageMeasures& m) { return m.noise; }, 0.2, true,
     "Noise changes with gain and temperature and drowns faint defects.",
     "Use low gain and enough light (recommendation 2)."},
    {"part position across", "of the width", [](const ImageMeasures& m) { return m.part_x; }, 0.005, true,
     kFramingWhy, kFramingAdvice},
    {"part position down", "of the height", [](const ImageMeasures& m) { return m.part_y; }, 0.005, true,
     kFramingWhy, kFramingAdvice},
    {"part size", "of the image", [](const ImageMeasures& m) { return m.part_share; }, 0.005, true,
     kFramingWhy, kFramingAdvice},
    {"part on the border", "of the border", [](const ImageMeasures& m) { return m.part_border_share; }, 0.01,
     false, kFramingWhy, "Keep the whole part in the frame (recommendation 3)."},
};

std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    for (std::size_t k = i; k < j; ++k) ranks[order[k]] = 0.5 * static_cast<double>(i + j - 1);
    i = j;
  }
  return ranks;
}

/// Spearman's rank correlation.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> ra = ranks_of(a), rb = ranks_of(b);
  const double mean = 0.5 * static_cast<double>(a.size() - 1);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (ra[i] - mean) * (rb[i] - mean);
    aa += (ra[i] - mean) * (ra[i] - mean);
    bb += (rb[i] - mean) * (rb[i] - mean);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

/// Two-sided p < 0.001 by the normal approximation of Fisher's transform (Fieller's 1.06 for Spearman).
bool significant(double correlation, std::size_t n) {
  if (n < kLeastImages) return false;
  const double z =
      std::atanh(std::clamp(correlation, -0.9999, 0.9999)) * std::sqrt((static_cast<double>(n) - 3) / 1.06);
  return std::abs(z) > 3.29;
}

/// The good images in the order of capture: by the times in the file names, else by name.
struct GoodSeries {
  std::vector<const AuditedImage*> images;
  bool by_time = true;
};
GoodSeries good_series(const std::vector<AuditedImage>& images) {
  GoodSeries out;
  std::vector<std::pair<std::int64_t, const AuditedImage*>> order;
  for (const AuditedImage& image : images) {
    if (image.sample.anomalous()) continue;
    const auto time = capture_time(image.sample.path.filename().string());
    out.by_time = out.by_time && time.has_value();
    // Without times only one folder has an order.
    order.emplace_back(time.value_or(0), &image);
  }
  if (out.by_time) {
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  for (const auto& [time, image] : order) {
    if (out.by_time || image->sample.role == Role::kTrain) out.images.push_back(image);
  }
  return out;
}

void find_outliers(const MeasureSpec& spec, const std::vector<AuditedImage>& images,
                   std::vector<Finding>& out) {
  std::vector<std::pair<const AuditedImage*, double>> good;
  std::vector<double> values;
  for (const AuditedImage& image : images) {
    const double value = spec.get(image.measures);
    if (image.sample.anomalous() || !std::isfinite(value)) continue;
    good.emplace_back(&image, value);
    values.push_back(value);
  }
  if (values.size() < kLeastImages) return;
  const double centre = median(values);
  for (double& v : values) v = std::abs(v - centre);
  const double deviation = std::max(spec.least_deviation, 1.4826 * median(values));
  std::erase_if(good,
                [&](const auto& g) { return std::abs(g.second - centre) <= kOutlierDeviations * deviation; });
  if (good.empty()) return;
  std::sort(good.begin(), good.end(), [&](const auto& a, const auto& b) {
    return std::abs(a.second - centre) > std::abs(b.second - centre);
  });
  Finding finding{Severity::kWarning,
                  "imaging",
                  fmt::format("{}: {} of {} good images are far from the others (median {:.4g})", spec.name,
                              good.size(), values.size(), centre),
                  spec.why,
                  spec.advice,
                  {}};
  for (const auto& [image, value] : good) {
    if (finding.items.size() == kShownItems) break;
    finding.items.push_back({{image->sample.id}, fmt::format("{:.4g} {}", value, spec.unit)});
  }
  out.push_back(std::move(finding));
}

void find_drift(const MeasureSpec& spec, const GoodSeries& series, std::vector<Finding>& out) {
  std::vector<double> order, values;
  const AuditedImage *first = nullptr, *last = nullptr;
  for (std::size_t i = 0; i < series.images.size(); ++i) {
    const double value = spec.get(series.images[i]->measures);
    if (!std::isfinite(value)) continue;
    order.push_back(static_cast<double>(i));
    values.push_back(value);
    if (first == nullptr) first = series.images[i];
    last = series.images[i];
  }
  if (values.size() < 2 * kLeastImages) return;
  const double correlation = rank_correlation(order, values);
  const auto quarter = static_cast<std::ptrdiff_t>(values.size() / 4);
  const double change =
      median({values.end() - quarter, values.end()}) - median({values.begin(), values.begin() + quarter});
  if (std::abs(correlation) < kDriftCorrelation || !significant(correlation, values.size()) ||
      std::abs(change) < 2 * spec.least_deviation) {
    return;
  }
  out.push_back(
      {Severity::kWarning,
       "imaging",
       fmt::format("{} drifts over the {} by {:+.3g} {} from the first to the last quarter (rank "
                   "correlation {:.2f})",
                   spec.name, series.by_time ? "capture time" : "file order", change, spec.unit, correlation),
       "What drifts in the training images goes on drifting on the line; the threshold then no longer "
       "holds its promise.",
       spec.advice,
       {{{first->sample.id, last->sample.id}, "first and last"}}});
}

/// What is wrong with most images rather than with a few.
void find_rules(const std::vector<AuditedImage>& images, std::vector<Finding>& out) {
  std::vector<double> corner, highlight, border;
  double cos2 = 0, sin2 = 0;
  int oriented = 0;
  for (const AuditedImage& image : images) {
    if (image.sample.anomalous()) continue;
    const ImageMeasures& m = image.measures;
    corner.push_back(m.corner_over_centre);
    highlight.push_back(m.highlight_share);
    border.push_back(m.part_border_share);
    if (m.part_elongation > 1.3 && std::isfinite(m.part_angle_deg)) {
      cos2 += std::cos(2 * m.part_angle_deg * std::numbers::pi / 180);
      sin2 += std::sin(2 * m.part_angle_deg * std::numbers::pi / 180);
      ++oriented;
    }
  }
  if (corner.empty()) return;
  if (const double typical = median(border); typical > 0.05) {
    out.push_back(
        {Severity::kNotice,
         "imaging",
         fmt::format("the part reaches the image border in most images ({:.0f} % of the border)",
                     100 * typical),
         "What is cut off is not inspected. This is right for close-ups of a surface.",
         "If the whole part should be seen, move the camera back or centre the part (recommendation 3).",
         {}});
  }
  if (const double typical = median(highlight); typical > 0.01) {
    out.push_back({Severity::kWarning,
                   "imaging",
                   fmt::format("{:.1f} % of a typical image is overexposed", 100 * typical),
                   "Nothing can be seen in overexposed pixels.",
                   "Lower the exposure or diffuse the light (recommendation 2).",
                   {}});
  }
  if (oriented >= static_cast<int>(kLeastImages)) {
    // Circular standard deviation of the doubled angle, halved (Mardia and Jupp 2000).
    const double length = std::clamp(std::hypot(cos2, sin2) / oriented, 1e-9, 1.0);
    const double spread = 0.5 * std::sqrt(-2 * std::log(length)) * 180 / std::numbers::pi;
    if (spread > 10) {
      out.push_back({Severity::kWarning,
                     "imaging",
                     fmt::format("the part's orientation varies (standard deviation {:.0f} degrees)", spread),
                     kFramingWhy,
                     kFramingAdvice,
                     {}});
    }
  }
}

}  // namespace

std::vector<Distribution> imaging_distributions(const std::vector<AuditedImage>& images) {
  std::vector<Distribution> out;
  for (const MeasureSpec& spec : kMeasures) {
    Distribution d{spec.name, spec.unit, {}};
    for (const AuditedImage& image : images) d.values.push_back(spec.get(image.measures));
    out.push_back(std::move(d));
  }
  return out;
}

std::vector<Finding> audit_imaging(const std::vector<AuditedImage>& images) {
  std::vector<Finding> out;
  find_rules(images, out);
  const GoodSeries series = good_series(images);
  for (const MeasureSpec& spec : kMeasures) {
    find_outliers(spec, images, out);
    if (spec.drifts) find_drift(spec, series, out);
  }
  return out;
}

}  // namespace glint
