#include "glint/detect/simplenet/embedding.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>

#include "glint/base/error.h"

namespace glint {
namespace {

struct Window {
  int first, last;  ///< [first, last)
};

/// Window i of an adaptive average from `in` to `out` values.
Window adaptive_window(int in, int out, int i) {
  const auto first = static_cast<std::int64_t>(i) * in / out;
  const auto last = (static_cast<std::int64_t>(i + 1) * in + out - 1) / out;
  return {static_cast<int>(first), static_cast<int>(last)};
}

/// Composition of 9C -> pretrain and (joined 2*pretrain) -> target for the layer whose joined values start at
/// `offset`.
std::vector<PooledRow> compose(int channels, int pretrain, int target, int offset) {
  std::vector<PooledRow> rows;
  for (int t = 0; t < target; ++t) {
    const Window joined = adaptive_window(2 * pretrain, target, t);
    const int low = std::max(joined.first, offset) - offset,
              high = std::min(joined.last, offset + pretrain) - offset;
    if (low >= high) continue;
    const int first = adaptive_window(9 * channels, pretrain, low).first;
    const int last = adaptive_window(9 * channels, pretrain, high - 1).last;
    PooledRow row{t, first, std::vector<float>(static_cast<std::size_t>(last - first), 0.0F)};
    for (int p = low; p < high; ++p) {
      const Window w = adaptive_window(9 * channels, pretrain, p);
      const float share = 1.0F / static_cast<float>((w.last - w.first) * (joined.last - joined.first));
      for (int i = w.first; i < w.last; ++i) row.weights[i - first] += share;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

torch::Tensor pool(const torch::Tensor& maps, int channels, const std::vector<PooledRow>& rows) {
  GLINT_CHECK(maps.dim() == 4 && maps.size(1) == channels && maps.is_cpu());
  const std::int64_t batch = maps.size(0), h = maps.size(2), w = maps.size(3);
  // Channels last with a border of zeros: the neighbourhood of (y, x) is nine contiguous vectors.
  const torch::Tensor padded =
      torch::constant_pad_nd(maps.to(torch::kFloat), {1, 1, 1, 1}).permute({0, 2, 3, 1}).contiguous();
  const auto* in = padded.data_ptr<float>();
  const auto columns = static_cast<std::int64_t>(rows.size());
  torch::Tensor out = torch::empty({batch, h * w, columns});
  auto* result = out.data_ptr<float>();
  at::parallel_for(0, batch * h, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> flat(9 * static_cast<std::size_t>(channels));
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t b = line / h, y = line % h;
      for (std::int64_t x = 0; x < w; ++x) {
        for (int k = 0; k < 9; ++k) {
          const float* vector = in + ((b * (h + 2) + y + k / 3) * (w + 2) + x + k % 3) * channels;
          for (int c = 0; c < channels; ++c) flat[9 * static_cast<std::size_t>(c) + k] = vector[c];
        }
        float* target = result + (line * w + x) * columns;
        for (std::int64_t r = 0; r < columns; ++r) {
          const PooledRow& row = rows[r];
          const float* from = &flat[row.first];
          float sum = 0;
          for (std::size_t i = 0; i < row.weights.size(); ++i) sum += row.weights[i] * from[i];
          target[r] = sum;
        }
      }
    }
  });
  return out;
}

std::vector<std::int64_t> targets(const std::vector<PooledRow>& rows) {
  std::vector<std::int64_t> out;
  for (const PooledRow& row : rows) out.push_back(row.target);
  return out;
}

}  // namespace

PatchEmbedding::PatchEmbedding(int channels2, int channels3, int pretrain, int target)
    : channels2_(channels2),
      channels3_(channels3),
      target_(target),
      rows2_(compose(channels2, pretrain, target, 0)),
      rows3_(compose(channels3, pretrain, target, pretrain)) {}

std::vector<std::int64_t> PatchEmbedding::targets2() const {
  return targets(rows2_);
}
std::vector<std::int64_t> PatchEmbedding::targets3() const {
  return targets(rows3_);
}
torch::Tensor PatchEmbedding::pool2(const torch::Tensor& layer2) const {
  return pool(layer2, channels2_, rows2_);
}
torch::Tensor PatchEmbedding::pool3(const torch::Tensor& layer3) const {
  return pool(layer3, channels3_, rows3_);
}

torch::Tensor PatchEmbedding::embed(const torch::Tensor& layer2, const torch::Tensor& layer3) const {
  const torch::Tensor p2 = pool2(layer2.cpu());
  const torch::Tensor p3 = upsample_positions(
      pool3(layer3.cpu()), static_cast<int>(layer3.size(2)), static_cast<int>(layer3.size(3)),
      static_cast<int>(layer2.size(2)), static_cast<int>(layer2.size(3)));
  torch::Tensor out = torch::zeros({p2.size(0), p2.size(1), target_});
  out.index_add_(2, torch::tensor(targets2()), p2);
  out.index_add_(2, torch::tensor(targets3()), p3);
  return out.reshape({-1, target_});
}

torch::Tensor upsample_positions(const torch::Tensor& columns, int h, int w, int H, int W) {
  if (h == H && w == W) return columns;
  const torch::Tensor planes = columns.permute({0, 2, 1}).reshape({columns.size(0), columns.size(2), h, w});
  // channels-last memory: the interpolation then runs over contiguous columns
  const torch::Tensor large = at::upsample_bilinear2d(planes.contiguous(at::MemoryFormat::ChannelsLast),
                                                      {H, W}, /*align_corners=*/false);
  return large.permute({0, 2, 3, 1}).reshape({columns.size(0), H * W, columns.size(2)}).contiguous();
}

torch::Tensor embed_literal(const torch::Tensor& layer2, const torch::Tensor& layer3, int pretrain,
                            int target) {
  const std::int64_t batch = layer2.size(0), h = layer2.size(2), w = layer2.size(3);
  // [B, 9C, H*W] with (channel, row, column) order
  const torch::Tensor p2 = at::im2col(layer2, {3, 3}, {1, 1}, {1, 1}, {1, 1});
  torch::Tensor p3 = at::im2col(layer3, {3, 3}, {1, 1}, {1, 1}, {1, 1});
  p3 = p3.reshape({batch, p3.size(1), layer3.size(2), layer3.size(3)});
  p3 = at::upsample_bilinear2d(p3, {h, w}, false).reshape({batch, p3.size(1), h * w});
  auto mean_map = [&](const torch::Tensor& p) {
    return at::adaptive_avg_pool1d(p.permute({0, 2, 1}).reshape({batch * h * w, 1, p.size(1)}), {pretrain});
  };
  const torch::Tensor joined = torch::cat({mean_map(p2), mean_map(p3)}, 2);
  return at::adaptive_avg_pool1d(joined, {target}).squeeze(1);
}

}  // namespace glint
