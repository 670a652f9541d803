// Procedural textures: pictures of nothing in particular, for training that needs variety and no licence.
//
// Dead leaves (Lee, Mumford and Huang, "Occlusion models for natural images", 2001): opaque shapes cover each
// other, their sizes follow the inverse cube law that gives photographs' scale invariance. Networks learn
// useful features from such pictures (Baradad et al., "Learning to see by looking at noise", 2021).
#pragma once

#include <cstdint>
#include <filesystem>

#include "glint/base/progress.h"
#include "glint/image/image.h"

namespace glint {

inline constexpr int kSmallestTexture = 64, kLargestTexture = 4096;  ///< sides, pixels

/// size x size pixels; depends only on the arguments. Error(kConfig) for a size beyond the two. Grey or
/// coloured; discs, bars, wedges and ellipses, plain, shaded, striped or with Perlin noise; sharp or out of
/// focus, with sensor noise.
RgbImage render_texture(int size, std::uint64_t seed);

struct TextureSetOptions {
  int count = 1000;
  int size = 320;  ///< side in pixels
  std::uint64_t seed = 0;
};

/// Writes 00000.png, ... into a new folder; same options, same bytes. Error(kBadInput) when `out` exists and
/// is not empty. Returns the number of images.
int write_texture_set(const std::filesystem::path& out, const TextureSetOptions& options,
                      ProgressSink& progress);

}  // namespace glint
