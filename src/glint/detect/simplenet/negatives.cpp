#include "glint/detect/simplenet/negatives.h"

#include <algorithm>
#include <vector>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/image/perlin_noise.h"
#include "glint/nn/nearest.h"

namespace glint {
namespace {

constexpr double kRadiusQuantile = 0.75;       // GLASS
constexpr std::int64_t kReferenceRows = 4096;  // of all images together
constexpr std::int64_t kAscentRows = 512;      // at once, so that they stay in the cache
constexpr double kSmallest = 1e-10;            // of a length that is divided by; GLASS

torch::Tensor row_lengths(const torch::Tensor& rows) {
  return rows.square().sum(1, /*keepdim=*/true).sqrt().clamp_min(kSmallest);
}

}  // namespace

Negatives::Negatives(const SimpleNetOptions& options, torch::Tensor reference, FeatureGrid grid)
    : options_(options), grid_(grid) {
  if (options_.distance <= 0) return;
  GLINT_CHECK(reference.defined() && reference.dim() == 3);
  if (reference.size(0) < 2)
    fail(ErrorCode::kConfig,
         "simplenet.distance is measured between images: at least two training images are needed");
  const std::int64_t each = std::max<std::int64_t>(1, kReferenceRows / reference.size(0));
  const std::int64_t stride = std::max<std::int64_t>(1, reference.size(1) / each);
  reference_ = reference.slice(1, 0, reference.size(1), stride).to(torch::kFloat).contiguous();
}

void Negatives::calibrate(const HeadWeights& head) {
  if (options_.distance <= 0) return;
  const torch::NoGradGuard no_grad;
  const torch::Tensor adapted = adapt(head, reference_);
  const std::int64_t images = adapted.size(0);
  std::vector<torch::Tensor> distances;
  for (std::int64_t i = 0; i < images; ++i) {
    const torch::Tensor others = at::cat({adapted.slice(0, 0, i), adapted.slice(0, i + 1)}).flatten(0, 1);
    distances.push_back(NearestRows(others).search(adapted[i]).distance.flatten());
  }
  radius_ = at::quantile(at::cat(distances), kRadiusQuantile).item<double>();
  if (!(radius_ > 0))
    fail(ErrorCode::kBadInput,
         "the training images show the same features; simplenet.distance cannot be measured");
}

torch::Tensor Negatives::offsets(const HeadWeights& head, const torch::Tensor& z, std::uint64_t seed) const {
  const torch::NoGradGuard no_grad;
  torch::Tensor offset = noise_like(z, options_.noise_std, seed);
  if (options_.distance <= 0) return offset;
  GLINT_CHECK(radius_ > 0);
  Rng rng(seed, "simplenet.distance");
  const double near = options_.distance * radius_;
  const torch::Tensor target = uniform_tensor({z.size(0), 1}, 0.5 * near, rng) + 1.5 * near;
  offset = offset.to(torch::kFloat);
  offset.mul_(target / row_lengths(offset));
  if (options_.ascent_steps > 0)
    ascend(head,
           at::linear(z, head.adapter_weight.to(z.scalar_type()), head.adapter_bias.to(z.scalar_type())),
           offset);
  return offset.to(z.scalar_type());
}

void Negatives::ascend(const HeadWeights& head, const torch::Tensor& adapted, torch::Tensor& offset) const {
  const auto type = adapted.scalar_type();
  const torch::Tensor weight = head.hidden_weight.to(type), bias = head.hidden_bias.to(type);
  const torch::Tensor scale = head.norm_weight / (head.norm_running_var + kHeadBatchNormEps).sqrt();
  const torch::Tensor shift = head.norm_bias - head.norm_running_mean * scale;
  const torch::Tensor steep = head.tail_weight.squeeze(0) * scale, flat = kLeakySlope * steep;
  const double near = options_.distance * radius_;
  for (std::int64_t first = 0; first < offset.size(0); first += kAscentRows) {
    const std::int64_t last = std::min(offset.size(0), first + kAscentRows);
    const torch::Tensor start = adapted.slice(0, first, last);
    torch::Tensor moved = offset.slice(0, first, last);
    for (int step = 0; step < options_.ascent_steps; ++step) {
      const torch::Tensor hidden = at::linear(start + moved.to(type), weight, bias).to(torch::kFloat);
      const torch::Tensor slope = at::where(hidden.mul_(scale).add_(shift) > 0, steep, flat);
      const torch::Tensor gradient = at::mm(slope.to(type), weight).to(torch::kFloat);
      moved.addcdiv_(gradient, row_lengths(gradient), options_.ascent_step * radius_);
      const torch::Tensor length = row_lengths(moved);
      moved.mul_(length.clamp(near, 2 * near) / length);
    }
  }
}

Fakes Negatives::draw(const HeadWeights& head, const torch::Tensor& z, std::uint64_t seed) const {
  Fakes out{offsets(head, z, seed), {}};
  if (options_.noise_mask == NoiseMask::kEverywhere) return out;
  const auto positions = static_cast<std::int64_t>(grid_.height) * grid_.width;
  GLINT_CHECK(positions > 0 && z.size(0) % positions == 0);
  torch::Tensor mask = torch::zeros({z.size(0), 1});
  out.is_fake.resize(static_cast<std::size_t>(z.size(0)));
  for (std::int64_t first = 0; first < z.size(0); first += positions) {
    Rng rng(seed, "simplenet.mask", first);
    const ScoreMap perlin = random_perlin_noise(grid_.width, grid_.height, rng);
    for (std::size_t i = 0; i < perlin.values.size(); ++i) {
      const bool fake = static_cast<double>(perlin.values[i]) > options_.mask_threshold;
      out.is_fake[static_cast<std::size_t>(first) + i] = fake ? 1 : 0;
      mask.data_ptr<float>()[static_cast<std::size_t>(first) + i] = fake ? 1.0F : 0.0F;
    }
  }
  out.offset.mul_(mask.to(z.scalar_type()));
  return out;
}

}  // namespace glint
