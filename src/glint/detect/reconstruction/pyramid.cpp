#include "glint/detect/reconstruction/pyramid.h"

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr std::int64_t kPyramidKernel = 4, kPyramidTop = 4;
constexpr ConvGeometry kHalving = {2, 1};

}  // namespace

bool is_pyramid_window(int window) {
  return window >= 16 && window <= 512 && (window & (window - 1)) == 0;
}

void check_pyramid_window(std::string_view method, int window) {
  if (!is_pyramid_window(window)) {
    fail(ErrorCode::kConfig, "{}.window = {}: must be a power of two from 32 to 512", method, window);
  }
}

ConvChain pyramid_down(int window, std::int64_t in, std::int64_t width, std::int64_t out,
                       const std::string& prefix, PyramidNames names, Activation last) {
  GLINT_CHECK(is_pyramid_window(window));
  const bool described = names == PyramidNames::kDescribed;
  ConvChain chain;
  chain.add(
      {.name = described ? fmt::format("{}initial-conv-{}-{}", prefix, in, width) : prefix + "features.0",
       .in = in,
       .out = width,
       .kernel = kPyramidKernel,
       .geometry = kHalving,
       .bias = false,
       .activation = Activation::kLeakyRelu});
  std::int64_t channels = width;
  int place = 2;  // behind the first layer and its activation
  for (std::int64_t side = window / 2; side > kPyramidTop; side /= 2, channels *= 2, place += 3) {
    chain.add({.name = described ? fmt::format("{}pyramid-{}-{}-conv", prefix, channels, 2 * channels)
                                 : fmt::format("{}features.{}", prefix, place),
               .in = channels,
               .out = 2 * channels,
               .kernel = kPyramidKernel,
               .geometry = kHalving,
               .bias = false,
               .norm = described ? fmt::format("{}pyramid-{}-batchnorm", prefix, 2 * channels)
                                 : fmt::format("{}features.{}", prefix, place + 1),
               .activation = Activation::kLeakyRelu});
  }
  return chain.add(
      {.name = described ? fmt::format("{}final-{}-1-conv", prefix, channels) : prefix + "classifier.0",
       .in = channels,
       .out = out,
       .kernel = kPyramidKernel,
       .bias = false,
       .activation = last});
}

ConvChain pyramid_up(int window, std::int64_t in, std::int64_t width, std::int64_t out,
                     const std::string& prefix) {
  GLINT_CHECK(is_pyramid_window(window));
  std::int64_t channels = width * (window / 2 / kPyramidTop);
  ConvChain chain;
  chain.add({.name = fmt::format("{}initial-{}-{}-convt", prefix, in, channels),
             .in = in,
             .out = channels,
             .kernel = kPyramidKernel,
             .transposed = true,
             .bias = false,
             .norm = fmt::format("{}initial-{}-batchnorm", prefix, channels),
             .activation = Activation::kRelu});
  for (; channels > width; channels /= 2) {
    chain.add({.name = fmt::format("{}pyramid-{}-{}-convt", prefix, channels, channels / 2),
               .in = channels,
               .out = channels / 2,
               .kernel = kPyramidKernel,
               .geometry = kHalving,
               .transposed = true,
               .bias = false,
               .norm = fmt::format("{}pyramid-{}-batchnorm", prefix, channels / 2),
               .activation = Activation::kRelu});
  }
  return chain.add({.name = fmt::format("{}final-{}-{}-convt", prefix, channels, out),
                    .in = channels,
                    .out = out,
                    .kernel = kPyramidKernel,
                    .geometry = kHalving,
                    .transposed = true,
                    .bias = false,
                    .activation = Activation::kTanh});
}

}  // namespace glint
