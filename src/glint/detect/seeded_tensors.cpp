#include "glint/detect/seeded_tensors.h"

#include <ATen/Parallel.h>

#include "glint/detect/simplenet/head_kernels.h"

namespace glint {
namespace {

template <class Draw>
torch::Tensor filled(at::IntArrayRef shape, const Draw& draw) {
  torch::Tensor t = torch::empty(shape);
  auto* p = t.data_ptr<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) p[i] = static_cast<float>(draw());
  return t;
}

}  // namespace

torch::Tensor normal_tensor(at::IntArrayRef shape, double std, Rng& rng) {
  return filled(shape, [&] { return std * rng.normal(); });
}

torch::Tensor uniform_tensor(at::IntArrayRef shape, double bound, Rng& rng) {
  return filled(shape, [&] { return rng.uniform(-bound, bound); });
}

torch::Tensor noise_like(const torch::Tensor& z, double std, std::uint64_t seed) {
  torch::Tensor out = torch::empty(z.sizes(), z.options());
  constexpr std::int64_t kBlock = 1 << 16;  // even, so that pairs of normals stay together
  // libtorch's threads, not ours: a second pool would fight with the first one's spinning.
  at::parallel_for(0, (z.numel() + kBlock - 1) / kBlock, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin * kBlock; first < std::min(end * kBlock, z.numel()); first += kBlock) {
      const std::int64_t n = std::min(kBlock, z.numel() - first);
      if (z.scalar_type() == torch::kBFloat16) {
        normal_values(seed, first, n, static_cast<float>(std), static_cast<Bf16*>(out.data_ptr()) + first);
      } else {
        normal_values(seed, first, n, static_cast<float>(std), out.data_ptr<float>() + first);
      }
    }
  });
  return out;
}

}  // namespace glint
