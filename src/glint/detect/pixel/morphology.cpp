#include <algorithm>
#include <array>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/pixel/pixel_detector.h"
#include "glint/detect/pixel/pixel_methods.h"
#include "glint/detect/training_loop.h"
#include "glint/image/filters/map_filters.h"
#include "glint/image/filters/top_hat.h"

namespace glint {
namespace {

constexpr const char* kLevels = "morphology.levels";
constexpr std::array kTopHatSides = {9, 17, 33};  ///< of the ellipses, pixels
constexpr std::size_t kTopHats = 2 * kTopHatSides.size();

struct MorphologyOptions {
  int area = 16;

  void describe(OptionTable& table) {
    table.add("morphology.area", area, "least area of a defect, pixels of the input", {1, 100000});
  }
};

/// White, then black top-hats, each opened by 3 x 3.
std::array<GreyImage, kTopHats> top_hats(const GreyImage& image) {
  std::array<GreyImage, kTopHats> out;
  for (std::size_t s = 0; s < kTopHatSides.size(); ++s) {
    out[s] = open_3x3(white_top_hat(image, kTopHatSides[s]));
    out[s + kTopHatSides.size()] = open_3x3(black_top_hat(image, kTopHatSides[s]));
  }
  return out;
}

class MorphologyDetector : public PixelDetector {
 public:
  MorphologyDetector(const MorphologyOptions& options, const std::array<float, kTopHats>& levels)
      : options_(options), levels_(levels) {}

 protected:
  PixelScores judge(const GreyImage& image) const override {
    ScoreMap map(image.width, image.height);
    const auto hats = top_hats(image);
    for (std::size_t k = 0; k < kTopHats; ++k) {
      for (std::size_t i = 0; i < map.values.size(); ++i)
        map.values[i] = std::max(map.values[i], static_cast<float>(hats[k].pixels[i]) / levels_[k]);
    }
    PixelScores out{area_opening(map, options_.area)};
    out.image = *std::max_element(out.map.values.begin(), out.map.values.end());
    return out;
  }

 private:
  MorphologyOptions options_;
  std::array<float, kTopHats> levels_;
};

class Morphology : public Method {
 public:
  std::string_view name() const override { return "morphology"; }
  void describe(OptionTable& table) override { options_.describe(table); }
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override { return pixel_recipe(); }
  MethodNeeds needs() const override { return pixel_needs(false); }

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    const Stopwatch watch;
    if (input.images < 1) fail(ErrorCode::kBadInput, "morphology needs a training image");
    std::array<double, kTopHats> sums{};
    for_each_grey(input, "measuring top-hats", [&](const GreyImage& image) {
      const auto hats = top_hats(image);
      for (std::size_t k = 0; k < kTopHats; ++k)
        sums[k] += *std::max_element(hats[k].pixels.begin(), hats[k].pixels.end());
    });
    std::vector<float> levels;
    for (const double sum : sums)
      levels.push_back(std::max(1.0F, static_cast<float>(sum / (input.images * input.draws))));
    FitResult result;
    result.weights = {{kLevels, from_floats(levels, {std::ssize(levels)})}};
    result.record = one_pass_record(0, watch.seconds());
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    return {static_cast<std::int64_t>(kTopHats * sizeof(float)), 0, 0};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string& file) const override {
    const std::vector<float> levels =
        to_floats(require_tensor(weights, kLevels, {static_cast<std::int64_t>(kTopHats)}, file));
    std::array<float, kTopHats> checked{};
    for (std::size_t k = 0; k < kTopHats; ++k) {
      if (!(levels[k] >= 1 && levels[k] <= 255)) {
        fail(ErrorCode::kBadInput, "{}: tensor '{}' holds {}, outside 1 to 255; train it again", file,
             kLevels, levels[k]);
      }
      checked[k] = levels[k];
    }
    return std::make_unique<MorphologyDetector>(options_, checked);
  }

 private:
  MorphologyOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_morphology() {
  return std::make_unique<Morphology>();
}

}  // namespace glint
