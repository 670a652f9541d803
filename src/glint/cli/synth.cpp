// glint synth

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/synth/sleeve.h"
#include "glint/synth/texture.h"

namespace glint {

namespace {

void add_sleeve(CLI::App& verb, SleeveSetOptions& set, std::string& per_class, std::string& difficulty) {
  verb.add_option("--train", set.train, "good training images")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  verb.add_option("--test-good", set.test_good, "good test images")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  verb.add_option("--per-class", per_class, "defective images per class, or the study's 9/11/12/11/10")
      ->capture_default_str();
  verb.add_option("--size", set.size, "side in pixels")->capture_default_str()->check(CLI::Range(64, 4096));
  verb.add_option("--seed", set.seed, "same seed, same bytes")->capture_default_str();
  verb.add_option("--difficulty", difficulty,
                  "study: calibrated to the study's figures; hard: nuisances that hide most defects; easy: "
                  "plainly visible defects (docs/sleeves.md)")
      ->capture_default_str();
}

void add_texture(CLI::App& verb, TextureSetOptions& set) {
  verb.add_option("--count", set.count, "images")->capture_default_str()->check(CLI::Range(1, 1000000));
  verb.add_option("--size", set.size, "side in pixels")->capture_default_str()->check(CLI::Range(64, 4096));
  verb.add_option("--seed", set.seed, "same seed, same bytes")->capture_default_str();
}

}  // namespace

Action add_synth(CLI::App& verb) {
  struct SynthCommand {
    std::string out;
    SleeveSetOptions sleeves;
    TextureSetOptions textures;
    std::string per_class = "study", difficulty = "study";
  };
  auto args = std::make_shared<SynthCommand>();
  verb.require_subcommand(1);
  CLI::App* sleeve = verb.add_subcommand("sleeve", "polished steel sleeves as a dataset (MVTec layout)");
  CLI::App* texture =
      verb.add_subcommand("texture", "pictures of nothing in particular, to distill a backbone from");
  for (CLI::App* what : {sleeve, texture}) what->add_option("out", args->out, "new folder")->required();
  add_sleeve(*sleeve, args->sleeves, args->per_class, args->difficulty);
  add_texture(*texture, args->textures);
  return [args, texture] {
    const auto progress = make_terminal_progress();
    int written = 0;
    if (texture->parsed()) {
      written = write_texture_set(args->out, args->textures, *progress);
    } else {
      if (args->per_class != "study") {
        int n = -1;
        if (!CLI::detail::lexical_cast(args->per_class, n) || n < 0 || n > 100000) {
          fail(ErrorCode::kConfig, "--per-class {}: give a number or 'study'", args->per_class);
        }
        args->sleeves.per_class.assign(5, n);
      }
      args->sleeves.difficulty = parse_enum<SleeveDifficulty>(args->difficulty, "--difficulty");
      written = write_sleeve_set(args->out, args->sleeves, *progress);
    }
    std::printf("wrote %s (%d images)\n", name_line(args->out).c_str(), written);
    return kExitOk;
  };
}

}  // namespace glint
