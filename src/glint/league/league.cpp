#include "glint/league/league.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/metrics/clustered_rate.h"
#include "glint/metrics/multiple_comparisons.h"

namespace glint {
namespace {

constexpr std::size_t kNamedMissing = 5;  // cells in missing_sentence

const Estimate& difference_of(const PairedDifference& d, ArmFigure figure) {
  switch (figure) {
    case ArmFigure::kImageAuroc:
      return d.image_auroc;
    case ArmFigure::kPixelAuroc:
      return d.pixel_auroc;
    case ArmFigure::kPixelAp:
      return d.pixel_ap;
    case ArmFigure::kAupro:
      return d.aupro;
  }
  GLINT_CHECK(false);
  return d.aupro;
}

/// Share of the images of one kind that are judged wrongly; an image is a cluster of its seeds' verdicts.
Estimate wrong_rate(const ArmResult& arm, bool anomalous) {
  std::vector<ClusterTrials> clusters;
  const std::vector<ScoredImage>& images = arm.runs.front()->evaluation.images;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].sample.anomalous() != anomalous) continue;
    ClusterTrials& trials = clusters.emplace_back();
    for (const auto& run : arm.runs) {
      ++trials.trials;
      trials.hits += run->evaluation.images[i].rejected != anomalous ? 1 : 0;
    }
  }
  // One seed is one trial an image: Wilson's interval is the better one then.
  if (arm.runs.size() > 1) return clustered_rate(clusters);
  std::int64_t hits = 0;
  for (const ClusterTrials& c : clusters) hits += c.hits;
  return wilson_rate(hits, std::ssize(clusters));
}

void fill_figures(LeagueRow& row) {
  std::vector<double> seconds, milliseconds, memory, size;
  for (const auto& run : row.arm.runs) {
    seconds.push_back(run->training_seconds);
    milliseconds.push_back(run->milliseconds_image);
    memory.push_back(run->peak_mib);
    size.push_back(run->model_mib);
  }
  row.training_seconds = median(seconds);
  row.milliseconds_image = median(milliseconds);
  row.peak_mib = median(memory);
  row.model_mib = median(size);
  row.escapes = wrong_rate(row.arm, true);
  row.false_rejects = wrong_rate(row.arm, false);
  for (std::size_t f = 0; f < kLeagueFigures.size(); ++f)
    row.figures[f].mean = mean_figure(row.arm, kLeagueFigures[f].figure);
}

void check_same_images(const LeagueTable& table) {
  const ArmRun* first = nullptr;
  for (const LeagueRow& row : table.rows) {
    for (const auto& run : row.arm.runs) {
      if (first == nullptr) first = run.get();
      const auto& a = first->evaluation.images;
      const auto& b = run->evaluation.images;
      if (!std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ScoredImage& x, const ScoredImage& y) {
            return x.sample.id == y.sample.id;
          })) {
        fail(ErrorCode::kBadInput,
             "{}: the result of {}, seed {}, is over other test images; remove it and compute it again",
             table.set->name, row.method, run->seed);
      }
    }
  }
}

/// Letters of one figure over the rows that have it, the highest first; all pairs of them are one family of
/// tests.
void mark_groups(LeagueTable& table, std::size_t f) {
  std::vector<std::size_t> ranked;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const LeagueRow& row = table.rows[r];
    if (!row.arm.runs.empty() && std::isfinite(row.figures[f].mean.mean)) ranked.push_back(r);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [&](std::size_t a, std::size_t b) {
    return table.rows[a].figures[f].mean.mean > table.rows[b].figures[f].mean.mean;
  });
  const int items = static_cast<int>(ranked.size());
  std::vector<int> item_of_row(table.rows.size(), -1);
  for (int i = 0; i < items; ++i) item_of_row[ranked[static_cast<std::size_t>(i)]] = i;
  std::vector<double> p;
  std::vector<std::pair<LeaguePair*, std::pair<int, int>>> tested;
  std::size_t pair = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (std::size_t j = i + 1; j < table.rows.size(); ++j) {
      if (table.rows[i].arm.runs.empty() || table.rows[j].arm.runs.empty()) continue;
      LeaguePair& at = table.pairs[pair++];
      at.adjusted_p[f] = std::nan("");
      if (item_of_row[i] < 0 || item_of_row[j] < 0) continue;
      p.push_back(p_from_interval(difference_of(at.difference, kLeagueFigures[f].figure)));
      tested.push_back({&at, {item_of_row[i], item_of_row[j]}});
    }
  }
  const std::vector<double> adjusted = holm_adjusted(p);
  std::vector<std::pair<int, int>> apart;
  for (std::size_t t = 0; t < tested.size(); ++t) {
    tested[t].first->adjusted_p[f] = adjusted[t];
    if (adjusted[t] < kFamilyLevel) apart.push_back(tested[t].second);
  }
  const std::vector<std::string> letters = group_letters(items, apart);
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    if (item_of_row[r] >= 0)
      table.rows[r].figures[f].groups = letters[static_cast<std::size_t>(item_of_row[r])];
  }
}

/// What the evaluations warn of: of each training where it is its own, of the data set once.
void collect_warnings(LeagueTable& table) {
  bool first = true;
  for (const LeagueRow& row : table.rows) {
    for (const auto& run : row.arm.runs) {
      for (const std::string& warning : run->evaluation.warnings) {
        const bool own = warning.find("saturated") != std::string::npos;
        if (own) table.warnings.push_back(fmt::format("{}, seed {}: {}", row.method, run->seed, warning));
        if (!own && first) table.warnings.push_back(warning);
      }
      first = false;
    }
  }
}

LeagueTable make_table(const LeaguePlan& plan, int set,
                       const std::map<std::string, const CellResult*>& by_id) {
  LeagueTable table;
  table.set = &plan.sets[static_cast<std::size_t>(set)];
  for (const std::string& method : plan.methods) {
    LeagueRow row;
    row.method = method;
    row.arm.name = method;
    std::map<std::string, std::vector<int>> notes;  // seeds of each reason
    for (const Cell& cell : plan.cells) {
      if (cell.set != set || cell.method != method) continue;
      const auto found = by_id.find(cell.id);
      if (found == by_id.end()) {
        notes["not computed yet"].push_back(cell.seed);
      } else if (const CellResult& result = *found->second; result.status != CellStatus::kDone) {
        notes[fmt::format("{}: {}", enum_name(result.status), result.reason)].push_back(cell.seed);
      } else {
        row.arm.runs.push_back(result.run);
        if (!result.pictures.empty() && row.shown == nullptr) row.shown = &result;
        if (row.arm.runs.size() == 1)
          row.promised_rate =
              result.results.value(nlohmann::json::json_pointer("/decision/wished_rate"), std::nan(""));
      }
    }
    for (const auto& [reason, seeds] : notes) {
      const bool all = static_cast<int>(seeds.size()) == plan.seeds;
      row.notes.push_back(
          all ? reason
              : fmt::format("seed{} {}: {}", seeds.size() > 1 ? "s" : "", fmt::join(seeds, ", "), reason));
    }
    if (!row.arm.runs.empty()) fill_figures(row);
    table.rows.push_back(std::move(row));
  }
  check_same_images(table);
  std::stable_sort(table.rows.begin(), table.rows.end(), [](const LeagueRow& a, const LeagueRow& b) {
    if (a.arm.runs.empty() || b.arm.runs.empty()) return !a.arm.runs.empty() && b.arm.runs.empty();
    return a.figures[0].mean.mean > b.figures[0].mean.mean;
  });
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (std::size_t j = i + 1; j < table.rows.size(); ++j) {
      if (!table.rows[i].arm.runs.empty() && !table.rows[j].arm.runs.empty())
        table.pairs.push_back({paired_difference(table.rows[i].arm, table.rows[j].arm), {}});
    }
  }
  for (std::size_t f = 0; f < kLeagueFigures.size(); ++f) mark_groups(table, f);
  for (LeagueRow& row : table.rows) {
    row.tied_with_best =
        row.figures[0].groups.find_first_of(table.rows.front().figures[0].groups) != std::string::npos;
  }
  collect_warnings(table);
  return table;
}

const LeagueRow* row_of(const LeagueTable& table, const std::string& method) {
  const auto row = std::find_if(table.rows.begin(), table.rows.end(),
                                [&](const LeagueRow& r) { return r.method == method; });
  return row == table.rows.end() || row->arm.runs.empty() ? nullptr : &*row;
}

std::vector<OverallRow> make_overall(const League& league) {
  std::vector<OverallRow> out;
  const auto sets = static_cast<double>(league.tables.size());
  std::vector<std::vector<double>> image;  // by method, then data set
  for (const std::string& method : league.plan.methods) {
    OverallRow row;
    row.method = method;
    std::vector<double> values;
    for (const LeagueTable& table : league.tables) {
      const LeagueRow* found = row_of(table, method);
      if (found == nullptr || !std::isfinite(found->figures[0].mean.mean)) break;
      values.push_back(found->figures[0].mean.mean);
      row.image_auroc += values.back() / sets;
      row.pixel_auroc += found->figures[1].mean.mean / sets;
      row.aupro += found->figures[2].mean.mean / sets;
    }
    if (values.size() != league.tables.size()) continue;
    out.push_back(row);
    image.push_back(std::move(values));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (std::size_t s = 0; s < league.tables.size(); ++s) {
      double rank = 1;
      for (std::size_t j = 0; j < out.size(); ++j) {
        if (j != i) rank += image[j][s] > image[i][s] ? 1 : image[j][s] == image[i][s] ? 0.5 : 0;
      }
      out[i].mean_rank += rank / sets;
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const OverallRow& a, const OverallRow& b) { return a.mean_rank < b.mean_rank; });
  return out;
}

}  // namespace

League make_league(LeaguePlan plan, std::vector<CellResult> results) {
  League league;
  league.plan = std::move(plan);
  league.results = std::move(results);
  std::map<std::string, const CellResult*> by_id;
  for (const CellResult& result : league.results) by_id[result.id] = &result;
  for (const Cell& cell : league.plan.cells) {
    if (!by_id.contains(cell.id)) league.missing.push_back(cell.id);
  }
  for (int set = 0; set < static_cast<int>(league.plan.sets.size()); ++set)
    league.tables.push_back(make_table(league.plan, set, by_id));
  if (league.tables.size() > 1) league.overall = make_overall(league);
  return league;
}

std::string missing_sentence(const League& league) {
  if (league.missing.empty()) return "";
  std::vector<std::string> named(
      league.missing.begin(),
      league.missing.begin() + static_cast<std::ptrdiff_t>(std::min(kNamedMissing, league.missing.size())));
  return fmt::format("{} of {} cells {} missing: {}{}", league.missing.size(), league.plan.cells.size(),
                     league.missing.size() == 1 ? "is" : "are", fmt::join(named, ", "),
                     league.missing.size() > named.size() ? ", ..." : "");
}

}  // namespace glint
