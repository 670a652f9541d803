// The backbone alone, batch 1, image in memory to feature maps of layer2 and layer3: every precision of the
// fused engine, and libtorch's layers with --torch. Prints one line per case as
// `network side precision threads p50 p99`, which bench/peers/openvino_engine.py sets beside
// OpenVINO's. usage: bench_engine [--torch] [--sides 288,512] [--networks resnet18,compact,wide_resnet50_2]
// wide_resnet50_2 has seeded random weights.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "glint/base/random.h"
#include "glint/nn/backbone.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/fused_net.h"
#include "glint/nn/runtime.h"

namespace {

using namespace glint;
using Clock = std::chrono::steady_clock;

std::vector<std::string> items(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) out.push_back(item);
  return out;
}

/// Folded weights of the network's shapes, He et al. 2015's deviation, so that values stay in range.
TensorDict random_weights(const BackboneSpec& spec) {
  TensorDict out;
  Rng rng(1, "bench.weights");
  for (const ConvShape& shape : conv_shapes(spec)) {
    std::vector<float> weight(static_cast<std::size_t>(shape.out) * shape.in * shape.kernel * shape.kernel),
        bias(static_cast<std::size_t>(shape.out), 0.01F);
    const double deviation = 0.7 * std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
    for (float& w : weight) w = static_cast<float>(deviation * rng.normal());
    out[shape.name + ".weight"] = from_floats(weight, {shape.out, shape.in, shape.kernel, shape.kernel});
    if (shape.has_bias) out[shape.name + ".bias"] = from_floats(bias, {shape.out});
  }
  return out;
}

RgbImage noise_image(int side) {
  RgbImage image(side, side);
  Rng rng(2, "bench.image");
  for (auto& level : image.pixels) level = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

template <class Run>
void measure(const std::string& name, int side, const char* what, const Run& run) {
  for (const int threads : {1, 2}) {
    omp_set_num_threads(threads);
    std::vector<double> ms;
    const auto end = Clock::now() + std::chrono::milliseconds(1500);
    for (int i = -5; i < 60 && (ms.size() < 5 || Clock::now() < end); ++i) {
      const auto start = Clock::now();
      run();
      if (i >= 0) ms.push_back(1000 * std::chrono::duration<double>(Clock::now() - start).count());
    }
    std::sort(ms.begin(), ms.end());
    std::printf("%s %d %s %d %.3f %.3f\n", name.c_str(), side, what, threads, ms[ms.size() / 2],
                ms[ms.size() * 99 / 100]);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string sides = "288,512", networks = "resnet18,compact,wide_resnet50_2";
  bool libtorch = false;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--torch")) libtorch = true;
    if (!std::strcmp(argv[i], "--sides") && i + 1 < argc) sides = argv[++i];
    if (!std::strcmp(argv[i], "--networks") && i + 1 < argc) networks = argv[++i];
  }
  prepare_runtime();
  for (const std::string& name : items(networks)) {
    const bool known = name != "wide_resnet50_2";
    const BackboneSpec& spec = backbone_spec(name);
    const TensorDict weights = known ? open_backbone(name).weights() : random_weights(spec);
    for (const std::string& side_text : items(sides)) {
      const int side = std::stoi(side_text);
      const RgbImage image = noise_image(side);
      const ActivationRanges ranges = FusedNet(spec, weights, Precision::kFloat32, name).ranges({image});
      for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kInt8}) {
        const std::string label(enum_name(precision));
        if (!FusedNet::runs_here(precision)) continue;
        const FusedNet net(spec, weights, precision, name, ranges);
        measure(name, side, label.c_str(), [&] { net.maps({image}, {2, 3}); });
        if (!libtorch || precision == Precision::kInt8) continue;
        Backbone layers({name, "", "bench", ""}, weights);
        layers.to(DeviceChoice::kCpu, precision, Engine::kTorch);
        measure(name, side, ("torch-" + label).c_str(), [&] { layers.maps({image}, {2, 3}); });
      }
    }
  }
  return 0;
}
