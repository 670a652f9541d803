#include "glint/detect/parity_capsule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

/// Says of any input what it was told to.
struct Told : Detector {
  PatchScores scores;
  std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
    return std::vector<PatchScores>(inputs.size(), scores);
  }
};

PatchScores scores_of(float first, float second, std::optional<float> image = std::nullopt) {
  PatchScores out;
  out.map = ScoreMap(2, 1);
  out.map.values = {first, second};
  out.image = image;
  return out;
}

// Standard deviation 2 of the map, 10 of the image scores.
const std::vector<PatchScores> kGood = {scores_of(1, 5, 0.0F), scores_of(5, 1, 20.0F)};

RgbImage input() {
  RgbImage out(3, 2);
  for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = static_cast<std::uint8_t>(i);
  return out;
}

TEST(ParityCapsule, RoundTrips) {
  Told detector;
  detector.scores = scores_of(1, 2, 3.0F);
  const ParityCapsule made = ParityCapsule::make(detector, input());
  const ParityCapsule back = ParityCapsule::unpack(made.pack(), "parity.", "x").value();
  EXPECT_EQ(back.input.pixels, input().pixels);
  EXPECT_EQ(back.input_size(), (ImageSize{3, 2}));
  EXPECT_EQ(capsule_difference(back, detector, kGood), 0);
  EXPECT_FALSE(ParityCapsule::unpack({}, "parity.", "x"));
}

TEST(ParityCapsule, TheDifferenceIsInUnitsOfTheGoodPartsSpread) {
  Told detector;
  detector.scores = scores_of(1, 2, 3.0F);
  const ParityCapsule capsule = ParityCapsule::make(detector, input());
  detector.scores = scores_of(1, 2.2F, 3.0F);  // root mean square 0.2 / sqrt(2), over 2
  EXPECT_NEAR(capsule_difference(capsule, detector, kGood), 0.1 / std::sqrt(2), 1e-6);
  detector.scores = scores_of(1, 2, 8.0F);
  EXPECT_NEAR(capsule_difference(capsule, detector, kGood), 0.5, 1e-6);
  detector.scores = scores_of(1, NAN, 3.0F);
  EXPECT_TRUE(std::isinf(capsule_difference(capsule, detector, kGood)));
  detector.scores = scores_of(1, 2);  // no image score
  EXPECT_TRUE(std::isinf(capsule_difference(capsule, detector, kGood)));
}

TEST(ParityCapsule, RefusesWhatIsNone) {
  Told detector;
  detector.scores = scores_of(1, 2);
  const TensorDict good = ParityCapsule::make(detector, input()).pack();
  const auto refused = [&](const char* tensor, const HostTensor& value) {
    TensorDict changed = good;
    changed[tensor] = value;
    try {
      ParityCapsule::unpack(changed, "parity.", "part.glint");
    } catch (const Error& e) {
      return std::string(e.what()).find("part.glint") != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused("input", {DType::kU8, {2, 3, 1}, Bytes(6)}));
  EXPECT_TRUE(refused("input", {DType::kU8, {0, 3, 3}, Bytes(0)}));
  EXPECT_TRUE(refused("input", {DType::kF32, {1, 1, 3}, Bytes(12)}));
  EXPECT_TRUE(refused("patch_scores", from_floats({1, 2}, {2, 1, 1})));
  EXPECT_TRUE(refused("patch_scores", from_floats({1, 2}, {2})));
  EXPECT_TRUE(refused("else", from_floats({1}, {1})));
  for (const char* part : {"input", "patch_scores"}) {
    TensorDict changed = good;
    changed.erase(part);
    EXPECT_THROW(ParityCapsule::unpack(changed, "parity.", "x"), Error) << part;
  }
}

TEST(ParityCapsule, Float32IsHeldMoreNarrowlyAndAnotherPrecisionLess) {
  const double narrow = capsule_tolerance(Precision::kFloat32, Precision::kFloat32);
  for (const Precision p : {Precision::kBFloat16, Precision::kInt8}) {
    EXPECT_GT(capsule_tolerance(p, p), narrow);
    EXPECT_GT(capsule_tolerance(p, Precision::kFloat32), capsule_tolerance(p, p));
    EXPECT_GT(capsule_tolerance(Precision::kFloat32, p), capsule_tolerance(p, p));
  }
}

}  // namespace
}  // namespace glint
