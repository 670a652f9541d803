// The tensors of a network that is trained here, and its layers: what the methods' own networks are made of.
// A method names its tensors in a NetLayout, as the published code does, and writes the forward pass with
// conv(), norm() and the like. libtorch's autograd gives the gradients.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "glint/nn/adam.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// What a tensor of a network is; decides its first value and whether training moves it.
/// kFixed: drawn once by whoever makes the network, zeros until then; never trained.
enum class TensorKind { kWeight, kTransposedWeight, kBias, kNormScale, kNormShift, kMean, kVariance, kFixed };

/// Names, shapes and kinds, in the order of the published state.
class NetLayout {
 public:
  struct Entry {
    std::string name;
    std::vector<std::int64_t> shape;
    TensorKind kind;
    std::int64_t inputs = 1, outputs = 1;  ///< of one unit, windows counted: what first values are scaled by
  };

  /// <name>.weight [out, in, kernel, kernel] and <name>.bias [out].
  NetLayout& conv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel, bool bias);
  /// <name>.weight [in, out, kernel, kernel] and <name>.bias [out].
  NetLayout& conv_transpose(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel,
                            bool bias);
  /// <name>.weight [out, in] and <name>.bias [out].
  NetLayout& linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias = true);
  /// <name>.weight, .bias, .running_mean, .running_var, each [channels].
  NetLayout& batch_norm(const std::string& name, std::int64_t channels);
  /// A tensor that no builder above makes.
  NetLayout& add(Entry entry);

  const std::vector<Entry>& entries() const { return entries_; }
  std::int64_t bytes() const;  ///< as float32

 private:
  std::vector<Entry> entries_;
};

/// First values of weights and biases. Norms always begin with scale 1 (kDcgan: normal around 1), shift 0,
/// mean 0, variance 1.
enum class InitialWeights {
  kTorch,         ///< torch's default: uniform within 1 / sqrt(inputs), weights and biases
  kXavierNormal,  ///< weights normal with variance 2 / (inputs + outputs); biases as kTorch
  kKaiming,       ///< weights normal with variance 2 / outputs (torchvision's ResNets), transposed ones as
                  ///< kTorch; biases 0
  kDcgan          ///< weights normal with deviation 0.02, norm scales around 1 with 0.02; biases as kTorch
};

struct ConvGeometry {
  int stride = 1, padding = 0, dilation = 1;
  int output_padding = 0;  ///< of a transposed convolution
};

class TrainableNet {
 public:
  TrainableNet() = default;
  /// Seeded; a tensor's values depend on seed, `stream` and the order of the layout.
  static TrainableNet initial(const NetLayout& layout, InitialWeights rule, std::uint64_t seed,
                              std::string_view stream);
  /// From <prefix><name>. Error(kBadInput) naming `file` and the tensor that is missing, has the wrong shape,
  /// is not finite float32, or is a negative variance.
  static TrainableNet from_dict(const NetLayout& layout, const TensorDict& tensors, const std::string& file,
                                const std::string& prefix = "");
  /// As <prefix><name>, float32.
  TensorDict to_dict(const std::string& prefix = "") const;

  const torch::Tensor& at(const std::string& name) const;
  /// What training moves, in the layout's order, of names that start with `prefix`.
  std::vector<torch::Tensor> parameters(const std::string& prefix = "") const;
  void require_gradients(bool on);
  /// Convolutions (not transposed ones) and linear maps round their operands to bfloat16; sums stay float32.
  void use_bfloat16(bool on) { bfloat16_ = on; }

  // Each reads <name>.weight and, where the layout has it, <name>.bias. Results of conv and linear have the
  // type that the net computes in; transposed convolutions are always computed in float32.
  torch::Tensor conv(const torch::Tensor& x, const std::string& name, ConvGeometry geometry = {}) const;
  torch::Tensor conv_transpose(const torch::Tensor& x, const std::string& name,
                               ConvGeometry geometry = {}) const;
  torch::Tensor linear(const torch::Tensor& x, const std::string& name) const;
  /// Batch norm (momentum 0.1). In training the batch's statistics normalise and the running ones are
  /// updated.
  torch::Tensor batch_norm(const torch::Tensor& x, const std::string& name, bool training,
                           double eps = 1e-5) const;

 private:
  torch::ScalarType type() const { return bfloat16_ ? torch::kBFloat16 : torch::kFloat; }
  torch::Tensor bias(const std::string& name) const;  ///< undefined where there is none

  std::vector<NetLayout::Entry> entries_;
  std::map<std::string, torch::Tensor> tensors_;
  bool bfloat16_ = false;
};

/// The gradients that backward() left in `parameters`, contiguous and taken away from them; zeros where none
/// arrived.
std::vector<torch::Tensor> take_gradients(const std::vector<torch::Tensor>& parameters);

/// Of a loss with respect to some of the parameters that it depends on, contiguous float32; zeros where none
/// arrive. Computes no other gradient and touches none; `keep_graph` where another is taken of the same
/// graph.
std::vector<torch::Tensor> gradients_of(const torch::Tensor& loss,
                                        const std::vector<torch::Tensor>& parameters,
                                        bool keep_graph = false);

}  // namespace glint
