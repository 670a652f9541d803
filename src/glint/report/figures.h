// Small figures as inline SVG text: curves, histogram, bars. Colours come from the page's CSS variables, so
// that one figure serves light, dark and print.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glint/metrics/intervals.h"
#include "glint/metrics/ranking.h"

namespace glint {

struct Series {
  std::string name;       ///< in the legend; empty = not there
  std::string css_class;  ///< "s1" ... "s6"
  std::vector<CurvePoint> points;
};

struct Axes {
  std::string x_label, y_label;
  double x_min = 0, x_max = 1, y_min = 0, y_max = 1;
};

/// Line chart; `guides_x` are dashed vertical lines.
std::string line_chart(const Axes& axes, const std::vector<Series>& series,
                       const std::vector<double>& guides_x = {});

/// Points over x; each series in its own colour, with a legend.
std::string scatter_chart(const Axes& axes, const std::vector<Series>& series);

/// Two overlaid histograms of scores with the threshold.
std::string score_histogram(const std::vector<double>& good, const std::vector<double>& anomalous,
                            double threshold);

/// Horizontal bars of rates in [0, 1] with their intervals.
std::string rate_bars(const std::vector<std::pair<std::string, Estimate>>& rows);

/// Text made safe inside HTML.
std::string escape_html(std::string_view text);

}  // namespace glint
