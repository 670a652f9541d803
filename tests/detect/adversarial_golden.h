// What the goldens of adversarial trainings have in common: networks by formula, each with a seed of its own,
// and sampled gradients.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "glint/detect/reconstruction/adversary.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "tensor_compare.h"

namespace glint {

class AdversarialGolden : public ::testing::Test {
 protected:
  explicit AdversarialGolden(const std::string& name) : file_(golden(name)) {}

  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }

  /// Of the network whose formula has the file's seed + `offset`.
  TensorDict weights(const std::string& network, int offset) const {
    SafetensorsFile file;
    file.metadata = file_.metadata;
    file.metadata["seed"] = std::to_string(std::stoi(file.metadata.at("seed")) + offset);
    return formula_weights(file, "weights." + network);
  }

  /// Every scalar against its entry, each by itself.
  static void expect_each(const std::vector<torch::Tensor>& got, const torch::Tensor& want, double relative) {
    ASSERT_EQ(static_cast<std::int64_t>(got.size()), want.numel());
    for (std::size_t i = 0; i < got.size(); ++i)
      expect_close(got[i], want[static_cast<std::int64_t>(i)], relative, "entry " + std::to_string(i));
  }

  /// `samples` tensors of the file below `prefix`, by the network's names.
  void expect_gradients(const std::string& prefix, const TrainableNet& net,
                        const std::vector<torch::Tensor>& gradients, int samples, double relative = 1e-3) {
    int seen = 0;
    const std::vector<torch::Tensor> parameters = net.parameters();
    ASSERT_EQ(parameters.size(), gradients.size());
    for (const auto& [name, unused] : net.to_dict()) {
      if (file_.tensors.count(prefix + name + ".sample_index") == 0) continue;
      ++seen;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!parameters[i].is_same(net.at(name))) continue;
        const torch::Tensor g = gradients[i].to(torch::kDouble);
        EXPECT_TRUE(torch::tensor(g.sizes().vec()).equal(at(prefix + name + ".shape"))) << name;
        expect_close(g.flatten().index_select(0, at(prefix + name + ".sample_index")),
                     at(prefix + name + ".sample_value"), relative, prefix + name);
        expect_close(at::stack({g.mean(), g.std(false)}), at(prefix + name + ".mean_std"), relative,
                     prefix + name);
      }
    }
    EXPECT_EQ(seen, samples) << prefix;
  }
  void expect_gradients(const std::string& prefix, const Adversary& network,
                        const std::vector<torch::Tensor>& gradients, int samples) {
    expect_gradients(prefix, network.net, gradients, samples);
  }

  SafetensorsFile file_;
};

}  // namespace glint
