// FastFlow's network behind the frozen backbone: per scale a layer norm over the whole map and a flow of
// coupling blocks. Training: fastflow.cpp.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/coupling_block.h"
#include "glint/detect/fastflow/options.h"
#include "glint/detect/patch_features.h"
#include "glint/detect/trainable_net.h"

namespace glint {

class FastFlowNetwork {
 public:
  using Shapes = std::vector<LayerGrid>;  ///< per scale

  /// Norms 1 and 0, subnets as torch begins, orders of channels drawn.
  static FastFlowNetwork initial(const Shapes& scales, const FastFlowOptions& options, std::uint64_t seed);
  /// The maps' sizes are those of the norms' tensors; channels[i] are what scale i must have.
  /// Error(kBadInput) naming `file` and the tensor.
  static FastFlowNetwork from_dict(const TensorDict& tensors, const std::vector<int>& channels,
                                   const FastFlowOptions& options, const std::string& file);
  static std::int64_t bytes(const Shapes& scales, const FastFlowOptions& options);
  /// norm<i>.weight, .bias [C, H, W]; flow<i>.block<b>.* (coupling_block.h); float32.
  TensorDict to_dict() const { return net_.to_dict(); }

  /// maps [B, C, H, W] float32, one per scale, of the network's sizes (Error(kBadInput) otherwise).
  std::vector<FlowOutput> run(const std::vector<torch::Tensor>& maps) const;

  const Shapes& scales() const { return scales_; }
  std::vector<torch::Tensor> parameters() const { return net_.parameters(); }
  const torch::Tensor& at(const std::string& name) const { return net_.at(name); }
  void require_gradients(bool on) { net_.require_gradients(on); }
  /// Convolutions of the subnets round their operands; the flow itself stays float32.
  void use_bfloat16(bool on) { net_.use_bfloat16(on); }

 private:
  FastFlowNetwork(Shapes scales, const FastFlowOptions& options);
  NetLayout layout() const;

  Shapes scales_;
  std::vector<CouplingFlow> flows_;
  TrainableNet net_;
};

/// Negative log-likelihood without its constant, in nats: per scale the mean over images of
/// sum z^2 / 2 - log_det, summed over scales.
torch::Tensor fastflow_loss(const std::vector<FlowOutput>& scales);

/// [B, height, width], -1 (likely) to 0: mean over scales of -exp(-mean over channels of z^2 / 2), each
/// bilinear without corner alignment. The log-determinant plays no part (published).
torch::Tensor fastflow_map(const std::vector<FlowOutput>& scales, std::int64_t height, std::int64_t width);

}  // namespace glint
