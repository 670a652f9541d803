// What the methods that look at grey levels share: grey training parts, pictures in their weights, and a
// detector whose full-resolution map becomes patch scores.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "glint/detect/detector.h"
#include "glint/image/grey.h"

namespace glint {

/// Of one input, over all its pixels.
struct PixelScores {
  ScoreMap map;     ///< of the input's size
  float image = 0;  ///< the method's own image score
};

/// Side of the blocks of which the largest score is kept: patch scores lie on a quarter of the input's grid.
inline constexpr int kPixelBlock = 4;

class PixelDetector : public Detector {
 public:
  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const final;

 protected:
  virtual PixelScores judge(const GreyImage& image) const = 0;
};

/// Hands every training part over in grey, in order.
void for_each_grey(const FitInput& input, const std::string& label,
                   const std::function<void(const GreyImage&)>& take);

/// Error(kBadInput) when the image has another size than the picture that the model compares it with.
void check_same_size(const GreyImage& image, int width, int height);

/// A picture as a weight [h, w] float32, and back: Error(kBadInput) naming `file` when it is no picture of at
/// least one pixel or holds a value outside [low, high].
HostTensor pack_picture(const Grid<double>& picture);
Grid<double> unpack_picture(const TensorDict& weights, const std::string& name, double low, double high,
                            const std::string& file);

/// Mean of the training parts' grey levels. Error(kBadInput) without any.
Grid<double> mean_picture(const FitInput& input);

/// Trained in one pass, without a backbone, from the parts as they are.
MethodNeeds pixel_needs(bool position_bound);

/// Of a model that keeps so many pictures of the input's size.
FitSize pictures_size(int pictures, int input_size);

/// Error(kConfig) when a window's side is even.
void check_centred(const char* option, int side);

/// What pixel methods want of a recipe: nothing augmented, their own image score.
RecipeDefaults pixel_recipe();

}  // namespace glint
