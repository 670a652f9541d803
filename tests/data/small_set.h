// A small dataset in MVTec layout in a temporary folder, for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/data/dataset.h"
#include "glint/image/codec.h"
#include "golden.h"

namespace glint {

inline RgbImage picture(int seed, int w = 24, int h = 16) {
  RgbImage image(w, h);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>((seed * 31 + 7 * i) % 256);
  return image;
}

/// 12 good training images, 2 good and 2 scratched test images with masks.
class SmallSet : public ::testing::Test {
 protected:
  SmallSet() {
    for (int i = 0; i < 12; ++i) put("train/good/" + std::to_string(i) + ".png", picture(i));
    for (int i = 0; i < 2; ++i) {
      put("test/good/" + std::to_string(i) + ".png", picture(100 + i));
      put("test/scratch/" + std::to_string(i) + ".png", picture(200 + i));
      put_mask("ground_truth/scratch/" + std::to_string(i) + "_mask.png", 24, 16);
    }
  }
  void put(const std::string& name, const RgbImage& image) { write_file(root() / name, encode_png(image)); }
  void put_mask(const std::string& name, int w, int h) {
    Mask mask(w, h);
    mask.pixels[5] = 1;
    write_file(root() / name, encode_png(mask));
  }
  std::filesystem::path folder() const { return folder_.path(); }
  std::filesystem::path root() const { return folder_.path() / "set"; }
  Dataset scan(bool allow = false) {
    return scan_dataset(root(), {DatasetUse::kTrain, allow}, silent_progress());
  }
  std::string refusal() {
    try {
      scan();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace glint
