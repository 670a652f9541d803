#include "glint/detect/simplenet/folded_head.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "glint/base/error.h"
#include "glint/base/object_pool.h"
#include "glint/detect/simplenet/folded_kernels.h"
#include "glint/image/resample.h"
#include "glint/nn/fused_net.h"
#include "glint/nn/packed_linear.h"

namespace glint {
namespace {

constexpr std::int64_t kUnitsAtOnce = 512;  // hidden units: their values stay in the cache

/// One layer's pooling for a grid of one width.
struct Pooling {
  int channels = 0;
  std::int64_t columns = 0, terms = 0;
  std::vector<std::int32_t> neighbour, channel;  ///< [terms, columns]
  std::vector<float> weights;                    ///< [terms, columns]

  Pooling(const std::vector<PooledRow>& rows, int channels_of_layer)
      : channels(channels_of_layer), columns(std::ssize(rows)) {
    for (const PooledRow& row : rows) terms = std::max(terms, std::ssize(row.weights));
    neighbour.resize(static_cast<std::size_t>(terms * columns));
    channel.resize(neighbour.size());
    weights.resize(neighbour.size());
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (std::size_t t = 0; t < rows[r].weights.size(); ++t) {
        const std::size_t at = t * rows.size() + r;
        const int flat = rows[r].first + static_cast<int>(t);  // (channel, row, column)
        neighbour[at] = flat % 9;
        channel[at] = flat / 9;
        weights[at] = rows[r].weights[t];
      }
    }
  }
};

/// A layer with a border of zeros, channels last, and its pooled columns.
struct PaddedLayer {
  std::int64_t height = 0, width = 0;
  std::vector<float> padded;
  std::vector<std::int32_t> offsets;
  std::vector<std::byte> pooled;  ///< [height * width, columns] of the linear map's type

  std::int64_t positions() const { return height * width; }

  void take(const HostBuffer& map, std::int64_t image, const Pooling& pooling) {
    const std::int64_t channels = pooling.channels;
    GLINT_CHECK(map.shape.size() == 4 && map.dtype == DType::kF32 && map.shape[1] == channels);
    if (height != map.shape[2] || width != map.shape[3]) {
      height = map.shape[2];
      width = map.shape[3];
      padded.assign(static_cast<std::size_t>((height + 2) * (width + 2) * channels), 0.0F);
      offsets.resize(pooling.neighbour.size());
      for (std::size_t i = 0; i < offsets.size(); ++i) {
        const std::int32_t k = pooling.neighbour[i];
        offsets[i] = static_cast<std::int32_t>((k / 3 * (width + 2) + k % 3) * channels + pooling.channel[i]);
      }
    }
    const auto& stride = map.strides;
    const auto* from = static_cast<const float*>(map.data) + image * stride[0];
    const bool rows = stride[1] == 1 && stride[3] == channels;
#pragma omp parallel for
    for (std::int64_t y = 0; y < height; ++y) {
      float* to = padded.data() + ((y + 1) * (width + 2) + 1) * channels;
      const float* row = from + y * stride[2];
      if (rows) {
        std::memcpy(to, row, static_cast<std::size_t>(width * channels) * sizeof(float));
        continue;
      }
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t c = 0; c < channels; ++c) to[x * channels + c] = row[x * stride[3] + c * stride[1]];
      }
    }
  }

  template <class T>
  void pool(const Pooling& pooling) {
    const PoolingTable table{pooling.columns, pooling.terms, offsets.data(), pooling.weights.data()};
    pooled.resize(static_cast<std::size_t>(positions() * pooling.columns) * sizeof(T));
    auto* out = reinterpret_cast<T*>(pooled.data());
#pragma omp parallel for
    for (std::int64_t y = 0; y < height; ++y) {
      pool_positions(padded.data() + y * (width + 2) * pooling.channels, pooling.channels, width, table,
                     out + y * width * pooling.columns);
    }
  }
};

struct Workspace {
  PaddedLayer layer2, layer3;
  std::vector<float> fine, coarse;  ///< hidden units of one block: layer2's positions, layer3's
};

struct HiddenBlock {
  PackedLinear fine, coarse;
  std::vector<float> tail;
};

std::span<const float> values_of(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

struct FoldedScorer::State {
  Pooling pooling2, pooling3;
  bool bfloat16;
  std::vector<HiddenBlock> blocks;
  ObjectPool<Workspace> workspaces;

  void score(const HostBuffer& layer2, const HostBuffer& layer3, std::int64_t image, float* out) {
    const auto loan = workspaces.take([] { return std::make_unique<Workspace>(); });
    Workspace& work = *loan;
    work.layer2.take(layer2, image, pooling2);
    work.layer3.take(layer3, image, pooling3);
    if (bfloat16) {
      work.layer2.pool<std::uint16_t>(pooling2);
      work.layer3.pool<std::uint16_t>(pooling3);
    } else {
      work.layer2.pool<float>(pooling2);
      work.layer3.pool<float>(pooling3);
    }
    const std::int64_t width = work.layer2.width, height = work.layer2.height;
    const auto taps = [](std::int64_t coarse, std::int64_t fine) {
      return bilinear_taps(coarse, static_cast<int>(fine), SampleAlignment::kPixelCentres);
    };
    const std::vector<BilinearTap> across = taps(work.layer3.width, width),
                                   down = taps(work.layer3.height, height);
    std::fill_n(out, width * height, 0.0F);
    for (const HiddenBlock& block : blocks) {
      const std::int64_t units = block.fine.outputs();
      work.fine.resize(static_cast<std::size_t>(work.layer2.positions() * units));
      work.coarse.resize(static_cast<std::size_t>(work.layer3.positions() * units));
      block.fine.run(work.layer2.pooled.data(), work.layer2.positions(), work.fine.data());
      block.coarse.run(work.layer3.pooled.data(), work.layer3.positions(), work.coarse.data());
#pragma omp parallel for
      for (std::int64_t y = 0; y < height; ++y) {
        const BilinearTap& v = down[static_cast<std::size_t>(y)];
        for (std::int64_t x = 0; x < width; ++x) {
          const BilinearTap& h = across[static_cast<std::size_t>(x)];
          const auto row = [&](std::int64_t yy, std::int64_t xx) {
            return work.coarse.data() + (yy * work.layer3.width + xx) * units;
          };
          const CoarseCorners corners{
              {row(v.low, h.low), row(v.low, h.high), row(v.high, h.low), row(v.high, h.high)},
              {(1 - v.t) * (1 - h.t), (1 - v.t) * h.t, v.t * (1 - h.t), v.t * h.t}};
          const std::int64_t at = y * width + x;
          out[at] -= tail_score(work.fine.data() + at * units, corners, block.tail.data(), units);
        }
      }
    }
  }
};

FoldedScorer::FoldedScorer(const PatchEmbedding& embedding, const std::vector<HeadWeights>& heads,
                           double feature_scale, Precision precision)
    : state_(
          new State{Pooling(embedding.rows2(), embedding.channels2()),
                    Pooling(embedding.rows3(), embedding.channels3()),
                    heads.size() > 1 && precision == Precision::kBFloat16 && FusedNet::runs_here(precision),
                    {},
                    {}}) {
  const torch::Tensor columns2 = torch::tensor(embedding.targets2()),
                      columns3 = torch::tensor(embedding.targets3());
  const Precision products = state_->bfloat16 ? Precision::kBFloat16 : Precision::kFloat32;
  for (const HeadWeights& head : heads) {
    const FoldedHead folded = fold_head(head);
    const torch::Tensor tails = folded.tail / static_cast<double>(heads.size());
    for (std::int64_t first = 0; first < head.hidden(); first += kUnitsAtOnce) {
      const std::int64_t last = std::min(head.hidden(), first + kUnitsAtOnce), units = last - first;
      const torch::Tensor weight = folded.weight.slice(0, first, last) * feature_scale,
                          weight2 = weight.index_select(1, columns2).contiguous(),
                          weight3 = weight.index_select(1, columns3).contiguous(),
                          bias = folded.bias.slice(0, first, last).contiguous(),
                          tail = tails.slice(0, first, last).contiguous();
      state_->blocks.push_back(
          {PackedLinear(values_of(weight2), units, weight2.size(1), {}, products),
           PackedLinear(values_of(weight3), units, weight3.size(1), values_of(bias), products),
           std::vector<float>(values_of(tail).begin(), values_of(tail).end())});
    }
  }
}

FoldedScorer::~FoldedScorer() = default;
FoldedScorer::FoldedScorer(FoldedScorer&&) noexcept = default;

std::vector<std::vector<float>> FoldedScorer::scores(const HostBuffer& layer2,
                                                     const HostBuffer& layer3) const {
  std::vector<std::vector<float>> out(static_cast<std::size_t>(layer2.shape.at(0)));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].resize(static_cast<std::size_t>(layer2.shape[2] * layer2.shape[3]));
    state_->score(layer2, layer3, static_cast<std::int64_t>(i), out[i].data());
  }
  return out;
}

}  // namespace glint
