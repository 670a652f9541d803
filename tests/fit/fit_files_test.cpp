// The files of a training: no training is lost, and none starts that could not be kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/evaluate/evaluate.h"
#include "glint/fit/fit.h"
#include "glint/image/codec.h"
#include "glint/nn/safetensors.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class FitFiles : public TinySet {};

/// Counts the steps of training, and fails on the first one when told so.
class CountSteps : public ProgressSink {
 public:
  void begin(const std::string& label, std::int64_t) override { training_ = label == "training"; }
  void advance(std::int64_t, const std::string&) override { steps += training_ ? 1 : 0; }
  void end() override { training_ = false; }
  void message(const std::string&) override {}
  int steps = 0;

 private:
  bool training_ = false;
};

int steps_of(const FitOptions& options, const std::string& backbone, const Dataset& dataset) {
  const auto config = tiny("simplenet", backbone);
  CountSteps sink;
  try {
    fit_model(*config, dataset, options, sink);
  } catch (const Error&) {
  }
  return sink.steps;
}

TEST_F(FitFiles, AModelThatCannotBeWrittenLosesNoTraining) {
  FitOptions options;
  options.out = folder_->path() / "lost" / "m.glint";
  options.state = folder_->path() / "lost" / "m.glint.resume";
  const auto config = tiny("simplenet", backbone_);
  const Model whole = fit_model(*config, dataset(), options, silent_progress());
  fs::create_directory(options.out);  // what a full disk does, too: the last write fails
  try {
    save_trained(whole, options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("--resume"), std::string::npos) << e.what();
  }
  ASSERT_TRUE(fs::exists(options.state));
  EXPECT_EQ(steps_of(options, backbone_, dataset()), 0) << "is refused before it trains";
  fs::remove(options.out);
  EXPECT_GT(steps_of(options, backbone_, dataset()), 0) << "the count counts";
  options.resume = true;
  EXPECT_EQ(steps_of(options, backbone_, dataset()), 0) << "nothing is trained again";
}

TEST_F(FitFiles, WhatCannotBeWrittenIsRefusedBeforeTraining) {
  const Dataset data = dataset();
  const fs::path folder = folder_->path() / "refused";
  fs::create_directories(folder / "directory");
  write_text(folder / "file", "x");
  FitOptions good;
  good.out = folder / "m.glint";
  for (const fs::path& out :
       {folder / "directory", folder / "new" / "", folder / "file" / "m.glint", data.train[3].path,
        *std::find_if(data.test.begin(), data.test.end(), [](const Sample& s) { return s.mask; })->mask,
        folder / std::string(300, 'x')}) {
    FitOptions options;
    options.out = out;
    EXPECT_EQ(steps_of(options, backbone_, data), 0) << out;
    options = good;
    options.state = out;
    EXPECT_EQ(steps_of(options, backbone_, data), 0) << out;
  }
  FitOptions options = good;
  options.epochs = folder / "file";
  EXPECT_EQ(steps_of(options, backbone_, data), 0);
  EXPECT_GT(steps_of(good, backbone_, data), 0) << "the count counts";
  EXPECT_EQ(read_text(folder / "file"), "x");
}

TEST_F(FitFiles, NamesThatAreNoUtf8TrainAndLoad) {
  Dataset data = dataset();
  data.train[0].id = "train/good/z\xfc.png";
  data.categories = {"S\xe4tze"};
  const auto config = tiny("simplenet", backbone_);
  FitOptions options;
  options.out = folder_->path() / "latin.glint";
  save_trained(fit_model(*config, data, options, silent_progress()), options);
  EXPECT_NE(load_model(options.out).record.dump().find("z\\\\xFC.png"), std::string::npos);
}

TEST_F(FitFiles, DamagedFilesOfATrainingAreRefused) {
  FitOptions options;
  options.state = folder_->path() / "damaged.resume";
  train("calibration.mode=holdout", options);
  options.resume = true;
  EXPECT_THROW(train("train.seed=7", options), Error) << "another run";
  Bytes bytes = read_file(options.state);
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file(options.state, bytes);
  EXPECT_THROW(train("calibration.mode=holdout", options), Error);
}

TEST_F(FitFiles, KeptEpochsAreOneFileEachWithWeightsAlone) {
  for (const char* method : {"simplenet", "hybrid"}) {
    const auto config = tiny(method, backbone_);
    FitOptions options;
    options.epochs = folder_->path() / (std::string(method) + ".epochs");
    options.state = folder_->path() / (std::string(method) + ".state");
    write_safetensors(epoch_file(options.epochs, 9), [] {
      SafetensorsFile of_another_run{{}, {{"identity", "other"}, {"meta_epoch", "9"}}};
      add_checksum(of_another_run);
      return of_another_run;
    }());
    const Model model = fit_model(*config, dataset(), options, silent_progress());
    for (const int epoch : {1, 2}) {
      const TensorDict kept =
          read_safetensors(epoch_file(options.epochs, method[0] == 'h' ? epoch + 2 : epoch)).tensors;
      EXPECT_EQ(kept.size(), model.method_weights.size()) << method;
      for (const auto& [name, tensor] : model.method_weights) {
        ASSERT_TRUE(kept.count(name)) << name;
        if (epoch == 2) {
          EXPECT_EQ(kept.at(name).data, tensor.data) << name;
        }
      }
    }
    const Dataset data = dataset();
    const auto epochs = oracle_epochs(model, options.epochs, data, model.scoring, silent_progress());
    ASSERT_EQ(epochs.size(), 2U) << "the other run's file does not count";
    const Inspector inspector(model, DeviceChoice::kCpu, Precision::kAuto, "model");
    EvaluateOptions evaluate;
    evaluate.scoring = model.scoring;
    evaluate.false_reject = 0.2;
    EXPECT_NEAR(epochs[1].image_auroc,
                evaluate_model(model, inspector, data, evaluate, false, silent_progress()).image_auroc.value,
                1e-9);
    Model other = model;
    other.record["run_identity"] = "another";
    EXPECT_THROW(oracle_epochs(other, options.epochs, data, model.scoring, silent_progress()), Error);
  }
}

}  // namespace
}  // namespace glint
