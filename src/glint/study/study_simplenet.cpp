// Why SimpleNet lags: its published configuration, and the fixes that its successors propose, one by one
// against the refined recipe and a few together.
#include <algorithm>

#include "glint/base/error.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

using Settings = std::vector<std::string>;

struct FixArm {
  std::string name;
  Settings settings;
  std::string what;  ///< for the report
};

/// What the published run sets beside the width; run.sh and simplenet.py of DonaldRR/SimpleNet. The whole
/// image is shown, where the published run cuts a ring off.
const Settings kPublished = {"batch=8",
                             "discriminator_learning_rate=2e-4",
                             "adapter_optimizer=adamw",
                             "adapter_weight_decay=0.01",
                             "noise_scale=absolute",
                             "noise_std=0.015",
                             "clip_norm=0",
                             "augment.regime=none",
                             "scoring.smoothing_sigma=4",
                             "scoring.image_score=patch_max"};

Settings with(Settings settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

/// Those with features of their own come last, so that the others find the refined recipe's in memory.
std::vector<FixArm> fix_arms(int input_size) {
  constexpr double kFiner = 1.5;
  const int finer = static_cast<int>(kFiner * input_size);
  const Settings masked = {"noise_mask=perlin"}, focal = {"loss=hinge_focal"}, distance = {"distance=1"},
                 ascent = {"distance=1", "ascent_steps=4"}, decay = {"final_learning_rate=0.01"};
  return {
      {"absolute-noise", {"noise_scale=absolute"}, "published noise 0.015, not scaled to the features"},
      {"masked", masked, "noise inside Perlin-shaped patches, the rest of the copy is good (SuperSimpleNet)"},
      {"focal", focal,
       "hinge and SuperSimpleNet's focal term; its other term, truncated L1, is SimpleNet's hinge"},
      {"masked-focal", with(masked, focal), "both, as in SuperSimpleNet"},
      {"distance-half", {"distance=0.5"}, "fakes at 0.5 to 1 radius of the good features (negatives.h)"},
      {"distance", distance, "fakes at 1 to 2 radii, GLASS's shell"},
      {"ascent", ascent, "the same, moved by 4 steps of gradient ascent (GLASS)"},
      {"decay", decay, "step sizes decay to 1 % along a cosine"},
      {"ascent-decay", with(ascent, decay), "the two that helped most on screw, together"},
      {"finer-grid", {fmt::format("input.size={}", finer)}, fmt::format("input of {} pixels", finer)},
      {"published", with(kPublished, {"embedding_dimension=1536", "hidden_dimension=1024"}),
       "the published configuration in its published width (1536 and 1024)"},
      {"published-narrow", kPublished, "the same in the backbone's own width"}};
}

}  // namespace

std::vector<Arm> simplenet_arms(const StudyInput& input) {
  const int size = input.options.configure(study_methods().front(), Recipe::kRefined, 0)->input.size;
  std::vector<Arm> out = {input.refined()};
  std::vector<std::string> names;
  std::vector<std::string> wanted = input.options.arms;
  for (const FixArm& arm : fix_arms(size)) {
    names.push_back(arm.name);
    const bool chosen = std::erase(wanted, arm.name) > 0 || input.options.arms.empty();
    if (chosen) out.push_back(input.refined_with(arm.name, arm.settings));
  }
  if (!wanted.empty())
    fail(ErrorCode::kConfig, "study simplenet has no arm '{}'; choose from: {}", wanted[0],
         fmt::join(names, ", "));
  return out;
}

StudyReport simplenet_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "SimpleNet's paper claims 0.982 on MVTec's screw at the best of 40 test epochs; "
      "SuperSimpleNet, which keeps the last one, 0.929 ± 0.015.";
  report.tables.push_back(figure_table(arms, "arm"));
  add_differences(report, arms);
  StudyTable training = training_table(arms, "arm");
  training.columns.emplace_back("training, s");
  for (std::size_t i = 0; i < arms.size(); ++i)
    training.rows[i].emplace_back(fmt::format("{:.0f}", arms[i].runs[0]->training_seconds));
  training.note =
      "Seconds of seed 0, with the features unless an earlier arm of the run left them in memory.";
  report.tables.push_back(std::move(training));
  StudyTable meaning{"Arms", {"arm", "refined, but", "settings"}, {}, ""};
  for (const FixArm& arm : fix_arms(arms[0].runs[0]->model.input.size)) {
    const bool shown =
        std::any_of(arms.begin(), arms.end(), [&](const ArmResult& a) { return a.name == arm.name; });
    if (shown) meaning.rows.push_back({arm.name, arm.what, fmt::format("{}", fmt::join(arm.settings, " "))});
  }
  report.tables.push_back(std::move(meaning));
  report.notes.push_back(
      fmt::format("Scores of the last meta-epoch; none is chosen on test images. {} "
                  "meta-epochs.",
                  arms[0].runs[0]->model.training.series.size()));
  if (!input.options.arms.empty()) report.notes.emplace_back("Not all arms: --arms.");
  return report;
}

}  // namespace glint
