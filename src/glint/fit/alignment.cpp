#include "glint/fit/alignment.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/data/split.h"
#include "glint/detect/model_file.h"
#include "glint/image/codec.h"
#include "glint/nn/no_backbone.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr int kProbeParts = 80;
constexpr double kSteadier = 0.9;

/// Some training parts in seeded order.
std::vector<int> drawn(const std::vector<int>& training, int most, std::uint64_t seed, const char* stream) {
  std::vector<int> out;
  for (const int i : permutation(static_cast<int>(training.size()), Rng(seed, stream)))
    if (std::ssize(out) < most) out.push_back(training[static_cast<std::size_t>(i)]);
  return out;
}

template <class Out, class Make>
std::vector<Out> of_parts(const std::vector<Sample>& samples, const std::vector<int>& which,
                          const Make& make) {
  std::vector<Out> out(which.size());
  parallel_for(std::ssize(out), [&](std::int64_t i) {
    throw_if_cancelled();
    out[i] = make(read_image(samples[static_cast<std::size_t>(which[i])].path));
  });
  return out;
}

double spread(const std::vector<double>& scores) {
  return (quantile(scores, 0.9) - quantile(scores, 0.1)) / std::max(1e-12, std::abs(quantile(scores, 0.5)));
}

/// Mean spread of both halves, each scored by a detector of the other.
double held_out_spread(const Method& method, const ScoringOptions& scoring, const TrainConfig& config,
                       const std::shared_ptr<const FeatureExtractor>& features, const ViewMaker& maker,
                       const std::vector<Views>& views,
                       const std::shared_ptr<const TextureSource>& textures) {
  double sum = 0;
  for (const std::size_t tested : {0, 1}) {
    std::vector<const Views*> taught, scored;
    std::vector<const RgbImage*> inputs;
    FitInput input;
    for (std::size_t i = 0; i < views.size(); ++i) {
      if (!views[i].placement.refusal.empty()) continue;  // as in training and inspection
      (i % 2 == tested ? scored : taught).push_back(&views[i]);
    }
    const int n = static_cast<int>(taught.size());
    const auto seed = static_cast<std::uint64_t>(config.seed);
    const TrainingParts parts = training_parts(method, all_indices(n), n, seed);
    for (const int i : parts.train)
      for (const RgbImage& view : taught[i]->inputs) inputs.push_back(&view);
    for (const int i : parts.normalisation)
      input.normalisation.insert(input.normalisation.end(), taught[i]->inputs.begin(),
                                 taught[i]->inputs.end());
    input.images = static_cast<int>(inputs.size());
    input.image = [&inputs](int image, int) { return *inputs[static_cast<std::size_t>(image)]; };
    input.seed = seed;
    input.precision = method_precision(config.precision);
    give_textures(input, method.needs(), textures,
                  [](int image) { return static_cast<std::uint64_t>(image); });
    const auto detector =
        method.load(features, method.fit(*features, input).weights, "the detector that tries the alignment");
    std::vector<PatchScores> patches;
    for (PhotographScores& one : score_views(*detector, maker, scored)) patches.push_back(std::move(one));
    const Scorer scorer(scoring, maker.options().canvas(), patches);
    std::vector<double> scores;
    for (const PatchScores& one : patches) scores.push_back(scorer.score(one));
    sum += spread(scores) / 2;
  }
  return sum;
}

}  // namespace

AlignmentChoice choose_alignment(const TrainConfig& config,
                                 const std::shared_ptr<const FeatureExtractor>& features,
                                 const std::vector<Sample>& samples, const std::vector<int>& training,
                                 const std::shared_ptr<const TextureSource>& textures,
                                 ProgressSink& progress) {
  AlignmentChoice out;
  const Align asked = config.input.align;
  if (asked == Align::kNone) return out;
  const auto seed = static_cast<std::uint64_t>(config.seed);
  out.record = {{"asked", enum_name(asked)}, {"used", "none"}};
  const auto because = [&](const std::string& reason) {
    out.record["reason"] = reason;
    progress.message("alignment: " + std::string(out.record["used"]) + ", " + reason);
    return out;
  };
  const auto pictures = of_parts<RgbImage>(
      samples, drawn(training, kRegistrationParts, seed, "alignment.registration"), registration_picture);
  RegistrationStudy study = learn_registration(pictures);
  out.record.update({{"built_from", study.built_from},
                     {"kept_out", study.kept_out},
                     {"kept_out_refused", study.refused},
                     {"median_quality", study.median_quality},
                     {"lowest_quality", study.lowest_quality},
                     {"median_margin", study.median_margin}});
  if (!study.registration) {
    if (asked == Align::kRigid) {
      fail(ErrorCode::kBadInput, "input.align = rigid: {}; train with --align none", study.reason);
    }
    return because(study.reason);
  }
  std::string reason =
      fmt::format("{} good parts that were kept out correlate {:.3f} in the middle, {:.3f} at least",
                  study.kept_out, study.median_quality, study.lowest_quality);
  if (asked == Align::kAuto) {
    const bool own = config.method->needs().training == TrainingKind::kOnePass;
    const TrainConfig probe(own ? config.method_name : position_bound_method(), config.backbone,
                            config.recipe);
    const Method& method = own ? *config.method : *probe.method;
    const ScoringOptions& scoring = own ? config.scoring : probe.scoring;
    if (!own && (features->spec().transformer || is_no_backbone(features->spec())))
      return because(fmt::format("it is tried with {}, which needs a convolutional backbone", method.name()));
    InputOptions input = config.input;
    if (!own) input.tiles = 1;
    const std::vector<int> parts = drawn(training, kProbeParts, seed, "alignment.probe");
    double spreads[2];
    for (const bool aligned : {false, true}) {
      input.align = aligned ? Align::kRigid : Align::kNone;
      const ViewMaker maker(input, aligned ? study.registration : std::nullopt);
      const auto views =
          of_parts<Views>(samples, parts, [&](const RgbImage& photograph) { return maker.make(photograph); });
      spreads[aligned ? 1 : 0] = held_out_spread(method, scoring, config, features, maker, views, textures);
    }
    out.record.update({{"tried_with", method.name()},
                       {"tried_parts", parts.size()},
                       {"spread_none", spreads[0]},
                       {"spread_rigid", spreads[1]}});
    reason = fmt::format(
        "the scores of {} good parts, each kept out of one of two {} detectors, spread by {:.3f} of "
        "their median with it and {:.3f} without",
        parts.size(), method.name(), spreads[1], spreads[0]);
    if (!(spreads[1] <= kSteadier * spreads[0])) return because(reason);
  }
  out.record["used"] = "rigid";
  out.registration = std::move(study.registration);
  return because(reason);
}

}  // namespace glint
