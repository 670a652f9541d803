// Autoencoder with structural similarity or squared error as its loss (Bergmann et al. 2018): a narrow code
// from which a defect cannot be given back.
#pragma once

#include <torch/types.h>

#include <memory>

#include "glint/base/options.h"
#include "glint/detect/conv_chain.h"
#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/reconstruction.h"

namespace glint {

enum class ReconstructionLoss { kSsim, kL2 };
template <>
struct EnumNames<ReconstructionLoss> {
  static constexpr std::pair<ReconstructionLoss, std::string_view> table[] = {
      {ReconstructionLoss::kSsim, "ssim"}, {ReconstructionLoss::kL2, "l2"}};
};

/// Where the loss says that a reconstruction misses, [B, H, W]: mean over the channels of 1 - SSIM, mirrored
/// border, or of the squared error.
torch::Tensor error_map(const torch::Tensor& pictures, const torch::Tensor& reconstruction,
                        ReconstructionLoss loss);

struct AutoencoderOptions {
  ReconstructionLoss loss = ReconstructionLoss::kSsim;
  int latent = 100;  ///< 500 was published for pictures of 256 pixels
  double learning_rate = 2e-4, weight_decay = 1e-5;
  ReconstructionOptions shared{.window = 128, .stride = 32, .batch = 128, .meta_epochs = 40, .passes = 157};

  void describe(OptionTable& table);
};

/// The network, without its training.
class AutoencoderNetwork {
 public:
  static AutoencoderNetwork initial(int window, int latent, std::uint64_t seed);
  /// Published names. Error(kBadInput) as TrainableNet::from_dict.
  static AutoencoderNetwork from_dict(const TensorDict& tensors, int window, int latent,
                                      const std::string& file);
  static std::int64_t bytes(int window, int latent);

  /// Pictures [B, 3, window, window] in [0, 1].
  torch::Tensor encode(const torch::Tensor& x) const;  ///< [B, latent, 1, 1]
  torch::Tensor decode(const torch::Tensor& code) const;
  TrainableNet& net() { return net_; }
  const TrainableNet& net() const { return net_; }

 private:
  AutoencoderNetwork(int window, int latent);
  NetLayout layout() const;

  ConvChain encoder_, decoder_;
  TrainableNet net_;
};

std::unique_ptr<Method> make_autoencoder();

}  // namespace glint
