// A method that reads no backbone through the whole chain: none is opened, none lies in the file, and the
// stored model gives the scores of its training.
#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/inspect/open_detector.h"
#include "glint/nn/no_backbone.h"
#include "tiny_set.h"

namespace glint {
namespace {

class NoBackboneChain : public TinySet {
 protected:
  static void reduce(TrainConfig& config) {
    for (const char* setting : {"input.size=96", "calibration.false_reject=0.2",
                                "calibration.holdout_least=6", "calibration.mode=holdout"})
      config.table().set_assignment(setting);
  }
};

TEST_F(NoBackboneChain, TrainsOpensAndJudgesWithoutAnyBackbone) {
  TrainConfig config("variation_model", "a file that is not there.pth", Recipe::kRefined);
  reduce(config);
  EXPECT_EQ(config.backbone, kNoBackbone);
  const Dataset set = dataset();
  const Model model = fit_model(config, set, {}, silent_progress());
  EXPECT_TRUE(model.backbone_weights.empty());
  EXPECT_EQ(model.precision, Precision::kFloat32);
  EXPECT_EQ(model.engine, Engine::kTorch);
  EXPECT_FALSE(model.record.contains("arithmetic_effect"));
  ASSERT_TRUE(model.capsule.has_value());
  const SafetensorsFile file = model_to_file(model);
  for (const auto& [name, tensor] : file.tensors) EXPECT_FALSE(name.starts_with("backbone.")) << name;
  const OpenedDetector opened = open_detector(file, "stored", {});
  EXPECT_TRUE(opened.notices.empty());
  const RgbImage photograph = read_image(set.train[0].path);
  const Inspector before(model, DeviceChoice::kAuto, Precision::kAuto, "before");
  EXPECT_EQ(before.patch_scores({photograph})[0].image, opened.inspector.patch_scores({photograph})[0].image);
  EXPECT_EQ(run_identity(config, set), model.record.at("run_identity"));
}

TEST_F(NoBackboneChain, WhatOnlyABackboneHasIsRefusedBeforeAnyWork) {
  const Dataset set = dataset();
  for (const char* setting : {"train.precision=int8", "train.engine=onednn"}) {
    TrainConfig config("threshold", "compact", Recipe::kRefined);
    reduce(config);
    config.table().set_assignment(setting);
    try {
      fit_model(config, set, {}, silent_progress());
      ADD_FAILURE() << setting;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kConfig);
      EXPECT_NE(std::string(e.what()).find("reads no"), std::string::npos) << e.what();
    }
  }
}

TEST_F(NoBackboneChain, BFloat16ChangesNothing) {
  TrainConfig config("threshold", "compact", Recipe::kRefined);
  reduce(config);
  config.table().set_assignment("train.precision=bfloat16");
  const Model model = fit_model(config, dataset(), {}, silent_progress());
  ASSERT_TRUE(model.record.contains("arithmetic_effect"));
  EXPECT_EQ(model.record["arithmetic_effect"]["largest_difference"], 0.0);
  open_detector(model_to_file(model), "stored", {});
}

TEST_F(NoBackboneChain, AlignmentIsNotTriedWithFeaturesThatAreNotThere) {
  TrainConfig config("lbp", "compact", Recipe::kRefined);
  reduce(config);
  config.table().set_assignment("input.align=auto");
  open_detector(model_to_file(fit_model(config, dataset(), {}, silent_progress())), "stored", {});
}

}  // namespace
}  // namespace glint
