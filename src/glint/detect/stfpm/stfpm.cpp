#include "glint/detect/stfpm/stfpm.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/stfpm/matching.h"
#include "glint/detect/stfpm/options.h"
#include "glint/detect/teacher_maps.h"
#include "glint/detect/trainable_resnet.h"
#include "glint/detect/training_loop.h"
#include "glint/nn/backbone.h"
#include "glint/nn/sgd.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char* kStudent = "student.";
// What only training needs: the student as it stands (the kept one may be older), its optimiser, and how well
// the kept one did.
constexpr const char* kCurrentStudent = "adam.student.";
constexpr const char* kVelocity = "adam.sgd.";
constexpr const char* kKept = "adam.kept";  // error on the selection, meta-epoch
constexpr int kPublishedStfpmPasses = 100;
constexpr std::int64_t kSelectionBatch = 8;  // images at once

/// The student's architecture is the teacher's; that of compact, whose convolutions are cut in rank, is
/// ResNet-18's.
const BackboneSpec& student_spec(const BackboneSpec& teacher) {
  return teacher.rank_ratio > 0 ? backbone_spec("resnet18") : teacher;
}

NetLayout student_layout(const BackboneSpec& teacher) {
  NetLayout layout;
  return add_resnet(layout, resnet_shape(student_spec(teacher), 3));
}

class StfpmDetector : public Detector {
 public:
  /// The student runs as the teacher does, on the same engine, its batch norm folded.
  StfpmDetector(std::shared_ptr<const FeatureExtractor> teacher, const TrainableNet& student,
                const std::string& file)
      : teacher_(std::move(teacher)),
        student_({student_spec(teacher_->spec()).name, "", file, ""},
                 fold_backbone(student.to_dict(), student_spec(teacher_->spec()), file)) {
    student_.to(teacher_->place(), teacher_->precision(), teacher_->engine());
  }

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::InferenceMode inference;
    const std::vector<torch::Tensor> distances = unit_distances(
        map_tensors(*teacher_, inputs, kTeacherLayers), map_tensors(student_, inputs, kTeacherLayers));
    return maps_of(product_map(distances, distances[0].size(1), distances[0].size(2)));
  }

 private:
  std::shared_ptr<const FeatureExtractor> teacher_;
  Backbone student_;
};

/// The student of a training, what the selection kept of it, and its optimiser.
class StfpmTrainer {
 public:
  StfpmTrainer(const BackboneSpec& teacher, const StfpmOptions& options, const FitInput& input, bool bfloat16)
      : options_(options),
        shape_(resnet_shape(student_spec(teacher), 3)),
        student_(input.resume ? TrainableNet::from_dict(student_layout(teacher), input.resume->tensors,
                                                        "resume file", kCurrentStudent)
                              : TrainableNet::initial(student_layout(teacher), InitialWeights::kKaiming,
                                                      input.seed, "stfpm.init")),
        velocity_(SgdState::of(student_.parameters())) {
    if (input.resume) {
      const TensorDict& state = input.resume->tensors;
      velocity_.load(state, kVelocity, "resume file");
      const std::vector<float> kept = to_floats(require_tensor(state, kKept, {2}, "resume file"));
      kept_error_ = kept[0];
      kept_meta_epoch_ = static_cast<int>(kept[1]);
      kept_ =
          TrainableNet::from_dict(student_layout(teacher), state, "resume file", kStudent).to_dict(kStudent);
    }
    student_.require_gradients(true);
    student_.use_bfloat16(bfloat16);
  }

  /// teacher: three maps [B, C, H, W].
  Readings step(const std::vector<torch::Tensor>& teacher, const std::vector<RgbImage>& images) {
    const std::vector<torch::Tensor> distances = compare(teacher, images, true);
    const torch::Tensor loss = stfpm_loss(distances);
    loss.backward();
    const std::vector<torch::Tensor> parameters = student_.parameters();
    sgd_step(velocity_, {options_.learning_rate, options_.momentum, options_.weight_decay}, parameters,
             take_gradients(parameters));
    Readings readings = {{kLoss, loss.item<double>()}};
    for (std::size_t l = 0; l < distances.size(); ++l)
      readings[fmt::format("layer{}_loss", l + 1)] = distances[l].mean().item<double>();
    return readings;
  }

  /// The loss in evaluation mode, which does not depend on how the images are batched.
  double error(const TeacherMaps& teacher, const std::vector<RgbImage>& images) const {
    const torch::NoGradGuard no_grad;
    double sum = 0;
    const std::int64_t count = std::ssize(images);
    for (std::int64_t first = 0; first < count; first += kSelectionBatch) {
      throw_if_cancelled();
      const std::int64_t last = std::min(count, first + kSelectionBatch);
      std::vector<int> which(static_cast<std::size_t>(last - first));
      std::iota(which.begin(), which.end(), static_cast<int>(first));
      const std::vector<torch::Tensor> distances =
          compare(teacher.gather(which), {images.begin() + first, images.begin() + last}, false);
      sum += stfpm_loss(distances).item<double>() * static_cast<double>(last - first);
    }
    return sum / static_cast<double>(count);
  }

  /// Keeps the student as it stands, unless an earlier one had an error at most as large.
  void offer(double error, int meta_epoch) {
    if (!kept_.empty() && !(error < kept_error_)) return;
    kept_ = student_.to_dict(kStudent);
    kept_error_ = error;
    kept_meta_epoch_ = meta_epoch;
  }

  const TensorDict& kept() const { return kept_; }
  int kept_meta_epoch() const { return kept_meta_epoch_; }
  TensorDict state() const {
    TensorDict out = kept_;
    out.merge(student_.to_dict(kCurrentStudent));
    velocity_.save(out, kVelocity);
    out[kKept] = from_floats({static_cast<float>(kept_error_), static_cast<float>(kept_meta_epoch_)}, {2});
    return out;
  }

 private:
  std::vector<torch::Tensor> compare(const std::vector<torch::Tensor>& teacher,
                                     const std::vector<RgbImage>& images, bool training) const {
    const torch::Tensor input = images_to_tensor(images, kImageNetMean, kImageNetStd);
    std::vector<torch::Tensor> wanted, given;
    for (const torch::Tensor& map : teacher) wanted.push_back(map.to(torch::kFloat));
    for (const torch::Tensor& map :
         resnet_maps(student_, shape_, input.contiguous(torch::MemoryFormat::ChannelsLast), training))
      given.push_back(map.to(torch::kFloat));
    return unit_distances(wanted, given);
  }

  StfpmOptions options_;
  ResNetShape shape_;
  TrainableNet student_;
  SgdState velocity_;
  TensorDict kept_;
  float kept_error_ = std::numeric_limits<float>::infinity();
  int kept_meta_epoch_ = 0;  ///< from 1
};

class Stfpm : public Method {
 public:
  std::string_view name() const override { return "stfpm"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// All as published, which takes less than 30 minutes (docs/recipes.md).
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override {
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 0;
    return defaults;
  }

  MethodNeeds needs() const override {
    return {.layers = kTeacherLayers, .normalisation_share = options_.selection_share};
  }

  FitResult fit(const FeatureExtractor& extractor, const FitInput& input) const override {
    const Stopwatch watch;
    const bool bf16 = trains_in_bfloat16(input);
    const auto type = bf16 ? torch::kBFloat16 : torch::kFloat;
    const TeacherMaps teacher(extractor, input, type);
    const std::vector<RgbImage> tracked = tracker_images(input);
    std::optional<TeacherMaps> selection_maps, tracked_maps;
    if (!input.normalisation.empty()) selection_maps.emplace(extractor, input.normalisation, input, type);
    if (!tracked.empty()) tracked_maps.emplace(extractor, tracked, input, type);
    const double feature_seconds = watch.seconds();

    StfpmTrainer trainer(extractor.spec(), options_, input, bf16);
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      return trainer.step(teacher.gather(at.images, at.draw), step_images(input, at));
    };
    loop.track = [&](int meta_epoch) -> Readings {
      Readings readings;
      double error = -meta_epoch;  // without a selection the latest is kept
      if (selection_maps) {
        error = trainer.error(*selection_maps, input.normalisation);
        readings["selection_loss"] = error;
      }
      trainer.offer(error, meta_epoch + 1);
      if (tracked_maps) readings["held_out_loss"] = trainer.error(*tracked_maps, tracked);
      return readings;
    };
    loop.state = [&] { return trainer.state(); };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = training_loop(
        input, {options_.meta_epochs, options_.passes, options_.batch, false, "stfpm.order"}, loop);
    result.weights = trainer.kept();
    record.readings = {{kLoss, "loss"},
                       {"selection_loss", "loss on the good parts that choose the meta-epoch"},
                       {"held_out_loss", "loss on held-out good parts"}};
    record.curves = {{"Loss: training, on the good parts that choose the meta-epoch, on held-out good parts "
                      "(diagnostic only)",
                      {kLoss, "selection_loss", "held_out_loss"}},
                     {"Training loss by layer", {"layer1_loss", "layer2_loss", "layer3_loss"}}};
    record.figures = {{"length", length_of(options_.meta_epochs * options_.passes)},
                      {"student", student_spec(extractor.spec()).name + " up to layer3"},
                      {"kept_meta_epoch", std::int64_t{trainer.kept_meta_epoch()}},
                      {"precision", std::string(bf16 ? "bfloat16" : "float32")}};
    record.times = TrainingTimes{feature_seconds, watch.seconds() - feature_seconds};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t, int) const override {
    const std::int64_t weights = student_layout(backbone).bytes();
    return {weights, 3 * weights, options_.meta_epochs};
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> extractor, const TensorDict& weights,
                                 const std::string& file) const override {
    const TrainableNet student =
        TrainableNet::from_dict(student_layout(extractor->spec()), weights, file, kStudent);
    return std::make_unique<StfpmDetector>(std::move(extractor), student, file);
  }

 private:
  std::string length_of(int passes) const {
    return fmt::format("{} passes over the training images in batches of {}; published: {} in batches of 32",
                       passes, options_.batch, kPublishedStfpmPasses);
  }

  StfpmOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_stfpm() {
  return std::make_unique<Stfpm>();
}

}  // namespace glint
