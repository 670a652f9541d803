// The league table as JSON, CSV and text.
#include <cmath>

#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/league/league.h"
#include "glint/metrics/estimate_json.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr int kLeagueSchema = 2;

json row_json(const LeagueRow& row, const std::vector<CellResult>& results) {
  json out = {{"method", row.method}, {"seeds_done", row.arm.runs.size()}, {"notes", row.notes}};
  if (row.arm.runs.empty()) return out;
  for (std::size_t f = 0; f < kLeagueFigures.size(); ++f) {
    json entry = estimate_json(row.figures[f].mean.estimate);
    entry["lowest_seed"] = number_json(row.figures[f].mean.lowest);
    entry["highest_seed"] = number_json(row.figures[f].mean.highest);
    entry["groups"] = row.figures[f].groups;
    out[kLeagueFigures[f].key] = std::move(entry);
  }
  out["tied_with_best"] = row.tied_with_best;
  out["promised_false_rejects"] = number_json(row.promised_rate);
  out["escapes"] = estimate_json(row.escapes);
  out["false_rejects"] = estimate_json(row.false_rejects);
  out["training_seconds"] = row.training_seconds;
  out["milliseconds_per_image"] = row.milliseconds_image;
  out["peak_mib"] = row.peak_mib;
  out["model_mib"] = row.model_mib;
  json runs = json::array();
  for (const auto& run : row.arm.runs) {
    for (const CellResult& result : results) {
      if (result.run != run) continue;
      runs.push_back({{"cell", result.id},
                      {"seed", run->seed},
                      {"worker", result.worker},
                      {"model", result.model_file},
                      {"results", result.results},
                      {"training_seconds", run->training_seconds},
                      {"milliseconds_per_image", run->milliseconds_image},
                      {"peak_mib", run->peak_mib},
                      {"model_mib", run->model_mib}});
    }
  }
  out["runs"] = std::move(runs);
  return out;
}

json pair_json(const LeaguePair& pair) {
  const PairedDifference& d = pair.difference;
  json out = {{"first", d.first},
              {"second", d.second},
              {"image_auroc", estimate_json(d.image_auroc)},
              {"pixel_auroc", estimate_json(d.pixel_auroc)},
              {"pixel_ap", estimate_json(d.pixel_ap)},
              {"aupro", estimate_json(d.aupro)}};
  for (std::size_t f = 0; f < kLeagueFigures.size(); ++f)
    out[kLeagueFigures[f].key]["adjusted_p"] = number_json(pair.adjusted_p[f]);
  return out;
}

std::string figure_text(const LeagueFigure& figure) {
  const Estimate& e = figure.mean.estimate;
  if (!std::isfinite(e.value)) return "–";
  return fmt::format("{:.3f} [{:.3f}, {:.3f}] {}", e.value, e.ci_low, e.ci_high, figure.groups);
}

}  // namespace

json league_json(const League& league) {
  json tables = json::array(), overall = json::array();
  for (const LeagueTable& table : league.tables) {
    json rows = json::array(), pairs = json::array();
    for (const LeagueRow& row : table.rows) rows.push_back(row_json(row, league.results));
    for (const LeaguePair& pair : table.pairs) pairs.push_back(pair_json(pair));
    tables.push_back({{"dataset",
                       {{"name", table.set->name},
                        {"fingerprint", table.set->fingerprint},
                        {"train_images", table.set->train_images},
                        {"test_good", table.set->test_good},
                        {"test_anomalous", table.set->test_anomalous}}},
                      {"methods", rows},
                      {"differences", pairs},
                      {"warnings", table.warnings}});
  }
  for (const OverallRow& row : league.overall) {
    overall.push_back({{"method", row.method},
                       {"mean_rank", row.mean_rank},
                       {"image_auroc", number_json(row.image_auroc)},
                       {"pixel_auroc", number_json(row.pixel_auroc)},
                       {"aupro", number_json(row.aupro)}});
  }
  return {{"schema_version", kLeagueSchema},
          {"glint", league.plan.version},
          {"settings", league.plan.settings},
          {"seeds", league.plan.seeds},
          {"family_level", kFamilyLevel},
          {"tables", tables},
          {"overall", overall},
          {"missing", league.missing}};
}

std::string league_csv(const League& league) {
  std::string out = "dataset,method,seeds_done,seeds_planned,tied_with_best";
  for (const LeagueFigureName& figure : kLeagueFigures)
    out += fmt::format(",{0},{0}_low,{0}_high,{0}_groups", figure.key);
  out +=
      ",promised_false_rejects,false_rejects,false_rejects_low,false_rejects_high,escapes,escapes_low,"
      "escapes_high,training_seconds,milliseconds_per_image,peak_mib,model_mib,notes\n";
  const auto numbers = [](const Estimate& e) {
    return "," + csv_number(e.value) + "," + csv_number(e.ci_low) + "," + csv_number(e.ci_high);
  };
  for (const LeagueTable& table : league.tables) {
    for (const LeagueRow& row : table.rows) {
      const bool done = !row.arm.runs.empty();
      out += fmt::format("{},{},{},{},{}", csv_field(table.set->name), row.method, row.arm.runs.size(),
                         league.plan.seeds, done && row.tied_with_best ? "yes" : "");
      const Estimate none{std::nan(""), std::nan(""), std::nan("")};
      for (const LeagueFigure& figure : row.figures)
        out += numbers(done ? figure.mean.estimate : none) + "," + figure.groups;
      out += "," + (done ? csv_number(row.promised_rate) : std::string());
      out += numbers(done ? row.false_rejects : none) + numbers(done ? row.escapes : none);
      for (const double v : {row.training_seconds, row.milliseconds_image, row.peak_mib, row.model_mib})
        out += "," + (done ? csv_number(v) : std::string());
      out += "," + csv_field(fmt::format("{}", fmt::join(row.notes, "; "))) + "\n";
    }
  }
  return out;
}

std::string league_text(const League& league) {
  std::string out;
  for (const LeagueTable& table : league.tables) {
    out += fmt::format("{}: {} training images, {} good and {} anomalous test images, {} seed{}\n",
                       table.set->name, table.set->train_images, table.set->test_good,
                       table.set->test_anomalous, league.plan.seeds, league.plan.seeds == 1 ? "" : "s");
    out += fmt::format("  {:<22} {:<28} {:<28} {:<28} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9}\n", "method",
                       "image AUROC", "pixel AUROC", "AUPRO", "escapes", "rejects", "training", "image",
                       "memory", "model");
    for (const LeagueRow& row : table.rows) {
      if (!row.arm.runs.empty()) {
        out += fmt::format(
            "{} {:<22} {:<28} {:<28} {:<28} {:>6.1f} % {:>6.1f} % {:>7.0f} s {:>6.1f} ms {:>5.0f} MiB "
            "{:>5.1f} "
            "MiB\n",
            row.tied_with_best ? "=" : " ", row.method, figure_text(row.figures[0]),
            figure_text(row.figures[1]), figure_text(row.figures[2]), 100 * row.escapes.value,
            100 * row.false_rejects.value, row.training_seconds, row.milliseconds_image, row.peak_mib,
            row.model_mib);
      }
      for (const std::string& note : row.notes) out += fmt::format("  {:<22} {}\n", row.method, note);
    }
  }
  for (const OverallRow& row : league.overall) {
    if (&row == &league.overall.front()) out += "over all data sets, by mean rank of image AUROC\n";
    out += fmt::format("  {:<22} rank {:<6.2f} image AUROC {:.3f}\n", row.method, row.mean_rank,
                       row.image_auroc);
  }
  const std::string missing = missing_sentence(league);
  return out + (missing.empty() ? "" : missing + "\n");
}

}  // namespace glint
