// A league on a cluster that Slurm runs: one job array a method, each task one cell. Slurm's commands are all
// that is needed of it, and the league's folder all that the tasks share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "glint/league/cell_result.h"
#include "glint/league/plan.h"

namespace glint {

struct SlurmOptions {
  std::filesystem::path program;       ///< this program, as the nodes find it
  std::vector<std::string> arguments;  ///< further ones of sbatch, such as --partition=long
  int processors = 0;                  ///< of a task; 0 = what Slurm gives
  double lease_seconds = 120;          ///< of the tasks' claims
};

struct SlurmJob {
  std::string name;
  std::filesystem::path script;
  std::vector<std::string> cells;  ///< by task; empty: the job that collects
  int memory_mib = 0, minutes = 0;
};

/// Writes FOLDER/slurm/METHOD.sh for every method with cells that have no result or a failed one, and
/// FOLDER/slurm/collect.sh, which comes last in the list. Requests are the largest of the array's cells with
/// a margin. Empty when nothing is left to compute.
std::vector<SlurmJob> write_slurm_jobs(const LeagueFolder& folder, const LeaguePlan& plan,
                                       const std::vector<CellResult>& results, const SlurmOptions& options);

/// Hands the jobs to sbatch, the last one to begin when the others have ended. Returns their numbers.
/// Error(kIo) when sbatch fails; Error(kNotFound) without sbatch.
std::vector<std::string> submit_slurm_jobs(const std::vector<SlurmJob>& jobs, const SlurmOptions& options);

}  // namespace glint
