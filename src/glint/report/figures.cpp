#include "glint/report/figures.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kWidth = 460, kHeight = 300, kLeft = 52, kRight = 12, kTop = 12, kBottom = 44;

double x_of(const Axes& a, double x) {
  return kLeft + (x - a.x_min) / (a.x_max - a.x_min) * (kWidth - kLeft - kRight);
}
double y_of(const Axes& a, double y) {
  return kHeight - kBottom - (y - a.y_min) / (a.y_max - a.y_min) * (kHeight - kTop - kBottom);
}

/// A step of 1, 2 or 5 times a power of ten that gives about `count` ticks.
double nice_step(double range, int count) {
  const double raw = range / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0}) {
    if (raw <= m * power) return m * power;
  }
  return 10 * power;
}

std::string frame(const Axes& axes) {
  std::string out;
  const double xs = nice_step(axes.x_max - axes.x_min, 5), ys = nice_step(axes.y_max - axes.y_min, 5);
  auto clean = [](double v) { return std::abs(v) < 1e-12 ? 0.0 : v; };
  for (double y = std::ceil(axes.y_min / ys - 1e-9) * ys; y <= axes.y_max + 1e-9 * ys; y += ys) {
    out += fmt::format(
        "<line class='grid' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/><text class='tick' x='{:.1f}' "
        "y='{:.1f}' text-anchor='end'>{:.4g}</text>",
        kLeft, kWidth - kRight, y_of(axes, y), y_of(axes, y), kLeft - 6, y_of(axes, y) + 4, clean(y));
  }
  for (double x = std::ceil(axes.x_min / xs - 1e-9) * xs; x <= axes.x_max + 1e-9 * xs; x += xs) {
    out += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{:.4g}</text>",
                       x_of(axes, x), kHeight - kBottom + 16, clean(x));
  }
  out += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>",
                     (kLeft + kWidth - kRight) / 2, kHeight - 8, escape_html(axes.x_label));
  out += fmt::format(
      "<text class='label' transform='translate(13 {:.1f}) rotate(-90)' text-anchor='middle'>{}</text>",
      (kTop + kHeight - kBottom) / 2, escape_html(axes.y_label));
  return out;
}

std::string wrap(const std::string& body, const std::string& title) {
  return fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='{}'>{}</svg>", kWidth, kHeight,
                     escape_html(title), body);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string line_chart(const Axes& axes, const std::vector<Series>& series,
                       const std::vector<double>& guides_x) {
  std::string body = frame(axes);
  for (const double x : guides_x) {
    body += fmt::format("<line class='guide' x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}'/>",
                        x_of(axes, x), kTop, kHeight - kBottom);
  }
  double legend_y = kTop + 14;
  for (const Series& s : series) {
    std::string path;
    for (const CurvePoint& p : s.points) {
      if (!std::isfinite(p.x) || !std::isfinite(p.y) || p.x > axes.x_max) continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L",
                          x_of(axes, std::clamp(p.x, axes.x_min, axes.x_max)),
                          y_of(axes, std::clamp(p.y, axes.y_min, axes.y_max)));
    }
    body += fmt::format("<path class='line {}' d='{}'/>", s.css_class, path);
    if (series.size() > 1 && !s.name.empty()) {
      body += fmt::format(
          "<line class='line {0}' x1='{1:.1f}' x2='{2:.1f}' y1='{3:.1f}' y2='{3:.1f}'/><text class='tick' "
          "x='{4:.1f}' y='{5:.1f}'>{6}</text>",
          s.css_class, kWidth - 168, kWidth - 146, legend_y, kWidth - 140, legend_y + 4, escape_html(s.name));
      legend_y += 16;
    }
  }
  return wrap(body, axes.y_label + " against " + axes.x_label);
}

std::string scatter_chart(const Axes& axes, const std::vector<Series>& series) {
  std::string body = frame(axes);
  double legend_x = kLeft + 8;
  for (const Series& s : series) {
    for (const CurvePoint& p : s.points) {
      if (!std::isfinite(p.x) || !std::isfinite(p.y)) continue;
      body += fmt::format("<circle class='dot {}' cx='{:.1f}' cy='{:.1f}' r='2.2'/>", s.css_class,
                          x_of(axes, p.x), y_of(axes, p.y));
    }
    body += fmt::format(
        "<circle class='dot {}' cx='{:.1f}' cy='7' r='3'/><text class='tick' x='{:.1f}' y='11'>{}</text>",
        s.css_class, legend_x, legend_x + 7, escape_html(s.name));
    legend_x += 30 + 6.5 * static_cast<double>(s.name.size());
  }
  return wrap(body, axes.y_label + " against " + axes.x_label);
}

std::string score_histogram(const std::vector<double>& good, const std::vector<double>& anomalous,
                            double threshold) {
  std::vector<double> all = good;
  all.insert(all.end(), anomalous.begin(), anomalous.end());
  all.push_back(threshold);
  const auto [low, high] = std::minmax_element(all.begin(), all.end());
  constexpr int kBins = 32;
  const double pad = std::max(1e-9, 0.02 * (*high - *low));
  Axes axes{"image score (higher is more anomalous)", "images", *low - pad, *high + pad, 0, 1};
  auto count = [&](const std::vector<double>& values) {
    std::vector<int> bins(kBins);
    for (const double v : values) {
      ++bins[std::clamp(static_cast<int>(kBins * (v - axes.x_min) / (axes.x_max - axes.x_min)), 0,
                        kBins - 1)];
    }
    return bins;
  };
  const std::vector<int> g = count(good), a = count(anomalous);
  axes.y_max =
      std::max(1, std::max(*std::max_element(g.begin(), g.end()), *std::max_element(a.begin(), a.end())));
  std::string body = frame(axes);
  const double step = (axes.x_max - axes.x_min) / kBins;
  for (const auto& [bins, css] : {std::pair(&g, "good"), std::pair(&a, "bad")}) {
    for (int b = 0; b < kBins; ++b) {
      if ((*bins)[b] == 0) continue;
      const double x = x_of(axes, axes.x_min + b * step), y = y_of(axes, (*bins)[b]);
      body += fmt::format("<rect class='bar {}' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}'/>", css,
                          x, y, x_of(axes, axes.x_min + (b + 1) * step) - x - 1, kHeight - kBottom - y);
    }
  }
  body += fmt::format("<line class='guide' x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}'/>",
                      x_of(axes, threshold), kTop, kHeight - kBottom);
  const bool right = x_of(axes, threshold) > kWidth / 2;
  body += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}' text-anchor='{}'>threshold</text>",
                      x_of(axes, threshold) + (right ? -5 : 5), kTop + 10, right ? "end" : "start");
  return wrap(body, "score histogram");
}

std::string rate_bars(const std::vector<std::pair<std::string, Estimate>>& rows) {
  constexpr double kLetter = 7;  // width at the label's font size, about
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.first.size());
  const double row_height = 30, left = std::max(150.0, 16 + kLetter * static_cast<double>(longest)),
               right = 60, width = left + 310;
  const double height = row_height * static_cast<double>(rows.size()) + 8;
  auto x = [&](double v) { return left + v * (width - left - right); };
  std::string body;
  double y = 4;
  for (const auto& [name, rate] : rows) {
    const double middle = y + row_height / 2;
    body += fmt::format("<text class='label' x='{:.1f}' y='{:.1f}' text-anchor='end'>{}</text>", left - 8,
                        middle + 4, escape_html(name));
    body += fmt::format("<rect class='track' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='14'/>", x(0),
                        middle - 7, x(1) - x(0));
    body += fmt::format("<rect class='bar s1fill' x='{:.1f}' y='{:.1f}' width='{:.1f}' height='14'/>", x(0),
                        middle - 7, x(rate.value) - x(0));
    body += fmt::format("<line class='whisker' x1='{:.1f}' x2='{:.1f}' y1='{:.1f}' y2='{:.1f}'/>",
                        x(rate.ci_low), x(rate.ci_high), middle, middle);
    body += fmt::format("<text class='tick' x='{:.1f}' y='{:.1f}'>{:.0f} %</text>", x(1) + 8, middle + 4,
                        100 * rate.value);
    y += row_height;
  }
  return fmt::format("<svg viewBox='0 0 {} {:.0f}' role='img' aria-label='rates'>{}</svg>", width, height,
                     body);
}

}  // namespace glint
