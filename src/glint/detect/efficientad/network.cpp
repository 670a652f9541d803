#include "glint/detect/efficientad/network.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "glint/base/error.h"

namespace glint {
namespace {

/// One convolution of a description network; `channels` 0 = the network's outputs.
struct DescriptionLayer {
  const char* name;
  int channels, kernel, padding;  // padding of the padded form
  bool relu, pool;
};

// The published networks; names are places in the published sequence.
constexpr DescriptionLayer kSmallLayers[] = {{"0", 128, 4, 3, true, true},
                                             {"3", 256, 4, 3, true, true},
                                             {"6", 256, 3, 1, true, false},
                                             {"8", 0, 4, 0, false, false}};
constexpr DescriptionLayer kMediumLayers[] = {{"0", 256, 4, 3, true, true},  {"3", 512, 4, 3, true, true},
                                              {"6", 512, 1, 0, true, false}, {"8", 512, 3, 1, true, false},
                                              {"10", 0, 4, 0, true, false},  {"12", 0, 1, 0, false, false}};

std::span<const DescriptionLayer> description_layers(DescriptionSize size) {
  if (size == DescriptionSize::kSmall) return kSmallLayers;
  return kMediumLayers;
}

NetLayout description_layout(const DescriptionShape& shape) {
  NetLayout layout;
  int inputs = 3;
  for (const DescriptionLayer& layer : description_layers(shape.size)) {
    const int outputs = layer.channels == 0
                            ? shape.outputs
                            : std::max(1, static_cast<int>(std::lround(shape.width * layer.channels)));
    layout.conv(layer.name, outputs, inputs, layer.kernel, true);
    inputs = outputs;
  }
  return layout;
}

constexpr int kAutoencoderWidth = 64;
constexpr double kDropout = 0.2;

/// The encoder's convolutions of 4 x 4 with stride 2.
struct EncoderLayer {
  const char* name;
  int channels;
};
constexpr EncoderLayer kEncoder[] = {{"0", 32}, {"2", 32}, {"4", 64}, {"6", 64}, {"8", 64}};
constexpr const char* kCode = "10";  // 8 x 8
constexpr const char* kDecoderConvs[] = {"12", "16", "20", "24", "28", "32"};
constexpr const char* kDecoderTail = "36";
constexpr const char* kDecoderOut = "38";

NetLayout autoencoder_layout(int outputs) {
  NetLayout layout;
  int inputs = 3;
  for (const EncoderLayer& layer : kEncoder) {
    layout.conv(layer.name, layer.channels, inputs, 4, true);
    inputs = layer.channels;
  }
  layout.conv(kCode, kAutoencoderWidth, inputs, 8, true);
  for (const char* name : kDecoderConvs) layout.conv(name, kAutoencoderWidth, kAutoencoderWidth, 4, true);
  layout.conv(kDecoderTail, kAutoencoderWidth, kAutoencoderWidth, 3, true);
  return layout.conv(kDecoderOut, outputs, kAutoencoderWidth, 3, true);
}

/// Sides of the maps before the decoder's convolutions, for a side of the picture.
std::array<std::int64_t, 6> decoder_sides(std::int64_t side) {
  return {side / 64 - 1, side / 32, side / 16 - 1, side / 8, side / 4 - 1, side / 2 - 1};
}

torch::Tensor dropped(const torch::Tensor& x, Rng& rng) {
  torch::Tensor keep = torch::empty(x.sizes());
  auto* p = keep.data_ptr<float>();
  for (std::int64_t i = 0; i < keep.numel(); ++i)
    p[i] = rng.uniform() < kDropout ? 0.0F : static_cast<float>(1 / (1 - kDropout));
  return x * keep.to(x.scalar_type());
}

}  // namespace

DescriptionNetwork DescriptionNetwork::initial(const DescriptionShape& shape, std::uint64_t seed,
                                               std::string_view stream) {
  return {shape, TrainableNet::initial(description_layout(shape), InitialWeights::kTorch, seed, stream)};
}

DescriptionNetwork DescriptionNetwork::from_dict(const DescriptionShape& shape, const TensorDict& tensors,
                                                 const std::string& file, const std::string& prefix) {
  return {shape, TrainableNet::from_dict(description_layout(shape), tensors, file, prefix)};
}

std::int64_t DescriptionNetwork::bytes(const DescriptionShape& shape) {
  return description_layout(shape).bytes();
}

torch::Tensor DescriptionNetwork::describe(const torch::Tensor& pictures, bool padded) const {
  torch::Tensor x = pictures.contiguous(torch::MemoryFormat::ChannelsLast);
  for (const DescriptionLayer& layer : description_layers(shape_.size)) {
    x = net_.conv(x, layer.name, {.padding = padded ? layer.padding : 0});
    if (layer.relu) x = at::relu(x);
    if (layer.pool) x = at::avg_pool2d(x, {2, 2}, {2, 2}, padded ? 1 : 0);
  }
  return x.to(torch::kFloat);
}

PatchAutoencoder PatchAutoencoder::initial(int outputs, std::uint64_t seed, std::string_view stream) {
  return PatchAutoencoder(
      TrainableNet::initial(autoencoder_layout(outputs), InitialWeights::kTorch, seed, stream));
}

PatchAutoencoder PatchAutoencoder::from_dict(int outputs, const TensorDict& tensors, const std::string& file,
                                             const std::string& prefix) {
  return PatchAutoencoder(TrainableNet::from_dict(autoencoder_layout(outputs), tensors, file, prefix));
}

std::int64_t PatchAutoencoder::bytes(int outputs) {
  return autoencoder_layout(outputs).bytes();
}

torch::Tensor PatchAutoencoder::reconstruct(const torch::Tensor& pictures, ImageSize grid,
                                            Rng* dropout) const {
  const std::int64_t height = pictures.size(2), width = pictures.size(3);
  if (std::min(height, width) < kLeastEfficientAdSide) {
    fail(ErrorCode::kConfig,
         "efficientad needs inputs of at least {} pixels a side, not {} x {}; raise input.size",
         kLeastEfficientAdSide, width, height);
  }
  torch::Tensor x = pictures.contiguous(torch::MemoryFormat::ChannelsLast);
  for (const EncoderLayer& layer : kEncoder)
    x = at::relu(net_.conv(x, layer.name, {.stride = 2, .padding = 1}));
  x = net_.conv(x, kCode);
  const auto rows = decoder_sides(height), columns = decoder_sides(width);
  for (std::size_t i = 0; i < std::size(kDecoderConvs); ++i) {
    x = at::upsample_bilinear2d(x, {rows[i], columns[i]}, /*align_corners=*/false);
    x = at::relu(net_.conv(x, kDecoderConvs[i], {.padding = 2}));
    if (dropout != nullptr) x = dropped(x, *dropout);
  }
  x = at::upsample_bilinear2d(x, {grid.height, grid.width}, /*align_corners=*/false);
  x = at::relu(net_.conv(x, kDecoderTail, {.padding = 1}));
  return net_.conv(x, kDecoderOut, {.padding = 1}).to(torch::kFloat);
}

}  // namespace glint
