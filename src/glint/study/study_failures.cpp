// What the refined detector misses or rejects wrongly, and what can be measured of the cause.
#include <algorithm>
#include <cmath>
#include <map>

#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/image/grey.h"
#include "glint/image/measure.h"
#include "glint/image/overlay.h"
#include "glint/image/regions.h"
#include "glint/image/resample.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

constexpr int kPictureHeight = 240;
constexpr std::size_t kPicturesPerGroup = 8;
constexpr double kLeastSpanPx = 8;        // of a defect at the detector's input: recommendation 4
constexpr double kBorderShare = 0.04;     // of the image's side
constexpr double kHighlightShare = 0.25;  // of the pixels around a place
constexpr double kHighlightLuma = 250;
constexpr double kDustContrast = 40;  // grey levels between a speck and its surroundings

struct Point {
  int x = 0, y = 0;
};

Point peak_of(const ScoreMap& map) {
  const auto at = std::max_element(map.values.begin(), map.values.end()) - map.values.begin();
  return {static_cast<int>(at % map.width), static_cast<int>(at / map.width)};
}

/// Calls `use(luma, distance)` for the pixels within `radius` of a point.
template <class Use>
void around(const RgbImage& image, const Point& at, int radius, const Use& use) {
  for (int y = std::max(0, at.y - radius); y <= std::min(image.height - 1, at.y + radius); ++y) {
    for (int x = std::max(0, at.x - radius); x <= std::min(image.width - 1, at.x + radius); ++x) {
      const double distance = std::hypot(x - at.x, y - at.y);
      if (distance <= radius) use(luma_of(image.at(x, y)), distance);
    }
  }
}

/// The first of these that holds around a place: border, highlight, dust (a small speck much darker or
/// brighter than what is around it). Empty when none does.
std::string surroundings(const RgbImage& image, const Point& at) {
  const double margin = kBorderShare * std::min(image.width, image.height);
  if (at.x < margin || at.y < margin || at.x >= image.width - margin || at.y >= image.height - margin)
    return "border";
  const int radius = std::max(4, std::max(image.width, image.height) / 40);
  double bright = 0, count = 0, ring = 0, ring_count = 0, darkest = 255, brightest = 0;
  around(image, at, radius, [&](double v, double distance) {
    count += 1;
    bright += v >= kHighlightLuma ? 1 : 0;
    if (distance > 0.6 * radius) {
      ring += v;
      ring_count += 1;
    } else {
      darkest = std::min(darkest, v);
      brightest = std::max(brightest, v);
    }
  });
  if (bright / count >= kHighlightShare) return "highlight";
  const double mean = ring / std::max(1.0, ring_count);
  double speck = 0;
  around(image, at, radius, [&](double v, double) { speck += std::abs(v - mean) > kDustContrast ? 1 : 0; });
  if (std::max(mean - darkest, brightest - mean) > kDustContrast && speck / count < 0.1) return "dust";
  return "";
}

/// Span of the largest region of a mask at the detector's input, pixels.
double span_at_input(const Mask& mask, int input_size) {
  int span = 0;
  for (const Region& region : mask_regions(mask)) span = std::max({span, region.width, region.height});
  return static_cast<double>(span) * input_size / std::max(mask.width, mask.height);
}

std::string cause_of(const ScoredImage& image, const ArmRun& run, const RgbImage& photograph) {
  const Point peak = peak_of(full_map(image, *run.inspector, run.evaluation.decision.scorer));
  if (!image.sample.anomalous()) {
    const std::string near = surroundings(photograph, peak);
    return near.empty() ? "no measurable cause" : near;
  }
  const auto mask = load_mask(image.sample);
  if (!mask || image.defect_area_px == 0) return "no mask, no measurable cause";
  if (span_at_input(*mask, run.model.input.size) < kLeastSpanPx) return "size";
  Point centre;
  double n = 0, sx = 0, sy = 0;
  for (std::size_t i = 0; i < mask->pixels.size(); ++i) {
    if (mask->pixels[i] == 0) continue;
    n += 1;
    sx += static_cast<double>(i % mask->width);
    sy += static_cast<double>(i / mask->width);
  }
  centre = {static_cast<int>(sx / n), static_cast<int>(sy / n)};
  const std::string near = surroundings(photograph, centre);
  return near.empty() || near == "dust" ? "no measurable cause" : near;
}

RgbImage picture_of(const ScoredImage& image, const ArmRun& run, const RgbImage& photograph) {
  const Decision& decision = run.evaluation.decision;
  const ScoreMap map = full_map(image, *run.inspector, decision.scorer);
  const ColourScale scale = decision.colour_scale();
  const RgbImage overlay = heat_overlay(photograph, map, scale.low, scale.high);
  const int width = std::max(1, photograph.width * kPictureHeight / photograph.height);
  RgbImage left = resize_antialiased(photograph, width, kPictureHeight);
  if (const auto mask = load_mask(image.sample); mask && image.sample.anomalous())
    draw_mask_outline(left, *mask);
  const RgbImage right = resize_antialiased(overlay, width, kPictureHeight);
  RgbImage out(2 * width, kPictureHeight);
  for (int y = 0; y < kPictureHeight; ++y) {
    std::copy_n(left.at(0, y), 3 * static_cast<std::size_t>(width), out.at(0, y));
    std::copy_n(right.at(0, y), 3 * static_cast<std::size_t>(width), out.at(width, y));
  }
  return out;
}

void add_classes(StudyReport& report, const ArmResult& arm) {
  StudyTable table{
      "Rejected at the calibrated threshold, per class",
      {"class", "images", "rejected, seed 0", "rate, seed 0", "rate, range of seeds", "image AUROC, seed 0"},
      {},
      "Rate of defect classes: detection; of good: false rejects. Wilson's 95 % interval."};
  const ArmRun& first = *arm.runs[0];
  const ClassResult *best = nullptr, *worst = nullptr;
  for (const ClassResult& c : first.evaluation.classes) {
    double lowest = 1, highest = 0;
    for (const auto& run : arm.runs) {
      for (const ClassResult& other : run->evaluation.classes) {
        if (other.label != c.label) continue;
        lowest = std::min(lowest, other.rejected_rate.value);
        highest = std::max(highest, other.rejected_rate.value);
      }
    }
    table.rows.push_back({c.label, fmt::format("{}", c.images), fmt::format("{}", c.rejected),
                          c.rejected_rate, seeds_range(lowest, highest, arm.runs.size()), c.image_auroc});
    if (c.label == kGoodClass) continue;
    if (best == nullptr || c.rejected_rate.value > best->rejected_rate.value) best = &c;
    if (worst == nullptr || c.rejected_rate.value < worst->rejected_rate.value) worst = &c;
  }
  report.tables.push_back(std::move(table));
  if (best == nullptr || best == worst) return;
  const bool clear = worst->rejected_rate.ci_high < best->rejected_rate.ci_low;
  report.findings.push_back(fmt::format(
      "Found most often: {} ({} of {}); least: {} ({} of {}). {}", best->label, best->rejected, best->images,
      worst->label, worst->rejected, worst->images,
      clear ? "Their intervals do not overlap." : "With so few images the classes cannot be told apart."));
}

void add_sizes(StudyReport& report, const ArmRun& run) {
  StudyChart chart{
      "Defect area against image score, seed 0", "log10 of defect pixels", "image score", {}, true};
  std::map<std::string, StudyCurve> by_class;
  std::vector<double> area, score;
  for (const ScoredImage& image : run.evaluation.images) {
    if (image.defect_area_px == 0) continue;
    area.push_back(std::log10(static_cast<double>(image.defect_area_px)));
    score.push_back(image.score);
    StudyCurve& curve = by_class[image.sample.label];
    curve.name = image.sample.label;
    curve.points.push_back({area.back(), image.score});
  }
  if (area.size() < 6) {
    report.notes.emplace_back("Fewer than six masks: defect size was not compared with the score.");
    return;
  }
  for (auto& [label, curve] : by_class) chart.curves.push_back(std::move(curve));
  report.charts.push_back(std::move(chart));
  const Estimate r = rank_correlation(area, score);
  if (!std::isfinite(r.value)) {
    report.findings.emplace_back("All defect areas or all scores are equal: no correlation can be formed.");
    return;
  }
  report.findings.push_back(
      fmt::format("Rank correlation of defect area and score: {:+.2f} [{:+.2f}, {:+.2f}]: {}.", r.value,
                  r.ci_low, r.ci_high,
                  r.ci_low > 0    ? "larger defects score higher"
                  : r.ci_high < 0 ? "larger defects score lower"
                                  : "no relation can be told"));
}

void add_gallery(StudyReport& report, const ArmRun& run, ProgressSink& progress) {
  std::map<std::string, std::pair<int, int>> counts;  // cause: misses, false alarms
  std::map<std::string, std::size_t> shown;
  std::vector<const ScoredImage*> wrong;
  for (const ScoredImage& image : run.evaluation.images) {
    if (image.rejected != image.sample.anomalous()) wrong.push_back(&image);
  }
  progress.begin("failures", std::ssize(wrong));
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    throw_if_cancelled();
    const ScoredImage& image = *wrong[i];
    const RgbImage photograph = read_image(image.sample.path);
    const std::string cause = cause_of(image, run, photograph);
    const bool miss = image.sample.anomalous();
    ++(miss ? counts[cause].first : counts[cause].second);
    const std::string group = fmt::format("{}: {}", miss ? "Missed" : "Wrongly rejected", cause);
    if (shown[group]++ < kPicturesPerGroup) {
      report.pictures.push_back({group,
                                 fmt::format("{}: score {:.3f}, threshold {:.3f}", image.sample.id,
                                             image.score, run.evaluation.decision.conformal.threshold),
                                 picture_of(image, run, photograph)});
    }
    progress.advance(static_cast<std::int64_t>(i) + 1, "");
  }
  progress.end();
  std::stable_sort(report.pictures.begin(), report.pictures.end(),
                   [](const auto& a, const auto& b) { return a.group < b.group; });
  StudyTable table{"Failures of seed 0 by measurable cause", {"cause", "missed", "wrongly rejected"}, {}, ""};
  table.note = fmt::format(
      "size: the largest region of the mask spans less than {:.0f} pixels at the detector's input. border: "
      "within {:.0f} % of the image's edge. highlight: at least a quarter of the pixels around are brighter "
      "than {:.0f}. dust: a small speck {:.0f} grey levels off its surroundings. Around the defect's centre "
      "for misses, around the map's peak for wrong rejections. The first that holds, in the order size, "
      "border, highlight, dust.",
      kLeastSpanPx, 100 * kBorderShare, kHighlightLuma, kDustContrast);
  int misses = 0, alarms = 0;
  for (const auto& [cause, n] : counts) {
    table.rows.push_back({cause, fmt::format("{}", n.first), fmt::format("{}", n.second)});
    misses += n.first;
    alarms += n.second;
  }
  report.findings.push_back(fmt::format(
      "Seed 0 misses {} defective parts and rejects {} good ones; {}.", misses, alarms,
      wrong.empty() ? "there is nothing to explain" : "the table groups them by what can be measured"));
  if (!table.rows.empty()) report.tables.push_back(std::move(table));
}

}  // namespace

StudyReport failures_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "estimated detection rates scratch 88 %, bevel2 82 %, dent 68 %, bevel1 52 %, colour 38 %.";
  add_classes(report, arms[0]);
  add_sizes(report, *arms[0].runs[0]);
  add_gallery(report, *arms[0].runs[0], *input.progress);
  return report;
}

}  // namespace glint
