#include "glint/detect/pixel/pixel_detector.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/detect/training_loop.h"
#include "glint/image/filters/map_filters.h"

namespace glint {

std::vector<PatchScores> PixelDetector::patch_scores(const std::vector<RgbImage>& inputs) const {
  std::vector<PatchScores> out(inputs.size());
  parallel_for(std::ssize(inputs), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const PixelScores scores = judge(to_grey(inputs[at]));
    out[at] = {block_maximum(scores.map, kPixelBlock), {}, scores.image};
  });
  return out;
}

void for_each_grey(const FitInput& input, const std::string& label,
                   const std::function<void(const GreyImage&)>& take) {
  for_each_batch(input, label, [&](const std::vector<RgbImage>& images) {
    for (const RgbImage& image : images) take(to_grey(image));
  });
}

void check_same_size(const GreyImage& image, int width, int height) {
  if (image.width != width || image.height != height) {
    fail(ErrorCode::kBadInput,
         "the model compares pictures of {} x {} pixels, the input has {} x {}; train it again", width,
         height, image.width, image.height);
  }
}

HostTensor pack_picture(const Grid<double>& picture) {
  return from_floats({picture.values.begin(), picture.values.end()}, {picture.height, picture.width});
}

Grid<double> unpack_picture(const TensorDict& weights, const std::string& name, double low, double high,
                            const std::string& file) {
  constexpr std::int64_t kMaxSide = 1 << 15;
  const HostTensor& tensor = require_tensor(weights, name, file);
  const auto& shape = tensor.shape;
  if (!is_floating(tensor.dtype) || shape.size() != 2 || std::min(shape[0], shape[1]) < 1 ||
      std::max(shape[0], shape[1]) > kMaxSide) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}' is no picture; train it again", file, name);
  }
  Grid<double> out(static_cast<int>(shape[1]), static_cast<int>(shape[0]));
  const std::vector<float> values = to_floats(tensor);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] >= low && values[i] <= high)) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds {}, outside {} to {}; train it again", file, name,
           values[i], low, high);
    }
    out.values[i] = values[i];
  }
  return out;
}

Grid<double> mean_picture(const FitInput& input) {
  Grid<double> out;
  int parts = 0;
  for_each_grey(input, "averaging parts", [&](const GreyImage& image) {
    if (parts++ == 0) out = Grid<double>(image.width, image.height);
    check_same_size(image, out.width, out.height);
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] += image.pixels[i];
  });
  if (parts == 0) fail(ErrorCode::kBadInput, "there is no training image");
  for (double& v : out.values) v /= parts;
  return out;
}

MethodNeeds pixel_needs(bool position_bound) {
  return {.features = FeatureKind::kNone,
          .training = TrainingKind::kOnePass,
          .augmentation_draws = false,
          .position_bound = position_bound};
}

FitSize pictures_size(int pictures, int input_size) {
  return {pictures * static_cast<std::int64_t>(sizeof(float)) * input_size * input_size, 0, 0};
}

void check_centred(const char* option, int side) {
  if (side % 2 == 0) fail(ErrorCode::kConfig, "{} = {}: must be odd, so that it has a centre", option, side);
}

RecipeDefaults pixel_recipe() {
  RecipeDefaults defaults;
  defaults.scoring.image_score = ImageScore::kMethod;
  return defaults;
}

}  // namespace glint
