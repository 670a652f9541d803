// The strided convolutions of DCGAN (Radford et al. 2016) as GANomaly and Skip-GANomaly name them: 4x4,
// stride 2, doubling channels down to 4x4 cells, and their mirror image. No biases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "glint/detect/conv_chain.h"

namespace glint {

/// A power of two, 16 to 512.
bool is_pyramid_window(int window);
/// What options may choose: Error(kConfig) names <method>.window.
void check_pyramid_window(std::string_view method, int window);

/// How the layers are called.
enum class PyramidNames {
  kDescribed,  ///< <prefix>initial-conv-3-64, pyramid-64-128-conv, pyramid-128-batchnorm, final-256-1-conv
  kCounted,    ///< <prefix>features.0, 2, 3, 5, 6, ..., classifier.0
};

/// [B, in, window, window] -> [B, out, 1, 1], `width` channels behind the first layer. The last layer is a
/// 4x4 convolution without padding; before it lie 4x4 cells.
ConvChain pyramid_down(int window, std::int64_t in, std::int64_t width, std::int64_t out,
                       const std::string& prefix, PyramidNames names, Activation last);

/// [B, in, 1, 1] -> [B, out, window, window] in [-1, 1].
ConvChain pyramid_up(int window, std::int64_t in, std::int64_t width, std::int64_t out,
                     const std::string& prefix);

}  // namespace glint
