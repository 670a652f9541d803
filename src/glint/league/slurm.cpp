#include "glint/league/slurm.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

// Of a request over what is expected. A task that ends at its limit keeps its state, but must be submitted
// again.
constexpr double kTimeMargin = 2, kMemoryMargin = 1.3;
constexpr int kLeastMinutes = 10, kLeastMemoryMib = 1024, kExtraMemoryMib = 256;
constexpr int kCollectMinutes = 30, kCollectMemoryMib = 2048;

/// One word of a shell script.
std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// The log of a job in an #SBATCH line, where a percent sign begins a pattern of Slurm's.
std::string log_pattern(const fs::path& root, const char* pattern) {
  const fs::path folder = root / "slurm";
  if (folder.string().find_first_of("%\"\\\n") != std::string::npos) {
    fail(ErrorCode::kConfig,
         "{}: Slurm's scripts cannot name this folder; use one without %, quotes and backslashes",
         name_line(root));
  }
  return '"' + (folder / pattern).string() + '"';
}

std::string script_text(const LeagueFolder& folder, const SlurmJob& job, const SlurmOptions& options) {
  const fs::path root = fs::absolute(folder.root).lexically_normal();
  std::string out = fmt::format("#!/bin/bash\n#SBATCH --job-name={}\n#SBATCH --mem={}M\n#SBATCH --time={}\n",
                                job.name, job.memory_mib, job.minutes);
  out += "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n#SBATCH --requeue\n#SBATCH --open-mode=append\n";
  if (options.processors > 0) out += fmt::format("#SBATCH --cpus-per-task={}\n", options.processors);
  const bool array = !job.cells.empty();
  if (array) out += fmt::format("#SBATCH --array=0-{}\n", job.cells.size() - 1);
  out += fmt::format("#SBATCH --output={}\n", log_pattern(root, array ? "%x-%a.log" : "%x.log"));
  const std::string command =
      fmt::format("{} compare -o {}", quoted(fs::absolute(options.program).string()), quoted(root.string()));
  if (!array) return out + fmt::format("exec {} --collect\n", command);
  out += "cells=(\n";
  for (const std::string& id : job.cells) out += "  " + id + "\n";
  return out + fmt::format(")\nexec {} --lease {}s --run \"${{cells[$SLURM_ARRAY_TASK_ID]}}\"\n", command,
                           options.lease_seconds);
}

struct ProgramOutput {
  int code = -1;
  std::string text;  ///< of standard output; errors go to ours
};

/// Error(kNotFound) when the program is not there.
ProgramOutput run_program(std::vector<std::string> words) {
  int ends[2];
  if (::pipe(ends) != 0) fail(ErrorCode::kIo, "no pipe can be made");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  ProgramOutput out;
  char buffer[4096];
  for (ssize_t n = 0;
       error == 0 && ((n = ::read(ends[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR));)
    if (n > 0) out.text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  if (error != 0)
    fail(ErrorCode::kNotFound, "{}: no such program; install Slurm's commands, or submit where they are",
         argv[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) out.code = WEXITSTATUS(status);
  return out;
}

}  // namespace

std::vector<SlurmJob> write_slurm_jobs(const LeagueFolder& folder, const LeaguePlan& plan,
                                       const std::vector<CellResult>& results, const SlurmOptions& options) {
  std::set<std::string> settled;
  for (const CellResult& result : results) {
    if (result.status != CellStatus::kFailed) settled.insert(result.id);
  }
  std::vector<SlurmJob> jobs;
  for (const std::string& method : plan.methods) {
    SlurmJob job{"glint-" + method, folder.slurm() / (method + ".sh"), {}, kLeastMemoryMib, kLeastMinutes};
    for (const Cell& cell : plan.cells) {
      if (cell.method != method || settled.contains(cell.id)) continue;
      job.cells.push_back(cell.id);
      job.memory_mib =
          std::max(job.memory_mib,
                   static_cast<int>(std::ceil(kMemoryMargin * cell.cost.memory_mib)) + kExtraMemoryMib);
      job.minutes = std::max(job.minutes, static_cast<int>(std::ceil(kTimeMargin * cell.cost.seconds / 60)));
    }
    if (!job.cells.empty()) jobs.push_back(std::move(job));
  }
  if (jobs.empty()) return jobs;
  jobs.push_back({"glint-collect", folder.slurm() / "collect.sh", {}, kCollectMemoryMib, kCollectMinutes});
  for (const SlurmJob& job : jobs) write_text(job.script, script_text(folder, job, options));
  return jobs;
}

std::vector<std::string> submit_slurm_jobs(const std::vector<SlurmJob>& jobs, const SlurmOptions& options) {
  std::vector<std::string> numbers;
  for (const SlurmJob& job : jobs) {
    std::vector<std::string> words = {"sbatch", "--parsable"};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    if (job.cells.empty()) words.push_back(fmt::format("--dependency=afterany:{}", fmt::join(numbers, ":")));
    words.push_back(job.script.string());
    const ProgramOutput said = run_program(words);
    std::string number = said.text.substr(0, said.text.find_first_of(";\n"));  // "NUMBER;CLUSTER"
    if (said.code != 0 || number.empty() || number.find_first_not_of("0123456789") != std::string::npos) {
      fail(ErrorCode::kIo,
           "sbatch {}: ended with code {} and said '{}' (its errors are above). {} of {} jobs are submitted "
           "already: {}",
           name_line(job.script), said.code, said.text, numbers.size(), jobs.size(),
           fmt::join(numbers, ", "));
    }
    numbers.push_back(std::move(number));
  }
  return numbers;
}

}  // namespace glint
