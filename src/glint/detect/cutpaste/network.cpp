#include "glint/detect/cutpaste/network.h"

#include <ATen/ATen.h>

#include "glint/nn/backbone_spec.h"

namespace glint {
namespace {

constexpr const char* kResNet = "resnet18.";
constexpr const char* kHead = "head.";
constexpr std::int64_t kClasses = 3, kHiddenWidth = 512, kLastWidth = 128;

ResNetShape cutpaste_shape() {
  return resnet_shape(backbone_spec("resnet18"), 4);
}

NetLayout cutpaste_resnet() {
  NetLayout layout;
  return add_resnet(layout, cutpaste_shape());
}

CutPasteHead cutpaste_head(int hidden_layers) {
  CutPasteHead head{kCutPasteVector, {}};
  head.widths.assign(static_cast<std::size_t>(hidden_layers), kHiddenWidth);
  head.widths.push_back(kLastWidth);
  return head;
}

}  // namespace

NetLayout cutpaste_head_layout(const CutPasteHead& head, const std::string& prefix) {
  NetLayout layout;
  std::int64_t in = head.inputs;
  int at = 0;
  for (const std::int64_t width : head.widths) {
    layout.linear(fmt::format("{}{}", prefix, at), width, in)
        .batch_norm(fmt::format("{}{}", prefix, at + 1), width);
    in = width;
    at += 3;
  }
  return layout.linear(fmt::format("{}{}", prefix, at), kClasses, in);
}

torch::Tensor run_cutpaste_head(const TrainableNet& net, const CutPasteHead& head, torch::Tensor vectors,
                                bool training, const std::string& prefix) {
  int at = 0;
  for (std::size_t i = 0; i < head.widths.size(); ++i, at += 3) {
    vectors = at::relu(net.batch_norm(net.linear(vectors, fmt::format("{}{}", prefix, at)),
                                      fmt::format("{}{}", prefix, at + 1), training));
  }
  return net.linear(vectors, fmt::format("{}{}", prefix, at));
}

CutPasteNetwork CutPasteNetwork::initial(int hidden_layers, std::uint64_t seed) {
  const CutPasteHead head = cutpaste_head(hidden_layers);
  return {head, TrainableNet::initial(cutpaste_resnet(), InitialWeights::kKaiming, seed, "cutpaste.resnet"),
          TrainableNet::initial(cutpaste_head_layout(head), InitialWeights::kTorch, seed, "cutpaste.head")};
}

CutPasteNetwork CutPasteNetwork::from_dict(const TensorDict& tensors, int hidden_layers,
                                           const std::string& file) {
  const CutPasteHead head = cutpaste_head(hidden_layers);
  return {head, TrainableNet::from_dict(cutpaste_resnet(), tensors, file, kResNet),
          TrainableNet::from_dict(cutpaste_head_layout(head), tensors, file, kHead)};
}

std::int64_t CutPasteNetwork::bytes(int hidden_layers) {
  return cutpaste_resnet().bytes() + cutpaste_head_layout(cutpaste_head(hidden_layers)).bytes();
}

TensorDict CutPasteNetwork::to_dict() const {
  TensorDict out = resnet_.to_dict(kResNet);
  out.merge(head_net_.to_dict(kHead));
  return out;
}

torch::Tensor CutPasteNetwork::maps(const torch::Tensor& pictures, bool training) const {
  return resnet_maps(resnet_, cutpaste_shape(), pictures, training).back().to(torch::kFloat);
}

torch::Tensor CutPasteNetwork::logits(const torch::Tensor& vectors, bool training) const {
  return run_cutpaste_head(head_net_, head_, vectors, training);
}

std::vector<torch::Tensor> CutPasteNetwork::parameters() const {
  std::vector<torch::Tensor> out = resnet_.parameters();
  for (const torch::Tensor& p : head_net_.parameters()) out.push_back(p);
  return out;
}

void CutPasteNetwork::require_gradients(bool on) {
  resnet_.require_gradients(on);
  head_net_.require_gradients(on);
}

void CutPasteNetwork::use_bfloat16(bool on) {
  // The head is small, and its logits want more than eight bits.
  resnet_.use_bfloat16(on);
}

}  // namespace glint
