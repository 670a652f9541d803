#include "glint/detect/hybrid/hybrid.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/detect/inp_former/inp_former.h"
#include "glint/detect/simplenet/simplenet.h"
#include "glint/detect/training_loop.h"

namespace glint {
namespace {

constexpr const char* kDecisionPrefix = "simplenet.";
constexpr const char* kDecisionPart = "decision";  // in the record
constexpr const char* kMapPrefix = "inp_former.";

class HybridDetector : public Detector {
 public:
  HybridDetector(std::unique_ptr<Detector> decision, std::unique_ptr<Detector> map)
      : decision_(std::move(decision)), map_(std::move(map)) {}

  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    std::vector<PatchScores> out = map_->patch_scores(inputs), decisions = decision_->patch_scores(inputs);
    for (std::size_t i = 0; i < out.size(); ++i) out[i].decision = std::move(decisions[i].map);
    return out;
  }

 private:
  std::unique_ptr<Detector> decision_, map_;
};

class Hybrid : public Method {
 public:
  std::string_view name() const override { return "hybrid"; }
  void describe(OptionTable& table) override {
    decision_->describe(table);
    map_->describe(table);
  }

  RecipeDefaults apply_recipe(Recipe recipe, const BackboneSpec& backbone) override {
    map_->apply_recipe(recipe, backbone);
    return decision_->apply_recipe(recipe, backbone);  // one input and one map for both: SimpleNet's
  }

  MethodNeeds needs() const override { return decision_->needs(); }  // maps; the other one takes both kinds
  void validate(const BackboneSpec& backbone, const InputOptions& input) const override {
    decision_->validate(backbone, input);
    map_->validate(backbone, input);
  }

  FitResult fit(const FeatureExtractor& features, const FitInput& input) const override {
    // SimpleNet first. Resume states carry the finished part's weights along.
    FitResult decision;
    const bool decided = input.resume && !input.resume->record.parts.empty();
    if (decided) {
      decision = {take_prefixed(input.resume->tensors, kDecisionPrefix), input.resume->record.parts[0]};
    } else {
      decision =
          decision_->fit(features, with_states(input, [](TrainingState& half) { half.usable = false; }));
      decision.record.name = kDecisionPart;
    }
    const int decision_epochs = static_cast<int>(decision.record.series.size());
    FitInput part = with_states(input, [&](TrainingState& both) {
      TensorDict tensors;
      add_prefixed(tensors, kDecisionPrefix, decision.weights);
      add_prefixed(tensors, kMapPrefix, both.tensors);
      both.meta_epoch += decision_epochs;
      both.tensors = std::move(tensors);
      both.record.parts = {decision.record};
    });
    part.resume.reset();
    if (decided) {
      part.resume = TrainingState{input.resume->meta_epoch - decision_epochs,
                                  take_prefixed(input.resume->tensors, kMapPrefix), input.resume->record};
    }
    const FitResult map = map_->fit(features, part);

    FitResult result;
    add_prefixed(result.weights, kDecisionPrefix, decision.weights);
    add_prefixed(result.weights, kMapPrefix, map.weights);
    result.record = map.record;
    result.record.saturated = decision.record.saturated;
    result.record.times = {decision.record.times->features + map.record.times->features,
                           decision.record.times->training + map.record.times->training};
    result.record.parts = {decision.record};
    return result;
  }

  FitSize fit_size(const BackboneSpec& backbone, std::int64_t images, int input_size) const override {
    const FitSize decision = decision_->fit_size(backbone, images, input_size),
                  map = map_->fit_size(backbone, images, input_size);
    return {decision.weights + map.weights, std::max(decision.state, decision.weights + map.state),
            map.meta_epochs};  // SimpleNet's make no detector yet
  }

  TensorDict weights_of(const TensorDict& state) const override {
    TensorDict out;
    add_prefixed(out, kDecisionPrefix, decision_->weights_of(take_prefixed(state, kDecisionPrefix)));
    add_prefixed(out, kMapPrefix, map_->weights_of(take_prefixed(state, kMapPrefix)));
    return out;
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor> features, const TensorDict& weights,
                                 const std::string& file) const override {
    return std::make_unique<HybridDetector>(
        decision_->load(features, take_prefixed(weights, kDecisionPrefix), file),
        map_->load(features, take_prefixed(weights, kMapPrefix), file));
  }

 private:
  std::unique_ptr<Method> decision_ = make_simplenet(), map_ = make_inp_former();
};

}  // namespace

std::unique_ptr<Method> make_hybrid() {
  return std::make_unique<Hybrid>();
}

}  // namespace glint
