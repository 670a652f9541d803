#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/pixel/pixel_detector.h"
#include "glint/detect/pixel/pixel_methods.h"
#include "glint/detect/training_loop.h"
#include "glint/image/filters/map_filters.h"
#include "glint/image/filters/top_hat.h"

namespace glint {
namespace {

constexpr const char* kThresholdMean = "threshold.mean";

/// What is compared with the level.
enum class ThresholdOf { kResidual, kTopHat };

}  // namespace

template <>
struct EnumNames<ThresholdOf> {
  static constexpr std::pair<ThresholdOf, std::string_view> table[] = {{ThresholdOf::kResidual, "residual"},
                                                                       {ThresholdOf::kTopHat, "top_hat"}};
};

namespace {

struct ThresholdOptions {
  ThresholdOf of = ThresholdOf::kResidual;
  int element = 17;
  int area = 16;

  void describe(OptionTable& table) {
    table.add("threshold.of", of,
              "difference to the mean of good parts, or the larger of white and black top-hat");
    table.add("threshold.element", element, "top_hat: side of the ellipse, pixels; odd", {3, 255});
    table.add("threshold.area", area, "least area of a defect, pixels of the input", {1, 100000});
  }
};

class ThresholdDetector : public PixelDetector {
 public:
  ThresholdDetector(const ThresholdOptions& options, Grid<double> mean)
      : options_(options), mean_(std::move(mean)) {}

 protected:
  PixelScores judge(const GreyImage& image) const override {
    ScoreMap map(image.width, image.height);
    if (options_.of == ThresholdOf::kResidual) {
      check_same_size(image, mean_.width, mean_.height);
      for (std::size_t i = 0; i < map.values.size(); ++i)
        map.values[i] = static_cast<float>(std::abs(image.pixels[i] - mean_.values[i]));
    } else {
      const GreyImage white = white_top_hat(image, options_.element),
                      black = black_top_hat(image, options_.element);
      for (std::size_t i = 0; i < map.values.size(); ++i)
        map.values[i] = std::max(white.pixels[i], black.pixels[i]);
    }
    PixelScores out{area_opening(map, options_.area)};
    out.image = *std::max_element(out.map.values.begin(), out.map.values.end());
    return out;
  }

 private:
  ThresholdOptions options_;
  Grid<double> mean_;  ///< empty for the top-hat
};

class Threshold : public Method {
 public:
  std::string_view name() const override { return "threshold"; }
  void describe(OptionTable& table) override { options_.describe(table); }
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override { return pixel_recipe(); }
  MethodNeeds needs() const override { return pixel_needs(options_.of == ThresholdOf::kResidual); }
  void validate(const BackboneSpec&, const InputOptions&) const override {
    check_centred("threshold.element", options_.element);
  }

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    const Stopwatch watch;
    FitResult result;
    // The top-hat learns nothing but its level, which calibration sets for every method.
    if (options_.of == ThresholdOf::kResidual)
      result.weights = {{kThresholdMean, pack_picture(mean_picture(input))}};
    result.record = one_pass_record(0, watch.seconds());
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int input_size) const override {
    return pictures_size(1, input_size);
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string& file) const override {
    Grid<double> mean;
    if (options_.of == ThresholdOf::kResidual) mean = unpack_picture(weights, kThresholdMean, 0, 255, file);
    return std::make_unique<ThresholdDetector>(options_, std::move(mean));
  }

 private:
  ThresholdOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_threshold() {
  return std::make_unique<Threshold>();
}

}  // namespace glint
