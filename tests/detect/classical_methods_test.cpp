// The methods without a network as detectors: that they find a planted defect at its place, train the same
// twice, do not look at the batch, and refuse damaged weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/detector.h"
#include "glint/detect/handcrafted/descriptor.h"
#include "glint/detect/handcrafted/one_class_svm.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/no_backbone.h"

namespace glint {
namespace {

constexpr int kSide = 96, kParts = 14;

/// Stripes with a little noise; `defect` puts a block of other structure at (56, 40) to (72, 56).
RgbImage striped_part(int index, bool defect = false) {
  Rng rng(11, "part", index);
  RgbImage out(kSide, kSide);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      double v = 120 + 40 * std::sin(x * 0.35) + 5 * rng.normal();
      if (defect && x >= 56 && x < 72 && y >= 40 && y < 56) v = (y / 3) % 2 == 0 ? 225 : 20;
      std::fill_n(out.at(x, y), 3, static_cast<std::uint8_t>(std::clamp(v, 0.0, 255.0)));
    }
  }
  return out;
}

struct MethodCase {
  std::string method;
  std::vector<std::string> settings;
  bool local = true;  ///< its image score follows the map's place
};

const MethodCase kClassicalCases[] = {
    {"variation_model", {}},
    {"variation_model", {"variation_model.centre=median"}},
    {"template", {}},
    {"template", {"template.score=whole"}, false},
    {"morphology", {}},
    {"threshold", {}},
    {"threshold", {"threshold.of=top_hat"}},
    {"lbp", {}},
    {"lbp", {"lbp.model=svm", "lbp.patterns=riu2_8_1"}},
    {"lbp", {"lbp.model=nearest", "lbp.patterns=riu2_16_2"}},
    {"lbp", {"lbp.model=nearest", "lbp.place=anywhere"}},
    {"hog", {}},
    {"hog", {"hog.model=svm"}},
    {"hog", {"hog.place=anywhere"}},
    {"gabor", {}},
    {"gabor", {"gabor.model=svm", "gabor.place=anywhere", "gabor.samples=300"}},
};

std::string label_of(const MethodCase& c) {
  return fmt::format("{} {}", c.method, fmt::join(c.settings, " "));
}

std::unique_ptr<Method> made(const MethodCase& c) {
  auto method = make_method(c.method);
  method->apply_recipe(Recipe::kRefined, backbone_spec(kNoBackbone));
  OptionTable table;
  method->describe(table);
  for (const std::string& setting : c.settings) table.set_assignment(setting);
  InputOptions input;
  input.size = kSide;
  check_method(*method, backbone_spec(kNoBackbone), input);
  return method;
}

std::shared_ptr<const FeatureExtractor> nothing() {
  static const auto none = std::make_shared<const Backbone>(open_backbone(kNoBackbone));
  return none;
}

FitResult fitted(const Method& method) {
  FitInput input;
  input.images = kParts;
  input.image = [](int image, int) { return striped_part(image); };
  input.seed = 5;
  return method.fit(*nothing(), input);
}

/// Trained once for all tests.
const TensorDict& weights_of(const MethodCase& c) {
  static std::map<std::string, TensorDict> known;
  const auto [it, fresh] = known.try_emplace(label_of(c));
  if (fresh) it->second = fitted(*made(c)).weights;
  return it->second;
}

TEST(ClassicalMethods, FindAPlantedDefectAtItsPlace) {
  for (const MethodCase& c : kClassicalCases) {
    SCOPED_TRACE(label_of(c));
    const auto method = made(c);
    const auto detector = method->load(nothing(), weights_of(c), "test");
    std::vector<RgbImage> inputs = {striped_part(100, true)};
    for (int i = 101; i < 107; ++i) inputs.push_back(striped_part(i));
    const auto scores = detector->patch_scores(inputs);
    ASSERT_TRUE(scores[0].image.has_value());
    float good = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 1; i < scores.size(); ++i) good = std::max(good, *scores[i].image);
    EXPECT_GT(*scores[0].image, good);
    const ScoreMap& map = scores[0].map;
    EXPECT_LE(map.width, kSide / 4);
    const auto peak =
        static_cast<int>(std::max_element(map.values.begin(), map.values.end()) - map.values.begin());
    const double x = (peak % map.width + 0.5) * kSide / map.width,
                 y = (peak / map.width + 0.5) * kSide / map.height;
    EXPECT_NEAR(x, 64, 16);
    EXPECT_NEAR(y, 48, 16);
    // Free of the batch.
    const auto alone = detector->patch_scores({inputs[3]});
    EXPECT_EQ(alone[0].map.values, scores[3].map.values);
    EXPECT_EQ(alone[0].image, scores[3].image);
  }
}

TEST(ClassicalMethods, SameSeedSameWeightsAndSizeAsEstimated) {
  for (const MethodCase& c : kClassicalCases) {
    SCOPED_TRACE(label_of(c));
    const auto method = made(c);
    const TensorDict& first = weights_of(c);
    const TensorDict second = fitted(*method).weights;
    ASSERT_EQ(first.size(), second.size());
    std::int64_t bytes = 0;
    for (const auto& [name, tensor] : first) {
      EXPECT_EQ(tensor.data, second.at(name).data) << name;
      EXPECT_TRUE(name.starts_with(c.method + ".")) << name;
      bytes += static_cast<std::int64_t>(tensor.data.size());
    }
    const std::int64_t estimated = method->fit_size(backbone_spec(kNoBackbone), kParts, kSide).weights;
    EXPECT_LE(bytes, 4 * estimated + 1000);
  }
}

/// What load() says of weights that somebody changed.
std::string load_refusal(const Method& method, const TensorDict& weights) {
  try {
    method.load(nothing(), weights, "odd.glint");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kBadInput);
    return e.what();
  }
  return "";
}

TEST(ClassicalMethods, DamagedWeightsAreRefused) {
  for (const MethodCase& c : kClassicalCases) {
    const auto method = made(c);
    const TensorDict& weights = weights_of(c);
    for (const auto& [name, tensor] : weights) {
      SCOPED_TRACE(label_of(c) + " " + name);
      const auto refuses = [&](const HostTensor& changed) {
        TensorDict odd = weights;
        odd[name] = changed;
        const std::string text = load_refusal(*method, odd);
        EXPECT_NE(text.find("odd.glint"), std::string::npos) << text;
      };
      TensorDict without = weights;
      without.erase(name);
      EXPECT_NE(load_refusal(*method, without).find(name), std::string::npos);
      HostTensor shape = tensor;
      shape.shape.push_back(1);
      refuses(shape);
      refuses(from_floats({}, {0}));
      if (!is_floating(tensor.dtype)) {
        HostTensor order = tensor;
        std::swap_ranges(order.data.begin(), order.data.begin() + 8, order.data.begin() + 8);
        refuses(order);
        continue;
      }
      const std::vector<float> values = to_floats(tensor);
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e30F}) {
        std::vector<float> changed = values;
        changed[0] = bad;
        refuses(from_floats(changed, tensor.shape));
      }
    }
  }
}

TEST(ClassicalMethods, AnotherSizeThanTheModelsIsRefused) {
  for (const MethodCase& c : kClassicalCases) {
    const auto method = made(c);
    if (!method->needs().position_bound) continue;
    SCOPED_TRACE(label_of(c));
    const auto detector = method->load(nothing(), weights_of(c), "test");
    EXPECT_THROW(detector->patch_scores({RgbImage(128, 128)}), Error);
  }
}

TEST(ClassicalMethods, RulesBetweenOptions) {
  const auto refused = [](const MethodCase& c, const char* word) {
    try {
      made(c);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kConfig);
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
      return;
    }
    ADD_FAILURE() << label_of(c);
  };
  refused({"hog", {"hog.model=nearest"}}, "hog.model");
  refused({"template", {"template.window=14"}}, "template.window");
  refused({"template", {"template.window=91"}}, "template.search");
  refused({"threshold", {"threshold.element=8"}}, "threshold.element");
  EXPECT_FALSE(made({"lbp", {"lbp.place=anywhere"}})->needs().position_bound);
  EXPECT_TRUE(made({"lbp", {}})->needs().position_bound);
}

TEST(NoBackbone, RunsNothingAndSuitsNobodyWhoReadsFeatures) {
  Backbone none = open_backbone(kNoBackbone);
  EXPECT_TRUE(none.weights().empty());
  none.to(DeviceChoice::kCpu, Precision::kFloat32, Engine::kAuto);
  EXPECT_EQ(none.engine(), Engine::kTorch);
  EXPECT_EQ(none.place(), DeviceChoice::kCpu);
  EXPECT_THROW(none.maps({RgbImage(32, 32)}, {1}), Error);
  EXPECT_THROW(none.tokens({RgbImage(32, 32)}, {1}), Error);
  EXPECT_THROW(none.to(DeviceChoice::kCpu, Precision::kInt8), Error);
  EXPECT_THROW(none.to(DeviceChoice::kCpu, Precision::kFloat32, Engine::kOneDnn), Error);
  for (const std::string& name : method_names()) {
    const auto method = make_method(name);
    if (method->needs().features == FeatureKind::kNone) continue;
    EXPECT_THROW(check_method(*method, backbone_spec(kNoBackbone), {}), Error) << name;
  }
}

TEST(OneClassSvm, NuBoundsOutliersAndSupport) {
  constexpr int kSamples = 400, kLength = 3;
  constexpr double kNu = 0.1;
  Rng rng(8);
  std::vector<float> samples;
  for (int i = 0; i < kSamples * kLength; ++i) samples.push_back(static_cast<float>(rng.normal()));
  const OneClassSvm svm = fit_one_class_svm(samples, kSamples, kLength, kNu, 1.0 / kLength);
  EXPECT_GE(std::ssize(svm.support), static_cast<std::ptrdiff_t>(kNu * kSamples));
  EXPECT_LT(std::ssize(svm.support), kSamples / 2);
  double sum = 0;
  std::vector<float> vectors, coefficients;
  for (std::size_t k = 0; k < svm.support.size(); ++k) {
    sum += svm.coefficients[k];
    EXPECT_LE(svm.coefficients[k], 1 / (kNu * kSamples) + 1e-12);
    coefficients.push_back(static_cast<float>(svm.coefficients[k]));
    const auto first = samples.begin() + static_cast<std::ptrdiff_t>(svm.support[k]) * kLength;
    vectors.insert(vectors.end(), first, first + kLength);
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  const auto surprise = [&](std::vector<float> x) {
    return one_class_surprise(vectors, coefficients, svm.offset, 1.0 / kLength, x);
  };
  int outside = 0;
  for (int i = 0; i < kSamples; ++i) {
    const auto first = samples.begin() + static_cast<std::ptrdiff_t>(i) * kLength;
    outside += surprise({first, first + kLength}) > 1e-3;
  }
  EXPECT_LE(outside, static_cast<int>(kNu * kSamples) + 1);
  EXPECT_LT(surprise({0, 0, 0}), 0.05);  // of a narrow kernel the middle lies near the boundary too
  EXPECT_GT(surprise({4, 0, 0}), 0.5);
  EXPECT_GT(surprise({400, 0, 0}), surprise({200, 0, 0})) << "far points keep their order";
  const std::vector<float> one = {1, 2, 3};
  EXPECT_NEAR(fit_one_class_svm(one, 1, 3, 0.05, 1).offset, 1, 1e-12);
}

TEST(SpreadCells, IsTheMeanOfTheCellsOverAPlace) {
  const ScoreMap map = spread_cells({1, 3, 5, 7}, 2, 2);
  EXPECT_EQ(map.values, (std::vector<float>{1, 2, 3, 3, 4, 5, 5, 6, 7}));
}

}  // namespace
}  // namespace glint
