#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/pixel/pixel_detector.h"
#include "glint/detect/pixel/pixel_methods.h"
#include "glint/detect/training_loop.h"
#include "glint/image/filters/correlation.h"

namespace glint {
namespace {

constexpr const char* kReferencePicture = "template.reference";

/// What the image score is: of the window that correlates least, or of the whole part.
enum class TemplateScore { kLocal, kWhole };

}  // namespace

template <>
struct EnumNames<TemplateScore> {
  static constexpr std::pair<TemplateScore, std::string_view> table[] = {{TemplateScore::kLocal, "local"},
                                                                         {TemplateScore::kWhole, "whole"}};
};

namespace {

struct TemplateOptions {
  TemplateScore score = TemplateScore::kLocal;
  int window = 15;
  int search = 4;              ///< whole: the template is the reference without a frame of this width
  double least_deviation = 2;  ///< grey levels

  void describe(OptionTable& table) {
    table.add("template.score", score,
              "what the image score is: 1 minus the correlation of the worst window, or of the whole part at "
              "its best position");
    table.add("template.window", window, "side of the windows that are compared, pixels", {3, 255});
    table.add("template.search", search, "whole: how far the part is searched in every direction, pixels",
              {0, 32});
    table.add("template.least_deviation", least_deviation,
              "windows in which the reference varies less are not compared, grey levels", {0, 255});
  }
};

class TemplateDetector : public PixelDetector {
 public:
  TemplateDetector(const TemplateOptions& options, Grid<double> reference)
      : options_(options), reference_(std::move(reference)) {
    const int frame = options_.search;
    pattern_ = Grid<double>(reference_.width - 2 * frame, reference_.height - 2 * frame);
    for (int y = 0; y < pattern_.height; ++y)
      std::copy_n(&reference_.at(frame, y + frame), pattern_.width, &pattern_.at(0, y));
  }

 protected:
  PixelScores judge(const GreyImage& image) const override {
    check_same_size(image, reference_.width, reference_.height);
    const Grid<double> grey = to_grid(image);
    const Grid<double> correlation =
        local_correlation(grey, reference_, options_.window, options_.least_deviation);
    // A pixel at the border takes the score of the nearest full window.
    PixelScores out{ScoreMap(image.width, image.height)};
    const int half = options_.window / 2;
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        out.map.values[static_cast<std::size_t>(y) * image.width + x] =
            static_cast<float>(1 - correlation.at(std::clamp(x - half, 0, correlation.width - 1),
                                                  std::clamp(y - half, 0, correlation.height - 1)));
      }
    }
    if (options_.score == TemplateScore::kLocal) {
      out.image = *std::max_element(out.map.values.begin(), out.map.values.end());
    } else {
      const Grid<double> whole = match_template(grey, pattern_);
      out.image = static_cast<float>(1 - *std::max_element(whole.values.begin(), whole.values.end()));
    }
    return out;
  }

 private:
  TemplateOptions options_;
  Grid<double> reference_, pattern_;
};

class Template : public Method {
 public:
  std::string_view name() const override { return "template"; }
  void describe(OptionTable& table) override { options_.describe(table); }
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override { return pixel_recipe(); }
  MethodNeeds needs() const override { return pixel_needs(true); }
  void validate(const BackboneSpec&, const InputOptions& input) const override {
    const ImageSize size = input.input_size();
    const int shorter = std::min(size.width, size.height);
    check_centred("template.window", options_.window);
    if (options_.window > shorter || 2 * options_.search + options_.window > shorter) {
      fail(ErrorCode::kConfig,
           "template.window = {} and template.search = {}: the input is only {} x {} pixels; take smaller "
           "ones",
           options_.window, options_.search, size.width, size.height);
    }
  }

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    const Stopwatch watch;
    FitResult result;
    result.weights = {{kReferencePicture, pack_picture(mean_picture(input))}};
    result.record = one_pass_record(0, watch.seconds());
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int input_size) const override {
    return pictures_size(1, input_size);
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string& file) const override {
    Grid<double> reference = unpack_picture(weights, kReferencePicture, 0, 255, file);
    if (std::min(reference.width, reference.height) < 2 * options_.search + options_.window)
      fail(ErrorCode::kBadInput, "{}: '{}' is smaller than a window; train it again", file,
           kReferencePicture);
    return std::make_unique<TemplateDetector>(options_, std::move(reference));
  }

 private:
  TemplateOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_template() {
  return std::make_unique<Template>();
}

}  // namespace glint
