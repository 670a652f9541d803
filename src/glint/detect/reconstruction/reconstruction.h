// What methods that reconstruct have in common: they read no backbone, train a network of their own to give
// back good parts, and judge by what it cannot give back. A method of this kind is its network with a step of
// training and a score (Reconstructor), and its options; loop, windows, record, resume and load are here.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "glint/detect/detector.h"
#include "glint/detect/reconstruction/windows.h"
#include "glint/detect/training_loop.h"

namespace glint {

/// Pixels as a network sees them.
struct PixelForm {
  bool grey = false;         ///< one channel (luminance of ITU-R BT.601), else RGB
  bool around_zero = false;  ///< [-1, 1], else [0, 1]
};

/// Mean over the channels of |x - y|, of (x - y)^2: [B, C, H, W] -> [B, H, W].
torch::Tensor absolute_error(const torch::Tensor& x, const torch::Tensor& y);
torch::Tensor squared_error(const torch::Tensor& x, const torch::Tensor& y);

/// Names of networks that only training needs; they are left out of a model.
inline constexpr const char* kTrainingPrefix = "training.";

/// A network in training or in use. Pixels as the method's PixelForm says.
class Reconstructor {
 public:
  virtual ~Reconstructor() = default;

  /// Makes the optimisers; once, before the first step. A network in use needs none.
  virtual void begin_training() = 0;
  /// One step on windows [B, C, s, s] of good parts. `seed`: of all that is random in this step.
  virtual Readings step(const torch::Tensor& windows, const LoopStep& at, std::uint64_t seed) = 0;
  /// In evaluation mode: what it says of a window does not depend on the others.
  virtual Reconstruction reconstruct(const torch::Tensor& windows) const = 0;
  /// Where the reconstruction misses, [B, H, W]: the anomaly map.
  virtual torch::Tensor error(const torch::Tensor& pictures, const torch::Tensor& reconstruction) const = 0;
  /// False where a reconstruction means nothing yet, or costs too much to look at held-out parts each time.
  virtual bool can_track() const { return true; }

  /// What reconstruct() needs, by the published names.
  virtual TensorDict weights() const = 0;
  /// Adds and reads what only training needs: optimisers under kOptimizerPrefix, networks under
  /// kTrainingPrefix.
  virtual void save_training(TensorDict& state) const = 0;
  virtual void load_training(const TensorDict& state, const std::string& file) = 0;
  virtual void use_bfloat16(bool on) = 0;
};

/// Options that every method of this kind has, under its own name.
struct ReconstructionOptions {
  int window = 128;  ///< side of the network's picture, pixels; 0 = the whole input
  int stride = 32;   ///< from one window of a larger input to the next
  int batch = 16, meta_epochs = 40, passes = 1;

  /// <method>.window, <method>.stride (unless window = 0), .batch, .meta_epochs, .passes.
  void describe(OptionTable& table, const std::string& method);
};

class ReconstructionMethod : public Method {
 public:
  MethodNeeds needs() const override { return {.features = FeatureKind::kNone}; }
  /// An input must hold a window.
  void validate(const BackboneSpec& backbone, const InputOptions& input) const override;
  FitResult fit(const FeatureExtractor& features, const FitInput& input) const override;
  TensorDict weights_of(const TensorDict& state) const override;
  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override;

 protected:
  virtual const ReconstructionOptions& shared() const = 0;
  virtual PixelForm pixels() const = 0;
  /// For training from the start, and from what weights() gave. Error(kBadInput) names `file`.
  virtual std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const = 0;
  virtual std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                                   const std::string& file) const = 0;
  /// Meta-epochs (from 1) before this one leave no detector yet.
  virtual int first_usable_epoch() const { return 1; }
  /// One sentence: the published length, after "published: ".
  virtual std::string published_length() const = 0;
  /// Adds readings and curves beyond the loss and the error of held-out parts.
  virtual void describe_record(TrainingRecord& record) const = 0;
};

}  // namespace glint
