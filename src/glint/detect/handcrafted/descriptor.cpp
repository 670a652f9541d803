#include "glint/detect/handcrafted/descriptor.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/training_loop.h"

namespace glint {
namespace {

/// Descriptors of some inputs.
struct Described {
  torch::Tensor values;  ///< [images, cells, length] float32
  int columns = 0, rows = 0;
};

Described describe_all(const Descriptor& descriptor, const std::vector<RgbImage>& images) {
  std::vector<CellGrid> grids(images.size());
  parallel_for(std::ssize(images), [&](std::int64_t i) {
    const RgbImage& image = images[static_cast<std::size_t>(i)];
    if (std::min(image.width, image.height) < descriptor.least_side()) {
      fail(ErrorCode::kBadInput, "{} needs inputs of at least {} pixels a side, this one has {} x {}",
           descriptor.name(), descriptor.least_side(), image.width, image.height);
    }
    grids[static_cast<std::size_t>(i)] = descriptor.of(to_grey(image));
  });
  Described out{{}, grids.at(0).columns, grids[0].rows};
  const std::int64_t cells = static_cast<std::int64_t>(out.columns) * out.rows;
  out.values = torch::empty({std::ssize(images), cells, descriptor.length()});
  float* to = out.values.data_ptr<float>();
  for (const CellGrid& grid : grids) {
    if (grid.columns != out.columns || grid.rows != out.rows)
      fail(ErrorCode::kBadInput, "{}: inputs of different sizes", descriptor.name());
    to = std::copy(grid.values.begin(), grid.values.end(), to);
  }
  return out;
}

class DescriptorDetector : public Detector {
 public:
  DescriptorDetector(std::unique_ptr<const Descriptor> descriptor, std::unique_ptr<CellModel> model)
      : descriptor_(std::move(descriptor)), model_(std::move(model)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    if (inputs.empty()) return {};
    const torch::InferenceMode inference;
    const Described cells = describe_all(*descriptor_, inputs);
    const torch::Tensor scores = model_->scores(cells.values, cells.columns).contiguous();
    std::vector<PatchScores> out;
    for (std::int64_t i = 0; i < scores.size(0); ++i) {
      const float* first = scores.data_ptr<float>() + i * scores.size(1);
      const std::vector<float> of_one(first, first + scores.size(1));
      out.push_back({spread_cells(of_one, cells.columns, cells.rows),
                     {},
                     *std::max_element(of_one.begin(), of_one.end())});
    }
    return out;
  }

 private:
  std::unique_ptr<const Descriptor> descriptor_;
  std::unique_ptr<CellModel> model_;
};

class DescriptorMethod : public Method {
 public:
  explicit DescriptorMethod(std::unique_ptr<Descriptor> descriptor)
      : descriptor_(std::move(descriptor)), name_(descriptor_->name()) {}

  std::string_view name() const override { return name_; }
  void describe(OptionTable& table) override {
    model_.describe(table, name_);
    descriptor_->describe(table);
  }
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.scoring.image_score = ImageScore::kMethod;
    defaults.scoring.smoothing_sigma = 4;
    return defaults;
  }
  MethodNeeds needs() const override {
    return {.features = FeatureKind::kNone,
            .training = TrainingKind::kOnePass,
            .augmentation_draws = false,
            .position_bound = model_.place == CellPlace::kFixed};
  }
  void validate(const BackboneSpec&, const InputOptions& input) const override {
    const ImageSize size = input.input_size();
    if (std::min(size.width, size.height) < descriptor_->least_side()) {
      fail(ErrorCode::kConfig, "input.size = {}: {} describes cells of inputs of at least {} pixels a side",
           input.size, name_, descriptor_->least_side());
    }
    if (model_.model == CellModelKind::kNearest && !descriptor_->histogram()) {
      fail(ErrorCode::kConfig,
           "{0}.model = nearest: its distance compares histograms, which {0} does not make; choose "
           "mahalanobis "
           "or svm",
           name_);
    }
  }

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    const Stopwatch watch;
    if (input.images < 2) fail(ErrorCode::kBadInput, "{} needs at least two training images", name_);
    std::vector<torch::Tensor> parts;
    std::int64_t cells = 0;
    FitInput used = input;
    const std::vector<int> taken = parts_that_fit(input);
    used.images = static_cast<int>(taken.size());
    used.draws = 1;
    used.image = [&](int image, int draw) {
      return input.image(taken[static_cast<std::size_t>(image)], draw);
    };
    for_each_batch(used, "describing cells", [&](const std::vector<RgbImage>& images) {
      parts.push_back(describe_all(*descriptor_, images).values);
      cells = parts.back().size(1);
    });
    FitResult result;
    result.weights = fit_cell_model(model_, at::cat(parts), name_ + ".", input.seed);
    result.record = one_pass_record(0, watch.seconds());
    result.record.figures = {{"cells", cells}, {"images", std::int64_t{used.images}}};
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t images, int input_size) const override {
    const std::int64_t side = input_size / descriptor_->step();
    return {cell_model_bytes(model_, images, side * side, descriptor_->length()), 0, 0};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string& file) const override {
    return std::make_unique<DescriptorDetector>(
        descriptor_->clone(), load_cell_model(model_, weights, name_ + ".", descriptor_->length(), file));
  }

 private:
  /// As many images, drawn by the seed, as have their descriptors within the bytes that features may take.
  std::vector<int> parts_that_fit(const FitInput& input) const {
    const RgbImage first = input.image(0, 0);
    const std::int64_t step = descriptor_->step(),
                       each = 4 * descriptor_->length() * (first.width / step) * (first.height / step);
    const auto most = std::max<std::int64_t>(2, input.cache_bytes / std::max<std::int64_t>(1, each));
    std::vector<int> out = permutation(input.images, Rng(input.seed, "handcrafted.parts"));
    if (most < std::ssize(out)) out.resize(static_cast<std::size_t>(most));
    std::sort(out.begin(), out.end());
    return out;
  }

  std::unique_ptr<Descriptor> descriptor_;
  std::string name_;
  CellModelOptions model_;
};

}  // namespace

ScoreMap spread_cells(const std::vector<float>& scores, int columns, int rows) {
  GLINT_CHECK(std::ssize(scores) == static_cast<std::int64_t>(columns) * rows);
  ScoreMap out(columns + 1, rows + 1);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      float sum = 0;
      int n = 0;
      for (int v = std::max(0, y - 1); v <= std::min(rows - 1, y); ++v) {
        for (int u = std::max(0, x - 1); u <= std::min(columns - 1, x); ++u, ++n)
          sum += scores[static_cast<std::size_t>(v) * columns + u];
      }
      out.values[static_cast<std::size_t>(y) * out.width + x] = sum / static_cast<float>(n);
    }
  }
  return out;
}

std::unique_ptr<Method> make_descriptor_method(std::unique_ptr<Descriptor> descriptor) {
  return std::make_unique<DescriptorMethod>(std::move(descriptor));
}

}  // namespace glint
