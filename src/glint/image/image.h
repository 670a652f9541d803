// The three picture types of glint, as plain values: RGB photograph, binary mask, anomaly map. Row-major, top
// left first.
#pragma once

#include <cstdint>
#include <vector>

namespace glint {

/// In pixels.
struct ImageSize {
  int width = 0, height = 0;

  bool operator==(const ImageSize&) const = default;
};

/// RGB, 8 bits, interleaved: pixel (x, y) starts at 3 * (y * width + x).
struct RgbImage {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  RgbImage() = default;
  RgbImage(int w, int h) : width(w), height(h), pixels(3 * static_cast<std::size_t>(w) * h) {}
  std::uint8_t* at(int x, int y) { return &pixels[3 * (static_cast<std::size_t>(y) * width + x)]; }
  const std::uint8_t* at(int x, int y) const {
    return &pixels[3 * (static_cast<std::size_t>(y) * width + x)];
  }
};

/// 0 = normal, 1 = defect.
struct Mask {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  Mask() = default;
  Mask(int w, int h) : width(w), height(h), pixels(static_cast<std::size_t>(w) * h) {}
};

/// Anomaly map; higher is more anomalous. Unit: the detector's score.
struct ScoreMap {
  int width = 0;
  int height = 0;
  std::vector<float> values;

  ScoreMap() = default;
  ScoreMap(int w, int h, float value = 0)
      : width(w), height(h), values(static_cast<std::size_t>(w) * h, value) {}
  float at(int x, int y) const { return values[static_cast<std::size_t>(y) * width + x]; }
};

}  // namespace glint
