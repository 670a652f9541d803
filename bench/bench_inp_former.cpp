// Time and memory of INP-Former for each encoder: one training step, one image, peak resident memory. Weights
// are random (speed does not depend on them), so nothing needs to be downloaded. usage: bench_inp_former
// [BACKBONE...]; default: the convolutional one, DINOv2 small and base.
#include <malloc.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "glint/base/memory.h"
#include "glint/base/random.h"
#include "glint/detect/inp_former/inp_former.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/runtime.h"
#include "glint/nn/tensors.h"
#include "glint/nn/vision_transformer.h"

namespace {

using namespace glint;
using Clock = std::chrono::steady_clock;

TensorDict random_weights(const BackboneSpec& spec) {
  TensorDict out;
  torch::manual_seed(1);
  if (spec.transformer) {
    for (const TensorShape& t : transformer_tensors(*spec.transformer))
      out[t.name] = to_host(0.03 * torch::randn(t.shape));
    return out;
  }
  for (const ConvShape& shape : conv_shapes(spec)) {
    const double std = std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
    out[shape.name + ".weight"] =
        to_host(std * torch::randn({shape.out, shape.in, shape.kernel, shape.kernel}));
    if (shape.has_bias) out[shape.name + ".bias"] = to_host(torch::zeros({shape.out}));
  }
  return out;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

void measure(const std::string& name) {
  const BackboneSpec& spec = backbone_spec(name);
  reset_peak_memory();
  Backbone backbone({name, "random", "random values", "none"}, random_weights(spec));
  const Precision precision = resolve_precision(Precision::kAuto, DeviceChoice::kCpu);
  backbone.to(DeviceChoice::kCpu, precision);
  const int size = 288 / spec.input_multiple() * spec.input_multiple();
  std::vector<RgbImage> images(16, RgbImage(size, size));
  Rng rng(1);
  for (RgbImage& image : images) {
    for (std::uint8_t& v : image.pixels) v = static_cast<std::uint8_t>(rng.below(256));
  }

  const auto method = make_inp_former();
  method->apply_recipe(Recipe::kRefined, spec);
  OptionTable table;
  method->describe(table);
  table.set("inp_former.meta_epochs", 1);
  table.set("inp_former.passes", 3);  // of one batch of 16: three steps
  FitInput input;
  input.images = static_cast<int>(images.size());
  input.image = [&](int i, int) { return images[i]; };
  const FitResult result = method->fit(backbone, input);
  const double step = result.record.times->training / 3;
  const double encode = result.record.times->features / 16;
  const double training_memory = peak_memory_mib();

  malloc_trim(0);  // what training freed does not count for inspecting
  reset_peak_memory();
  const auto detector = method->load(std::make_shared<Backbone>(backbone), result.weights, "bench");
  std::vector<double> times;
  for (int i = 0; i < 12; ++i) {
    const auto start = Clock::now();
    detector->patch_scores({images[i]});
    if (i >= 2) times.push_back(1000 * std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::printf(
      "%-24s %s at %d: encode %6.1f ms an image, training step of 16 images %6.2f s, one image %7.1f ms, "
      "peak "
      "memory training %5.0f MiB, inspecting %5.0f MiB\n",
      name.c_str(), precision == Precision::kBFloat16 ? "bfloat16" : "float32", size, 1000 * encode, step,
      median(times), training_memory, peak_memory_mib());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_runtime();
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.empty()) names = {"resnet18", "dinov2reg_vit_small_14", "dinov2reg_vit_base_14"};
  for (const std::string& name : names) measure(name);
  return 0;
}
