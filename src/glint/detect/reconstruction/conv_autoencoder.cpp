#include "glint/detect/reconstruction/conv_autoencoder.h"

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr int kSmallestWindow = 128;  // four halvings down to 8x8
constexpr std::int64_t kColours = 3, kCoarse = 8, kFineChannels = 32;

bool is_autoencoder_window(int window) {
  return window == kSmallestWindow || window == 2 * kSmallestWindow || window == 4 * kSmallestWindow;
}

int extra_halvings(int window) {
  GLINT_CHECK(is_autoencoder_window(window));
  return window == kSmallestWindow ? 0 : window == 2 * kSmallestWindow ? 1 : 2;
}

/// Layers by their places in a sequence in which an activation follows each.
class Sequence {
 public:
  explicit Sequence(std::string name) : name_(std::move(name)) {}
  void conv(std::int64_t in, std::int64_t out) { add({.in = in, .out = out, .geometry = {1, 1}}); }
  void halve(std::int64_t in, std::int64_t out) {
    add({.in = in, .out = out, .kernel = 4, .geometry = {2, 1}});
  }
  void twice(std::int64_t in, std::int64_t out) {
    add({.in = in, .out = out, .kernel = 4, .geometry = {2, 1}, .transposed = true});
  }
  void add(ConvLayer layer) {
    layer.name = fmt::format("{}.{}", name_, 2 * chain_.size());
    layer.activation = Activation::kLeakyRelu;
    chain_.add(std::move(layer));
  }
  const ConvChain& chain() const { return chain_; }

 private:
  std::string name_;
  ConvChain chain_;
};

}  // namespace

void check_autoencoder_window(std::string_view method, int window) {
  if (!is_autoencoder_window(window))
    fail(ErrorCode::kConfig, "{}.window = {}: the network's picture is 128, 256 or 512 pixels", method,
         window);
}

ConvChain autoencoder_body(int window) {
  Sequence s("encoder");
  s.halve(kColours, 32);
  s.halve(32, 32);
  for (int i = 0; i < extra_halvings(window); ++i) s.halve(32, 32);
  s.conv(32, 32);
  s.halve(32, 64);
  s.conv(64, 64);
  s.halve(64, 128);
  s.conv(128, 64);
  s.conv(64, kFineChannels);
  return s.chain();
}

std::string latent_head_name(int window) {
  return fmt::format("encoder.{}", 2 * autoencoder_body(window).size());
}

ConvLayer latent_head(const std::string& name, std::int64_t latent) {
  return {.name = name, .in = kFineChannels, .out = latent, .kernel = kCoarse};
}

ConvChain autoencoder_decoder(int window, std::int64_t latent) {
  Sequence s("decoder");
  s.add({.in = latent, .out = kFineChannels, .kernel = kCoarse, .transposed = true});
  s.conv(kFineChannels, 64);
  s.conv(64, 128);
  s.twice(128, 64);
  s.conv(64, 64);
  s.twice(64, 32);
  s.conv(32, 32);
  s.twice(32, 32);
  for (int i = 0; i < extra_halvings(window); ++i) s.twice(32, 32);
  ConvChain chain = s.chain();
  chain.add({.name = fmt::format("decoder.{}", 2 * chain.size()),
             .in = 32,
             .out = kColours,
             .kernel = 4,
             .geometry = {2, 1},
             .transposed = true,
             .activation = Activation::kSigmoid});
  return chain;
}

}  // namespace glint
