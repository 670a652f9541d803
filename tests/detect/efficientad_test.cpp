#include "glint/detect/efficientad/efficientad.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "glint/detect/efficientad/losses.h"
#include "glint/detect/efficientad/network.h"
#include "glint/detect/efficientad/pictures.h"
#include "glint/detect/efficientad/teacher.h"
#include "glint/detect/patch_features.h"
#include "glint/image/resample.h"
#include "glint/nn/adam.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "golden_weights.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class EfficientAdGolden : public ::testing::Test {
 protected:
  torch::Tensor at(const std::string& name) const { return to_tensor(file_.tensors.at(name)); }

  /// [1, 3, side, side] of the file's formula.
  torch::Tensor picture(double phase, std::int64_t side = 256) const {
    const double seed = std::stod(file_.metadata.at("seed"));
    const torch::Tensor j = torch::arange(3 * side * side, torch::kDouble);
    return at::sin(0.013 * j + 0.5 * at::cos(0.0007 * j) + (phase + 0.2 * seed))
        .to(torch::kFloat)
        .reshape({1, 3, side, side});
  }

  DescriptionNetwork description(const std::string& net, DescriptionSize size, int outputs,
                                 std::uint32_t more_seed = 0) {
    SafetensorsFile file = file_;
    file.metadata["seed"] = std::to_string(std::stoul(file_.metadata.at("seed")) + more_seed);
    return DescriptionNetwork::from_dict({size, outputs}, formula_weights(file, "weights." + net), "golden");
  }

  void expect_sampled(const torch::Tensor& got, const std::string& name, double relative) const {
    const torch::Tensor shape = at(name + ".shape");
    ASSERT_EQ(got.dim(), shape.numel()) << name;
    for (std::int64_t d = 0; d < got.dim(); ++d)
      ASSERT_EQ(got.size(d), shape[d].item<std::int64_t>()) << name;
    const torch::Tensor flat = got.detach().contiguous().flatten();
    expect_close(flat.index_select(0, at(name + ".sample_index")), at(name + ".sample_value"), relative,
                 name);
    const torch::Tensor wide = flat.to(torch::kDouble);
    expect_close(at::stack({wide.mean(), wide.std(false)}), at(name + ".mean_std"), relative,
                 name + ".mean_std");
  }

  SafetensorsFile file_ = golden("efficientad");
};

TEST_F(EfficientAdGolden, DescriptionNetworks) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor pictures = at::cat({picture(0, 64), picture(1, 64)});
  for (const auto& [name, size] :
       {std::pair("pdn_s", DescriptionSize::kSmall), {"pdn_m", DescriptionSize::kMedium}}) {
    const DescriptionNetwork net = description(name, size, 384);
    expect_sampled(net.describe(pictures), name, 1e-4);
    expect_sampled(net.describe(pictures, /*padded=*/true), name + std::string(".padded"), 1e-4);
  }
}

TEST_F(EfficientAdGolden, LossTermsOfSmallTensors) {
  const EfficientAdLosses losses =
      efficientad_losses(at("small.t_st"), at("small.t_ae"), at("small.ae"), at("small.s_st"),
                         at("small.s_ae"), at("small.s_pen"), 0.999);
  const torch::Tensor squares = (at("small.t_st") - at("small.s_st").slice(1, 0, 6)).square();
  const torch::Tensor got = at::stack({torch::tensor(linear_quantile(squares, 0.999)), losses.hard,
                                       losses.penalty, losses.autoencoder, losses.student_autoencoder});
  for (std::int64_t i = 0; i < 5; ++i)
    expect_close(got[i], at("small.terms")[i], 1e-5, "term " + std::to_string(i));
}

TEST_F(EfficientAdGolden, TwoStepsOfTraining) {
  const auto quantile = [&](const torch::Tensor& t, const torch::Tensor& s) {
    return torch::tensor(linear_quantile((t - s.slice(1, 0, 24)).square(), 0.999));
  };
  const DescriptionNetwork teacher = description("teacher", DescriptionSize::kSmall, 24);
  ChannelSums sums;
  torch::Tensor first, jittered;
  {
    const torch::NoGradGuard no_grad;
    first = teacher.describe(picture(0));
    jittered = teacher.describe(picture(1));
    sums.add(first);
    sums.add(teacher.describe(picture(2.5)));
  }
  const ChannelScale scale = sums.scale();
  expect_close(scale.mean, at("teacher_mean"), 1e-4);
  expect_close(scale.std, at("teacher_std"), 1e-4);
  const torch::Tensor t_st = scale.normalised(first), t_ae = scale.normalised(jittered);
  expect_sampled(t_st[0].unsqueeze(0), "teacher_normalised", 1e-4);

  DescriptionNetwork student = description("student", DescriptionSize::kSmall, 48, 40);
  PatchAutoencoder autoencoder =
      PatchAutoencoder::from_dict(24, formula_weights(file_, "weights.autoencoder"), "golden");
  student.require_gradients(true);
  autoencoder.require_gradients(true);
  std::vector<torch::Tensor> parameters = student.parameters();
  for (const torch::Tensor& p : autoencoder.parameters()) parameters.push_back(p);
  AdamState adam = AdamState::of(parameters);
  const torch::Tensor pictures = at::cat({picture(0), picture(1), picture(2)});
  for (std::int64_t step = 0; step < 3; ++step) {
    at::AutoGradMode gradients(step < 2);
    const torch::Tensor s = student.describe(pictures);
    const torch::Tensor a = autoencoder.reconstruct(pictures.slice(0, 1, 2), {56, 56});
    if (step == 0) {
      expect_sampled(s.slice(0, 0, 1), "student", 1e-4);
      expect_sampled(a, "autoencoder", 1e-4);
    }
    const EfficientAdLosses losses =
        efficientad_losses(t_st, t_ae, a, s.slice(0, 0, 1), s.slice(0, 1, 2), s.slice(0, 2), 0.999);
    const torch::Tensor got = at::stack({quantile(t_st, s.slice(0, 0, 1)), losses.hard, losses.penalty,
                                         losses.autoencoder, losses.student_autoencoder, losses.total()});
    for (std::int64_t i = 0; i < 6; ++i)
      expect_close(got[i], at("losses")[step][i], 1e-3, "loss " + std::to_string(i));
    if (step == 2) break;
    losses.total().backward();
    if (step == 0) {
      for (const char* name : {"0.weight", "8.weight"})
        expect_sampled(student.at(name).grad(), std::string("gradient.student.") + name, 1e-3);
      for (const char* name : {"0.weight", "10.weight"})
        expect_sampled(autoencoder.at(name).grad(), std::string("gradient.autoencoder.") + name, 1e-3);
    }
    adam_step(adam, {1e-4, 1e-5}, parameters, take_gradients(parameters));
  }
}

TEST_F(EfficientAdGolden, Maps) {
  const MapScale scale = MapScale::of(at("map.validation_st"), at("map.validation_ae"));
  expect_close(torch::tensor({scale.teacher[0], scale.teacher[1], scale.autoencoder[0], scale.autoencoder[1]},
                             torch::kDouble),
               at("map.quantiles"), 1e-6);
  const torch::Tensor combined = scale.combined({at("map.st").squeeze(1), at("map.ae").squeeze(1)});
  expect_close(combined, at("map.combined"), 1e-5);
  const torch::Tensor bordered = with_border(combined);
  const std::vector<PatchScores> maps = maps_of(bordered.flatten(1), 20, 20);
  for (std::int64_t i = 0; i < 2; ++i) {
    const ScoreMap large = resize_bilinear(maps[static_cast<std::size_t>(i)].map, 70, 50);
    expect_close(torch::tensor(large.values), at("map.final")[i], 1e-5);
    expect_close(torch::tensor(*std::max_element(large.values.begin(), large.values.end())),
                 at("map.image_score")[i], 1e-5);
  }
}

}  // namespace
}  // namespace glint
