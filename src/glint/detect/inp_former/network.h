// Network of INP-Former: prototypes of one image by cross attention, bottleneck, prototype-guided decoder;
// losses and distances. The frozen encoder is elsewhere (tokens.h), the training loop in inp_former.cpp.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "glint/nn/tensor_dict.h"

namespace glint {

struct InpFormerShape {
  /// Channels of the encoder's groups. A transformer's groups share their width and are averaged to the
  /// network's input; a convolutional backbone's are joined.
  std::vector<int> group_widths;
  bool joined = false;
  int heads = 0;
  int prototypes = 6, decoder_blocks = 8;

  int dimension() const;  ///< D, of the network's tokens
};

class InpFormerNet {
 public:
  /// The published initialisation, seeded.
  static InpFormerNet initial(const InpFormerShape& shape, std::uint64_t seed);
  /// Error(kBadInput) names the missing or odd tensor and `file`.
  static InpFormerNet from_dict(const InpFormerShape& shape, const TensorDict& tensors,
                                const std::string& file);
  static std::int64_t parameter_bytes(const InpFormerShape& shape);
  /// Published names; [out, in] weights, float32.
  TensorDict to_dict() const;

  struct Output {
    torch::Tensor coherence_loss;        ///< scalar
    std::vector<torch::Tensor> decoded;  ///< per group [B, N, width]
  };
  /// groups: per group [B, N, width] float32, without gradient.
  Output forward(const std::vector<torch::Tensor>& groups) const;

  const InpFormerShape& shape() const { return shape_; }
  std::map<std::string, torch::Tensor>& parameters() { return parameters_; }
  void require_gradients(bool on);
  void to(const torch::Device& device);
  /// Products of linear layers in bfloat16 with float32 sums.
  void use_bfloat16(bool on) { bfloat16_ = on; }

 private:
  const torch::Tensor& at(const std::string& name) const { return parameters_.at(name); }
  torch::Tensor linear(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor norm(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor mlp(const torch::Tensor& x, const std::string& name) const;
  torch::Tensor prototypes(const torch::Tensor& tokens) const;
  torch::Tensor decoder_block(const torch::Tensor& x, const torch::Tensor& prototypes, int index) const;

  InpFormerShape shape_;
  std::map<std::string, torch::Tensor> parameters_;
  bool bfloat16_ = false;
};

/// Mean over groups of 1 - cosine of the whole flattened maps. Gradients to `decoded` are scaled per position
/// by (distance / mean distance)^exponent; the value is not.
torch::Tensor reconstruction_loss(const std::vector<torch::Tensor>& groups,
                                  const std::vector<torch::Tensor>& decoded, double mining_exponent);

/// 1 - cosine over channels per position, averaged over groups: [B, N].
torch::Tensor token_distances(const std::vector<torch::Tensor>& groups,
                              const std::vector<torch::Tensor>& decoded);

}  // namespace glint
