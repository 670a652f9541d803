// StableAdamW with amsgrad (Wortsman et al. 2023, as the published INP-Former uses it) and its schedule.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "glint/detect/detector.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

class StableAdamW {
 public:
  static constexpr const char* kPrefix = kOptimizerPrefix;  ///< of what save() adds
  explicit StableAdamW(double weight_decay) : weight_decay_(weight_decay) {}

  /// Scales all gradients to a joint norm of at most `clip_norm` (0 = no limit); returns the norm before.
  static double clip(std::map<std::string, torch::Tensor>& parameters, double clip_norm);

  /// One update from the parameters' gradients; each tensor's update is divided by max(1, RMS of g / sqrt v).
  void step(std::map<std::string, torch::Tensor>& parameters, double learning_rate);

  void save(TensorDict& tensors) const;
  void load(const TensorDict& tensors, const std::string& file);

 private:
  struct State {
    torch::Tensor mean, square, largest_square;
  };
  double weight_decay_;
  std::int64_t steps_ = 0;
  std::map<std::string, State> states_;
};

}  // namespace glint
