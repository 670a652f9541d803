// glint synth

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/synth/sleeve.h"

namespace glint {

Action add_synth(CLI::App& verb) {
  struct Arguments {
    std::string what, out;
    SleeveSetOptions set;
    std::string per_class = "study", difficulty = "study";
  };
  auto args = std::make_shared<Arguments>();
  verb.add_option("what", args->what, "what to render: sleeve")->required()->check(CLI::IsMember({"sleeve"}));
  verb.add_option("out", args->out, "new folder for the dataset (MVTec layout)")->required();
  verb.add_option("--train", args->set.train, "good training images")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  verb.add_option("--test-good", args->set.test_good, "good test images")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  verb.add_option("--per-class", args->per_class, "defective images per class, or the study's 9/11/12/11/10")
      ->capture_default_str();
  verb.add_option("--size", args->set.size, "side in pixels")
      ->capture_default_str()
      ->check(CLI::Range(64, 4096));
  verb.add_option("--seed", args->set.seed, "same seed, same bytes")->capture_default_str();
  verb.add_option("--difficulty", args->difficulty,
                  "study: calibrated to the study's figures; hard: nuisances that hide most defects; easy: "
                  "plainly visible defects (docs/sleeves.md)")
      ->capture_default_str();
  return [args] {
    if (args->per_class != "study") {
      int n = -1;
      if (!CLI::detail::lexical_cast(args->per_class, n) || n < 0 || n > 100000) {
        fail(ErrorCode::kConfig, "--per-class {}: give a number or 'study'", args->per_class);
      }
      args->set.per_class.assign(5, n);
    }
    args->set.difficulty = parse_enum<SleeveDifficulty>(args->difficulty, "--difficulty");
    const auto progress = make_terminal_progress();
    const int written = write_sleeve_set(args->out, args->set, *progress);
    std::printf("wrote %s (%d images)\n", name_line(args->out).c_str(), written);
    return kExitOk;
  };
}

}  // namespace glint
