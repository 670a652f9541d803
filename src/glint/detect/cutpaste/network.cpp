#include "glint/detect/cutpaste/network.h"

#include <ATen/ATen.h>

#include "glint/nn/backbone_spec.h"

namespace glint {
namespace {

constexpr const char* kCutPasteResNet = "resnet18.";
constexpr const char* kCutPasteHead = "head.";
constexpr std::int64_t kHiddenWidth = 512, kLastWidth = 128;

ResNetShape cutpaste_resnet(const CutPasteShape& shape) {
  return resnet_shape(backbone_spec("resnet18"), shape.layers);
}

NetLayout cutpaste_resnet_layout(const CutPasteShape& shape) {
  NetLayout layout;
  return add_resnet(layout, cutpaste_resnet(shape));
}

CutPasteHead cutpaste_head(const CutPasteShape& shape) {
  CutPasteHead head{shape.vector(), {}};
  head.widths.assign(static_cast<std::size_t>(shape.hidden_layers), kHiddenWidth);
  head.widths.push_back(kLastWidth);
  return head;
}

}  // namespace

std::int64_t CutPasteShape::vector() const {
  return cutpaste_resnet(*this).channels(layers);
}

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
  return layout.linear(fmt::format("{}{}", prefix, at), kCutPasteClasses, in);
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

CutPasteNetwork CutPasteNetwork::initial(const CutPasteShape& shape, std::uint64_t seed) {
  return {
      shape,
      TrainableNet::initial(cutpaste_resnet_layout(shape), InitialWeights::kKaiming, seed, "cutpaste.resnet"),
      TrainableNet::initial(cutpaste_head_layout(cutpaste_head(shape)), InitialWeights::kTorch, seed,
                            "cutpaste.head")};
}

CutPasteNetwork CutPasteNetwork::from_dict(const TensorDict& tensors, const CutPasteShape& shape,
                                           const std::string& file) {
  return {shape, TrainableNet::from_dict(cutpaste_resnet_layout(shape), tensors, file, kCutPasteResNet),
          TrainableNet::from_dict(cutpaste_head_layout(cutpaste_head(shape)), tensors, file, kCutPasteHead)};
}

std::int64_t CutPasteNetwork::bytes(const CutPasteShape& shape) {
  return cutpaste_resnet_layout(shape).bytes() + cutpaste_head_layout(cutpaste_head(shape)).bytes();
}

TensorDict CutPasteNetwork::to_dict() const {
  TensorDict out = resnet_.to_dict(kCutPasteResNet);
  out.merge(head_net_.to_dict(kCutPasteHead));
  return out;
}

torch::Tensor CutPasteNetwork::maps(const torch::Tensor& pictures, bool training) const {
  return resnet_maps(resnet_, cutpaste_resnet(shape_), pictures, training).back().to(torch::kFloat);
}

torch::Tensor CutPasteNetwork::logits(const torch::Tensor& vectors, bool training) const {
  return run_cutpaste_head(head_net_, cutpaste_head(shape_), vectors, training);
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
