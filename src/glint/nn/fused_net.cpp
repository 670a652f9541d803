#include "glint/nn/fused_net.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "glint/base/bfloat16.h"
#include "glint/base/error.h"
#include "glint/base/object_pool.h"
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

constexpr std::array<std::uint8_t, 3> mean_levels() {
  std::array<std::uint8_t, 3> out{};
  for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>(255 * kImageNetMean[c] + 0.5);
  return out;
}

/// The picture's bytes, within a border of the mean grey, which is what a normalised picture's zero padding
/// is.
void frame(const RgbImage& image, int border, void* out) {
  static constexpr auto kMean = mean_levels();
  auto* to = static_cast<std::uint8_t*>(out);
  const auto fill = [&to](std::int64_t pixels) {
    for (; pixels > 0; --pixels) to = std::copy(kMean.begin(), kMean.end(), to);
  };
  fill(static_cast<std::int64_t>(border) * (image.width + 2 * border));
  for (int y = 0; y < image.height; ++y) {
    fill(border);
    to = std::copy_n(image.pixels.data() + static_cast<std::ptrdiff_t>(y) * image.width * 3, image.width * 3,
                     to);
    fill(border);
  }
  fill(static_cast<std::int64_t>(border) * (image.width + 2 * border));
}

/// The first convolution's weights [out, 3, ...] and bias for a picture's grey levels in place of normalised
/// values.
void take_levels(std::vector<float>& weight, std::vector<float>& bias) {
  const std::size_t each = weight.size() / bias.size(), kernel = each / 3;
  for (std::size_t o = 0; o < bias.size(); ++o) {
    double shift = 0;
    for (std::size_t i = 0; i < each; ++i) {
      const std::size_t c = i / kernel;
      float& w = weight[o * each + i];
      shift += w * kImageNetMean[c] / kImageNetStd[c];
      w = static_cast<float>(w / (255 * kImageNetStd[c]));
    }
    bias[o] = static_cast<float>(bias[o] - shift);
  }
}

constexpr const char* kReduce = ".reduce";
constexpr const char* kExpand = ".expand";
constexpr float kLeastChannelRange = 1.0F / 16;  // of the largest: what good parts never show may still come

/// The second half of a low-rank pair for inputs in units of each channel's range over the largest.
void take_channel_units(std::vector<float>& weight, std::size_t outputs, const std::vector<float>& ranges) {
  const float largest = *std::max_element(ranges.begin(), ranges.end());
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < ranges.size(); ++i) weight[o * ranges.size() + i] *= ranges[i] / largest;
  }
}

struct PlanKey {
  int width, height;
  std::vector<int> layers;
  int threads;
  bool operator==(const PlanKey&) const = default;
};

/// A plan with the passes that threads borrow.
struct KeptPlan {
  PlanKey key;
  std::unique_ptr<FusedPlan> plan;
  ObjectPool<FusedPass> passes;
};

/// Where the maps of one image lie; given back when the last of them goes.
struct MapMemory {
  using Pool = ObjectPool<std::vector<float>>;
  std::shared_ptr<Pool> pool;  ///< outlives the loan
  Pool::Loan values;

  explicit MapMemory(std::shared_ptr<Pool> from)
      : pool(std::move(from)), values(pool->take([] { return std::make_unique<std::vector<float>>(); })) {}
};

}  // namespace

struct FusedNet::State {
  const BackboneSpec& spec;
  Precision precision;
  ActivationRanges activation_ranges;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  NetWeights weights;
  std::mutex mutex;
  std::vector<std::shared_ptr<KeptPlan>> plans;  ///< the latest last
  std::shared_ptr<MapMemory::Pool> map_memory = std::make_shared<MapMemory::Pool>();

  std::shared_ptr<KeptPlan> plan_of(const PlanKey& key) {
    const std::lock_guard lock(mutex);
    for (const auto& kept : plans) {
      if (kept->key == key) return kept;
    }
    auto made = std::make_shared<KeptPlan>();
    made->key = key;
    const OpenMpThreads threads(key.threads);
    made->plan = std::make_unique<FusedPlan>(
        engine, spec, weights, PlanKind{precision, &activation_ranges, key.width, key.height, key.layers});
    if (plans.size() == kPlans) plans.erase(plans.begin());
    plans.push_back(made);
    return made;
  }

  void put(const RgbImage& image, const FusedPlan& plan, const FusedPass& pass) const {
    static const auto kBFloat16Levels = level_table<std::uint16_t>(&float_to_bfloat16);
    static const auto kFloatLevels = level_table<float>([](float v) { return v; });
    if (precision == Precision::kInt8)
      frame(image, plan.border(), pass.input());
    else if (precision == Precision::kBFloat16)
      normalise(image, kBFloat16Levels, pass.input());
    else
      normalise(image, kFloatLevels, pass.input());
  }

  void compute(const RgbImage& image, KeptPlan& kept, const std::vector<int>& layers,
               const std::vector<float*>& out) const {
    const auto pass = kept.passes.take([&] { return std::make_unique<FusedPass>(*kept.plan); });
    put(image, *kept.plan, *pass);
    pass->run();
    const bool short_values = precision == Precision::kBFloat16;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::int64_t n = kept.plan->layer_shape(layers[i]).elements();
      if (!short_values) {
        std::memcpy(out[i], pass->layer(layers[i]), static_cast<std::size_t>(n) * sizeof(float));
        continue;
      }
      const auto* from = static_cast<const std::uint16_t*>(pass->layer(layers[i]));
      std::transform(from, from + n, out[i], &bfloat16_to_float);
    }
  }
};

bool FusedNet::runs_here(Precision precision) {
  if (precision == Precision::kFloat32) return true;
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  if (isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx ||
      isa == dnnl::cpu_isa::avx512_core_vnni)
    return true;
  // Without VNNI sums of two products saturate at 16 bits: other scores.
  return precision == Precision::kBFloat16 && isa == dnnl::cpu_isa::avx512_core;
}

FusedNet::FusedNet(const BackboneSpec& spec, const TensorDict& folded, Precision precision,
                   const std::string& source, ActivationRanges ranges)
    : state_(new State{spec, precision, std::move(ranges)}) {
  GLINT_CHECK(!spec.transformer && precision != Precision::kAuto);
  for (const ConvShape& shape : conv_shapes(spec)) {
    std::vector<float> bias(static_cast<std::size_t>(shape.out), 0.0F);
    if (shape.has_bias) bias = to_floats(require_tensor(folded, shape.name + ".bias", {shape.out}, source));
    std::vector<float> weight = to_floats(require_tensor(
        folded, shape.name + ".weight", {shape.out, shape.in, shape.kernel, shape.kernel}, source));
    if (precision == Precision::kInt8) {
      const auto channels = static_cast<std::size_t>(shape.name.ends_with(kReduce) ? shape.out : 1);
      const auto range = state_->activation_ranges.find(shape.name);
      if (range == state_->activation_ranges.end() || range->second.size() != channels) {
        fail(ErrorCode::kBadInput, "{}: int8 needs {} activation range{} of '{}'; train it with int8", source,
             channels, channels > 1 ? "s" : "", shape.name);
      }
      if (shape.in == 3) take_levels(weight, bias);
      if (shape.name.ends_with(kExpand)) {
        const std::string pair = shape.name.substr(0, shape.name.size() - std::strlen(kExpand));
        take_channel_units(weight, bias.size(), state_->activation_ranges.at(pair + kReduce));
      }
    }
    state_->weights[shape.name] = std::make_unique<PackedWeights>(
        state_->engine, memory::dims{shape.out, shape.in, shape.kernel, shape.kernel}, std::move(weight),
        std::move(bias));
  }
}

FusedNet::~FusedNet() = default;
FusedNet::FusedNet(FusedNet&&) noexcept = default;
FusedNet& FusedNet::operator=(FusedNet&&) noexcept = default;

std::vector<HostBuffer> FusedNet::maps(const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers) const {
  GLINT_CHECK(!images.empty() && !layers.empty());
  GLINT_CHECK(std::is_sorted(layers.begin(), layers.end()) && layers.front() >= 1 && layers.back() <= 3);
  const auto count = std::ssize(images);
  const int all = omp_in_parallel() != 0 ? 1 : omp_get_max_threads();
  const int workers = static_cast<int>(std::min<std::int64_t>(count, all)), threads = workers > 1 ? 1 : all;
  const auto kept = state_->plan_of({images[0].width, images[0].height, layers, threads});
  std::size_t elements = 0;
  for (const int layer : layers)
    elements += static_cast<std::size_t>(count * kept->plan->layer_shape(layer).elements());
  // One image after the other is what lines do: its memory is used again. Batches are large and come rarely.
  std::shared_ptr<const void> owner;
  float* next = nullptr;
  if (count == 1) {
    const auto memory = std::make_shared<MapMemory>(state_->map_memory);
    memory->values->resize(elements);
    next = memory->values->data();
    owner = memory;
  } else {
    const std::shared_ptr<float[]> memory(new float[elements]);
    next = memory.get();
    owner = memory;
  }
  std::vector<HostBuffer> out;
  std::vector<float*> begins;
  for (const int layer : layers) {
    const FusedPlan::Shape& shape = kept->plan->layer_shape(layer);
    begins.push_back(next);
    next += count * shape.elements();
    out.push_back({owner,
                   begins.back(),
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

ActivationRanges FusedNet::ranges(const std::vector<RgbImage>& images) const {
  GLINT_CHECK(!images.empty() && state_->precision == Precision::kFloat32);
  const auto kept = state_->plan_of({images[0].width, images[0].height, {1, 2, 3}, omp_get_max_threads()});
  FusedPass pass(*kept->plan);
  ActivationRanges out;
  for (const RgbImage& image : images) {
    GLINT_CHECK(image.width == images[0].width && image.height == images[0].height);
    state_->put(image, *kept->plan, pass);
    pass.run([&](const std::string& name, const void* result, const FusedPlan::Shape& shape) {
      const auto* values = static_cast<const float*>(result);
      std::vector<float>& largest = out[name];
      largest.resize(name.ends_with(kReduce) ? static_cast<std::size_t>(shape.channels) : 1);
      for (std::int64_t i = 0; i < shape.elements(); ++i) {
        float& of_channel = largest[static_cast<std::size_t>(i) % largest.size()];
        of_channel = std::max(of_channel, std::abs(values[i]));
      }
    });
  }
  for (auto& [name, largest] : out) {
    const float most = *std::max_element(largest.begin(), largest.end());
    for (float& one : largest) one = most > 0 ? std::max(one, kLeastChannelRange * most) : 1;
  }
  return out;
}

}  // namespace glint
