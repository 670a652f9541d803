#include "glint/fit/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "glint/base/parallel.h"
#include "glint/image/codec.h"

namespace glint {
namespace {

// Ranges and effect change little with more: a network's activations are much alike over parts of one kind.
constexpr int kRangePhotographs = 64, kEffectPhotographs = 32;

/// Places of up to `most` of `all`, evenly spaced.
std::vector<int> spaced(const std::vector<int>& all, int most) {
  const auto n = static_cast<int>(std::min<std::size_t>(all.size(), static_cast<std::size_t>(most)));
  std::vector<int> out;
  for (int i = 0; i < n; ++i)
    out.push_back(static_cast<int>(static_cast<std::int64_t>(i) * std::ssize(all) / n));
  return out;
}

}  // namespace

std::vector<PatchScores> score_prepared(const Detector& detector, const ViewMaker& maker,
                                        const std::vector<Views>& photographs,
                                        const std::vector<int>& which) {
  std::vector<const Views*> views;
  for (const int i : which) views.push_back(&photographs[i]);
  std::vector<PatchScores> out;
  for (PhotographScores& scores : score_views(detector, maker, views)) out.push_back(std::move(scores));
  return out;
}

ActivationRanges activation_ranges(const Backbone& backbone, InputOptions input,
                                   const std::vector<Sample>& samples, const std::vector<int>& training) {
  input.align = Align::kNone;
  const ViewMaker maker(input, std::nullopt);
  const std::vector<int> places = spaced(training, kRangePhotographs);
  std::vector<Views> views(places.size());
  parallel_for(std::ssize(places), [&](std::int64_t i) {
    throw_if_cancelled();
    const int at = training[static_cast<std::size_t>(places[static_cast<std::size_t>(i)])];
    views[static_cast<std::size_t>(i)] = maker.make(read_image(samples[static_cast<std::size_t>(at)].path));
  });
  std::vector<RgbImage> inputs;
  for (Views& one : views) std::move(one.inputs.begin(), one.inputs.end(), std::back_inserter(inputs));
  return backbone.activation_ranges(inputs);
}

nlohmann::json ArithmeticEffect::to_json() const {
  return {{"reference", "torch float32"},  {"images", images},
          {"largest_difference", largest}, {"mean_difference", mean},
          {"verdicts_flipped", flipped},   {"good_scores_span", span}};
}

ArithmeticEffect arithmetic_effect(const TrainConfig& config, const Backbone& backbone,
                                   const TensorDict& weights, const ViewMaker& maker,
                                   const std::vector<Views>& photographs, const std::vector<int>& kept_out,
                                   const std::vector<PatchScores>& scores, const Decision& decision) {
  GLINT_CHECK(scores.size() == kept_out.size());
  const std::vector<int> places = spaced(kept_out, kEffectPhotographs);
  std::vector<int> which;
  for (const int place : places) which.push_back(kept_out[static_cast<std::size_t>(place)]);
  const auto plain = std::make_shared<Backbone>(backbone.identity(), backbone.weights());
  plain->to(config.device, Precision::kFloat32, Engine::kTorch);
  const std::vector<PatchScores> reference =
      score_prepared(*config.method->load(plain, weights, "trained weights"), maker, photographs, which);
  ArithmeticEffect out;
  out.images = static_cast<int>(which.size());
  out.span = decision.good_scores.back() - decision.good_scores.front();
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double used = decision.scorer.score(scores[static_cast<std::size_t>(places[i])]),
                 exact = decision.scorer.score(reference[i]), difference = std::abs(used - exact);
    out.largest = std::max(out.largest, difference);
    out.mean += difference / static_cast<double>(places.size());
    if (decision.rejects(used) != decision.rejects(exact)) ++out.flipped;
  }
  return out;
}

}  // namespace glint
