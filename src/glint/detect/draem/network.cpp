#include "glint/detect/draem/network.h"

#include <ATen/ATen.h>

namespace glint {
namespace {

constexpr const char* kReconstructive = "reconstructive.";
constexpr const char* kDiscriminative = "discriminative.";
constexpr std::int64_t kDraemCell = 32;       // the discriminative network halves its grid five times
constexpr std::int64_t kAveragedWindow = 21;  // published

void add_convolution(NetLayout& layout, const std::string& block, int conv, std::int64_t out,
                     std::int64_t in) {
  layout.conv(fmt::format("{}.{}", block, conv), out, in, 3, true)
      .batch_norm(fmt::format("{}.{}", block, conv + 1), out);
}

void add_double(NetLayout& layout, const std::string& block, std::int64_t in, std::int64_t middle,
                std::int64_t out) {
  add_convolution(layout, block, 0, middle, in);
  add_convolution(layout, block, 3, out, middle);
}

NetLayout reconstructive_layout(std::int64_t b) {
  NetLayout layout;
  std::int64_t in = 3;
  for (int i = 1; i <= 5; ++i) {
    const std::int64_t out = b << std::min(i - 1, 3);
    add_double(layout, fmt::format("encoder.block{}", i), in, out, out);
    in = out;
  }
  for (int i = 1; i <= 4; ++i) {
    const std::int64_t out = std::max(in / 2, b);
    add_convolution(layout, fmt::format("decoder.up{}", i), 1, in, in);
    add_double(layout, fmt::format("decoder.db{}", i), in, in, out);
    in = out;
  }
  layout.conv("decoder.fin_out.0", 3, b, 3, true);
  return layout;
}

/// Of the discriminative network's decoder, deepest first.
const char* const kStages[] = {"_b", "1", "2", "3", "4"};

NetLayout discriminative_layout(std::int64_t b) {
  NetLayout layout;
  std::vector<std::int64_t> widths;
  std::int64_t in = 6;
  for (int i = 1; i <= 6; ++i) {
    widths.push_back(b << std::min(i - 1, 3));
    add_double(layout, fmt::format("encoder_segment.block{}", i), in, widths.back(), widths.back());
    in = widths.back();
  }
  for (int i = 0; i < 5; ++i) {
    const std::int64_t skip = widths[static_cast<std::size_t>(4 - i)];
    // up4 of the published code gives as many channels as the stage before it.
    const std::int64_t out = i == 0 ? in : std::max(in / 2, b);
    add_convolution(layout, fmt::format("decoder_segment.up{}", kStages[i]), 1, out, in);
    add_double(layout, fmt::format("decoder_segment.db{}", kStages[i]), out + skip, out, out);
    in = out;
  }
  layout.conv("decoder_segment.fin_out.0", 2, b, 3, true);
  return layout;
}

torch::Tensor convolve(const TrainableNet& net, const torch::Tensor& x, const std::string& block, int conv,
                       bool training) {
  return at::relu(net.batch_norm(net.conv(x, fmt::format("{}.{}", block, conv), {.padding = 1}),
                                 fmt::format("{}.{}", block, conv + 1), training));
}

torch::Tensor run_double(const TrainableNet& net, const torch::Tensor& x, const std::string& block,
                         bool training) {
  return convolve(net, convolve(net, x, block, 0, training), block, 3, training);
}

torch::Tensor run_up(const TrainableNet& net, const torch::Tensor& x, const std::string& block,
                     bool training) {
  return convolve(net, at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, /*align_corners=*/true),
                  block, 1, training);
}

/// The last convolution, never in bfloat16: eight bits are too few for pixels and logits.
torch::Tensor run_last(const TrainableNet& net, const torch::Tensor& x, const std::string& name) {
  const torch::Tensor& weight = net.at(name + ".weight");
  return at::conv2d(x.to(weight.scalar_type()), weight, net.at(name + ".bias"), 1, 1);
}

torch::Tensor reconstruct(const TrainableNet& net, torch::Tensor x, bool training) {
  for (int i = 1; i <= 5; ++i) {
    x = run_double(net, x, fmt::format("encoder.block{}", i), training);
    if (i < 5) x = at::max_pool2d(x, 2);
  }
  for (int i = 1; i <= 4; ++i)
    x = run_double(net, run_up(net, x, fmt::format("decoder.up{}", i), training),
                   fmt::format("decoder.db{}", i), training);
  return run_last(net, x, "decoder.fin_out.0");
}

torch::Tensor discriminate(const TrainableNet& net, torch::Tensor x, bool training) {
  std::vector<torch::Tensor> skips;
  for (int i = 1; i <= 6; ++i) {
    x = run_double(net, x, fmt::format("encoder_segment.block{}", i), training);
    if (i < 6) {
      skips.push_back(x);
      x = at::max_pool2d(x, 2);
    }
  }
  for (const char* stage : kStages) {
    x = run_up(net, x, fmt::format("decoder_segment.up{}", stage), training);
    x = run_double(net, at::cat({x, skips.back()}, 1), fmt::format("decoder_segment.db{}", stage), training);
    skips.pop_back();
  }
  return run_last(net, x, "decoder_segment.fin_out.0");
}

std::int64_t missing_to_cell(std::int64_t side) {
  return (kDraemCell - side % kDraemCell) % kDraemCell;
}

}  // namespace

DraemNetworks DraemNetworks::initial(DraemWidths widths, std::uint64_t seed) {
  return {TrainableNet::initial(reconstructive_layout(widths.reconstructive), InitialWeights::kDcgan, seed,
                                "draem.reconstructive"),
          TrainableNet::initial(discriminative_layout(widths.discriminative), InitialWeights::kDcgan, seed,
                                "draem.discriminative")};
}

DraemNetworks DraemNetworks::from_dict(const TensorDict& tensors, DraemWidths widths,
                                       const std::string& file) {
  return {
      TrainableNet::from_dict(reconstructive_layout(widths.reconstructive), tensors, file, kReconstructive),
      TrainableNet::from_dict(discriminative_layout(widths.discriminative), tensors, file, kDiscriminative)};
}

std::int64_t DraemNetworks::bytes(DraemWidths widths) {
  return reconstructive_layout(widths.reconstructive).bytes() +
         discriminative_layout(widths.discriminative).bytes();
}

TensorDict DraemNetworks::to_dict() const {
  TensorDict out = reconstructive_.to_dict(kReconstructive);
  out.merge(discriminative_.to_dict(kDiscriminative));
  return out;
}

DraemNetworks::Output DraemNetworks::run(const torch::Tensor& pictures, bool training) const {
  const std::int64_t height = pictures.size(2), width = pictures.size(3);
  const torch::Tensor padded =
      at::replication_pad2d(pictures, {0, missing_to_cell(width), 0, missing_to_cell(height)});
  const torch::Tensor whole = reconstruct(reconstructive_, padded, training);
  const torch::Tensor logits = discriminate(discriminative_, at::cat({whole, padded}, 1), training);
  const auto cut = [&](const torch::Tensor& t) { return t.slice(2, 0, height).slice(3, 0, width); };
  return {cut(whole), cut(logits), at::softmax(cut(logits), 1)};
}

const torch::Tensor& DraemNetworks::at(const std::string& name) const {
  const std::string_view first = kReconstructive, second = kDiscriminative;
  return name.starts_with(first) ? reconstructive_.at(name.substr(first.size()))
                                 : discriminative_.at(name.substr(second.size()));
}

std::vector<torch::Tensor> DraemNetworks::parameters() const {
  std::vector<torch::Tensor> out = reconstructive_.parameters();
  for (const torch::Tensor& p : discriminative_.parameters()) out.push_back(p);
  return out;
}

void DraemNetworks::require_gradients(bool on) {
  reconstructive_.require_gradients(on);
  discriminative_.require_gradients(on);
}

void DraemNetworks::use_bfloat16(bool on) {
  reconstructive_.use_bfloat16(on);
  discriminative_.use_bfloat16(on);
}

void DraemNetworks::to_double() {
  reconstructive_.to_double();
  discriminative_.to_double();
}

torch::Tensor draem_averages(const torch::Tensor& probability) {
  return at::avg_pool2d(probability.unsqueeze(1), kAveragedWindow, 1, kAveragedWindow / 2,
                        /*ceil_mode=*/false, /*count_include_pad=*/true)
      .squeeze(1);
}

torch::Tensor draem_image_scores(const torch::Tensor& probability) {
  return draem_averages(probability).flatten(1).amax(1);
}

}  // namespace glint
