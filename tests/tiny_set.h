// A tiny rendered set and a random network: for tests of the chain, not of its quality.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "glint/base/files.h"
#include "glint/fit/fit.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/tensors.h"
#include "glint/synth/sleeve.h"
#include "golden.h"

namespace glint {

/// A network of random weights, written as an importable file.
inline std::filesystem::path random_backbone(const std::filesystem::path& folder) {
  const BackboneSpec& spec = backbone_spec("resnet18");
  TensorDict weights;
  torch::manual_seed(3);
  for (const ConvShape& shape : conv_shapes(spec)) {
    const double std = std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
    weights[shape.name + ".weight"] =
        to_host(std * torch::randn({shape.out, shape.in, shape.kernel, shape.kernel}));
    weights[shape.name + ".bias"] = to_host(torch::zeros({shape.out}));
  }
  write_safetensors(folder / "random.safetensors", {weights, {}});
  return folder / "random.safetensors";
}

class TinySet : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    SleeveSetOptions options;
    options.train = 24;
    options.test_good = 4;
    options.per_class = {1, 1, 1, 1, 2};
    options.size = 96;
    options.difficulty = SleeveDifficulty::kHard;
    write_sleeve_set(folder_->path() / "set", options, silent_progress());
    backbone_ = random_backbone(folder_->path()).string();
  }
  static void TearDownTestSuite() { delete folder_; }

  static void small(TrainConfig& config) {
    OptionTable table = config.table();
    for (const char* setting : {"input.size=96", "simplenet.meta_epochs=3", "simplenet.passes=1",
                                "augment.draws=2", "simplenet.embedding_dimension=48",
                                "calibration.false_reject=0.2", "calibration.holdout_least=6"}) {
      table.set_assignment(setting);
    }
  }
  static Dataset dataset() { return scan_dataset(folder_->path() / "set", {}, silent_progress()); }
  static Model train(const std::string& setting = "", FitOptions options = {}) {
    TrainConfig config("simplenet", backbone_, Recipe::kRefined);
    small(config);
    if (!setting.empty()) config.table().set_assignment(setting);
    return fit_model(config, dataset(), options, silent_progress());
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static std::string backbone_;
};

/// Settings small enough for a test; `method` decides which of them apply.
inline std::unique_ptr<TrainConfig> tiny(const std::string& method, const std::string& backbone,
                                         int seed = 0) {
  auto config = std::make_unique<TrainConfig>(method, backbone, Recipe::kRefined);
  OptionTable table = config->table();
  for (const char* setting : {"input.size=96", "augment.draws=1", "calibration.mode=holdout",
                              "calibration.false_reject=0.2", "calibration.holdout_least=6"}) {
    table.set_assignment(setting);
  }
  for (const char* setting :
       {"simplenet.meta_epochs=2", "simplenet.passes=1", "simplenet.embedding_dimension=48",
        "inp_former.meta_epochs=2", "inp_former.passes=1", "inp_former.batch=6",
        "inp_former.decoder_blocks=2", "supersimplenet.meta_epochs=2", "supersimplenet.hidden_dimension=32",
        "fastflow.meta_epochs=2", "fastflow.blocks=2", "cflow.meta_epochs=2", "cflow.blocks=2",
        "cflow.condition=16", "cflow.hidden_ratio=0.2"}) {
    const std::string_view owner = std::string_view(setting).substr(0, std::string_view(setting).find('.'));
    if (owner == method || (method == "hybrid" && (owner == "simplenet" || owner == "inp_former")))
      table.set_assignment(setting);
  }
  table.set("train.seed", seed);
  return config;
}

/// When each model of a folder was written.
inline std::map<std::string, std::filesystem::file_time_type> model_times(
    const std::filesystem::path& folder) {
  std::map<std::string, std::filesystem::file_time_type> times;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".glint")
      times[entry.path().filename().string()] = entry.last_write_time();
  return times;
}

}  // namespace glint
