// CFLOW-AD's network behind the frozen backbone: per layer a flow over the vectors of its map, conditioned on
// where in the map a vector lies. Training: cflow.cpp.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "glint/detect/cflow/options.h"
#include "glint/detect/coupling_block.h"
#include "glint/detect/trainable_net.h"

namespace glint {

/// [channels, height, width] float32: with D = channels / 2 and w_i = 10000^(-2i / D), channels 2i and 2i + 1
/// are the sine and cosine of x w_i, channels D + 2i and D + 2i + 1 those of y w_i; x and y count cells.
/// channels: a multiple of 4.
torch::Tensor position_code(int channels, std::int64_t height, std::int64_t width);

/// [N] float32: log-likelihood of a flow's result under a standard normal, z [N, C].
torch::Tensor log_likelihood(const FlowOutput& out);

class CflowNetwork {
 public:
  /// One flow per layer, of channels[i]; subnets as torch begins, rotations drawn.
  static CflowNetwork initial(const std::vector<int>& channels, const CflowOptions& options,
                              std::uint64_t seed);
  /// Error(kBadInput) naming `file` and the tensor.
  static CflowNetwork from_dict(const TensorDict& tensors, const std::vector<int>& channels,
                                const CflowOptions& options, const std::string& file);
  static std::int64_t bytes(const std::vector<int>& channels, const CflowOptions& options);
  /// flow<i>.block<b>.* (coupling_block.h), float32.
  TensorDict to_dict() const { return net_.to_dict(); }

  std::size_t layers() const { return flows_.size(); }
  /// x [N, C], condition [N, D] -> z and log-determinants.
  FlowOutput run(std::size_t layer, const torch::Tensor& x, const torch::Tensor& condition) const {
    return flows_[layer].run(net_, x, condition);
  }
  /// [B, h, w]: log-likelihood over C of every vector of maps [B, C, h, w], one result per layer.
  std::vector<torch::Tensor> likelihoods(const std::vector<torch::Tensor>& maps) const;

  std::vector<torch::Tensor> parameters(std::size_t layer) const {
    return net_.parameters(flows_[layer].name() + ".");
  }
  const torch::Tensor& at(const std::string& name) const { return net_.at(name); }
  void require_gradients(bool on) { net_.require_gradients(on); }
  /// The subnets' products round their operands; the flow itself stays float32.
  void use_bfloat16(bool on) { net_.use_bfloat16(on); }

 private:
  CflowNetwork(const std::vector<int>& channels, const CflowOptions& options);
  NetLayout layout() const;

  int condition_ = 0;
  std::vector<CouplingFlow> flows_;
  TrainableNet net_;
};

/// Mean of -ln sigmoid(log-likelihood / C), values [N] = log-likelihood / C.
torch::Tensor cflow_loss(const torch::Tensor& values);

/// [B, height, width], 0 (likely) to the number of layers: that number less the sum over layers of
/// exp(min(0, value - peak)), each bilinear from corner to corner. values: of likelihoods(); peaks[i]: the
/// largest value of good parts.
torch::Tensor cflow_map(const std::vector<torch::Tensor>& values, const std::vector<float>& peaks,
                        std::int64_t height, std::int64_t width);

/// Step size at `share` (0 to 1) of meta-epoch `meta_epoch` of `meta_epochs`: over the first two linear from
/// a tenth of `base` to the cosine's value, then stairs of a cosine from `base` to a thousandth of it.
double cflow_learning_rate(double base, int meta_epoch, int meta_epochs, double share);

}  // namespace glint
