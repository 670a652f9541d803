// Pictures told apart by what they show.
#pragma once

#include <span>
#include <string>

#include "glint/base/files.h"
#include "glint/image/image.h"

namespace glint {

inline std::string content_of(const RgbImage& image) {
  return sha256_hex(std::as_bytes(std::span(image.pixels)));
}

}  // namespace glint
