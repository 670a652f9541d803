// EfficientAD's teacher. The published one was distilled from a WideResNet-101-2 on ImageNet; its weights are
// not to be had here, so that each training first distils a teacher of the same shape from the frozen
// backbone, on rendered (or the user's) textures and the training images. It is weaker than the published
// one.
#pragma once

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "glint/detect/detector.h"
#include "glint/detect/efficientad/network.h"

namespace glint {

/// Channels of the teacher's output (published).
inline constexpr int kTeacherChannels = 384;
/// Layers of the backbone that the teacher learns from.
inline const std::vector<int> kDescribedLayers = {2, 3};

/// Per channel, over pictures and places.
struct ChannelScale {
  torch::Tensor mean, std;  ///< [C] float32; std > 0

  /// (maps - mean) / std, of [B, C, h, w].
  torch::Tensor normalised(const torch::Tensor& maps) const;
  /// As <prefix>mean and <prefix>std.
  void save(TensorDict& tensors, const std::string& prefix) const;
  /// Error(kBadInput) names `file` and the tensor that is missing, has the wrong shape, is not finite, or is
  /// a deviation that is not positive.
  static ChannelScale from_dict(int channels, const TensorDict& tensors, const std::string& file,
                                const std::string& prefix);
};

class ChannelSums {
 public:
  void add(const torch::Tensor& maps);  ///< [B, C, h, w]
  /// Population deviation; of a channel that never changes, 1.
  ChannelScale scale() const;

 private:
  torch::Tensor sum_, squares_;  ///< [C] float64
  double count_ = 0;
};

/// What the teacher shall say of pictures: layer2 and layer3 of the backbone on pictures of twice the size,
/// each averaged over 3 x 3, joined on layer2's grid, their channels averaged down to kTeacherChannels (with
/// ResNet-18 they are as many) -> [B, kTeacherChannels, H / 4, W / 4], not yet normalised.
torch::Tensor teacher_targets(const FeatureExtractor& backbone, const std::vector<RgbImage>& pictures);

/// What a step of the distillation shows: by turns training images and textures; in even steps whole, in odd
/// ones as distillation_crop shows them; one in ten grey.
std::vector<RgbImage> distillation_pictures(const FitInput& input, int count, std::int64_t step);

/// Trains a teacher of `options`' shape from `input.resume`, or from the start. Readings: kLoss, the share of
/// the backbone's variance that the teacher does not explain on what it trains on, and "unexplained", the
/// same on whole good parts (held out where there are some). weights: the network alone.
FitResult distill_teacher(const FeatureExtractor& backbone, const FitInput& input,
                          const EfficientAdOptions& options);

}  // namespace glint
