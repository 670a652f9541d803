#include "glint/synth/texture.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/image/perlin_noise.h"
#include "glint/image/resample.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr int kOversampling = 2;  // per axis: shapes have hard edges, the reduced picture antialiased ones
constexpr double kSmallestLeaf = 0.015, kLargestLeaf = 0.35;  // radii as shares of the side

enum class Shape { kEllipse, kBar, kWedge };
enum class Surface { kPlain, kShaded, kStriped, kNoisy };

/// One opaque shape, in a coordinate system of its own: turned by `angle`, (u, v) in units of its half axes.
struct Leaf {
  Shape shape = Shape::kEllipse;
  Surface surface = Surface::kPlain;
  double x = 0, y = 0, long_axis = 0, short_axis = 0, cosine = 1, sine = 0;
  std::array<double, 3> colour{};
  double contrast = 0, frequency = 0, phase = 0;

  bool covers(double u, double v) const {
    switch (shape) {
      case Shape::kEllipse:
        return u * u + v * v <= 1;
      case Shape::kBar:
        return std::abs(u) <= 1 && std::abs(v) <= 1;
      case Shape::kWedge:
        return std::abs(u) <= 1 && std::abs(v) <= 0.5 * (1 - u);
    }
    return false;
  }
  /// Factor on the colour.
  double shade(double u, double v, double noise) const {
    switch (surface) {
      case Surface::kPlain:
        return 1;
      case Surface::kShaded:
        return 1 + contrast * u;
      case Surface::kStriped:
        return 1 + contrast * std::sin(frequency * v + phase);
      case Surface::kNoisy:
        return 1 + 2 * contrast * noise;
    }
    return 1;
  }
};

/// Radius with a density of r^-3 between the bounds, as a share of the side.
double draw_radius(Rng& rng) {
  const double low = 1 / (kSmallestLeaf * kSmallestLeaf), high = 1 / (kLargestLeaf * kLargestLeaf);
  return 1 / std::sqrt(low + (high - low) * rng.uniform());
}

Leaf draw_leaf(int side, bool grey, const std::array<double, 3>& tint, Rng& rng) {
  Leaf leaf;
  leaf.shape = static_cast<Shape>(rng.below(3));
  leaf.surface = static_cast<Surface>(rng.below(4));
  leaf.long_axis = draw_radius(rng) * side;
  leaf.short_axis = leaf.long_axis * std::exp(rng.uniform(-2.5, 0));
  leaf.x = rng.uniform(0, side);
  leaf.y = rng.uniform(0, side);
  const double angle = rng.uniform(0, 2 * std::numbers::pi);
  leaf.cosine = std::cos(angle);
  leaf.sine = std::sin(angle);
  const double brightness = rng.uniform(0.05, 1);
  for (std::size_t c = 0; c < 3; ++c)
    leaf.colour[c] = brightness * (grey ? 1 : 0.5 * tint[c] + 0.5 * rng.uniform());
  leaf.contrast = rng.uniform(0.05, 0.6);
  leaf.frequency = rng.uniform(3, 40);
  leaf.phase = rng.uniform(0, 2 * std::numbers::pi);
  return leaf;
}

void paint(std::vector<float>& picture, int side, const Leaf& leaf, const ScoreMap& noise) {
  const double reach = std::hypot(leaf.long_axis, leaf.short_axis);
  const int x0 = std::max(0, static_cast<int>(leaf.x - reach)),
            x1 = std::min(side - 1, static_cast<int>(leaf.x + reach));
  const int y0 = std::max(0, static_cast<int>(leaf.y - reach)),
            y1 = std::min(side - 1, static_cast<int>(leaf.y + reach));
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const double dx = x - leaf.x, dy = y - leaf.y;
      const double u = (leaf.cosine * dx + leaf.sine * dy) / leaf.long_axis;
      const double v = (leaf.cosine * dy - leaf.sine * dx) / leaf.short_axis;
      if (!leaf.covers(u, v)) continue;
      const double shade = leaf.shade(u, v, noise.at(x, y));
      float* pixel = &picture[3 * (static_cast<std::size_t>(y) * side + x)];
      for (std::size_t c = 0; c < 3; ++c) pixel[c] = static_cast<float>(leaf.colour[c] * shade);
    }
  }
}

}  // namespace

RgbImage render_texture(int size, std::uint64_t seed) {
  if (size < kSmallestTexture || size > kLargestTexture) {
    fail(ErrorCode::kConfig, "size = {}: must be from {} to {} pixels", size, kSmallestTexture,
         kLargestTexture);
  }
  Rng rng(seed, "texture");
  const int side = kOversampling * size;
  const bool grey = rng.below(2) == 0;
  std::array<double, 3> tint{};
  for (double& t : tint) t = rng.uniform();
  const ScoreMap noise = random_perlin_noise(side, side, rng);
  std::vector<float> picture(3 * static_cast<std::size_t>(side) * side);
  Leaf ground = draw_leaf(side, grey, tint, rng);
  ground.shape = Shape::kEllipse;
  ground.x = ground.y = 0.5 * side;
  ground.long_axis = ground.short_axis = side;  // covers the corners
  paint(picture, side, ground, noise);
  const int leaves = static_cast<int>(std::exp(rng.uniform(std::log(30.0), std::log(2000.0))));
  for (int i = 0; i < leaves; ++i) paint(picture, side, draw_leaf(side, grey, tint, rng), noise);

  RgbImage large(side, side);
  for (std::size_t i = 0; i < picture.size(); ++i)
    large.pixels[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(picture[i], 0.0F, 1.0F)));
  const double blur = rng.below(2) == 0 ? 1 : rng.uniform(1, 3);  // out of focus: reduced further, then back
  const int reduced = static_cast<int>(size / blur);
  RgbImage out = resize_antialiased(large, reduced, reduced);
  if (reduced != size) out = resize_antialiased(out, size, size);
  const double grain = rng.uniform(0, 6);
  for (std::uint8_t& v : out.pixels)
    v = static_cast<std::uint8_t>(std::clamp(std::lround(v + grain * rng.normal()), 0L, 255L));
  return out;
}

int write_texture_set(const fs::path& out, const TextureSetOptions& options, ProgressSink& progress) {
  StagedFolder staged(out);  // an interrupted run leaves no folder that looks complete
  progress.begin("rendering textures", options.count);
  std::atomic<std::int64_t> done{0};
  parallel_for(options.count, [&](std::int64_t i) {
    throw_if_cancelled();
    write_file(staged.path() / fmt::format("{:05}.png", i),
               encode_png(render_texture(options.size, derive_seed(options.seed, i))));
    progress.advance(++done, "");
  });
  progress.end();
  staged.commit();
  return options.count;
}

}  // namespace glint
