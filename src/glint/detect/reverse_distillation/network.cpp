#include "glint/detect/reverse_distillation/network.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/detect/trainable_resnet.h"

namespace glint {
namespace {

constexpr const char* kBottleneck = "bottleneck.";
constexpr const char* kDecoder = "decoder.";
constexpr double kReverseCosineEps = 1e-8;  // torch's default

/// Stride-2 convolutions that bring a layer to layer3's grid.
struct FusingConv {
  const char* conv;
  const char* norm;
  int in_layer;  ///< whose channels it reads; it gives the next layer's
};
constexpr FusingConv kFromLayer1 = {"bottleneck.conv1", "bottleneck.bn1", 1};
constexpr FusingConv kFromLayer1Again = {"bottleneck.conv2", "bottleneck.bn2", 2};
constexpr FusingConv kFromLayer2 = {"bottleneck.conv3", "bottleneck.bn3", 2};

/// Of the code: a fourth layer's.
int code_channels(const BackboneSpec& teacher) {
  return 2 * teacher.channels(3);
}

ResidualLayer code_layer(const BackboneSpec& teacher) {
  return {.name = std::string(kBottleneck) + "bn_layer",
          .blocks = teacher.bottleneck ? 3 : 2,
          .in = 3 * teacher.channels(3),
          .width = 2 * teacher.width[2],
          .out = code_channels(teacher),
          .stride = 2,
          .bottleneck = teacher.bottleneck};
}

/// The decoder's layer1 gives the teacher's layer3, and so on; as many blocks as the encoder has from its
/// first layer on.
std::vector<ResidualLayer> decoder_layers(const BackboneSpec& teacher) {
  std::vector<ResidualLayer> out;
  int in = code_channels(teacher);
  for (int i = 1; i <= 3; ++i) {
    const int target = 4 - i;
    out.push_back({.name = fmt::format("{}layer{}", kDecoder, i),
                   .blocks = teacher.blocks[static_cast<std::size_t>(i - 1)],
                   .in = in,
                   .width = teacher.width[static_cast<std::size_t>(target - 1)],
                   .out = teacher.channels(target),
                   .stride = 2,
                   .bottleneck = teacher.bottleneck,
                   .enlarges = true});
    in = teacher.channels(target);
  }
  return out;
}

NetLayout reverse_layout(const BackboneSpec& teacher) {
  NetLayout layout;
  add_residual_layer(layout, code_layer(teacher));
  for (const FusingConv& fusing : {kFromLayer1, kFromLayer1Again, kFromLayer2}) {
    const int out = teacher.channels(fusing.in_layer + 1);
    layout.conv(fusing.conv, out, teacher.channels(fusing.in_layer), 3, false).batch_norm(fusing.norm, out);
  }
  for (const ResidualLayer& layer : decoder_layers(teacher)) add_residual_layer(layout, layer);
  return layout;
}

torch::Tensor fuse(const TrainableNet& net, const FusingConv& fusing, const torch::Tensor& x, bool training) {
  return at::relu(
      net.batch_norm(net.conv(x, fusing.conv, {.stride = 2, .padding = 1}), fusing.norm, training));
}

}  // namespace

ReverseDistillationNetwork ReverseDistillationNetwork::initial(const BackboneSpec& teacher,
                                                               std::uint64_t seed) {
  return {TrainableNet::initial(reverse_layout(teacher), InitialWeights::kKaiming, seed,
                                "reverse_distillation.init"),
          teacher};
}

ReverseDistillationNetwork ReverseDistillationNetwork::from_dict(const TensorDict& tensors,
                                                                 const BackboneSpec& teacher,
                                                                 const std::string& file) {
  return {TrainableNet::from_dict(reverse_layout(teacher), tensors, file), teacher};
}

std::int64_t ReverseDistillationNetwork::bytes(const BackboneSpec& teacher) {
  return reverse_layout(teacher).bytes();
}

torch::Tensor ReverseDistillationNetwork::encode(const std::vector<torch::Tensor>& teacher,
                                                 bool training) const {
  GLINT_CHECK(teacher.size() == 3);
  const torch::Tensor from1 =
      fuse(net_, kFromLayer1Again, fuse(net_, kFromLayer1, teacher[0], training), training);
  const torch::Tensor from2 = fuse(net_, kFromLayer2, teacher[1], training);
  return run_residual_layer(net_, code_layer(teacher_),
                            at::cat({from1, from2, teacher[2].to(from1.scalar_type())}, 1), training);
}

std::vector<torch::Tensor> ReverseDistillationNetwork::decode(const torch::Tensor& code,
                                                              const std::vector<torch::Tensor>& like,
                                                              bool training) const {
  std::vector<torch::Tensor> out(3);
  torch::Tensor x = code;
  std::size_t target = 2;
  for (const ResidualLayer& layer : decoder_layers(teacher_)) {
    x = run_residual_layer(net_, layer, x, training)
            .slice(2, 0, like.at(target).size(2))
            .slice(3, 0, like.at(target).size(3));
    GLINT_CHECK(x.sizes() == like[target].sizes());
    out[target--] = x.to(torch::kFloat);
  }
  return out;
}

torch::Tensor reverse_distillation_loss(const std::vector<torch::Tensor>& teacher,
                                        const std::vector<torch::Tensor>& decoded) {
  GLINT_CHECK(teacher.size() == decoded.size());
  torch::Tensor loss;
  for (std::size_t l = 0; l < teacher.size(); ++l) {
    const torch::Tensor cosine =
        at::cosine_similarity(teacher[l].flatten(1), decoded[l].flatten(1), 1, kReverseCosineEps);
    const torch::Tensor term = (1 - cosine).mean();
    loss = l == 0 ? term : loss + term;
  }
  return loss;
}

torch::Tensor cosine_distance(const torch::Tensor& teacher, const torch::Tensor& decoded) {
  return 1 - at::cosine_similarity(teacher, decoded, 1, kReverseCosineEps);
}

torch::Tensor distance_sum(const std::vector<torch::Tensor>& teacher,
                           const std::vector<torch::Tensor>& decoded, std::int64_t height,
                           std::int64_t width) {
  GLINT_CHECK(teacher.size() == decoded.size());
  torch::Tensor sum;
  for (std::size_t l = 0; l < teacher.size(); ++l) {
    const torch::Tensor map = at::upsample_bilinear2d(cosine_distance(teacher[l], decoded[l]).unsqueeze(1),
                                                      {height, width}, /*align_corners=*/true);
    sum = l == 0 ? map : sum + map;
  }
  return sum.squeeze(1);
}

}  // namespace glint
