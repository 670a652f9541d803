// The verbs of the command line: each adds its subcommand to the parser and returns the function that runs
// it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace glint {

/// Exit codes of every verb.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFound = 1;  ///< inspect: some part is NOK; audit, split verify: something was found
inline constexpr int kExitError = 2;

using Action = std::function<int()>;

Action add_synth(CLI::App& verb);
Action add_train(CLI::App& verb);
Action add_choose(CLI::App& verb);
Action add_evaluate(CLI::App& verb);
Action add_inspect(CLI::App& verb);
Action add_backbone(CLI::App& verb);
Action add_info(CLI::App& verb);
Action add_compare(CLI::App& verb);
Action add_audit(CLI::App& verb);
Action add_split(CLI::App& verb);
Action add_import(CLI::App& verb);
Action add_limit(CLI::App& verb);
Action add_study(CLI::App& verb);
Action add_serve(CLI::App& verb);
Action add_journal(CLI::App& verb);

}  // namespace glint
