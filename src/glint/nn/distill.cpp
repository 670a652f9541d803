#include "glint/nn/distill.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/tensors.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/image/resample.h"
#include "glint/nn/adam.h"
#include "glint/nn/learning_rate.h"
#include "glint/nn/safetensors.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr int kMaxSidePx = 420;  // images are kept in memory at this size at most

RgbImage load_reduced(const fs::path& path) {
  const RgbImage image = read_image(path);
  const double scale = std::min(1.0, static_cast<double>(kMaxSidePx) / std::min(image.width, image.height));
  return resize_antialiased(image, std::max(1, static_cast<int>(std::lround(image.width * scale))),
                            std::max(1, static_cast<int>(std::lround(image.height * scale))));
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

/// What must be equal for a state file to be continued.
std::string identity_of(const Backbone& teacher, const BackboneSpec& student,
                        const std::vector<fs::path>& paths, const std::vector<RgbImage>& images,
                        const DistillOptions& options) {
  std::string text =
      fmt::format("{} {} {} {} {} {} {}\n", teacher.identity().sha256, enum_name(teacher.precision()),
                  student.name, options.steps, options.batch, options.crop_px, options.learning_rate);
  text += fmt::format("{}\n", options.seed);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    text += fmt::format("{} {} {} {}\n", name_line(paths[i]), images[i].width, images[i].height,
                        sha256_hex(std::as_bytes(std::span(images[i].pixels))));
  }
  return sha256_hex(text);
}

constexpr const char* kParameter = "parameter.";
constexpr const char* kAdam = "adam.";

void save_state(const fs::path& path, const std::vector<torch::Tensor>& parameters, const AdamState& adam,
                const std::string& identity) {
  SafetensorsFile file;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    file.tensors[fmt::format("{}{}", kParameter, i)] = to_host(parameters[i]);
  adam.save(file.tensors, kAdam);
  file.metadata = {{"identity", identity}};
  add_checksum(file);
  write_safetensors(path, file);
}

void load_state(const fs::path& path, std::vector<torch::Tensor>& parameters, AdamState& adam,
                const std::string& identity) {
  const SafetensorsFile file = read_safetensors(path);
  const std::string name = name_line(path);
  const auto found = file.metadata.find("identity");
  if (!verify_checksum(file, name) || found == file.metadata.end())
    fail(ErrorCode::kBadInput, "{}: not a state of `glint backbone distill`; remove it", name);
  if (found->second != identity) {
    fail(ErrorCode::kBadInput,
         "{}: belongs to another teacher, other images or other options; remove it to start again", name);
  }
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].copy_(to_tensor(
        require_tensor(file.tensors, fmt::format("{}{}", kParameter, i), parameters[i].sizes().vec(), name)));
  }
  adam.load(file.tensors, kAdam, name);
}

}  // namespace

RgbImage distillation_crop(const RgbImage& image, int side_px, Rng& rng) {
  const int shorter = std::min(image.width, image.height);
  const int window = std::max(1, static_cast<int>(shorter * rng.uniform(0.45, 1.0)));
  RgbImage out = crop(image, static_cast<int>(rng.below(image.width - window + 1)),
                      static_cast<int>(rng.below(image.height - window + 1)), window, window);
  out = resize_antialiased(out, side_px, side_px);
  const double turn = 90.0 * static_cast<double>(rng.below(4));
  out = warp_about_centre(out, turn, 0, 0, 1, rng.below(2) == 1);
  const double gain = rng.uniform(0.8, 1.2);
  for (std::uint8_t& v : out.pixels) v = static_cast<std::uint8_t>(std::clamp(v * gain, 0.0, 255.0));
  return out;
}

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
    check.push_back(distillation_crop(images[order[i]], options.crop_px, rng));
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
  for (torch::Tensor& p : parameters) p.requires_grad_(true);
  AdamState adam = AdamState::of(parameters);
  const std::string identity = identity_of(teacher, student_spec, paths, images, options);
  std::error_code ec;
  if (!options.state.empty() && fs::exists(options.state, ec)) {
    load_state(options.state, parameters, adam, identity);
    progress.message(fmt::format("resuming at step {}", adam.step));
  }
  const auto keep_state = [&] {
    if (!options.state.empty()) save_state(options.state, parameters, adam, identity);
  };

  // Products in the teacher's precision; parameters, their updates and the loss stay float32.
  progress.begin("distilling", options.steps);
  for (int step = static_cast<int>(std::min<std::int64_t>(adam.step, options.steps)); step < options.steps;
       ++step) {
    if (cancel_requested()) {
      keep_state();
      throw_if_cancelled();
    }
    std::vector<RgbImage> batch(static_cast<std::size_t>(options.batch));
    parallel_for(options.batch, [&](std::int64_t b) {
      Rng rng(options.seed, "distill.batch", step, b);
      const std::size_t pick = held_out + rng.below(images.size() - held_out);
      batch[b] = distillation_crop(images[order[pick]], options.crop_px, rng);
    });
    const torch::Tensor x = images_to_tensor(batch, kImageNetMean, kImageNetStd);
    const FeatureMaps target = teacher.features(x);
    const torch::Tensor t2 = target.layer2.clone(), t3 = target.layer3.clone();  // leave inference mode
    BackboneNet net = student;
    net.to(torch::kCPU, teacher.precision());
    const FeatureMaps out = net.forward(x);
    const torch::Tensor loss = 0.5 * (relative_error(out.layer2.to(torch::kFloat), t2, channel_variance(t2)) +
                                      relative_error(out.layer3.to(torch::kFloat), t3, channel_variance(t3)));
    for (torch::Tensor& p : parameters) p.mutable_grad() = torch::Tensor();
    loss.backward();
    const double lr = options.learning_rate * warm_cosine(step, options.steps, /*warmup=*/0, 1, 0.01);
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> gradients;
    for (const torch::Tensor& p : parameters) gradients.push_back(p.grad().contiguous());
    adam_step(adam, {lr}, parameters, gradients);
    if (adam.step % options.state_every == 0 || adam.step == options.steps) keep_state();
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
