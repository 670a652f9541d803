#include "glint/detect/teacher_maps.h"

#include "glint/base/error.h"

namespace glint {
namespace {

TrainingFeatures keep_layers(const FeatureExtractor& teacher, const FitInput& input, torch::ScalarType type) {
  return training_features(
      "layer1 to layer3", input,
      [&](const std::vector<RgbImage>& images) {
        const torch::InferenceMode inference;
        return pack_layers(map_tensors(teacher, images, kTeacherLayers));
      },
      type);
}

FitInput input_of(const std::vector<RgbImage>& images, const FitInput& training) {
  GLINT_CHECK(!images.empty());
  FitInput alone;
  alone.images = static_cast<int>(images.size());
  alone.image = [&images](int image, int) { return images[static_cast<std::size_t>(image)]; };
  alone.cache_bytes = training.cache_bytes;
  alone.progress = training.progress;
  return alone;
}

}  // namespace

TeacherMaps::TeacherMaps(const FeatureExtractor& teacher, const FitInput& input, torch::ScalarType type)
    : grids_(grids_of(map_tensors(teacher, {input.image(0, 0)}, kTeacherLayers))),
      features_(keep_layers(teacher, input, type)) {}

TeacherMaps::TeacherMaps(const FeatureExtractor& teacher, const std::vector<RgbImage>& images,
                         const FitInput& input, torch::ScalarType type)
    : TeacherMaps(teacher, input_of(images, input), type) {}

std::vector<torch::Tensor> TeacherMaps::gather(const std::vector<int>& images, int draw) const {
  return unpack_layers(features_.gather(images, draw), grids_);
}

}  // namespace glint
