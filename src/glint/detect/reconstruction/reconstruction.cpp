#include "glint/detect/reconstruction/reconstruction.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/patch_features.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kHeldOutError = "held_out_error";

/// [B, C, H, W] float32.
torch::Tensor pixels_of(const std::vector<RgbImage>& images, PixelForm form) {
  torch::Tensor x = images_to_tensor(images, {0, 0, 0}, {1, 1, 1});
  if (form.grey) x = (x * torch::tensor({0.299F, 0.587F, 0.114F}).reshape({1, 3, 1, 1})).sum(1, true);
  return form.around_zero ? x * 2 - 1 : x;
}

class ReconstructionDetector : public Detector {
 public:
  ReconstructionDetector(std::unique_ptr<const Reconstructor> net, ReconstructionOptions options,
                         PixelForm form)
      : net_(std::move(net)), options_(options), form_(form) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const c10::InferenceMode searchable(false);  // a method may search by gradient
    const torch::NoGradGuard no_grad;
    const torch::Tensor x = pixels_of(inputs, form_);
    const Reconstruction out =
        reconstruct_by_windows(x, options_.window, options_.stride,
                               [&](const torch::Tensor& windows) { return net_->reconstruct(windows); });
    const torch::Tensor map = net_->error(x, out.image);
    return maps_of(map, out.score.defined() ? out.score : map.flatten(1).mean(1));
  }

 private:
  std::unique_ptr<const Reconstructor> net_;
  ReconstructionOptions options_;
  PixelForm form_;
};

bool in_bfloat16(const FeatureExtractor& features) {
  return features.precision() == Precision::kBFloat16;
}

}  // namespace

torch::Tensor absolute_error(const torch::Tensor& x, const torch::Tensor& y) {
  return (x - y).abs().mean(1);
}

torch::Tensor squared_error(const torch::Tensor& x, const torch::Tensor& y) {
  return (x - y).square().mean(1);
}

void ReconstructionOptions::describe(OptionTable& table, const std::string& method) {
  if (window > 0) {
    table.add(method + ".window", window,
              "side of the network's picture in pixels; a larger input is covered by windows", {32, 512});
    table.add(method + ".stride", stride, "from one window of a larger input to the next, pixels", {1, 512});
  }
  table.add(method + ".batch", batch, "images per step", {1, 1024});
  table.add(method + ".meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
  table.add(method + ".passes", passes,
            "passes over the training images per meta-epoch; --recipe baseline has the published length",
            {1, 100000});
}

void ReconstructionMethod::validate(const BackboneSpec&, const InputOptions& input) const {
  const ImageSize size = input.input_size();
  if (std::min(size.width, size.height) < shared().window) {
    fail(ErrorCode::kConfig,
         "{}.window = {}: the network's input is only {} x {} pixels; set a larger input.size or a smaller "
         "window",
         name(), shared().window, size.width, size.height);
  }
}

FitResult ReconstructionMethod::fit(const FeatureExtractor& features, const FitInput& given) const {
  const Stopwatch watch;
  const ReconstructionOptions& options = shared();
  const std::string order = std::string(name()) + ".order";
  const std::uint64_t window_key = stream_key(std::string(name()) + ".window"),
                      step_key = stream_key(std::string(name()) + ".step");
  std::unique_ptr<Reconstructor> net =
      given.resume ? from_dict(given.resume->tensors, "resume file") : initial(given.seed);
  net->begin_training();
  if (given.resume) net->load_training(given.resume->tensors, "resume file");
  net->use_bfloat16(in_bfloat16(features));
  torch::Tensor held_out;
  if (const auto images = tracker_images(given); !images.empty()) held_out = pixels_of(images, pixels());

  const FitInput input = with_states(
      given, [&](TrainingState& state) { state.usable = state.meta_epoch >= first_usable_epoch(); });
  LoopCallbacks loop;
  loop.train = [&](const LoopStep& at) -> Readings {
    std::vector<std::uint64_t> seeds;
    for (const int i : at.images) seeds.push_back(derive_seed(input.seed, window_key, at.pass, i));
    return net->step(random_windows(pixels_of(step_images(input, at), pixels()), options.window, seeds), at,
                     derive_seed(input.seed, step_key, at.pass, at.step));
  };
  loop.track = [&](int) -> Readings {
    if (!held_out.defined() || !net->can_track()) return {};
    const torch::NoGradGuard no_grad;
    const Reconstruction out =
        reconstruct_by_windows(held_out, options.window, options.stride,
                               [&](const torch::Tensor& windows) { return net->reconstruct(windows); });
    return {{kHeldOutError, net->error(held_out, out.image).mean().item<double>()}};
  };
  loop.state = [&] {
    TensorDict state = net->weights();
    net->save_training(state);
    return state;
  };
  FitResult result;
  TrainingRecord& record = result.record;
  record.series = training_loop(
      input, {options.meta_epochs, options.passes, options.batch, /*drop_last=*/true, order}, loop);
  result.weights = net->weights();
  record.readings[kLoss] = "loss";
  describe_record(record);
  if (!record.series.empty() && record.series.back().values.count(kHeldOutError) != 0) {
    record.readings[kHeldOutError] = "mean reconstruction error of held-out good parts";
    record.curves.push_back(
        {"Reconstruction error of held-out good parts (diagnostic only)", {kHeldOutError}});
  }
  record.figures = {
      {"length", fmt::format("{} passes over the training images in batches of {}; published: {}",
                             options.meta_epochs * options.passes, options.batch, published_length())},
      {"precision", std::string(in_bfloat16(features) ? "bfloat16" : "float32")}};
  record.times = TrainingTimes{0, watch.seconds()};
  return result;
}

TensorDict ReconstructionMethod::weights_of(const TensorDict& state) const {
  TensorDict out = Method::weights_of(state);
  std::erase_if(out, [](const auto& entry) { return entry.first.starts_with(kTrainingPrefix); });
  return out;
}

std::unique_ptr<Detector> ReconstructionMethod::load(std::shared_ptr<const FeatureExtractor> features,
                                                     const TensorDict& weights,
                                                     const std::string& file) const {
  std::unique_ptr<Reconstructor> net = from_dict(weights, file);
  net->use_bfloat16(in_bfloat16(*features));
  return std::make_unique<ReconstructionDetector>(std::move(net), shared(), pixels());
}

}  // namespace glint
