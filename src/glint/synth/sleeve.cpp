#include "glint/synth/sleeve.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <optional>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/synth/sleeve_scene.h"
#include "glint/synth/sleeve_surface.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using sleeve::kReferenceSize;
using sleeve::Scene;
using sleeve::SleeveSurface;
using sleeve::smoothstep;
using sleeve::Speck;

/// Webcam: vignette, exposure, colour cast, lens blur, sensor noise, gamma, JPEG.
RgbImage expose(std::vector<float> linear, const Scene& scene, int size, std::uint64_t seed) {
  const double sigma = scene.blur * size / kReferenceSize;
  const int radius = 2;
  std::array<float, 5> taps{};
  float sum = 0;
  for (int k = -radius; k <= radius; ++k)
    sum += taps[k + radius] = static_cast<float>(std::exp(-0.5 * k * k / (sigma * sigma)));
  std::vector<float> other(linear.size());
  for (int pass = 0; pass < 2; ++pass) {  // separable blur: rows, then columns
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        float* out = &other[3 * (static_cast<std::size_t>(y) * size + x)];
        out[0] = out[1] = out[2] = 0;
        for (int k = -radius; k <= radius; ++k) {
          const int sx = pass == 0 ? std::clamp(x + k, 0, size - 1) : x;
          const int sy = pass == 1 ? std::clamp(y + k, 0, size - 1) : y;
          const float* in = &linear[3 * (static_cast<std::size_t>(sy) * size + sx)];
          for (int c = 0; c < 3; ++c) out[c] += taps[k + radius] / sum * in[c];
        }
      }
    }
    linear.swap(other);
  }
  RgbImage image(size, size);
  Rng rng(seed, "sleeve.sensor");
  const std::array<double, 3> cast = {1 + scene.warmth, 1, 1 - scene.warmth};
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double dx = (x + 0.5) / size - 0.5, dy = (y + 0.5) / size - 0.5;
      const double falloff = scene.exposure * (1 - scene.vignette * 2 * (dx * dx + dy * dy));
      const std::size_t i = 3 * (static_cast<std::size_t>(y) * size + x);
      const double luminance_noise = rng.normal();
      for (std::size_t c = 0; c < 3; ++c) {
        const double signal = std::max(0.0, linear[i + c] * falloff * cast[c]);
        const double noisy =
            signal + scene.noise * std::sqrt(0.15 + signal) * (0.8 * luminance_noise + 0.6 * rng.normal());
        const double shoulder = noisy < 0.8 ? noisy : 0.8 + 0.2 * (1 - std::exp(-(noisy - 0.8) / 0.2));
        image.pixels[i + c] =
            static_cast<std::uint8_t>(std::lround(255 * std::pow(std::clamp(shoulder, 0.0, 1.0), 1 / 2.2)));
      }
    }
  }
  return decode_image(encode_jpeg(image, scene.jpeg_quality), "rendered sleeve");
}

std::optional<SleeveImage> try_render(SleeveDefect defect, int size, std::uint64_t seed,
                                      SleeveDifficulty difficulty) {
  const Scene scene = sleeve::draw_scene(defect, difficulty, seed);
  const SleeveSurface surface(scene);
  const double step = kReferenceSize / size;
  SleeveImage out;
  out.mask = Mask(size, size);
  if (defect != SleeveDefect::kNone) {
    std::int64_t area = 0;
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const bool bad = surface.defective((x + 0.5) * step, (y + 0.5) * step);
        out.mask.pixels[static_cast<std::size_t>(y) * size + x] = bad ? 1 : 0;
        area += bad ? 1 : 0;
      }
    }
    const double reference_area = static_cast<double>(area) * step * step;
    if (reference_area < 60) return std::nullopt;  // hidden by the pose: draw another
  }
  std::vector<float> linear(3 * static_cast<std::size_t>(size) * size);
  constexpr int kGrid = 3;  // stratified samples per pixel and axis: antialiasing and microfacets at once
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      Rng rng(seed, "sleeve.pixel", y, x);
      std::array<double, 3> sum{};
      for (int k = 0; k < kGrid * kGrid; ++k) {
        const double px = (x + (k % kGrid + rng.uniform()) / kGrid) * step;
        const double py = (y + (k / kGrid + rng.uniform()) / kGrid) * step;
        const auto light = surface.radiance(px, py, rng);
        for (std::size_t c = 0; c < 3; ++c) sum[c] += light[c];
      }
      double dust = 1;
      for (const Speck& speck : scene.specks) {
        if (std::abs((y + 0.5) * step - speck.y) > speck.radius + 1) continue;
        const double d = std::hypot((x + 0.5) * step - speck.x, (y + 0.5) * step - speck.y);
        if (d < speck.radius + 1)
          dust *= 1 - speck.darkness * smoothstep(speck.radius + 0.7, speck.radius - 0.7, d);
      }
      const std::size_t i = 3 * (static_cast<std::size_t>(y) * size + x);
      for (std::size_t c = 0; c < 3; ++c) linear[i + c] = static_cast<float>(sum[c] / (kGrid * kGrid) * dust);
    }
  }
  out.image = expose(std::move(linear), scene, size, seed);
  return out;
}

}  // namespace

SleeveImage render_sleeve(SleeveDefect defect, int size, std::uint64_t seed, SleeveDifficulty difficulty) {
  if (size < 64 || size > 4096) fail(ErrorCode::kConfig, "size = {}: must be from 64 to 4096 pixels", size);
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (auto image = try_render(defect, size, derive_seed(seed, attempt), difficulty)) return *image;
  }
  GLINT_CHECK(false);
  return {};
}

int write_sleeve_set(const fs::path& out, const SleeveSetOptions& options, ProgressSink& progress) {
  if (options.per_class.size() != 5) fail(ErrorCode::kConfig, "per-class counts: five numbers are needed");
  StagedFolder staged(out);  // an interrupted run leaves no folder that looks complete
  struct Job {
    SleeveDefect defect;
    fs::path image, mask;
    std::uint64_t seed;
  };
  std::vector<Job> jobs;
  auto add = [&](SleeveDefect defect, const std::string& part, int count) {
    const std::string label(enum_name(defect));
    for (int i = 0; i < count; ++i) {
      const std::string stem = fmt::format("{:03}", i);
      jobs.push_back({defect, staged.path() / part / label / (stem + ".png"),
                      defect == SleeveDefect::kNone
                          ? fs::path()
                          : staged.path() / "ground_truth" / label / (stem + "_mask.png"),
                      derive_seed(options.seed, stream_key(part), static_cast<int>(defect), i)});
    }
  };
  add(SleeveDefect::kNone, "train", options.train);
  add(SleeveDefect::kNone, "test", options.test_good);
  for (std::size_t c = 0; c < 5; ++c) add(static_cast<SleeveDefect>(c + 1), "test", options.per_class[c]);
  for (const Job& job : jobs) make_folder(job.image.parent_path());

  progress.begin("rendering sleeves", static_cast<std::int64_t>(jobs.size()));
  std::atomic<std::int64_t> done{0};
  parallel_for(static_cast<std::int64_t>(jobs.size()), [&](std::int64_t i) {
    throw_if_cancelled();
    const Job& job = jobs[i];
    const SleeveImage rendered = render_sleeve(job.defect, options.size, job.seed, options.difficulty);
    if (!job.mask.empty()) write_file(job.mask, encode_png(rendered.mask));
    write_file(job.image, encode_png(rendered.image));
    progress.advance(++done, "");
  });
  progress.end();
  staged.commit();
  return static_cast<int>(jobs.size());
}

}  // namespace glint
