// The frozen features of every training image and augmentation draw, computed once and kept: in memory up to
// a limit, on disk beyond it.
#pragma once

#include <torch/types.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "glint/detect/detector.h"
#include "glint/detect/feature_store.h"

namespace glint {

class FeatureCache {
 public:
  /// Prepared images to features [images, positions, width], float32.
  using Encode = std::function<torch::Tensor(const std::vector<RgbImage>&)>;

  /// Encodes everything at once, with a progress bar. `type` is what is kept: float32 or bfloat16.
  FeatureCache(const FitInput& input, const Encode& encode, torch::ScalarType type);

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

/// Keeps the features of the latest trainings, up to the input's cache limit, for trainings from the same
/// images. For use from one thread.
class FeatureLibrary {
 public:
  std::shared_ptr<const FeatureCache> get(const std::string& key, const FitInput& input,
                                          const FeatureCache::Encode& encode, torch::ScalarType type);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const FeatureCache> features;
  };
  std::list<Entry> entries_;  ///< latest use first
};

/// From input.library when there is one, else computed. `what` names everything about `encode` that the
/// input's images_key does not.
std::shared_ptr<const FeatureCache> training_features(const std::string& what, const FitInput& input,
                                                      const FeatureCache::Encode& encode,
                                                      torch::ScalarType type);

}  // namespace glint
