#include "glint/station/pictures.h"

#include <algorithm>

#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

constexpr int kPhotographQuality = 88;
constexpr int kThumbnailQuality = 75;

}  // namespace

RgbImage scaled_down(const RgbImage& photograph, int side) {
  const ImageSize size = fitted_size({photograph.width, photograph.height}, side);
  if (size.width == photograph.width && size.height == photograph.height) return photograph;
  return resize_antialiased(photograph, size.width, size.height);
}

Bytes photograph_jpeg(const RgbImage& photograph) {
  return encode_jpeg(scaled_down(photograph, kPictureSide), kPhotographQuality);
}

Bytes thumbnail_jpeg(const RgbImage& photograph) {
  return encode_jpeg(scaled_down(photograph, kThumbnailSide), kThumbnailQuality);
}

RgbImage map_picture(const ScoreMap& map, const ColourScale& scale, int side) {
  const ImageSize size = fitted_size({map.width, map.height}, side);
  return heat_map(resize_bilinear(map, size.width, size.height), scale.low, scale.high);
}

void Pictures::add(std::int64_t inspection, const RgbImage& photograph, const RgbImage& map) {
  auto full = std::make_shared<Full>(Full{inspection, scaled_down(photograph, kPictureSide), map});
  Thumbnail thumbnail{inspection, thumbnail_jpeg(full->photograph)};
  const std::lock_guard guard(mutex_);
  full_.push_back(std::move(full));
  thumbnails_.push_back(std::move(thumbnail));
  if (full_.size() > kFull) full_.pop_front();
  if (thumbnails_.size() > kThumbnails) thumbnails_.pop_front();
}

std::shared_ptr<const Pictures::Full> Pictures::full(std::int64_t inspection) const {
  const std::lock_guard guard(mutex_);
  for (const auto& picture : full_) {
    if (picture->inspection == inspection) return picture;
  }
  return nullptr;
}

Bytes Pictures::photograph(std::int64_t inspection) const {
  const auto picture = full(inspection);
  return picture ? photograph_jpeg(picture->photograph) : Bytes();
}

Bytes Pictures::map(std::int64_t inspection) const {
  const auto picture = full(inspection);
  return picture && picture->map.width > 0 ? encode_png(picture->map) : Bytes();
}

Bytes Pictures::thumbnail(std::int64_t inspection) const {
  const std::lock_guard guard(mutex_);
  for (const Thumbnail& picture : thumbnails_) {
    if (picture.inspection == inspection) return picture.jpeg;
  }
  return {};
}

}  // namespace glint
