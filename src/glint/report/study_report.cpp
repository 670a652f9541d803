#include "glint/report/study_report.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace glint {
namespace {

constexpr int kColours = 6;  // s1 ... s6 of the page's style

std::string cell_html(const StudyCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return escape_html(*text);
  if (const auto* value = std::get_if<double>(&cell))
    return std::isfinite(*value) ? fmt::format("{:.3f}", *value) : std::string("–");
  return with_interval(std::get<Estimate>(cell));
}

std::string table_html(const StudyTable& table) {
  std::string out = table.title.empty() ? "" : "<h2>" + escape_html(table.title) + "</h2>";
  out += "<div class='wide'><table><tr>";
  for (const std::string& column : table.columns) out += "<th>" + escape_html(column) + "</th>";
  out += "</tr>";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (const StudyCell& cell : row) out += "<td>" + cell_html(cell) + "</td>";
    out += "</tr>";
  }
  out += "</table></div>";
  return table.note.empty() ? out : out + "<p class='soft'>" + escape_html(table.note) + "</p>";
}

std::string chart_html(const StudyChart& chart) {
  std::vector<Series> series;
  Axes axes{chart.x_label, chart.y_label, INFINITY, -INFINITY, INFINITY, -INFINITY};
  for (const StudyCurve& curve : chart.curves) {
    Series s{curve.name, fmt::format("s{}", series.size() % kColours + 1), {}};
    for (const CurvePoint& p : curve.points) {
      if (!std::isfinite(p.x) || !std::isfinite(p.y)) continue;
      s.points.push_back(p);
      axes.x_min = std::min(axes.x_min, p.x);
      axes.x_max = std::max(axes.x_max, p.x);
      axes.y_min = std::min(axes.y_min, p.y);
      axes.y_max = std::max(axes.y_max, p.y);
    }
    if (!s.points.empty()) series.push_back(std::move(s));
  }
  if (series.empty()) return "";
  const double pad_x = axes.x_max > axes.x_min ? 0.02 * (axes.x_max - axes.x_min) : 0.5;
  const double pad_y = axes.y_max > axes.y_min ? 0.06 * (axes.y_max - axes.y_min) : 0.05;
  axes = {axes.x_label,       axes.y_label,       axes.x_min - pad_x,
          axes.x_max + pad_x, axes.y_min - pad_y, axes.y_max + pad_y};
  return figure(chart.title, chart.scatter ? scatter_chart(axes, series) : line_chart(axes, series));
}

std::string findings_html(const StudyReport& report) {
  std::string out = "<section class='finding'><h3>What the intervals support</h3><ul>";
  for (const std::string& finding : report.findings) out += "<li>" + escape_html(finding) + "</li>";
  out += "</ul>";
  if (!report.study_says.empty()) {
    out += "<p class='soft'>The study of the steel sleeve, on its own photographs: " +
           escape_html(report.study_says) + "</p>";
  }
  return out + "</section>";
}

}  // namespace

std::string study_page(const StudyReport& report, const Dataset& dataset) {
  std::string out = page_begin(report.name + " on " + dataset.name());
  out += fmt::format("<h1>{}</h1><p class='soft'>Study <b>{}</b> on {}, fingerprint <code>{}</code></p>",
                     escape_html(report.question), escape_html(report.name), escape_html(dataset.name()),
                     dataset.fingerprint().substr(0, 16));
  out += findings_html(report);
  for (const StudyTable& table : report.tables) out += table_html(table);
  std::string charts;
  for (const StudyChart& chart : report.charts) charts += chart_html(chart);
  if (!charts.empty()) out += "<h2>Curves</h2><div class='figures'>" + charts + "</div>";
  std::string group;
  for (const StudyPicture& picture : report.pictures) {
    if (picture.group != group) {
      out += (group.empty() ? "" : "</div>") +
             fmt::format("<h2>{}</h2><div class='thumbs'>", escape_html(picture.group));
      group = picture.group;
    }
    out += fmt::format(
        "<div class='thumb pair'><img alt='part with the defect outlined, and its anomaly map' "
        "src='{}'><div>{}</div></div>",
        data_uri(picture.picture), escape_html(picture.caption));
  }
  if (!group.empty()) out += "</div>";
  for (const std::string& note : report.notes) out += "<p class='soft'>" + escape_html(note) + "</p>";
  return out + page_end();
}

std::string study_index(const std::vector<StudyReport>& reports, const Dataset& dataset) {
  std::string out = page_begin("studies on " + dataset.name());
  out += fmt::format("<h1>Studies: {}</h1><p class='soft'>Fingerprint <code>{}</code></p>",
                     escape_html(dataset.name()), dataset.fingerprint().substr(0, 16));
  for (const StudyReport& report : reports) {
    out += fmt::format("<h2><a href='{0}/study.html'>{0}</a>: {1}</h2>", escape_html(report.name),
                       escape_html(report.question));
    out += findings_html(report);
    if (!report.tables.empty()) out += table_html(report.tables[0]);
  }
  return out + page_end();
}

}  // namespace glint
