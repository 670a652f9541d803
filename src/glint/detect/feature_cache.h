// The frozen features of every training image and augmentation draw, computed once and kept: in memory up to
// a limit, on disk beyond it.
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>

#include "glint/detect/detector.h"
#include "glint/detect/feature_library.h"
#include "glint/detect/feature_store.h"

namespace glint {

class FeatureCache {
 public:
  /// Prepared images to features [images, positions, width], float32.
  using Encode = std::function<torch::Tensor(const std::vector<RgbImage>&)>;

  /// Encodes all of the pool at once, with a progress bar; draws, memory limit and progress are the input's.
  /// `type` is what is kept: float32 or bfloat16.
  FeatureCache(const FeaturePool& pool, const FitInput& input, const Encode& encode, torch::ScalarType type);

  /// [images, positions, width] in the kept type.
  torch::Tensor gather(const std::vector<int>& images, int draw) const;
  std::int64_t positions() const { return positions_; }
  std::int64_t width() const { return width_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  torch::ScalarType type_;
  std::int64_t images_, positions_ = 0, width_ = 0, bytes_ = 0;
  std::unique_ptr<FeatureStore> store_;
};

/// The features of one training's images, which may be some of a larger pool's.
class TrainingFeatures {
 public:
  /// Image i is image `in_cache[i]` of the cache.
  TrainingFeatures(std::shared_ptr<const FeatureCache> cache, std::vector<int> in_cache)
      : cache_(std::move(cache)), in_cache_(std::move(in_cache)) {}

  /// [images, positions, width] in the kept type.
  torch::Tensor gather(const std::vector<int>& images, int draw) const;
  std::int64_t positions() const { return cache_->positions(); }
  std::int64_t width() const { return cache_->width(); }

 private:
  std::shared_ptr<const FeatureCache> cache_;
  std::vector<int> in_cache_;
};

/// From input.library, which keeps those of input.pool; without a library, of the input's images alone.
/// `what` names everything about `encode` that the pool's key does not.
TrainingFeatures training_features(const std::string& what, const FitInput& input,
                                   const FeatureCache::Encode& encode, torch::ScalarType type);

}  // namespace glint
