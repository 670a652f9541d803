#include "glint/detect/efficientad/teacher.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/detect/efficientad/pictures.h"
#include "glint/detect/efficientad/step_loop.h"
#include "glint/detect/patch_features.h"
#include "glint/image/resample.h"
#include "glint/nn/distill.h"
#include "glint/nn/learning_rate.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr double kGreyShare = 0.1;  // published
constexpr const char* kTargetPrefix = "targets.";
constexpr const char* kTeacherOptimizer = "adam.teacher.";
constexpr const char* kUnexplained = "unexplained";

torch::Tensor over_channels(const torch::Tensor& values) {
  return values.reshape({1, -1, 1, 1});
}

torch::Tensor channel_values(int channels, const TensorDict& tensors, const std::string& name,
                             const std::string& file) {
  const HostTensor& t = require_tensor(tensors, name, {channels}, file);
  if (t.dtype != DType::kF32 || !all_finite(t))
    fail(ErrorCode::kBadInput, "{}: tensor '{}' must be finite F32; train it again", file, name);
  return to_tensor(t);
}

torch::Tensor network_input(const std::vector<RgbImage>& pictures) {
  return images_to_tensor(pictures, kImageNetMean, kImageNetStd);
}

/// Mean and deviation of the targets over pictures that train nothing: published, over 10,000.
ChannelScale target_scale(const FeatureExtractor& backbone, const FitInput& input, std::int64_t steps) {
  constexpr int kBatches = 4, kPictures = 8;
  ChannelSums sums;
  for (int i = 0; i < kBatches; ++i) {
    throw_if_cancelled();
    sums.add(teacher_targets(backbone, distillation_pictures(input, kPictures, steps + i)));
  }
  return sums.scale();
}

}  // namespace

torch::Tensor ChannelScale::normalised(const torch::Tensor& maps) const {
  return (maps - over_channels(mean)) / over_channels(std);
}

void ChannelScale::save(TensorDict& tensors, const std::string& prefix) const {
  tensors[prefix + "mean"] = to_host(mean);
  tensors[prefix + "std"] = to_host(std);
}

ChannelScale ChannelScale::from_dict(int channels, const TensorDict& tensors, const std::string& file,
                                     const std::string& prefix) {
  ChannelScale scale{channel_values(channels, tensors, prefix + "mean", file),
                     channel_values(channels, tensors, prefix + "std", file)};
  if (!(scale.std.min().item<float>() > 0)) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}std' must be positive; train it again", file, prefix);
  }
  return scale;
}

void ChannelSums::add(const torch::Tensor& maps) {
  const torch::Tensor wide = maps.to(torch::kDouble);
  const torch::Tensor sum = wide.sum({0, 2, 3}), squares = wide.square().sum({0, 2, 3});
  sum_ = sum_.defined() ? sum_ + sum : sum;
  squares_ = squares_.defined() ? squares_ + squares : squares;
  count_ += static_cast<double>(maps.numel() / maps.size(1));
}

ChannelScale ChannelSums::scale() const {
  GLINT_CHECK(count_ > 0);
  const torch::Tensor mean = sum_ / count_, variance = squares_ / count_ - mean.square();
  const torch::Tensor std = variance.clamp_min(0).sqrt().to(torch::kFloat);
  return {mean.to(torch::kFloat), at::where(std > 1e-6, std, torch::ones_like(std))};
}

torch::Tensor teacher_targets(const FeatureExtractor& backbone, const std::vector<RgbImage>& pictures) {
  std::vector<RgbImage> doubled(pictures.size());
  parallel_for(static_cast<std::int64_t>(pictures.size()), [&](std::int64_t i) {
    const RgbImage& picture = pictures[static_cast<std::size_t>(i)];
    doubled[static_cast<std::size_t>(i)] = resize_antialiased(picture, 2 * picture.width, 2 * picture.height);
  });
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> maps = map_tensors(backbone, doubled, kDescribedLayers);
  for (torch::Tensor& map : maps) map = average_neighbourhoods(map);
  const torch::Tensor joined = join_maps(maps, Alignment::kBilinear);
  if (joined.size(1) == kTeacherChannels) return joined;
  const torch::Tensor rows = positions_of(joined);  // [B, cells, C]
  return at::adaptive_avg_pool1d(rows, {kTeacherChannels})
      .reshape({joined.size(0), joined.size(2), joined.size(3), kTeacherChannels})
      .permute({0, 3, 1, 2});
}

std::vector<RgbImage> distillation_pictures(const FitInput& input, int count, std::int64_t step) {
  GLINT_CHECK(input.textures.count > 0);
  std::vector<RgbImage> out(static_cast<std::size_t>(count));
  parallel_for(count, [&](std::int64_t slot) {
    Rng rng(input.seed, "efficientad.distillation", step, slot);
    RgbImage picture =
        (slot + step / 2) % 2 == 0
            ? input.image(static_cast<int>(rng.below(static_cast<std::uint64_t>(input.images))),
                          static_cast<int>(rng.below(static_cast<std::uint64_t>(input.draws))))
            : input.textures.picture(
                  static_cast<int>(rng.below(static_cast<std::uint64_t>(input.textures.count))));
    if (step % 2 == 1) picture = distillation_crop(picture, std::min(picture.width, picture.height), rng);
    out[static_cast<std::size_t>(slot)] = rng.uniform() < kGreyShare ? greyed(picture) : picture;
  });
  return out;
}

FitResult distill_teacher(const FeatureExtractor& backbone, const FitInput& input,
                          const EfficientAdOptions& options) {
  const DescriptionShape shape{options.size, kTeacherChannels, options.width};
  const std::int64_t total = static_cast<std::int64_t>(options.distill_epochs) * options.distill_steps;
  constexpr const char* kFile = "resume file";
  DescriptionNetwork net = input.resume
                               ? DescriptionNetwork::from_dict(shape, input.resume->tensors, kFile)
                               : DescriptionNetwork::initial(shape, input.seed, "efficientad.teacher");
  const ChannelScale targets =
      input.resume ? ChannelScale::from_dict(kTeacherChannels, input.resume->tensors, kFile, kTargetPrefix)
                   : target_scale(backbone, input, total);
  net.require_gradients(true);
  net.use_bfloat16(trains_in_bfloat16(input));
  AdamState adam = AdamState::of(net.parameters());
  if (input.resume) adam.load(input.resume->tensors, kTeacherOptimizer, kFile);

  const auto residual = [&](const std::vector<RgbImage>& pictures) {
    const torch::Tensor wanted = targets.normalised(teacher_targets(backbone, pictures));
    const torch::Tensor got = net.describe(network_input(pictures), /*padded=*/true);
    // The grids differ only where the input's side is no multiple of 4.
    return (got - at::upsample_bilinear2d(wanted, {got.size(2), got.size(3)}, false)).square().mean();
  };
  LoopCallbacks loop;
  loop.train = [&](const LoopStep& at) -> Readings {
    const torch::Tensor loss = residual(distillation_pictures(input, options.distill_batch, at.global));
    loss.backward();
    const double rate = options.distill_learning_rate *
                        warm_cosine(at.global, total, 0, 1, options.distill_final_learning_rate);
    adam_step(adam, {rate, options.weight_decay}, net.parameters(), take_gradients(net.parameters()));
    return {{kLoss, loss.item<double>()}};
  };
  loop.track = [&](int) -> Readings {
    const torch::NoGradGuard no_grad;
    std::vector<RgbImage> pictures = tracker_images(input);
    if (pictures.empty()) pictures = {input.image(0, 0)};
    return {{kUnexplained, residual(pictures).item<double>()}};
  };
  loop.state = [&] {
    TensorDict state = net.to_dict();
    targets.save(state, kTargetPrefix);
    adam.save(state, kTeacherOptimizer);
    return state;
  };
  FitResult result;
  result.record.series = step_loop(input, options.distill_epochs, options.distill_steps, loop);
  result.weights = net.to_dict();
  result.record.readings = {{kLoss, "loss of the teacher's training"},
                            {kUnexplained, "share of the backbone that the teacher misses"}};
  result.record.curves = {
      {"Teacher: share of the backbone's variance that it does not explain, on what it "
       "trains on and on good parts",
       {kLoss, kUnexplained}}};
  result.record.figures[kUnexplained] = result.record.series.back().value(kUnexplained);
  return result;
}

}  // namespace glint
