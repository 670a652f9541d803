// SimpleNet's negatives: what is added to adapted good features to make fakes of them. Gaussian noise of one
// deviation everywhere (published), or on wish: at a distance measured on good features, moved by gradient
// ascent to where the discriminator takes them for good (GLASS), and only inside Perlin-shaped patches
// (SuperSimpleNet).
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "glint/detect/simplenet/head.h"

namespace glint {

/// Grid of the features of one image; rows of features are (image, y, x).
struct FeatureGrid {
  int height = 0, width = 0;
};

class Negatives {
 public:
  /// reference: good features of some images [images, positions, D], scaled as the training's; needed where
  /// options.distance > 0. grid: needed where options.noise_mask is not everywhere.
  Negatives(const SimpleNetOptions& options, torch::Tensor reference, FeatureGrid grid);

  /// Sets radius(): the 0.75 quantile (GLASS) of the distances of the reference's adapted features to the
  /// nearest one of another image. Nothing without options.distance. At the start of each pass, because the
  /// adapter changes.
  void calibrate(const HeadWeights& head);
  double radius() const { return radius_; }

  /// For scaled features z [N, D] of whole images: offsets of their adapted features, in the type of z, and
  /// which of them are fakes.
  Fakes draw(const HeadWeights& head, const torch::Tensor& z, std::uint64_t seed) const;
  /// Offsets alone, all rows. Lengths lie between distance and twice distance times the radius.
  torch::Tensor offsets(const HeadWeights& head, const torch::Tensor& z, std::uint64_t seed) const;

 private:
  /// Gradient ascent on D, each step of ascent_step radii along the row's gradient, then back into the shell.
  void ascend(const HeadWeights& head, const torch::Tensor& adapted, torch::Tensor& offset) const;

  SimpleNetOptions options_;
  torch::Tensor reference_;
  FeatureGrid grid_;
  double radius_ = 0;
};

}  // namespace glint
