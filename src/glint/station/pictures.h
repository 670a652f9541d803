// Pictures of the newest inspections for the operator's page: kept in memory, whatever the journal keeps.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "glint/base/files.h"
#include "glint/image/image.h"
#include "glint/inspect/inspection.h"

namespace glint {

/// Longest side of a picture on the page, of its map, and of one in the strip, pixels.
inline constexpr int kPictureSide = 960;
inline constexpr int kMapSide = kPictureSide / 2;
inline constexpr int kThumbnailSide = 144;

/// Photograph scaled down to at most `side`; as it is when it is smaller.
RgbImage scaled_down(const RgbImage& photograph, int side);
/// As JPEG, scaled down.
Bytes photograph_jpeg(const RgbImage& photograph);
Bytes thumbnail_jpeg(const RgbImage& photograph);
/// The map in colours, at most `side` wide and high.
RgbImage map_picture(const ScoreMap& map, const ColourScale& scale, int side);

/// Thread-safe.
class Pictures {
 public:
  static constexpr std::size_t kFull = 12;        ///< with photograph and map
  static constexpr std::size_t kThumbnails = 50;  ///< the strip

  /// `map` as map_picture makes it; empty without a decision.
  void add(std::int64_t inspection, const RgbImage& photograph, const RgbImage& map);

  /// JPEG, PNG, JPEG; empty when no longer held.
  Bytes photograph(std::int64_t inspection) const;
  Bytes map(std::int64_t inspection) const;
  Bytes thumbnail(std::int64_t inspection) const;

 private:
  struct Full {
    std::int64_t inspection = 0;
    RgbImage photograph, map;  ///< map empty without a decision
  };
  struct Thumbnail {
    std::int64_t inspection = 0;
    Bytes jpeg;
  };
  std::shared_ptr<const Full> full(std::int64_t inspection) const;

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Full>> full_;
  std::deque<Thumbnail> thumbnails_;
};

}  // namespace glint
