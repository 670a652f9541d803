#include "glint/detect/patch_features.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/detect/patch_kernels.h"
#include "glint/image/resample.h"
#include "glint/nn/tensors.h"

namespace glint {

std::vector<torch::Tensor> map_tensors(const FeatureExtractor& features, const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers) {
  std::vector<torch::Tensor> out;
  for (const HostBuffer& map : features.maps(images, layers)) out.push_back(share_tensor(map));
  return out;
}

torch::Tensor average_neighbourhoods(const torch::Tensor& maps) {
  return at::avg_pool2d(maps, 3, 1, 1);
}

torch::Tensor mean_patches(const torch::Tensor& fine, const torch::Tensor& coarse) {
  const torch::Tensor large = fine.contiguous(at::MemoryFormat::ChannelsLast),
                      small = coarse.contiguous(at::MemoryFormat::ChannelsLast);
  GLINT_CHECK(large.scalar_type() == torch::kFloat && small.scalar_type() == torch::kFloat);
  const std::int64_t images = large.size(0), c2 = large.size(1), h = large.size(2), w = large.size(3),
                     c3 = small.size(1), h3 = small.size(2), w3 = small.size(3);
  torch::Tensor out = torch::empty({images, h * w, c2 + c3}), means = torch::empty({images, h3, w3, c3});
  const auto across = bilinear_taps(w3, static_cast<int>(w), SampleAlignment::kPixelCentres),
             down = bilinear_taps(h3, static_cast<int>(h), SampleAlignment::kPixelCentres);
  // Row by row: means of `map`'s row y, every position `step` values from the next.
  const auto mean_row = [](const torch::Tensor& map, std::int64_t image, std::int64_t y, std::int64_t step,
                           float* to) {
    const std::int64_t rows = map.size(2), columns = map.size(3), channels = map.size(1);
    const float* from = map.data_ptr<float>() + (image * rows + y) * columns * channels;
    const std::int64_t values = columns * channels;
    thread_local std::vector<float> sums;
    sums.resize(static_cast<std::size_t>(values));
    sum_of_rows(y > 0 ? from - values : nullptr, from, y + 1 < rows ? from + values : nullptr, values,
                sums.data());
    mean_of_neighbours(sums.data(), columns, channels, step, to);
  };
  auto *result = out.data_ptr<float>(), *coarse_means = means.data_ptr<float>();
  at::parallel_for(0, images * h3, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      mean_row(small, i / h3, i % h3, c3, coarse_means + i * w3 * c3);
  });
  at::parallel_for(0, images * h, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* to = result + i * w * (c2 + c3);
      mean_row(large, i / h, i % h, c2 + c3, to);
      const BilinearTap& v = down[static_cast<std::size_t>(i % h)];
      const float* plane = coarse_means + i / h * h3 * w3 * c3;
      for (std::int64_t x = 0; x < w; ++x) {
        const BilinearTap& u = across[static_cast<std::size_t>(x)];
        const auto row = [&](std::int64_t yy, std::int64_t xx) { return plane + (yy * w3 + xx) * c3; };
        const float* const rows[4] = {row(v.low, u.low), row(v.low, u.high), row(v.high, u.low),
                                      row(v.high, u.high)};
        const float shares[4] = {(1 - v.t) * (1 - u.t), (1 - v.t) * u.t, v.t * (1 - u.t), v.t * u.t};
        mix_rows(rows, shares, c3, to + x * (c2 + c3) + c2);
      }
    }
  });
  return out;
}

torch::Tensor join_maps(const std::vector<torch::Tensor>& maps, Alignment alignment) {
  GLINT_CHECK(!maps.empty());
  const std::int64_t h = maps[0].size(2), w = maps[0].size(3);
  std::vector<torch::Tensor> parts = {maps[0]};
  for (std::size_t i = 1; i < maps.size(); ++i) {
    parts.push_back(alignment == Alignment::kBilinear ? at::upsample_bilinear2d(maps[i], {h, w}, false)
                                                      : at::upsample_nearest2d(maps[i], {h, w}));
  }
  return at::cat(parts, 1);
}

torch::Tensor positions_of(const torch::Tensor& maps) {
  return maps.permute({0, 2, 3, 1})
      .reshape({maps.size(0), maps.size(2) * maps.size(3), maps.size(1)})
      .contiguous();
}

std::vector<LayerGrid> grids_of(const std::vector<torch::Tensor>& maps) {
  std::vector<LayerGrid> grids;
  for (const torch::Tensor& map : maps) grids.push_back({map.size(1), map.size(2), map.size(3)});
  return grids;
}

torch::Tensor pack_layers(const std::vector<torch::Tensor>& maps) {
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& map : maps) parts.push_back(positions_of(map).flatten(1));
  return at::cat(parts, 1).unsqueeze(1);
}

std::vector<torch::Tensor> unpack_layers(const torch::Tensor& packed, const std::vector<LayerGrid>& grids) {
  const torch::Tensor values = packed.flatten(1);
  std::vector<torch::Tensor> maps;
  std::int64_t begin = 0;
  for (const LayerGrid& grid : grids) {
    const std::int64_t count = grid.channels * grid.height * grid.width;
    maps.push_back(values.slice(1, begin, begin + count)
                       .reshape({-1, grid.height, grid.width, grid.channels})
                       .permute({0, 3, 1, 2}));
    begin += count;
  }
  GLINT_CHECK(begin == values.size(1));
  return maps;
}

std::vector<PatchScores> maps_of(const torch::Tensor& scores, int height, int width) {
  const torch::Tensor host = scores.to(torch::kCPU, torch::kFloat).contiguous();
  GLINT_CHECK(host.dim() == 2 && host.size(1) == static_cast<std::int64_t>(height) * width);
  std::vector<PatchScores> out;
  for (std::int64_t b = 0; b < host.size(0); ++b) {
    ScoreMap map(width, height);
    std::copy_n(host.data_ptr<float>() + b * host.size(1), host.size(1), map.values.begin());
    out.push_back({std::move(map), {}});
  }
  return out;
}

std::vector<PatchScores> maps_of(const torch::Tensor& maps, const torch::Tensor& image_scores) {
  GLINT_CHECK(maps.dim() == 3);
  std::vector<PatchScores> out =
      maps_of(maps.flatten(1), static_cast<int>(maps.size(1)), static_cast<int>(maps.size(2)));
  if (!image_scores.defined()) return out;
  GLINT_CHECK(image_scores.dim() == 1 && image_scores.size(0) == maps.size(0));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i].image = image_scores[static_cast<std::int64_t>(i)].item<float>();
  return out;
}

}  // namespace glint
