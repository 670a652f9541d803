// open_detector: stored models keep their scores, old versions open, and what cannot judge is refused.
#include "glint/inspect/open_detector.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "golden.h"

namespace glint {
namespace {

// Trained by the program before the contract's redesign (schema 2, simplenet, float32), without the
// backbone's weights: on the compact one that is embedded now, given as a file. The photograph is a rendered
// sleeve with a scratch, its score what `glint inspect` said then. Other machines sum in another order: one
// part in ten thousand.
constexpr double kStoredScore = 0.17742620408535004, kStoredThreshold = 0.21405571699142456,
                 kStoredPValue = 0.2857142857142857;
constexpr double kRelative = 1e-4;

std::filesystem::path stored(const char* extension) {
  return std::filesystem::path(GLINT_TEST_GOLDENS) / (std::string("stored_simplenet") + extension);
}

std::string refusal(const SafetensorsFile& file, const OpenOptions& options = {}) {
  try {
    open_detector(file, "stored model", options);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

nlohmann::json record_of(const SafetensorsFile& file) {
  return nlohmann::json::parse(file.metadata.at("glint_model"));
}

/// As versions before the checksum wrote files: without it, precision, and sizes.
SafetensorsFile first_schema(SafetensorsFile file) {
  nlohmann::json record = record_of(file);
  record["schema_version"] = 1;
  record.erase("precision");
  record.erase("photographs");
  file.metadata = {{"glint_model", record.dump()}};
  return file;
}

void expect_stored_verdict(const OpenedDetector& detector) {
  const InspectionResult result = detector.inspect(read_image(stored(".png")), "part");
  EXPECT_NEAR(result.score, kStoredScore, kRelative * kStoredScore);
  EXPECT_NEAR(result.threshold, kStoredThreshold, kRelative * kStoredThreshold);
  EXPECT_NEAR(result.p_value, kStoredPValue, 1e-9);
  EXPECT_FALSE(result.rejected);
}

TEST(OpenDetector, AStoredModelGivesTheScoreOfItsTime) {
  const OpenedDetector detector = open_detector(stored(".glint"), {DeviceChoice::kCpu});
  EXPECT_EQ(detector.model.method, "simplenet");
  EXPECT_EQ(detector.inspector.precision(), Precision::kFloat32);
  EXPECT_TRUE(detector.notices.empty());
  expect_stored_verdict(detector);
}

TEST(OpenDetector, TheFirstSchemaOpensAndJudgesTheSame) {
  const SafetensorsFile old = first_schema(read_safetensors(stored(".glint")));
  const OpenedDetector detector = open_detector(old, "old model", {DeviceChoice::kCpu, Precision::kFloat32});
  EXPECT_FALSE(detector.model.photographs);
  expect_stored_verdict(detector);
}

TEST(OpenDetector, AnotherPrecisionThanTheThresholdsIsSaid) {
  const OpenedDetector detector = open_detector(stored(".glint"), {DeviceChoice::kCpu, Precision::kBFloat16});
  ASSERT_EQ(detector.notices.size(), 1U);
  EXPECT_NE(detector.notices[0].find("bfloat16"), std::string::npos) << detector.notices[0];
}

/// The stored model with a capsule, as training writes it now.
Model with_capsule() {
  const OpenedDetector detector = open_detector(stored(".glint"), {DeviceChoice::kCpu});
  Model model = load_model(stored(".glint"));
  model.capsule = ParityCapsule::make(detector.inspector.detector(),
                                      detector.inspector.views().make(read_image(stored(".png"))).inputs[0]);
  return model;
}

TEST(OpenDetector, ACapsuleIsRecomputed) {
  const SafetensorsFile file = model_to_file(with_capsule());
  EXPECT_EQ(refusal(file, {DeviceChoice::kCpu}), "");
  // The engine and precision that somebody asks for give other last bits, not another detector.
  EXPECT_EQ(refusal(file, {DeviceChoice::kCpu, Precision::kBFloat16}), "");
  const Model model = model_from_file(file, "x");
  EXPECT_LT(
      capsule_difference(*model.capsule, open_detector(file, "x", {DeviceChoice::kCpu}).inspector.detector(),
                         calibration_scores(model)),
      1e-5);
}

TEST(OpenDetector, ADamagedTensorWithAChecksumThatFitsIsRefused) {
  Model model = with_capsule();
  ASSERT_EQ(refusal(model_to_file(model), {DeviceChoice::kCpu}), "");
  HostTensor& projection = model.method_weights.at("projection.layers.0fc.weight");
  std::vector<float> values = to_floats(projection);
  for (std::size_t i = 0; i < values.size() / 2; ++i) values[i] = -values[i];
  projection = from_floats(values, projection.shape);
  const std::string text = refusal(model_to_file(model), {DeviceChoice::kCpu});  // with its own checksum
  EXPECT_NE(text.find("stored model"), std::string::npos) << text;
  EXPECT_NE(text.find("test input differ by"), std::string::npos) << text;
  EXPECT_NE(text.find("original file"), std::string::npos) << text;
}

TEST(OpenDetector, AnotherShapeIsRefusedUnlessAnySizeIsWished) {
  const RgbImage stripe(300, 60);
  EXPECT_THROW(open_detector(stored(".glint"), {DeviceChoice::kCpu}).inspect(stripe, "stripe"), Error);
  EXPECT_NO_THROW(open_detector(stored(".glint"), {DeviceChoice::kCpu, Precision::kAuto, /*any_size=*/true})
                      .inspect(stripe, "stripe"));
}

TEST(OpenDetector, RefusesWithASentenceThatNamesTheFile) {
  const SafetensorsFile good = first_schema(read_safetensors(stored(".glint")));
  ASSERT_EQ(refusal(good), "");
  const auto changed = [&](const char* pointer, const nlohmann::json& value) {
    SafetensorsFile file = good;
    nlohmann::json record = record_of(good);
    record[nlohmann::json::json_pointer(pointer)] = value;
    file.metadata["glint_model"] = record.dump();
    return refusal(file);
  };
  for (const auto& [text, wanted] :
       {std::pair(changed("/schema_version", 3), "model format"),
        std::pair(changed("/schema_version", 0), "model format"),
        std::pair(changed("/backbone/sha256", "00"), "original backbone"),
        std::pair(changed("/backbone/name", "dinov2reg_vit_small_14"), "backbone"),
        std::pair(changed("/decision/threshold", 0.3), "threshold"),
        std::pair(changed("/method", "simplnet"), "unknown method"),
        std::pair(changed("/training/series", "none"), "training.series")}) {
    EXPECT_NE(text.find("stored model"), std::string::npos) << text;
    EXPECT_NE(text.find(wanted), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace glint
