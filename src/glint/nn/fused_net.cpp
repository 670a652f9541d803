#include "glint/nn/fused_net.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "glint/base/bfloat16.h"
#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/nn/fused_plan.h"
#include "glint/nn/openmp_threads.h"

namespace glint {
namespace {

using dnnl::memory;

constexpr std::size_t kPlans = 8;  // sizes of input that are kept

/// What each grey level of each channel becomes.
template <class T>
std::array<std::array<T, 256>, 3> level_table(T (*convert)(float)) {
  std::array<std::array<T, 256>, 3> out;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto scale = static_cast<float>(1 / (255 * kImageNetStd[c])),
               shift = static_cast<float>(kImageNetMean[c] / kImageNetStd[c]);
    for (int level = 0; level < 256; ++level)
      out[c][static_cast<std::size_t>(level)] = convert(static_cast<float>(level) * scale - shift);
  }
  return out;
}

template <class T>
void normalise(const RgbImage& image, const std::array<std::array<T, 256>, 3>& levels, void* out) {
  auto* to = static_cast<T*>(out);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) to[i + c] = levels[c][image.pixels[i + c]];
  }
}

struct PlanKey {
  int width, height, deepest, threads;
  bool operator==(const PlanKey&) const = default;
};

/// A plan with the passes that no thread uses now.
struct KeptPlan {
  PlanKey key;
  std::unique_ptr<FusedPlan> plan;
  std::mutex mutex;
  std::vector<std::unique_ptr<FusedPass>> idle;

  std::unique_ptr<FusedPass> take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        std::unique_ptr<FusedPass> pass = std::move(idle.back());
        idle.pop_back();
        return pass;
      }
    }
    return std::make_unique<FusedPass>(*plan);
  }
  void give_back(std::unique_ptr<FusedPass> pass) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(pass));
  }
};

}  // namespace

struct FusedNet::State {
  const BackboneSpec& spec;
  Precision precision;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  NetWeights weights;
  std::mutex mutex;
  std::vector<std::shared_ptr<KeptPlan>> plans;  ///< the latest last

  std::shared_ptr<KeptPlan> plan_of(const PlanKey& key) {
    const std::lock_guard lock(mutex);
    for (const auto& kept : plans) {
      if (kept->key == key) return kept;
    }
    auto made = std::make_shared<KeptPlan>();
    made->key = key;
    const auto type = precision == Precision::kBFloat16 ? memory::data_type::bf16 : memory::data_type::f32;
    const OpenMpThreads threads(key.threads);
    made->plan = std::make_unique<FusedPlan>(engine, spec, weights, type, key.width, key.height, key.deepest);
    if (plans.size() == kPlans) plans.erase(plans.begin());
    plans.push_back(made);
    return made;
  }

  void compute(const RgbImage& image, KeptPlan& kept, const std::vector<int>& layers,
               const std::vector<float*>& out) const {
    static const auto kBFloat16Levels = level_table<std::uint16_t>(&float_to_bfloat16);
    static const auto kFloatLevels = level_table<float>([](float v) { return v; });
    std::unique_ptr<FusedPass> pass = kept.take();
    const bool short_values = precision == Precision::kBFloat16;
    if (short_values)
      normalise(image, kBFloat16Levels, pass->input());
    else
      normalise(image, kFloatLevels, pass->input());
    pass->run();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::int64_t n = kept.plan->layer_shape(layers[i]).elements();
      if (!short_values) {
        std::memcpy(out[i], pass->layer(layers[i]), static_cast<std::size_t>(n) * sizeof(float));
        continue;
      }
      const auto* from = static_cast<const std::uint16_t*>(pass->layer(layers[i]));
      std::transform(from, from + n, out[i], &bfloat16_to_float);
    }
    kept.give_back(std::move(pass));
  }
};

bool FusedNet::runs_here(Precision precision) {
  if (precision == Precision::kFloat32) return true;
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx ||
         isa == dnnl::cpu_isa::avx512_core || isa == dnnl::cpu_isa::avx512_core_vnni;
}

FusedNet::FusedNet(const BackboneSpec& spec, const TensorDict& folded, Precision precision,
                   const std::string& source)
    : state_(new State{spec, precision}) {
  GLINT_CHECK(!spec.transformer && precision != Precision::kAuto);
  for (const ConvShape& shape : conv_shapes(spec)) {
    std::vector<float> bias(static_cast<std::size_t>(shape.out), 0.0F);
    if (shape.has_bias) bias = to_floats(require_tensor(folded, shape.name + ".bias", {shape.out}, source));
    state_->weights[shape.name] = std::make_unique<PackedWeights>(
        state_->engine, memory::dims{shape.out, shape.in, shape.kernel, shape.kernel},
        to_floats(require_tensor(folded, shape.name + ".weight",
                                 {shape.out, shape.in, shape.kernel, shape.kernel}, source)),
        bias);
  }
}

FusedNet::~FusedNet() = default;
FusedNet::FusedNet(FusedNet&&) noexcept = default;
FusedNet& FusedNet::operator=(FusedNet&&) noexcept = default;

std::vector<HostBuffer> FusedNet::maps(const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers) const {
  GLINT_CHECK(!images.empty() && !layers.empty());
  const int deepest = *std::max_element(layers.begin(), layers.end());
  GLINT_CHECK(*std::min_element(layers.begin(), layers.end()) >= 1 && deepest <= 3);
  const auto count = std::ssize(images);
  const int all = omp_in_parallel() != 0 ? 1 : omp_get_max_threads();
  const int workers = static_cast<int>(std::min<std::int64_t>(count, all)), threads = workers > 1 ? 1 : all;
  const auto kept = state_->plan_of({images[0].width, images[0].height, deepest, threads});
  std::vector<HostBuffer> out;
  std::vector<float*> begins;
  for (const int layer : layers) {
    const FusedPlan::Shape& shape = kept->plan->layer_shape(layer);
    const std::shared_ptr<float[]> values(new float[static_cast<std::size_t>(count * shape.elements())]);
    begins.push_back(values.get());
    out.push_back({values,
                   values.get(),
                   DType::kF32,
                   {count, shape.channels, shape.height, shape.width},
                   {shape.elements(), 1, shape.width * shape.channels, shape.channels}});
  }
  parallel_for(
      count,
      [&](std::int64_t i) {
        const RgbImage& image = images[static_cast<std::size_t>(i)];
        GLINT_CHECK(image.width == images[0].width && image.height == images[0].height);
        std::vector<float*> targets = begins;
        for (std::size_t l = 0; l < layers.size(); ++l)
          targets[l] += i * kept->plan->layer_shape(layers[l]).elements();
        const OpenMpThreads restrict_to(threads);
        state_->compute(image, *kept, layers, targets);
      },
      workers);
  return out;
}

}  // namespace glint
