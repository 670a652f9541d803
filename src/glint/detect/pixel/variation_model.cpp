#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/pixel/pixel_detector.h"
#include "glint/detect/pixel/pixel_methods.h"
#include "glint/detect/pixel/variation.h"
#include "glint/detect/training_loop.h"
#include "glint/image/filters/map_filters.h"

namespace glint {
namespace {

constexpr const char* kVariationCentre = "variation_model.centre";
constexpr const char* kVariationDeviation = "variation_model.deviation";

enum class VariationCentre { kMean, kMedian };

}  // namespace

template <>
struct EnumNames<VariationCentre> {
  static constexpr std::pair<VariationCentre, std::string_view> table[] = {
      {VariationCentre::kMean, "mean"}, {VariationCentre::kMedian, "median"}};
};

namespace {

struct VariationOptions {
  VariationCentre centre = VariationCentre::kMean;
  double absolute = 20;  ///< HALCON's starting value, both signs
  double relative = 3;   ///< likewise

  void describe(OptionTable& table) {
    table.add("variation_model.centre", centre,
              "what a good pixel is: mean and standard deviation, or median and scaled median absolute "
              "deviation");
    table.add("variation_model.absolute", absolute, "tolerance that every pixel has, grey levels",
              {0.1, 255});
    table.add("variation_model.relative", relative, "tolerance in deviations of the pixel", {0.1, 100});
  }
};

class VariationDetector : public PixelDetector {
 public:
  VariationDetector(const VariationOptions& options, Variation model)
      : options_(options), model_(std::move(model)) {}

 protected:
  PixelScores judge(const GreyImage& image) const override {
    check_same_size(image, model_.centre.width, model_.centre.height);
    PixelScores out{
        to_map(median_3x3(variation_residual(image, model_, options_.absolute, options_.relative)))};
    out.image = *std::max_element(out.map.values.begin(), out.map.values.end());
    return out;
  }

 private:
  VariationOptions options_;
  Variation model_;
};

/// Median and deviation in bands of rows, so that memory holds one band of all parts.
Variation variation_in_bands(const FitInput& input) {
  constexpr std::int64_t kBandBytes = std::int64_t{256} << 20;
  Variation out;
  int first = 0, height = 1;
  while (first < height) {
    std::vector<GreyImage> bands;
    for_each_grey(input, "collecting grey levels", [&](const GreyImage& image) {
      if (out.centre.values.empty()) {
        height = image.height;
        out.centre = Grid<double>(image.width, height);
        out.deviation = out.centre;
      }
      const std::int64_t of_row = static_cast<std::int64_t>(image.width) * input.images * input.draws;
      const int rows =
          std::min(height - first, static_cast<int>(std::max<std::int64_t>(1, kBandBytes / of_row)));
      const auto begin = image.pixels.begin() + static_cast<std::ptrdiff_t>(first) * image.width;
      bands.push_back({image.width, rows, {begin, begin + static_cast<std::ptrdiff_t>(rows) * image.width}});
    });
    const Variation band = robust_variation(bands);
    std::copy(band.centre.values.begin(), band.centre.values.end(), &out.centre.at(0, first));
    std::copy(band.deviation.values.begin(), band.deviation.values.end(), &out.deviation.at(0, first));
    first += band.centre.height;
  }
  return out;
}

class VariationModel : public Method {
 public:
  std::string_view name() const override { return "variation_model"; }
  void describe(OptionTable& table) override { options_.describe(table); }
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override { return pixel_recipe(); }
  MethodNeeds needs() const override { return pixel_needs(true); }

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    const Stopwatch watch;
    if (input.images < 2) fail(ErrorCode::kBadInput, "variation_model needs at least two training images");
    Variation model;
    if (options_.centre == VariationCentre::kMedian) {
      model = variation_in_bands(input);
    } else {
      GreyMoments moments;
      for_each_grey(input, "collecting grey levels", [&](const GreyImage& image) { moments.add(image); });
      model = {moments.mean(), moments.deviation()};
    }
    FitResult result;
    result.weights = {{kVariationCentre, pack_picture(model.centre)},
                      {kVariationDeviation, pack_picture(model.deviation)}};
    result.record = one_pass_record(0, watch.seconds());
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int input_size) const override {
    return pictures_size(2, input_size);
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string& file) const override {
    Variation model{unpack_picture(weights, kVariationCentre, 0, 255, file),
                    unpack_picture(weights, kVariationDeviation, 0, 255, file)};
    if (model.centre.width != model.deviation.width || model.centre.height != model.deviation.height)
      fail(ErrorCode::kBadInput, "{}: '{}' and '{}' do not belong together", file, kVariationCentre,
           kVariationDeviation);
    return std::make_unique<VariationDetector>(options_, std::move(model));
  }

 private:
  VariationOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_variation_model() {
  return std::make_unique<VariationModel>();
}

}  // namespace glint
