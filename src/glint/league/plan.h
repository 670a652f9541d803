// What a league compares: data sets, methods and seeds, divided into cells that can be computed anywhere and
// in any order. The plan is a file in the league's folder, and everything else lies beside it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/data/dataset.h"

namespace glint {

/// A data set of the league: one folder, or several for one detector of all.
struct LeagueSet {
  std::string name;  ///< as text; one of its kind in the plan
  std::vector<std::filesystem::path> folders;
  std::string fingerprint;  ///< Dataset::fingerprint of what was scanned for the plan
  int train_images = 0, test_good = 0, test_anomalous = 0;
};

/// What a cell will need, for whoever gives it a machine (cost.h).
struct CellCost {
  double seconds = 0;
  int memory_mib = 0;
  bool measured = false;  ///< the seconds: from finished cells of the same data set and method
};

/// One training and its evaluation.
struct Cell {
  std::string
      id;       ///< SET.METHOD.sSEED.HASH: names its files; the hash is of everything below and the program
  int set = 0;  ///< index into LeaguePlan::sets
  std::string method;
  int seed = 0;
  CellCost cost;
};

struct LeaguePlan {
  std::vector<LeagueSet> sets;
  std::vector<std::string> methods;
  int seeds = 3;
  nlohmann::json settings;  ///< of the trainings, as who made the plan writes and reads them
  std::string version;      ///< of the program that made it
  std::vector<Cell> cells;  ///< seed by seed, and data set by data set, so that the table fills evenly

  nlohmann::json to_json() const;
  /// Error(kBadInput) names `name` and what is missing or wrong.
  static LeaguePlan from_json(const nlohmann::json& plan, const std::string& name);
};

LeagueSet league_set(const Dataset& dataset, const std::vector<std::filesystem::path>& folders);

/// Error(kConfig) when two sets have one name.
LeaguePlan make_plan(std::vector<LeagueSet> sets, std::vector<std::string> methods, int seeds,
                     nlohmann::json settings);

/// The files of a league.
struct LeagueFolder {
  std::filesystem::path root;

  std::filesystem::path plan() const { return root / "plan.json"; }
  std::filesystem::path models() const { return root / "models"; }
  std::filesystem::path claims() const { return root / "claims"; }
  std::filesystem::path results() const { return root / "results"; }
  std::filesystem::path result(const std::string& id) const { return results() / (id + ".json"); }
  /// Maps of one cell, named by number.
  std::filesystem::path maps(const std::string& id) const { return root / "pictures" / id; }
  /// The photographs below them.
  std::filesystem::path photographs(const LeagueSet& set) const;
  std::filesystem::path slurm() const { return root / "slurm"; }
};

/// Error(kNotFound) says how to make one.
LeaguePlan load_plan(const LeagueFolder& folder);
void save_plan(const LeagueFolder& folder, const LeaguePlan& plan);

/// Error(kConfig) with the nearest id when unknown.
const Cell& find_cell(const LeaguePlan& plan, const std::string& id);

}  // namespace glint
