#include "glint/report/limit_report.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/image/overlay.h"
#include "glint/image/resample.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace glint {
namespace {

constexpr int kCropSide = 160;

/// The defect with its surroundings, outlined.
RgbImage crop_of(const LimitExample& example) {
  int left = example.mask.width, right = 0, top = example.mask.height, bottom = 0;
  for (int y = 0; y < example.mask.height; ++y) {
    for (int x = 0; x < example.mask.width; ++x) {
      if (example.mask.pixels[static_cast<std::size_t>(y) * example.mask.width + x] == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = std::max(bottom, y);
    }
  }
  const int side = std::min(
      {std::max({3 * (right - left), 3 * (bottom - top), 48}), example.mask.width, example.mask.height});
  const int x0 = std::clamp((left + right - side) / 2, 0, example.mask.width - side);
  const int y0 = std::clamp((top + bottom - side) / 2, 0, example.mask.height - side);
  RgbImage out(side, side);
  for (int y = 0; y < side; ++y)
    std::copy_n(example.image.at(x0, y0 + y), 3 * static_cast<std::size_t>(side), out.at(0, y));
  return resize_antialiased(out, kCropSide, kCropSide);
}

std::string chart_of(const LimitSeries& series) {
  Series curve{"fitted", "s1", {}}, low{"95 % bounds", "s4", {}}, high{"", "s4", {}};
  const double first = std::log10(series.trials.front().size), last = std::log10(series.trials.back().size);
  constexpr int kPoints = 80;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = first + (last - first) * i / kPoints;
    curve.points.push_back({x, series.limit.curve.probability(std::pow(10, x))});
  }
  Series seen{"rejected", "s2", {}};
  for (std::size_t i = 0; i < series.trials.size(); ++i) {
    const double x = std::log10(series.trials[i].size);
    low.points.push_back({x, series.limit.bounds[i].low});
    high.points.push_back({x, series.limit.bounds[i].high});
    seen.points.push_back(
        {x, static_cast<double>(series.trials[i].hits) / static_cast<double>(series.trials[i].trials)});
  }
  std::vector<double> guides;
  if (series.limit.a90 && *series.limit.a90 > 0) guides.push_back(std::log10(*series.limit.a90));
  return line_chart({"log10 of size, pixels", "share rejected", first, last, 0, 1}, {curve, seen, low, high},
                    guides);
}

}  // namespace

std::string limit_report(const LimitStudy& study, const Dataset& dataset, const std::string& model) {
  std::string out = page_begin("detection limit of " + dataset.name());
  out += fmt::format(
      "<h1>Detection limit: {}</h1><p>How small a defect is still rejected? Synthetic defects of graded "
      "size and contrast were put at random places of {} good images{}, and the share of rejected parts was "
      "fitted: P(a) = lo + (hi − lo) / (1 + exp(−(b0 + b1 ln a))). <b>a90</b> is the size that is rejected "
      "with probability 0.9; with 95 % confidence it is at most <b>a90/95</b> (likelihood ratio). They are "
      "not real defects: take the figures as the best case of such a shape and contrast.</p>",
      escape_html(dataset.name()), study.images,
      study.held_out ? " that neither training nor threshold has seen" : "");
  if (!study.held_out) {
    out +=
        "<div class='banner'>Fewer than five images in test/good: the defects went into the calibration "
        "images, which the threshold has seen.</div>";
  }
  out += fmt::format(
      "<p class='soft'>Model {}, threshold for {} false rejects; without a defect {} of these images are "
      "rejected.</p>",
      escape_html(model), percent(study.false_reject), rate_text(study.false_rejects));
  out +=
      "<h2>Limits</h2><div "
      "class='wide'><table><tr><th>defect</th><th>contrast</th><th>a90</th><th>a90/95</th>"
      "<th>found at any size (hi)</th><th>rejected without (lo)</th><th>map peaks on it, largest "
      "size</th></tr>";
  for (const LimitSeries& s : study.series) {
    out +=
        fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    enum_name(s.kind), percent(s.contrast), escape_html(size_text(s.limit.a90, study)),
                    escape_html(size_text(s.limit.a90_95, study)), percent(s.limit.curve.upper),
                    percent(s.limit.curve.lower), percent(s.localised.back()));
  }
  out +=
      "</table></div><p class='soft'>Size: length of a scratch, diameter of blob and stain, root of the "
      "area of cutpaste, in pixels of the photograph. Contrast: share of the grey range. “not reached”: no "
      "tried size, or the trials cannot bound it.</p><h2>Curves</h2><div class='figures'>";
  for (const LimitSeries& s : study.series) {
    out += figure(fmt::format("{}, contrast {}", enum_name(s.kind), percent(s.contrast)), chart_of(s));
  }
  out += "</div><h2>What they look like near the limit</h2><div class='thumbs'>";
  for (const LimitExample& e : study.examples) {
    out += fmt::format(
        "<div class='thumb'><img style='height:160px' alt='defect' src='{}'><div>{} {:.0f} px, {}: "
        "{}</div></div>",
        data_uri(crop_of(e)), enum_name(e.kind), e.size_px, percent(e.contrast),
        e.rejected ? "rejected" : "missed");
  }
  return out + "</div>" + page_end();
}

}  // namespace glint
