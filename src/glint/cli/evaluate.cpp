#include "glint/cli/verbs.h"
namespace glint { Action add_evaluate(CLI::App&) { return [] { return 2; }; } Action add_inspect(CLI::App&) { return [] { return 2; }; } }
