// A small training of a method that reads no backbone, and what must hold of every one: it resumes bit for
// bit, judges each input by itself, and refuses damaged weights.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/detector.h"
#include "glint/nn/no_backbone.h"
#include "glint/nn/safetensors.h"

namespace glint {

class NoFeatures : public FeatureExtractor {
 public:
  const BackboneSpec& spec() const override { return backbone_spec(kNoBackbone); }
  Precision precision() const override { return Precision::kFloat32; }
  Engine engine() const override { return Engine::kTorch; }
  DeviceChoice place() const override { return DeviceChoice::kCpu; }
  std::vector<HostBuffer> maps(const std::vector<RgbImage>&, const std::vector<int>&) const override {
    fail(ErrorCode::kConfig, "no maps");
  }
  std::vector<HostBuffer> tokens(const std::vector<RgbImage>&, const std::vector<int>&) const override {
    fail(ErrorCode::kConfig, "no tokens");
  }
};

/// A ring on a gradient, a little different each time.
inline RgbImage ring_picture(int size, std::uint64_t seed) {
  Rng rng(seed);
  const double cx = size * rng.uniform(0.45, 0.55), cy = size * rng.uniform(0.45, 0.55);
  RgbImage image(size, size);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double d = std::abs(std::hypot(x - cx, y - cy) / size - 0.3);
      for (int c = 0; c < 3; ++c)
        image.pixels[(static_cast<std::size_t>(y) * size + x) * 3 + c] =
            static_cast<std::uint8_t>(d < 0.08 ? 220 - 30 * c : 40 + 60 * x / size);
    }
  }
  return image;
}

inline std::unique_ptr<Method> method_with(const std::string& name, const std::vector<std::string>& settings,
                                           Recipe recipe = Recipe::kRefined) {
  auto method = make_method(name);
  method->apply_recipe(recipe, backbone_spec(kNoBackbone));
  OptionTable table;
  method->describe(table);
  for (const std::string& setting : settings) table.set_assignment(setting);
  return method;
}

/// Passes over the training images that a recipe makes.
inline int passes_of(const std::string& name, Recipe recipe) {
  const auto method = method_with(name, {}, recipe);
  OptionTable table;
  method->describe(table);
  const nlohmann::json options = table.to_json()[name];
  return options["meta_epochs"].get<int>() * options["passes"].get<int>();
}

/// What check_method says against it; empty when nothing.
inline std::string refusal_of(const std::string& name, const std::vector<std::string>& settings, int size) {
  InputOptions input;
  input.size = size;
  try {
    check_method(*method_with(name, settings), backbone_spec(kNoBackbone), input);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kConfig);
    return e.what();
  }
  return "";
}

class ReconstructionTraining {
 public:
  /// Three meta-epochs of one pass over four pictures of `size` in batches of two.
  ReconstructionTraining(const std::string& name, std::vector<std::string> settings, int size) : size_(size) {
    settings.push_back(name + ".batch=2");
    settings.push_back(name + ".passes=1");
    settings.push_back(name + ".meta_epochs=3");
    method_ = method_with(name, settings);
    for (std::uint64_t i = 0; i < 4; ++i) pictures_.push_back(ring_picture(size, i));
    input_.images = 4;
    input_.image = [this](int i, int) { return pictures_[static_cast<std::size_t>(i)]; };
    input_.held_out = {ring_picture(size, 9)};
    input_.seed = 5;
    input_.precision = Precision::kFloat32;
  }

  /// Trained through, and from the state after `epoch` on: the same, bit for bit.
  void expect_resume(int epoch = 1) {
    if (states_.empty()) {
      input_.on_meta_epoch = [&](const TrainingState& state) { states_.push_back(state); };
      result_ = method_->fit(features_, input_);
    }
    ASSERT_EQ(states_.size(), 3U);
    FitInput rest = input_;
    rest.on_meta_epoch = nullptr;
    rest.resume = states_[static_cast<std::size_t>(epoch - 1)];
    const FitResult resumed = method_->fit(features_, rest);
    ASSERT_EQ(resumed.weights.size(), result_.weights.size());
    for (const auto& [name, tensor] : result_.weights)
      EXPECT_EQ(resumed.weights.at(name).data, tensor.data) << name;
    EXPECT_EQ(resumed.record.series.size(), 3U);
    EXPECT_EQ(resumed.record.series[2].values, result_.record.series[2].values);
    // A state makes the same detector as the weights that are kept of it.
    const TensorDict kept = method_->weights_of(states_.back().tensors);
    EXPECT_EQ(kept.size(), result_.weights.size());
  }

  const FitResult& result() const { return result_; }
  const std::vector<TrainingState>& states() const { return states_; }
  double reading(std::size_t epoch, const std::string& name) const {
    return result_.record.series.at(epoch).value(name);
  }

  std::unique_ptr<Detector> detector() const {
    return method_->load(std::make_shared<NoFeatures>(), result_.weights, "model");
  }

  /// Finite, of the input's size, one by one as together, and higher where a defect is.
  void expect_judging() const {
    const auto detector = this->detector();
    RgbImage defective = pictures_[0];
    const int at = size_ / 2, side = size_ / 8;
    for (int y = at; y < at + side; ++y) {
      for (int x = 0; x < 3 * side; ++x)
        defective.pixels[static_cast<std::size_t>(y * size_ + at) * 3 + static_cast<std::size_t>(x)] =
            static_cast<std::uint8_t>(x % 3 == 0 ? 255 : 0);
    }
    const auto both = detector->patch_scores({pictures_[0], defective});
    const auto alone = detector->patch_scores({defective});
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both[0].map.width, size_);
    double good = 0, bad = 0, largest = 0;
    for (std::size_t i = 0; i < both[1].map.values.size(); ++i) {
      EXPECT_TRUE(std::isfinite(both[1].map.values[i]));
      good += both[0].map.values[i];
      bad += both[1].map.values[i];
      largest = std::max<double>(largest, std::abs(both[1].map.values[i]));
      ASSERT_NEAR(both[1].map.values[i], alone[0].map.values[i], 1e-4);
    }
    EXPECT_GT(largest, 0);
    EXPECT_GT(bad, good);
    ASSERT_TRUE(both[1].image.has_value());
    EXPECT_TRUE(std::isfinite(*both[1].image));
    EXPECT_NEAR(*both[1].image, *alone[0].image, 1e-4 * std::max(1.0F, std::abs(*alone[0].image)));
  }

  /// Missing, of another shape, not finite: each names the file and the tensor.
  void expect_damage_refused(const std::string& tensor) const {
    const HostTensor& good = result_.weights.at(tensor);
    HostTensor wrong = good, longer = good;
    const float nan = std::nanf("");
    std::memcpy(wrong.data.data(), &nan, sizeof nan);
    longer.shape.push_back(1);
    for (const HostTensor* damaged : std::vector<const HostTensor*>{nullptr, &wrong, &longer}) {
      TensorDict bad = result_.weights;
      if (damaged == nullptr) {
        bad.erase(tensor);
      } else {
        bad[tensor] = *damaged;
      }
      try {
        method_->load(std::make_shared<NoFeatures>(), bad, "m.glint");
        ADD_FAILURE() << tensor;
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::kBadInput);
        EXPECT_NE(std::string(e.what()).find(tensor), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("m.glint"), std::string::npos) << e.what();
      }
    }
  }

 private:
  int size_;
  std::unique_ptr<Method> method_;
  std::vector<RgbImage> pictures_;
  NoFeatures features_;
  FitInput input_;
  std::vector<TrainingState> states_;
  FitResult result_;
};

}  // namespace glint
