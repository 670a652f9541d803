// The methods without a network against golden numbers (tests/goldens/classical.safetensors, every entry of
// it), and what their models and options promise.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "glint/base/error.h"
#include "glint/detect/ledoit_wolf.h"
#include "glint/detect/pixel/variation.h"
#include "glint/image/filters/correlation.h"
#include "glint/image/filters/gabor.h"
#include "glint/image/filters/local_binary_patterns.h"
#include "glint/image/filters/map_filters.h"
#include "glint/image/filters/oriented_gradients.h"
#include "glint/image/filters/top_hat.h"
#include "glint/nn/tensors.h"
#include "golden.h"
#include "tensor_compare.h"

namespace glint {
namespace {

class ClassicalGolden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { file_ = new SafetensorsFile(golden("classical")); }
  static void TearDownTestSuite() { delete file_; }

  static torch::Tensor at(const std::string& name) { return to_tensor(file_->tensors.at(name)); }

  /// A picture, or one of a stack.
  static GreyImage grey(const std::string& name, std::int64_t index = 0) {
    torch::Tensor t = at(name);
    if (t.dim() == 3) t = t[index];
    t = t.contiguous();
    const auto* first = t.data_ptr<std::uint8_t>();
    return {static_cast<int>(t.size(1)), static_cast<int>(t.size(0)), {first, first + t.numel()}};
  }
  static std::vector<GreyImage> good() {
    std::vector<GreyImage> out;
    for (std::int64_t i = 0; i < at("good").size(0); ++i) out.push_back(grey("good", i));
    return out;
  }
  static torch::Tensor tensor_of(const Grid<double>& grid) {
    return torch::tensor(grid.values, torch::kDouble).reshape({grid.height, grid.width});
  }
  static torch::Tensor tensor_of(const ScoreMap& map) {
    return torch::tensor(map.values, torch::kFloat).reshape({map.height, map.width});
  }
  template <class Pixels>
  static torch::Tensor bytes_of(const Pixels& picture) {
    return torch::tensor(picture.pixels, torch::kUInt8).reshape({picture.height, picture.width});
  }
  static void expect_equal(const torch::Tensor& got, const torch::Tensor& want, const std::string& what) {
    EXPECT_TRUE(got.equal(want)) << what << ": " << (got != want).sum().item<std::int64_t>() << " differ";
  }

  inline static SafetensorsFile* file_ = nullptr;
};

TEST_F(ClassicalGolden, LocalBinaryPatterns) {
  const auto share_of_ties = [](const torch::Tensor& got, const torch::Tensor& want) {
    return (got != want).to(torch::kDouble).mean().item<double>();
  };
  const auto labelled = [](const Grid<std::uint16_t>& codes, const std::vector<int>& label_of) {
    std::vector<std::int64_t> out;
    for (const std::uint16_t code : codes.values) out.push_back(label_of[code]);
    return torch::tensor(out).reshape({codes.height, codes.width});
  };
  const auto as_is = [](int points) {
    std::vector<int> out(std::size_t{1} << points);
    std::iota(out.begin(), out.end(), 0);
    return out;
  };
  const auto histogram = [](const Grid<std::uint16_t>& codes, const std::vector<int>& label_of, int labels) {
    return torch::tensor(pattern_histogram(codes, label_of, labels, 0, 0, codes.width, codes.height),
                         torch::kDouble);
  };
  // By the golden's own counts a tie moves one pixel from one bin to another.
  for (const auto& [points, radius, name] : {std::tuple(8, 1, "lbp.p8r1"), std::tuple(16, 2, "lbp.p16r2")}) {
    const Grid<std::uint16_t> codes = binary_patterns(grey("image"), points, radius);
    const std::vector<int> invariant = rotation_invariant_labels(points);
    const std::string prefix = name;
    EXPECT_LT(share_of_ties(labelled(codes, as_is(points)), at(prefix + ".code")), 2e-3);
    EXPECT_LT(share_of_ties(labelled(codes, invariant), at(prefix + ".riu2")), 2e-3);
    const torch::Tensor want = at(prefix + ".riu2_histogram");
    const torch::Tensor got = histogram(codes, invariant, points + 2) * want.sum();
    EXPECT_LT(((got - want).abs().sum() / want.sum()).item<double>(), 4e-3);
  }
  const std::vector<int> uniform = uniform_labels(8);
  const torch::Tensor table = at("lbp.p8r1.u2_table"), wanted = at("lbp.p8r1.u2_histogram");
  std::map<std::int64_t, int> ours_of;  // a renaming: one to one
  std::set<int> used;
  for (std::int64_t code = 0; code < 256; ++code) {
    const int ours = uniform[static_cast<std::size_t>(code)];
    const auto [it, fresh] = ours_of.emplace(table[code].item<std::int64_t>(), ours);
    EXPECT_EQ(it->second, ours) << code;
    if (!fresh) continue;
    EXPECT_TRUE(used.insert(ours).second) << code;
  }
  ASSERT_EQ(used.size(), 59U);
  const Grid<std::uint16_t> codes = binary_patterns(grey("image"), 8, 1);
  const torch::Tensor labels = at("lbp.p8r1.u2");
  std::int64_t differ = 0;
  for (std::size_t i = 0; i < codes.values.size(); ++i)
    differ += ours_of.at(labels.flatten()[static_cast<std::int64_t>(i)].item<std::int64_t>()) !=
              uniform[codes.values[i]];
  EXPECT_LT(static_cast<double>(differ) / static_cast<double>(codes.values.size()), 2e-3);
  const std::vector<double> counts = pattern_histogram(codes, uniform, 59, 0, 0, codes.width, codes.height);
  double off = 0;
  for (const auto& [theirs, ours] : ours_of)
    off += std::abs(counts[static_cast<std::size_t>(ours)] - (wanted[theirs] / wanted.sum()).item<double>());
  EXPECT_LT(off, 4e-3);
  const Grid<std::uint16_t> others = binary_patterns(grey("good", 0), 8, 1);
  const double distance =
      chi_square(counts, pattern_histogram(others, uniform, 59, 0, 0, others.width, others.height));
  const double unit = wanted.sum().item<double>();  // the distance grows with the histograms' sum
  EXPECT_NEAR(distance * unit / at("lbp.chi2_good0").item<double>(), 1, differ == 0 ? 1e-8 : 0.02);
}

TEST_F(ClassicalGolden, LedoitWolf) {
  const ShrunkCovariance shrunk = ledoit_wolf(at("ledoit_wolf.samples").unsqueeze(0));
  expect_close(shrunk.shrinkage, at("ledoit_wolf.shrinkage"), 1e-8);
  expect_close(shrunk.covariance[0], at("ledoit_wolf.covariance"), 1e-8);
  const ShrunkCovariance small =
      ledoit_wolf(torch::tensor({1., 2., 2., 1., 3., 5., 4., 4.}, torch::kDouble).reshape({1, 4, 2}));
  EXPECT_NEAR(small.shrinkage.item<double>(), 0.216, 1e-12);
  expect_close(small.covariance[0], torch::tensor({1.385, .98, .98, 2.365}, torch::kDouble), 1e-12);
}

TEST_F(ClassicalGolden, TopHats) {
  for (const int side : {9, 17}) {
    const std::string name = "tophat.e" + std::to_string(side);
    expect_equal(bytes_of(elliptical_element(side)), at(name + ".element"), name);
    expect_equal(bytes_of(white_top_hat(grey("image"), side)), at(name + ".white"), name);
    expect_equal(bytes_of(black_top_hat(grey("image"), side)), at(name + ".black"), name);
  }
}

TEST_F(ClassicalGolden, Correlation) {
  const Grid<double> image = to_grid(grey("image"));
  expect_close(tensor_of(match_template(image, to_grid(grey("ncc.template")))), at("ncc.score"), 1e-8);
  GreyMoments moments;
  for (const GreyImage& one : good()) moments.add(one);
  const Grid<double> reference = moments.mean();
  expect_close(tensor_of(reference), at("ncc.reference"), 1e-8);
  expect_close(tensor_of(local_correlation(image, reference, 15, 0)), at("ncc.local15"), 1e-8);
}

TEST_F(ClassicalGolden, Gabor) {
  for (const int wavelength : {4, 8, 16}) {
    const GaborKernels kernels = gabor_kernels(wavelength, 30);
    const std::string name = "gabor.l" + std::to_string(wavelength) + "t30";
    expect_close(tensor_of(kernels.even), at(name + ".even"), 1e-8, name);
    expect_close(tensor_of(kernels.odd), at(name + ".odd"), 1e-8, name);
  }
  const GreyImage image = grey("image");
  const auto maps = GaborBank({image.width, image.height}).magnitudes(image);
  ASSERT_EQ(std::ssize(maps), kGaborMaps);
  const torch::Tensor want = at("gabor.magnitude");
  for (std::int64_t k = 0; k < kGaborMaps; ++k)
    expect_close(tensor_of(maps[static_cast<std::size_t>(k)]), want[k], 1e-4, std::to_string(k));
}

TEST_F(ClassicalGolden, Variation) {
  GreyMoments moments;
  for (const GreyImage& one : good()) moments.add(one);
  expect_close(tensor_of(moments.mean()), at("variation.mean"), 1e-8);
  expect_close(tensor_of(moments.deviation()), at("variation.deviation_population"), 1e-8);
  expect_close(tensor_of(moments.deviation(1)), at("variation.deviation_sample"), 1e-8);
  const Variation mean{moments.mean(), moments.deviation()}, robust = robust_variation(good());
  expect_close(tensor_of(robust.centre), at("variation.median"), 1e-8);
  expect_close(tensor_of(robust.deviation), at("variation.mad"), 1e-8);
  for (const auto& [model, name] :
       {std::pair(&mean, "variation.mean"), std::pair(&robust, "variation.robust")}) {
    const std::string prefix = name;
    const Grid<double> residual = variation_residual(grey("image"), *model, 20, 3),
                       filtered = median_3x3(residual);
    expect_close(tensor_of(residual), at(prefix + ".residual"), 1e-8, name);
    expect_close(tensor_of(filtered), at(prefix + ".filtered"), 1e-6, name);
    const ScoreMap map = to_map(filtered);  // the golden's score is of single precision
    EXPECT_NEAR(
        *std::max_element(map.values.begin(), map.values.end()) / at(prefix + ".score").item<double>(), 1,
        1e-8);
    expect_equal(tensor_of(residual).gt(3).to(torch::kUInt8), at(prefix + ".mask"), name);
  }
}

TEST_F(ClassicalGolden, OrientedGradients) {
  GreyImage image = grey("image"), left{64, 64, {}};
  for (int y = 0; y < 64; ++y) {
    const auto row = image.pixels.begin() + static_cast<std::ptrdiff_t>(y) * image.width;
    left.pixels.insert(left.pixels.end(), row, row + 64);
  }
  const HogBlocks blocks = oriented_gradients(left);
  ASSERT_EQ(blocks.columns, 7);
  ASSERT_EQ(blocks.rows, 7);
  const torch::Tensor ours = torch::tensor(blocks.values).reshape({7, 7, kHogLength});
  expect_close(ours.transpose(0, 1).contiguous(), at("hog.descriptor"), 2e-3);  // columns outermost there
}

TEST_F(ClassicalGolden, NothingIsLeftOut) {
  // What the tests above name; a new entry of the golden must be looked at.
  EXPECT_EQ(file_->tensors.size(), 46U);
}

}  // namespace
}  // namespace glint
