#include "glint/report/compare_report.h"

#include <algorithm>
#include <cmath>

#include "glint/base/duration.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::size_t kShownPairs = 400;  // the page names at most so many differences of one data set

std::string figure_cell(const LeagueFigure& figure, std::size_t seeds) {
  const MeanFigure& m = figure.mean;
  if (!std::isfinite(m.mean)) return "<td>–</td>";
  return fmt::format("<td>{} <b>{}</b><br><span class='soft'>{}</span></td>", with_interval(m.estimate),
                     figure.groups, seeds_range(m.lowest, m.highest, seeds));
}

std::string league_rows(const LeagueTable& table) {
  std::string out =
      "<div class='wide'><table><tr><th>method</th><th>image AUROC</th><th>pixel AUROC</th><th>AUPRO</th>"
      "<th>escapes</th><th>false rejects</th><th>training</th><th>one image</th><th>memory, peak</th>"
      "<th>model file</th></tr>";
  for (const LeagueRow& row : table.rows) {
    std::string notes;
    for (const std::string& note : row.notes)
      notes += fmt::format("<br><span class='soft'>{}</span>", escape_html(note));
    if (row.arm.runs.empty()) {
      out += fmt::format("<tr><td>{}</td><td colspan='9' style='text-align:left'>{}</td></tr>",
                         escape_html(row.method), notes.substr(std::string("<br>").size()));
      continue;
    }
    out += fmt::format("<tr><td>{}{}{}</td>", row.tied_with_best ? "= " : "", escape_html(row.method), notes);
    for (std::size_t f = 0; f < 3; ++f) out += figure_cell(row.figures[f], row.arm.runs.size());
    out += fmt::format(
        "<td>{}</td><td>{}<br><span class='soft'>promised {}</span></td><td>{}</td><td>{:.1f} ms</td>"
        "<td>{:.0f} MiB</td><td>{:.1f} MiB</td></tr>",
        rate_text(row.escapes), rate_text(row.false_rejects), percent(row.promised_rate),
        seconds_text(row.training_seconds), row.milliseconds_image, row.peak_mib, row.model_mib);
  }
  return out + "</table></div>";
}

const char* const kMarks =
    "<p class='soft'>Figures are means over the seeds with 95 % intervals over the test images (image AUROC: "
    "DeLong's or Newcombe's, the wider; the others: stratified bootstrap); below them the seeds' range. "
    "<b>Letters</b>: methods of one column that share a letter cannot be told apart on these images. Every "
    "pair "
    "is compared on the same images (Zou and Yue's interval for image AUROC, the same bootstrap resamples "
    "for "
    "the others); all pairs of one column are one family, with Holm's correction at 5 %. <b>=</b>: cannot be "
    "told apart from the first in image AUROC. Escapes and false rejects: shares of defective and of good "
    "test "
    "images judged wrongly at the threshold that was calibrated for the promised rate. Times and memory: "
    "medians "
    "over the seeds, on the machines that computed the cells; not comparable where these differ.</p>";

std::string overall_table(const League& league) {
  if (league.overall.empty()) return "";
  std::string out =
      "<h2>Over all data sets</h2><div class='wide'><table><tr><th>method</th><th>mean rank</th><th>image "
      "AUROC</th><th>pixel AUROC</th><th>AUPRO</th></tr>";
  const auto number = [](double v) { return std::isfinite(v) ? fmt::format("{:.3f}", v) : std::string("–"); };
  for (const OverallRow& row : league.overall) {
    out += fmt::format("<tr><td>{}</td><td>{:.2f}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                       escape_html(row.method), row.mean_rank, number(row.image_auroc),
                       number(row.pixel_auroc), number(row.aupro));
  }
  return out +
         "</table></div><p class='soft'>Methods with figures on every data set; ranks by image AUROC. A mean "
         "over "
         "few data sets has no interval here: read the tables of each.</p>";
}

std::string difference_table(const LeagueTable& table) {
  if (table.pairs.empty()) return "";
  std::string out =
      "<details><summary>Paired differences</summary><div class='wide'><table><tr><th>first minus "
      "second</th><th>image AUROC</th><th>pixel AUROC</th><th>AUPRO</th></tr>";
  const auto cell = [](const Estimate& e, double p) {
    if (!std::isfinite(e.value)) return std::string("<td>–</td>");
    const bool clear = p < kFamilyLevel;
    return fmt::format("<td>{}{:+.3f} [{:+.3f}, {:+.3f}], p {:.3g}{}</td>", clear ? "<b>" : "", e.value,
                       e.ci_low, e.ci_high, p, clear ? "</b>" : "");
  };
  for (std::size_t i = 0; i < std::min(kShownPairs, table.pairs.size()); ++i) {
    const LeaguePair& pair = table.pairs[i];
    const PairedDifference& d = pair.difference;
    out += fmt::format("<tr><td>{} – {}</td>{}{}{}</tr>", escape_html(d.first), escape_html(d.second),
                       cell(d.image_auroc, pair.adjusted_p[0]), cell(d.pixel_auroc, pair.adjusted_p[1]),
                       cell(d.aupro, pair.adjusted_p[2]));
  }
  return out +
         "</table></div><p class='soft'>Intervals are of each difference alone; p is Holm's, over all pairs "
         "of the "
         "column. Bold: told apart." +
         (table.pairs.size() > kShownPairs ? " The others are in compare.json." : std::string()) +
         "</p></details>";
}

/// Mean over the done seeds of a class' figure in results.json; NaN where it is absent.
double class_mean(const League& league, const LeagueRow& row, const std::string& pointer) {
  double sum = 0;
  for (const auto& run : row.arm.runs) {
    for (const CellResult& result : league.results) {
      if (result.run != run) continue;
      const nlohmann::json::json_pointer at(pointer);
      if (!result.results.contains(at) || !result.results.at(at).is_number()) return std::nan("");
      sum += result.results.at(at).get<double>();
    }
  }
  return sum / static_cast<double>(row.arm.runs.size());
}

std::string class_table(const League& league, const LeagueTable& table) {
  const auto first = std::find_if(table.rows.begin(), table.rows.end(),
                                  [](const LeagueRow& row) { return !row.arm.runs.empty(); });
  if (first == table.rows.end()) return "";
  std::vector<std::string> labels;
  for (const ScoredImage& image : first->arm.runs[0]->evaluation.images) {
    if (image.sample.anomalous() &&
        std::find(labels.begin(), labels.end(), image.sample.label) == labels.end())
      labels.push_back(image.sample.label);
  }
  std::string out =
      "<details><summary>Per class: image AUROC, share found</summary><div "
      "class='wide'><table><tr><th>method</th>";
  for (const std::string& label : labels) out += fmt::format("<th>{}</th>", escape_html(label));
  out += "</tr>";
  for (const LeagueRow& row : table.rows) {
    if (row.arm.runs.empty()) continue;
    out += fmt::format("<tr><td>{}</td>", escape_html(row.method));
    for (const std::string& label : labels) {
      std::string key = label;  // as a JSON pointer wants it
      for (std::size_t at = 0; (at = key.find_first_of("~/", at)) != std::string::npos; at += 2)
        key.replace(at, 1, key[at] == '~' ? "~0" : "~1");
      const double auroc = class_mean(league, row, "/per_class/" + key + "/image_auroc/value");
      const double found = class_mean(league, row, "/per_class/" + key + "/rejected_rate/value");
      out += std::isfinite(auroc) ? fmt::format("<td>{:.3f}, {}</td>", auroc, percent(found))
                                  : std::string("<td>–</td>");
    }
    out += "</tr>";
  }
  return out +
         "</table></div><p class='soft'>Means over the seeds, each class against the good "
         "images.</p></details>";
}

std::string picture(const fs::path& file, const char* alt) {
  if (!fs::exists(file)) return "<i class='soft'>no picture</i>";
  return fmt::format("<img alt='{}' src='data:image/jpeg;base64,{}'>", alt, base64(read_file(file)));
}

std::string picture_rows(const LeagueTable& table, const LeagueFolder& folder) {
  const auto first = std::find_if(table.rows.begin(), table.rows.end(),
                                  [](const LeagueRow& row) { return row.shown != nullptr; });
  if (first == table.rows.end()) return "";
  std::string out =
      "<h3>The same parts, every method</h3><p class='soft'>Chosen from the list of test images alone, of "
      "each class "
      "in turn. Photograph with mask outline (green), then one map a method (seed 0), in the table's order; "
      "every "
      "method's colours reach from its typical good part to beyond its own threshold.</p>";
  for (std::size_t i = 0; i < first->shown->pictures.size(); ++i) {
    const std::string& id = first->shown->pictures[i];
    const std::string file = fmt::format("{:02}.jpg", i);
    out += fmt::format(
        "<div class='row' style='grid-template-columns:repeat(auto-fill,minmax(150px,1fr))'><div>{}{}</div>",
        picture(folder.photographs(*table.set) / file, "part"), escape_html(id));
    for (const LeagueRow& row : table.rows) {
      if (row.shown == nullptr || i >= row.shown->pictures.size() || row.shown->pictures[i] != id) continue;
      const auto& images = row.shown->run->evaluation.images;
      const auto scored = std::find_if(images.begin(), images.end(),
                                       [&](const ScoredImage& image) { return image.sample.id == id; });
      if (scored == images.end()) continue;
      const bool wrong = scored->rejected != scored->sample.anomalous();
      out += fmt::format("<div>{}{}: <span class='verdict {}'>{}</span>, p {:.3f}</div>",
                         picture(folder.maps(row.shown->id) / file, "anomaly map"), escape_html(row.method),
                         wrong ? "nok" : "okv", scored->rejected ? "NOK" : "OK", scored->p_value);
    }
    out += "</div>";
  }
  return out;
}

std::string data_set_part(const League& league, const LeagueTable& table, const LeagueFolder& folder) {
  const LeagueSet& set = *table.set;
  std::string out = fmt::format(
      "<h2>{}</h2><p class='soft'>{} training images, {} good and {} anomalous test images; fingerprint "
      "<code>{}</code>.</p>",
      escape_html(set.name), set.train_images, set.test_good, set.test_anomalous,
      set.fingerprint.substr(0, 16));
  for (const std::string& warning : table.warnings)
    out += fmt::format("<div class='banner'>{}</div>", escape_html(warning));
  return out + league_rows(table) + kMarks + difference_table(table) + class_table(league, table) +
         picture_rows(table, folder);
}

}  // namespace

std::string league_page(const League& league, const LeagueFolder& folder) {
  std::string names, backbones;
  for (const LeagueSet& set : league.plan.sets) names += (names.empty() ? "" : ", ") + set.name;
  for (const CellResult& result : league.results) {
    if (result.backbone.empty() || backbones.find(result.backbone) != std::string::npos) continue;
    backbones += (backbones.empty() ? "" : ", ") + result.backbone;
  }
  std::string html = page_begin(names + ": league of methods");
  html += fmt::format(
      "<h1>{}: {} methods</h1><p class='soft'>{} seed{} on the same split; backbone {}. The best localiser "
      "need not be the best judge: compare AUPRO with image AUROC.</p>",
      escape_html(names), league.plan.methods.size(), league.plan.seeds, league.plan.seeds == 1 ? "" : "s",
      backbones.empty() ? "–" : escape_html(backbones));
  if (const std::string missing = missing_sentence(league); !missing.empty())
    html += fmt::format("<div class='banner'>{}</div>", escape_html(missing));
  for (const LeagueTable& table : league.tables) html += data_set_part(league, table, folder);
  return html + overall_table(league) + page_end();
}

}  // namespace glint
