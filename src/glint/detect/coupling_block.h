// The affine coupling block of normalizing flows (FrEIA's AllInOneBlock), and a row of such blocks: what
// FastFlow and CFLOW-AD are built of. Tensors live in the method's TrainableNet; libtorch's autograd gives
// the gradients.
#pragma once

#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/base/random.h"
#include "glint/detect/trainable_net.h"

namespace glint {

/// How the log-scale is bounded. plain: clamp * tanh(a), of FrEIA until August 2023, with which both methods
/// were published. divided: clamp * tanh(a / clamp), of FrEIA since.
enum class ClampForm { kPlain, kDivided };
template <>
struct EnumNames<ClampForm> {
  static constexpr std::pair<ClampForm, std::string_view> table[] = {{ClampForm::kPlain, "plain"},
                                                                     {ClampForm::kDivided, "divided"}};
};

/// What mixes a block's channels: a drawn order ("hard"), or a drawn rotation ("soft").
enum class ChannelMixing { kPermutation, kRotation };

struct CouplingShape {
  int channels = 0;   ///< C; the first C - C/2 are kept and decide what happens to the rest
  int condition = 0;  ///< channels that also decide, and stay outside the flow
  int kernel = 0;     ///< of the subnet's two convolutions over maps, odd; 0: linear maps of vectors
  int hidden = 0;     ///< channels between the two
  ChannelMixing mixing = ChannelMixing::kPermutation;
  double clamp = 2;  ///< bound of the log-scale
  ClampForm form = ClampForm::kPlain;
};

struct FlowOutput {
  torch::Tensor z;        ///< as the input, float32
  torch::Tensor log_det;  ///< [B] ln |det dz/dx|, float32
};

/// <name>.conv1 and .conv2 (linear maps: .fc1 and .fc2), .gamma and .offset [C], .permutation [C] (channel
/// indices) or .rotation [C, C].
void add_coupling_block(NetLayout& layout, const std::string& name, const CouplingShape& shape);

/// The channels' scale 1, their mixing drawn; the rest as TrainableNet::initial left it.
void start_coupling_block(TrainableNet& net, const std::string& name, const CouplingShape& shape, Rng& rng);

/// Error(kBadInput) naming `file` and the tensor when a mixing is no permutation or no rotation.
void check_coupling_block(const TrainableNet& net, const std::string& name, const CouplingShape& shape,
                          const std::string& file);

/// x: [B, C, H, W] with kernels, [B, C] without; condition: the same with its channels, where there is one.
///   a = 0.1 * subnet([x1, condition]), s = bounded first half of a, t = the rest;
///   z = mixed(g * [x1, x2 * e^s + t] + offset), g = 0.2 * ln(1 + e^(gamma / 2)).
FlowOutput couple(const TrainableNet& net, const std::string& name, const CouplingShape& shape,
                  const torch::Tensor& x, const torch::Tensor& condition = {});

/// Coupling blocks in a row, <name>.block0 and so on.
class CouplingFlow {
 public:
  CouplingFlow(std::string name, std::vector<CouplingShape> blocks)
      : name_(std::move(name)), blocks_(std::move(blocks)) {}

  const std::string& name() const { return name_; }
  void add_to(NetLayout& layout) const;
  void start(TrainableNet& net, Rng& rng) const;
  void check(const TrainableNet& net, const std::string& file) const;
  FlowOutput run(const TrainableNet& net, const torch::Tensor& x, const torch::Tensor& condition = {}) const;

 private:
  std::string block(std::size_t i) const;

  std::string name_;
  std::vector<CouplingShape> blocks_;
};

}  // namespace glint
