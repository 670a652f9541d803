#include "glint/detect/supersimplenet/losses.h"

#include <ATen/ATen.h>

#include "glint/base/random.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/image/perlin_noise.h"

namespace glint {
namespace {

torch::Tensor masked_mean(const torch::Tensor& values, const torch::Tensor& mask) {
  return (values * mask).sum() / mask.sum().clamp_min(1);
}

}  // namespace

torch::Tensor focal_loss(const torch::Tensor& logits, const torch::Tensor& labels, double exponent) {
  const torch::Tensor wrong = at::where(labels > 0, -logits, logits);  // -ln p = softplus of it
  return (at::sigmoid(wrong).pow(exponent) * at::softplus(wrong)).mean();
}

SyntheticDefects draw_defects(int elements, int channels, int height, int width, torch::ScalarType type,
                              const SuperSimpleNetOptions& options, std::uint64_t seed) {
  const auto layout = torch::TensorOptions().dtype(type);
  torch::Tensor mask = torch::zeros({elements, 1, height, width});
  torch::Tensor noise = torch::zeros({elements, height, width, channels}, layout);
  for (int e = 0; e < elements; ++e) {
    Rng rng(derive_seed(seed, e));
    if (rng.uniform() < options.clean_share) continue;
    const ScoreMap perlin = random_perlin_noise(width, height, rng);
    auto* cells = mask[e].data_ptr<float>();
    for (std::size_t i = 0; i < perlin.values.size(); ++i)
      cells[i] = static_cast<double>(perlin.values[i]) > options.mask_threshold ? 1.0F : 0.0F;
    noise[e].copy_(noise_like(noise[e], options.noise_std, rng.bits()));
    noise[e].mul_(mask[e].permute({1, 2, 0}).to(type));
  }
  return {mask, noise.permute({0, 3, 1, 2})};
}

SuperSimpleNetLosses supersimplenet_losses(const torch::Tensor& map, const torch::Tensor& score,
                                           const torch::Tensor& mask, double margin, double focal_exponent) {
  return {masked_mean((map + margin).clamp_min(0), 1 - mask), masked_mean((margin - map).clamp_min(0), mask),
          focal_loss(map, mask, focal_exponent), focal_loss(score, mask.flatten(1).amax(1), focal_exponent)};
}

double learning_rate_share(int pass, int passes, double factor) {
  double share = 1;
  for (const double milestone : {0.8, 0.9}) {  // published code
    if (pass >= static_cast<int>(milestone * passes)) share *= factor;
  }
  return share;
}

}  // namespace glint
