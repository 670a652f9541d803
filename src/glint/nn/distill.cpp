#include "glint/nn/distill.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/image/resample.h"
#include "glint/nn/safetensors.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr int kStateEvery = 200;  // steps between resume points
constexpr int kMaxSidePx = 420;   // images are kept in memory at this size at most

RgbImage load_reduced(const fs::path& path) {
  const RgbImage image = read_image(path);
  const double scale = std::min(1.0, static_cast<double>(kMaxSidePx) / std::min(image.width, image.height));
  return resize_antialiased(image, std::max(1, static_cast<int>(std::lround(image.width * scale))),
                            std::max(1, static_cast<int>(std::lround(image.height * scale))));
}

RgbImage random_crop(const RgbImage& image, int side, Rng& rng) {
  const int shorter = std::min(image.width, image.height);
  const int window = std::max(1, static_cast<int>(shorter * rng.uniform(0.45, 1.0)));
  RgbImage out = crop(image, static_cast<int>(rng.below(image.width - window + 1)),
                      static_cast<int>(rng.below(image.height - window + 1)), window, window);
  out = resize_antialiased(out, side, side);
  const double turn = 90.0 * static_cast<double>(rng.below(4));
  out = warp_about_centre(out, turn, 0, 0, 1, rng.below(2) == 1);
  const double gain = rng.uniform(0.8, 1.2);
  for (std::uint8_t& v : out.pixels) v = static_cast<std::uint8_t>(std::clamp(v * gain, 0.0, 255.0));
  return out;
}

/// Squared error relative to the variance of each of the teacher's channels over the batch.
torch::Tensor relative_error(const torch::Tensor& student, const torch::Tensor& teacher,
                             const torch::Tensor& variance) {
  return ((student - teacher).square().mean({0, 2, 3}) / variance).mean();
}

torch::Tensor channel_variance(const torch::Tensor& maps) {
  return maps.var(std::vector<std::int64_t>{0, 2, 3}, false) + 1e-4;
}

std::array<double, 2> residuals(const BackboneNet& student, const Backbone& teacher,
                                const std::vector<RgbImage>& images) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = images_to_tensor(images, kImageNetMean, kImageNetStd);
  const FeatureMaps s = student.forward(x), t = teacher.features(x);
  return {relative_error(s.layer2, t.layer2, channel_variance(t.layer2)).item<double>(),
          relative_error(s.layer3, t.layer3, channel_variance(t.layer3)).item<double>()};
}

}  // namespace

DistillResult distill(const Backbone& teacher, const BackboneSpec& student_spec,
                      const std::vector<fs::path>& paths, const DistillOptions& options,
                      ProgressSink& progress) {
  if (paths.size() < 16)
    fail(ErrorCode::kBadInput, "distilling needs at least 16 images, {} were given", paths.size());
  if (options.crop_px < 64 || options.crop_px % 16 != 0) {
    fail(ErrorCode::kConfig, "crop_px = {}: must be a multiple of 16 of at least 64", options.crop_px);
  }
  std::vector<RgbImage> images(paths.size());
  progress.begin("reading images", static_cast<std::int64_t>(paths.size()));
  parallel_for(static_cast<std::int64_t>(paths.size()), [&](std::int64_t i) {
    images[i] = load_reduced(paths[i]);
    progress.advance(i, "");
  });
  progress.end();

  const std::vector<int> order =
      permutation(static_cast<int>(images.size()), Rng(options.seed, "distill.split"));
  const std::size_t held_out = std::max<std::size_t>(8, images.size() / 50);
  std::vector<RgbImage> check;
  for (std::size_t i = 0; i < std::min<std::size_t>(held_out, 32); ++i) {
    Rng rng(options.seed, "distill.check", i);
    check.push_back(random_crop(images[order[i]], options.crop_px, rng));
  }

  BackboneNet student(student_spec, low_rank_student(teacher.weights(), teacher.spec(), student_spec),
                      "student");
  DistillResult result;
  result.report.images = static_cast<std::int64_t>(images.size() - held_out);
  result.report.held_out = static_cast<std::int64_t>(check.size());
  const auto start = residuals(student, teacher, check);
  result.report.start_residual_layer2 = start[0];
  result.report.start_residual_layer3 = start[1];

  std::vector<torch::Tensor> parameters = student.parameters();
  std::vector<torch::Tensor> m, v;
  for (torch::Tensor& p : parameters) {
    p.requires_grad_(true);
    m.push_back(torch::zeros_like(p));
    v.push_back(torch::zeros_like(p));
  }
  int first_step = 0;
  if (!options.state.empty() && fs::exists(options.state)) {
    const SafetensorsFile state = read_safetensors(options.state);
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      for (const auto& [prefix, target] :
           {std::pair("p", &parameters[i]), std::pair("m", &m[i]), std::pair("v", &v[i])}) {
        target->copy_(to_tensor(
            require_tensor(state.tensors, fmt::format("{}.{}", prefix, i), options.state.string())));
      }
    }
    first_step = std::stoi(state.metadata.at("step"));
    progress.message(fmt::format("resuming at step {}", first_step));
  }
  auto save_state = [&](int step) {
    if (options.state.empty()) return;
    SafetensorsFile state;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      state.tensors[fmt::format("p.{}", i)] = to_host(parameters[i]);
      state.tensors[fmt::format("m.{}", i)] = to_host(m[i]);
      state.tensors[fmt::format("v.{}", i)] = to_host(v[i]);
    }
    state.metadata["step"] = std::to_string(step);
    write_safetensors(options.state, state);
  };

  progress.begin("distilling", options.steps);
  for (int step = first_step; step < options.steps; ++step) {
    if (cancel_requested()) {
      save_state(step);
      throw_if_cancelled();
    }
    std::vector<RgbImage> batch(static_cast<std::size_t>(options.batch));
    parallel_for(options.batch, [&](std::int64_t b) {
      Rng rng(options.seed, "distill.batch", step, b);
      const std::size_t pick = held_out + rng.below(images.size() - held_out);
      batch[b] = random_crop(images[order[pick]], options.crop_px, rng);
    });
    const torch::Tensor x = images_to_tensor(batch, kImageNetMean, kImageNetStd);
    const FeatureMaps target = teacher.features(x);
    const torch::Tensor t2 = target.layer2.clone(), t3 = target.layer3.clone();  // leave inference mode
    const FeatureMaps out = student.forward(x);
    const torch::Tensor loss = 0.5 * (relative_error(out.layer2, t2, channel_variance(t2)) +
                                      relative_error(out.layer3, t3, channel_variance(t3)));
    for (torch::Tensor& p : parameters) p.mutable_grad() = torch::Tensor();
    loss.backward();
    const double progress_share = static_cast<double>(step) / options.steps;
    const double lr =
        options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * progress_share)));
    constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;  // Adam's defaults
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const torch::Tensor& g = parameters[i].grad();
      m[i].mul_(kBeta1).add_(g, 1 - kBeta1);
      v[i].mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
      const torch::Tensor denominator = (v[i] / (1 - std::pow(kBeta2, step + 1))).sqrt_().add_(kEps);
      parameters[i].addcdiv_(m[i], denominator, -lr / (1 - std::pow(kBeta1, step + 1)));
    }
    if ((step + 1) % kStateEvery == 0) save_state(step + 1);
    progress.advance(step + 1, fmt::format("loss {:.4f}", loss.item<double>()));
  }
  progress.end();
  result.weights = student.to_dict(/*half=*/true);
  const BackboneNet stored(student_spec, result.weights, "student");
  const auto end = residuals(stored, teacher, check);
  result.report.residual_layer2 = end[0];
  result.report.residual_layer3 = end[1];
  return result;
}

}  // namespace glint
