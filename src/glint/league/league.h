// The league table: what the computed cells say about every method on every data set, and which differences
// between methods stand. Made from the league's folder alone.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/league/cell_result.h"
#include "glint/league/plan.h"
#include "glint/study/arms.h"

namespace glint {

/// Family-wise error of the pairwise tests of one figure on one data set (Holm).
inline constexpr double kFamilyLevel = 0.05;

struct LeagueFigureName {
  const char* key;    ///< in JSON and CSV
  const char* title;  ///< for people
  ArmFigure figure;
};
/// The first sorts the table.
inline constexpr std::array<LeagueFigureName, 4> kLeagueFigures = {
    {{"image_auroc", "image AUROC", ArmFigure::kImageAuroc},
     {"pixel_auroc", "pixel AUROC", ArmFigure::kPixelAuroc},
     {"aupro", "AUPRO", ArmFigure::kAupro},
     {"pixel_ap", "pixel AP", ArmFigure::kPixelAp}}};

struct LeagueFigure {
  MeanFigure mean;     ///< over the seeds
  std::string groups;  ///< methods of one data set that share a letter cannot be told apart; empty: no figure
};

/// One method on one data set.
struct LeagueRow {
  std::string method;
  ArmResult arm;  ///< the seeds that are done; without any, the row says only why
  std::array<LeagueFigure, kLeagueFigures.size()> figures;
  /// At the promised rate, over the test images of a kind, each with its seeds (clustered_rate).
  Estimate escapes, false_rejects;
  double promised_rate = 0;  ///< of false rejects; the first seed's
  double training_seconds = 0, milliseconds_image = 0, peak_mib = 0, model_mib = 0;  ///< medians over seeds
  bool tied_with_best = false;        ///< its first figure shares a letter with the first row's
  std::vector<std::string> notes;     ///< refused, failed, missing seeds, with their reasons
  const CellResult* shown = nullptr;  ///< the result with pictures; nullptr = none
};

/// One tested pair of rows.
struct LeaguePair {
  PairedDifference difference;  ///< first minus second, first above second in the table
  std::array<double, kLeagueFigures.size()> adjusted_p;  ///< Holm's, by figure
};

struct LeagueTable {
  const LeagueSet* set = nullptr;
  std::vector<LeagueRow> rows;  ///< by the first figure, those without figures last
  std::vector<LeaguePair> pairs;
  std::vector<std::string> warnings;  ///< of the evaluations
};

/// One method over all data sets; only those that have figures on every one.
struct OverallRow {
  std::string method;
  double image_auroc = 0, pixel_auroc = 0, aupro = 0;  ///< means over the data sets; NaN where one lacks it
  double mean_rank = 0;  ///< by image AUROC among these methods; ties share ranks
};

struct League {
  LeaguePlan plan;
  std::vector<CellResult> results;   ///< the rows point into it
  std::vector<LeagueTable> tables;   ///< by data set, in the plan's order
  std::vector<OverallRow> overall;   ///< by mean rank; empty with one data set
  std::vector<std::string> missing;  ///< ids of cells without a result

  League() = default;
  League(League&&) = default;
  League& operator=(League&&) = default;
};

/// Error(kBadInput) when results of one data set are not over the same test images.
League make_league(LeaguePlan plan, std::vector<CellResult> results);

/// compare.json
nlohmann::json league_json(const League& league);
/// compare.csv: one line per data set and method.
std::string league_csv(const League& league);
/// For the terminal.
std::string league_text(const League& league);

/// "3 of 45 cells are missing (screw.dfm.s0.0123456789, ...): ..."; empty when none is.
std::string missing_sentence(const League& league);

}  // namespace glint
