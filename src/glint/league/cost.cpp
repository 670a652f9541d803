#include "glint/league/cost.h"

#include <algorithm>

#include "glint/nn/backbone_store.h"

namespace glint {
namespace {

// Rates of a slow core, so that a limit made from them does not end a training.
constexpr double kBaseSeconds = 60;
constexpr double kSecondsPerFeatureView = 0.2;  // one input through a backbone
constexpr double kSecondsPerTrainedView = 0.1;  // one input in one meta-epoch
constexpr std::int64_t kMebibyte = 1 << 20;
constexpr std::int64_t kProgramBytes = std::int64_t{1} << 30;  // program, libraries, one batch

}  // namespace

CellCost estimated_cost(const TrainConfig& config, const Dataset& dataset) {
  const Backbone backbone = open_backbone(config.backbone);
  const bool drawn = config.augment == AugmentRegime::kMild || config.augment == AugmentRegime::kStrong;
  const std::int64_t tiles = std::int64_t{config.input.tiles} * config.input.tiles;
  const std::int64_t views = std::ssize(dataset.train) * tiles;
  const std::int64_t drawn_views = views * (drawn ? config.augment_draws : 1);
  const FitSize size = config.method->fit_size(backbone.spec(), drawn_views, config.input.size);
  const std::int64_t area = std::int64_t{config.input.size} * config.input.size;
  // On layer2's grid, an eighth of the side, all channels of layer2 and layer3 as float32.
  const bool features = config.method->needs().features != FeatureKind::kNone;
  const std::int64_t kept_features =
      features ? std::min(static_cast<std::int64_t>(config.cache_gib * 1024) * kMebibyte,
                          drawn_views * area / 64 * 4 *
                              (backbone.spec().channels(2) + backbone.spec().channels(3)))
               : 0;
  // Weights, gradients and moments, and the state while it is written.
  const std::int64_t bytes =
      kProgramBytes + 3 * views * area + kept_features + 3 * (size.weights + 2 * size.state);
  const auto tests = static_cast<double>(dataset.test.size() * static_cast<std::size_t>(tiles));
  CellCost out;
  out.memory_mib = static_cast<int>(bytes / kMebibyte);
  out.seconds = kBaseSeconds +
                kSecondsPerFeatureView * ((features ? static_cast<double>(drawn_views) : 0.0) + tests) +
                kSecondsPerTrainedView * size.meta_epochs * static_cast<double>(views);
  return out;
}

}  // namespace glint
