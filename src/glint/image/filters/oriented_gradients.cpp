#include "glint/image/filters/oriented_gradients.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr int kHogCell = 8;
constexpr double kHogSigma = 4;
constexpr float kHogCut = 0.2F;

/// A pixel's gradient, shared between the two nearest directions.
struct Vote {
  std::array<float, 2> magnitude;
  std::array<int, 2> bin;
};

int mirrored(int i, int n) {
  return n == 1 ? 0 : i < 0 ? -i : i >= n ? 2 * n - 2 - i : i;
}

std::vector<Vote> votes_of(const GreyImage& image) {
  std::array<float, 256> root;
  for (std::size_t i = 0; i < root.size(); ++i) root[i] = std::sqrt(static_cast<float>(i));
  const auto at = [&](int x, int y) {
    return root[image.pixels[static_cast<std::size_t>(mirrored(y, image.height)) * image.width +
                             mirrored(x, image.width)]];
  };
  std::vector<Vote> out;
  out.reserve(image.pixels.size());
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const float dx = at(x + 1, y) - at(x - 1, y), dy = at(x, y + 1) - at(x, y - 1);
      const double place = std::atan2(dy, dx) * kHogBins / std::numbers::pi - 0.5;
      const double low = std::floor(place);
      const auto share = static_cast<float>(place - low);
      const int bin = (static_cast<int>(low) + 2 * kHogBins) % kHogBins;
      const float magnitude = std::hypot(dx, dy);
      out.push_back({{magnitude * (1 - share), magnitude * share}, {bin, (bin + 1) % kHogBins}});
    }
  }
  return out;
}

/// What a pixel of a block gives to one cell.
struct Share {
  int x, y;       ///< within the block
  int histogram;  ///< the cell's first bin
  float weight;
};

std::vector<Share> shares_of_block() {
  std::vector<Share> out;
  for (int x = 0; x < kHogBlock; ++x) {
    for (int y = 0; y < kHogBlock; ++y) {
      // OpenCV measures from pixel 8, not from the block's centre between 7 and 8.
      const double dx = x - kHogBlock / 2, dy = y - kHogBlock / 2;
      const double gauss = std::exp(-(dx * dx + dy * dy) / (2 * kHogSigma * kHogSigma));
      for (int cx = 0; cx < 2; ++cx) {
        for (int cy = 0; cy < 2; ++cy) {
          const auto near = [](int pixel, int cell) {
            return std::max(0.0, 1 - std::abs((pixel + 0.5) / kHogCell - 0.5 - cell));
          };
          const double weight = gauss * near(x, cx) * near(y, cy);
          if (weight > 0) out.push_back({x, y, (cx * 2 + cy) * kHogBins, static_cast<float>(weight)});
        }
      }
    }
  }
  return out;
}

void normalise(float* block) {
  const auto scale = [block](float added) {
    float sum = 0;
    for (int i = 0; i < kHogLength; ++i) sum += block[i] * block[i];
    return 1 / (std::sqrt(sum) + added);
  };
  const float first = scale(0.1F * kHogLength);
  for (int i = 0; i < kHogLength; ++i) block[i] = std::min(block[i] * first, kHogCut);
  const float second = scale(1e-3F);
  for (int i = 0; i < kHogLength; ++i) block[i] *= second;
}

}  // namespace

HogBlocks oriented_gradients(const GreyImage& image) {
  GLINT_CHECK(image.width >= kHogBlock && image.height >= kHogBlock);
  static const std::vector<Share> shares = shares_of_block();
  const std::vector<Vote> votes = votes_of(image);
  HogBlocks out;
  out.columns = (image.width - kHogBlock) / kHogStride + 1;
  out.rows = (image.height - kHogBlock) / kHogStride + 1;
  out.values.resize(static_cast<std::size_t>(out.rows) * out.columns * kHogLength);
  float* block = out.values.data();
  for (int r = 0; r < out.rows; ++r) {
    for (int c = 0; c < out.columns; ++c, block += kHogLength) {
      const Vote* first = &votes[static_cast<std::size_t>(r) * kHogStride * image.width + c * kHogStride];
      for (const Share& share : shares) {
        const Vote& vote = first[static_cast<std::ptrdiff_t>(share.y) * image.width + share.x];
        for (std::size_t k = 0; k < 2; ++k)
          block[share.histogram + vote.bin[k]] += share.weight * vote.magnitude[k];
      }
      normalise(block);
    }
  }
  return out;
}

}  // namespace glint
