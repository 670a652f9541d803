#include "glint/detect/memae/memae.h"

#include <ATen/ATen.h>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr const char* kMemory = "mem_rep.memory";
constexpr const char* kMemaeAdam = "adam.memae.";
constexpr double kMemaeSmall = 1e-12;  // published code
const std::vector<int> kMemaeChannels = {3, 96, 128, 256, 256};
constexpr int kMemaeInput = 256, kMemaeSmallInput = 128;  ///< baseline, the other recipes (docs/recipes.md)

/// Layers of a sequence of convolution, norm and activation; the last without the latter two on request.
ConvChain sequence(const std::string& name, const std::vector<int>& channels, bool transposed) {
  ConvChain chain;
  for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
    ConvLayer layer{.name = fmt::format("{}.{}", name, 3 * i),
                    .in = channels[i],
                    .out = channels[i + 1],
                    .geometry = {2, 1, 1, transposed ? 1 : 0},
                    .transposed = transposed};
    if (!transposed || i + 2 < channels.size()) {
      layer.norm = fmt::format("{}.{}", name, 3 * i + 1);
      layer.activation = Activation::kLeakyRelu;
    }
    chain.add(std::move(layer));
  }
  return chain;
}

ConvChain memae_encoder(const std::vector<int>& channels) {
  return sequence("encoder", channels, false);
}

ConvChain memae_decoder(const std::vector<int>& channels) {
  return sequence("decoder", {channels.rbegin(), channels.rend()}, true);
}

class Memae : public ReconstructionMethod {
 public:
  std::string_view name() const override { return "memae"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.input.size = kMemaeSmallInput;
    if (recipe == Recipe::kBaseline) {
      defaults.input.size = kMemaeInput;
      defaults.scoring.image_score = ImageScore::kMethod;
    }
    return defaults;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t bytes = MemaeReconstructor::layout(kMemaeChannels, options_.slots).bytes();
    return {bytes, 3 * bytes, options_.shared.meta_epochs};
  }

 protected:
  const ReconstructionOptions& shared() const override { return options_.shared; }
  PixelForm pixels() const override { return {.around_zero = true}; }
  std::unique_ptr<Reconstructor> initial(std::uint64_t seed) const override {
    return std::make_unique<MemaeReconstructor>(
        options_, kMemaeChannels,
        TrainableNet::initial(MemaeReconstructor::layout(kMemaeChannels, options_.slots),
                              InitialWeights::kTorch, seed, "memae.init"));
  }
  std::unique_ptr<Reconstructor> from_dict(const TensorDict& weights,
                                           const std::string& file) const override {
    return std::make_unique<MemaeReconstructor>(
        options_, kMemaeChannels,
        TrainableNet::from_dict(MemaeReconstructor::layout(kMemaeChannels, options_.slots), weights, file));
  }
  std::string published_length() const override { return "100 passes in batches of 14"; }
  void describe_record(TrainingRecord& record) const override {
    record.readings["entropy"] = "entropy of the attention to the memory";
    record.curves = {{"Losses: all, reconstruction", {kLoss, "reconstruction_loss"}},
                     {"Entropy of the attention to the memory", {"entropy"}}};
  }

 private:
  MemaeOptions options_;
};

}  // namespace

void MemaeOptions::describe(OptionTable& table) {
  table.add("memae.slots", slots, "entries of the memory", {1, 100000});
  table.add("memae.threshold", threshold, "attention below it does not count; 0 = all counts", {0, 1});
  table.add("memae.entropy_weight", entropy_weight, "of the attention's entropy in the loss", {0, 100});
  table.add("memae.learning_rate", learning_rate, "Adam's step size", {0, 1});
  shared.describe(table, "memae");
}

MemoryReading read_memory(const torch::Tensor& features, const torch::Tensor& memory, double threshold) {
  const std::int64_t h = features.size(2), w = features.size(3);
  const torch::Tensor positions = features.permute({0, 2, 3, 1}).flatten(1, 2);  // [B, hw, C]
  torch::Tensor attention = at::softmax(at::matmul(positions, memory.t()), 2);
  if (threshold > 0) {
    const torch::Tensor above = attention - threshold;
    attention = at::relu(above) * attention / (above.abs() + kMemaeSmall);
    attention = attention / attention.abs().sum(2, true).clamp_min(kMemaeSmall);
  }
  const auto as_map = [&](const torch::Tensor& t) {
    return t.transpose(1, 2).reshape({features.size(0), t.size(2), h, w});
  };
  return {as_map(at::matmul(attention, memory)), as_map(attention)};
}

torch::Tensor memory_entropy(const torch::Tensor& attention) {
  return -(attention * (attention + kMemaeSmall).log()).sum(1).mean();
}

NetLayout MemaeReconstructor::layout(const std::vector<int>& channels, int slots) {
  NetLayout layout;
  memae_encoder(channels).describe(layout);
  layout.linear(kMemory, slots, channels.back(), false);
  memae_decoder(channels).describe(layout);
  return layout;
}

MemaeReconstructor::MemaeReconstructor(const MemaeOptions& options, const std::vector<int>& channels,
                                       TrainableNet net)
    : options_(options),
      encoder_(memae_encoder(channels)),
      decoder_(memae_decoder(channels)),
      net_(std::move(net)) {}

void MemaeReconstructor::begin_training() {
  net_.require_gradients(true);
  adam_ = AdamState::of(net_.parameters());
}

MemaeReconstructor::Output MemaeReconstructor::run(const torch::Tensor& x, bool training) const {
  Output out;
  out.features = encoder_.run(net_, x, training);
  const MemoryReading reading =
      read_memory(out.features, net_.at(std::string(kMemory) + ".weight"), options_.threshold);
  out.retrieved = reading.features;
  out.attention = reading.attention;
  out.image = decoder_.run(net_, out.retrieved, training);
  return out;
}

Readings MemaeReconstructor::step(const torch::Tensor& x, const LoopStep&, std::uint64_t) {
  const std::int64_t cell = std::int64_t{1} << encoder_.size();
  // Training sees whole cells only, so that its errors are all of real pixels.
  const Output out =
      run(x.slice(2, 0, x.size(2) / cell * cell).slice(3, 0, x.size(3) / cell * cell).contiguous(), true);
  const torch::Tensor reconstruction =
      (out.image - x.slice(2, 0, out.image.size(2)).slice(3, 0, out.image.size(3))).square().mean();
  const torch::Tensor entropy = memory_entropy(out.attention);
  const torch::Tensor loss = reconstruction + options_.entropy_weight * entropy;
  const std::vector<torch::Tensor> parameters = net_.parameters();
  adam_step(adam_, {options_.learning_rate}, parameters, gradients_of(loss, parameters));
  return {{kLoss, loss.item<double>()},
          {"reconstruction_loss", reconstruction.item<double>()},
          {"entropy", entropy.item<double>()}};
}

Reconstruction MemaeReconstructor::reconstruct(const torch::Tensor& x) const {
  const std::int64_t cell = std::int64_t{1} << encoder_.size(), h = x.size(2), w = x.size(3);
  const auto missing = [cell](std::int64_t n) { return (cell - n % cell) % cell; };
  const torch::Tensor whole = at::replication_pad2d(x, {0, missing(w), 0, missing(h)});
  return {run(whole, false).image.slice(2, 0, h).slice(3, 0, w), {}};
}

torch::Tensor MemaeReconstructor::error(const torch::Tensor& x, const torch::Tensor& y) const {
  return squared_error(x, y);
}

void MemaeReconstructor::save_training(TensorDict& state) const {
  adam_.save(state, kMemaeAdam);
}

void MemaeReconstructor::load_training(const TensorDict& state, const std::string& file) {
  adam_.load(state, kMemaeAdam, file);
}

std::unique_ptr<Method> make_memae() {
  return std::make_unique<Memae>();
}

}  // namespace glint
