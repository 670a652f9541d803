#include "glint/detect/efficientad/efficientad.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/efficientad/losses.h"
#include "glint/detect/efficientad/network.h"
#include "glint/detect/efficientad/pictures.h"
#include "glint/detect/efficientad/step_loop.h"
#include "glint/detect/efficientad/teacher.h"
#include "glint/detect/patch_features.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

// Published.
constexpr int kPublishedEfficientAdSteps = 70000, kPublishedTeacherPictures = 60000 * 16;
constexpr double kRateFalls = 0.95, kRateFactor = 0.1;
constexpr double kNormalisationShare = 0.1;
constexpr double kPenaltyGreyShare = 0.3;

constexpr const char* kTeacherPrefix = "teacher.";
constexpr const char* kTeacherScalePrefix = "teacher_output.";
constexpr const char* kStudentPrefix = "student.";
constexpr const char* kAutoencoderPrefix = "autoencoder.";
constexpr const char* kMapQuantiles = "map_quantiles";
constexpr const char* kNetworksOptimizer = "adam.networks.";

constexpr const char* kTeacherPart = "teacher";  // in the record

DescriptionShape teacher_shape(const EfficientAdOptions& options) {
  return {options.size, kTeacherChannels, options.width};
}
DescriptionShape student_shape(const EfficientAdOptions& options) {
  return {options.size, 2 * kTeacherChannels, options.width};
}

/// All that judges, but for the maps' scale.
struct EfficientAdNetworks {
  DescriptionNetwork teacher;
  ChannelScale teacher_scale;
  DescriptionNetwork student;
  PatchAutoencoder autoencoder;

  static EfficientAdNetworks from_dict(const EfficientAdOptions& options, const TensorDict& tensors,
                                       const std::string& file) {
    return {DescriptionNetwork::from_dict(teacher_shape(options), tensors, file, kTeacherPrefix),
            ChannelScale::from_dict(kTeacherChannels, tensors, file, kTeacherScalePrefix),
            DescriptionNetwork::from_dict(student_shape(options), tensors, file, kStudentPrefix),
            PatchAutoencoder::from_dict(kTeacherChannels, tensors, file, kAutoencoderPrefix)};
  }

  TensorDict to_dict() const {
    TensorDict out = teacher.to_dict(kTeacherPrefix);
    teacher_scale.save(out, kTeacherScalePrefix);
    out.merge(student.to_dict(kStudentPrefix));
    out.merge(autoencoder.to_dict(kAutoencoderPrefix));
    return out;
  }

  void use_bfloat16(bool on) {
    teacher.use_bfloat16(on);
    student.use_bfloat16(on);
    autoencoder.use_bfloat16(on);
  }

  /// The teacher's normalised output; without gradients.
  torch::Tensor taught(const torch::Tensor& x) const {
    const torch::NoGradGuard no_grad;
    return teacher_scale.normalised(teacher.describe(x));
  }

  EfficientAdMaps maps(const std::vector<RgbImage>& pictures) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor x = images_to_tensor(pictures, kImageNetMean, kImageNetStd), t = taught(x);
    const ImageSize grid{static_cast<int>(t.size(3)), static_cast<int>(t.size(2))};
    return efficientad_maps(t, autoencoder.reconstruct(x, grid), student.describe(x));
  }
};

class EfficientAdDetector : public Detector {
 public:
  EfficientAdDetector(EfficientAdNetworks networks, MapScale scale)
      : networks_(std::move(networks)), scale_(scale) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    const torch::Tensor map = with_border(scale_.combined(networks_.maps(inputs)));
    return maps_of(map);
  }

 private:
  EfficientAdNetworks networks_;
  MapScale scale_;
};

class EfficientAd : public Method {
 public:
  std::string_view name() const override { return "efficientad"; }
  void describe(OptionTable& table) override { options_.describe(table); }

  /// baseline: the published lengths. The others: short (docs/recipes.md).
  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec&) override {
    if (recipe != Recipe::kBaseline) {
      options_.meta_epochs = 20;
      options_.steps = 75;
      options_.distill_learning_rate = 5e-4;
      options_.distill_final_learning_rate = 0.01;
      options_.distill_batch = 8;
      options_.distill_epochs = 10;
      options_.distill_steps = 60;
    }
    RecipeDefaults defaults;
    defaults.input.size = 256;
    defaults.scoring.smoothing_sigma = 0;
    return defaults;
  }

  MethodNeeds needs() const override {
    return {.layers = kDescribedLayers, .textures = true, .normalisation_share = kNormalisationShare};
  }

  void validate(const BackboneSpec&, const InputOptions& input) const override {
    const ImageSize size = input.aspect > 0 ? input.input_size() : ImageSize{input.size, input.size};
    if (std::min(size.width, size.height) < kLeastEfficientAdSide) {
      fail(ErrorCode::kConfig,
           "input.size = {}: efficientad's autoencoder needs inputs of at least {} pixels a side, not {} x "
           "{}; "
           "raise input.size",
           input.size, kLeastEfficientAdSide, size.width, size.height);
    }
  }

  FitResult fit(const FeatureExtractor& backbone, const FitInput& input) const override {
    // The teacher first. Resume states carry it along.
    const Stopwatch watch;
    FitResult teacher;
    const bool taught = input.resume && !input.resume->record.parts.empty();
    if (taught) {
      teacher = {take_prefixed(input.resume->tensors, kTeacherPrefix), input.resume->record.parts[0]};
    } else {
      teacher = distill_teacher(
          backbone, with_states(input, [](TrainingState& half) { half.usable = false; }), options_);
      teacher.record.name = kTeacherPart;
      teacher.record.times = TrainingTimes{0, watch.seconds()};
    }
    FitInput part = with_states(input, [&](TrainingState& whole) {
      whole.meta_epoch += options_.distill_epochs;
      whole.record.parts = {teacher.record};
    });
    part.resume.reset();
    if (taught) {
      part.resume = TrainingState{input.resume->meta_epoch - options_.distill_epochs, input.resume->tensors,
                                  input.resume->record};
    }
    FitResult result = train(part, teacher);
    TrainingRecord& record = result.record;
    record.parts = {teacher.record};
    record.figures["teacher"] = std::string(
        "distilled from the backbone in this training, on textures and the training images; the "
        "published teacher (WideResNet-101-2 on ImageNet) is stronger");
    record.figures["teacher_unexplained_share"] = teacher.record.figures.at("unexplained");
    record.figures["teacher_length"] = length_of(
        static_cast<std::int64_t>(options_.distill_epochs) * options_.distill_steps * options_.distill_batch,
        kPublishedTeacherPictures, "pictures");
    record.figures["length"] = length_of(static_cast<std::int64_t>(options_.meta_epochs) * options_.steps,
                                         kPublishedEfficientAdSteps, "steps of one picture");
    record.times = TrainingTimes{0, watch.seconds() + (taught ? teacher.record.times->training : 0)};
    return result;
  }

  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override {
    const std::int64_t teacher = DescriptionNetwork::bytes(teacher_shape(options_)),
                       trained = DescriptionNetwork::bytes(student_shape(options_)) +
                                 PatchAutoencoder::bytes(kTeacherChannels);
    return {teacher + trained, teacher + 3 * trained,
            options_.meta_epochs};  // the teacher's make no detector
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> backbone, const TensorDict& weights,
                                 const std::string& file) const override {
    EfficientAdNetworks networks = EfficientAdNetworks::from_dict(options_, weights, file);
    networks.use_bfloat16(backbone->precision() == Precision::kBFloat16);
    return std::make_unique<EfficientAdDetector>(std::move(networks),
                                                 MapScale::from_dict(weights, kMapQuantiles, file));
  }

 private:
  /// Student and autoencoder, with the finished teacher.
  FitResult train(const FitInput& input, const FitResult& teacher) const {
    EfficientAdNetworks networks =
        input.resume ? EfficientAdNetworks::from_dict(options_, input.resume->tensors, "resume file")
                     : begin(input, teacher.weights);
    networks.use_bfloat16(trains_in_bfloat16(input));
    networks.student.require_gradients(true);
    networks.autoencoder.require_gradients(true);
    std::vector<torch::Tensor> parameters = networks.student.parameters();
    for (const torch::Tensor& p : networks.autoencoder.parameters()) parameters.push_back(p);
    AdamState adam = AdamState::of(parameters);
    if (input.resume) adam.load(input.resume->tensors, kNetworksOptimizer, "resume file");

    const auto weights = [&] {
      TensorDict out = networks.to_dict();
      out[kMapQuantiles] = scale_of(networks, input.normalisation).to_host();
      return out;
    };
    const std::int64_t total = static_cast<std::int64_t>(options_.meta_epochs) * options_.steps;
    LoopCallbacks loop;
    loop.train = [&](const LoopStep& at) -> Readings {
      const EfficientAdLosses losses = losses_of(networks, input, at.global);
      losses.total().backward();
      const bool late = static_cast<double>(at.global) >= kRateFalls * static_cast<double>(total);
      adam_step(adam, {options_.learning_rate * (late ? kRateFactor : 1), options_.weight_decay}, parameters,
                take_gradients(parameters));
      return {{kLoss, losses.total().item<double>()},
              {"hard_loss", losses.hard.item<double>()},
              {"penalty_loss", losses.penalty.item<double>()},
              {"autoencoder_loss", losses.autoencoder.item<double>()},
              {"student_autoencoder_loss", losses.student_autoencoder.item<double>()}};
    };
    loop.track = [&](int) -> Readings {
      const std::vector<RgbImage> pictures = tracker_images(input);
      if (pictures.empty()) return {};
      const EfficientAdMaps maps = networks.maps(pictures);
      return {{"held_out_teacher", maps.teacher.mean().item<double>()},
              {"held_out_autoencoder", maps.autoencoder.mean().item<double>()}};
    };
    TensorDict last;
    loop.state = [&] {
      last = weights();
      TensorDict state = last;
      adam.save(state, kNetworksOptimizer);
      return state;
    };
    FitResult result;
    TrainingRecord& record = result.record;
    record.series = step_loop(input, options_.meta_epochs, options_.steps, loop);
    result.weights = last.empty() ? weights() : std::move(last);
    record.readings = {{kLoss, "loss"},
                       {"held_out_teacher", "student's distance from the teacher on held-out good parts"},
                       {"held_out_autoencoder", "student's distance from the autoencoder there"}};
    record.curves = {
        {"Losses: all, hard features, penalty on other things, autoencoder, student from autoencoder",
         {kLoss, "hard_loss", "penalty_loss", "autoencoder_loss", "student_autoencoder_loss"}},
        {"Mean squared difference on held-out good parts: student from teacher and from autoencoder "
         "(diagnostic only)",
         {"held_out_teacher", "held_out_autoencoder"}}};
    record.figures["precision"] = std::string(trains_in_bfloat16(input) ? "bfloat16" : "float32");
    return result;
  }

  /// Networks before the first step, with the teacher's output normalised over the training images.
  EfficientAdNetworks begin(const FitInput& input, const TensorDict& teacher) const {
    EfficientAdNetworks networks{
        DescriptionNetwork::from_dict(teacher_shape(options_), teacher, "teacher"), ChannelScale{},
        DescriptionNetwork::initial(student_shape(options_), input.seed, "efficientad.student"),
        PatchAutoencoder::initial(kTeacherChannels, input.seed, "efficientad.autoencoder")};
    networks.teacher.use_bfloat16(trains_in_bfloat16(input));
    const torch::NoGradGuard no_grad;
    ChannelSums sums;
    for_each_batch(input, "teacher's output", [&](const std::vector<RgbImage>& pictures) {
      sums.add(networks.teacher.describe(images_to_tensor(pictures, kImageNetMean, kImageNetStd)));
    });
    networks.teacher_scale = sums.scale();
    return networks;
  }

  EfficientAdLosses losses_of(const EfficientAdNetworks& networks, const FitInput& input,
                              std::int64_t step) const {
    const std::int64_t pass = step / input.images;
    const std::vector<int> order = permutation(input.images, Rng(input.seed, "efficientad.order", pass));
    const RgbImage picture = input.image(order[static_cast<std::size_t>(step % input.images)],
                                         static_cast<int>(pass % input.draws));
    Rng rng(input.seed, "efficientad.step", step);
    std::vector<RgbImage> pictures = {picture, jittered(picture, rng)};
    if (options_.penalty == StudentPenalty::kTextures) {
      const RgbImage other = input.textures.picture(
          static_cast<int>(rng.below(static_cast<std::uint64_t>(input.textures.count))));
      pictures.push_back(rng.uniform() < kPenaltyGreyShare ? greyed(other) : other);
    }
    const torch::Tensor x = images_to_tensor(pictures, kImageNetMean, kImageNetStd);
    const torch::Tensor t = networks.taught(x.slice(0, 0, 2));
    const ImageSize grid{static_cast<int>(t.size(3)), static_cast<int>(t.size(2))};
    const torch::Tensor a = networks.autoencoder.reconstruct(x.slice(0, 1, 2), grid, &rng);
    const torch::Tensor s = networks.student.describe(x);
    return efficientad_losses(t.slice(0, 0, 1), t.slice(0, 1, 2), a, s.slice(0, 0, 1), s.slice(0, 1, 2),
                              pictures.size() == 3 ? s.slice(0, 2, 3) : torch::Tensor(), options_.hard_share);
  }

  static MapScale scale_of(const EfficientAdNetworks& networks, const std::vector<RgbImage>& good) {
    GLINT_CHECK(!good.empty());
    std::vector<torch::Tensor> teacher, autoencoder;
    for (const RgbImage& picture : good) {
      throw_if_cancelled();
      const EfficientAdMaps maps = networks.maps({picture});
      teacher.push_back(maps.teacher);
      autoencoder.push_back(maps.autoencoder);
    }
    return MapScale::of(at::cat(teacher), at::cat(autoencoder));
  }

  static std::string length_of(std::int64_t done, std::int64_t published, const char* unit) {
    return fmt::format("{} {}; published: {}{}", done, unit, published,
                       done < published ? ": a short recipe" : "");
  }

  EfficientAdOptions options_;
};

}  // namespace

std::unique_ptr<Method> make_efficientad() {
  return std::make_unique<EfficientAd>();
}

}  // namespace glint
