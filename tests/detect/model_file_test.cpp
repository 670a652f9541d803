#include "glint/detect/model_file.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/simplenet/head.h"
#include "golden.h"

namespace glint {
namespace {

Model tiny_model() {
  Model model;
  model.method = "simplenet";
  model.backbone = {"resnet18", "00", "test", "none"};
  model.method_weights = HeadWeights::initial(8, 4, 1).to_dict();
  model.calibration_patches = pack_calibration({{ScoreMap(3, 2, 0.5F), {}}, {ScoreMap(3, 2, 1.5F), {}}});
  model.scoring.smoothing_sigma = 1.25;
  model.input.size = 96;
  model.record = {{"decision", {{"mode", "holdout"}, {"wished_rate", 0.1}}}};
  return model;
}

TEST(ModelFile, RoundTripsAndIsCanonical) {
  const Bytes bytes = serialize_safetensors(model_to_file(tiny_model()));
  const Model back = model_from_file(parse_safetensors(bytes, "x"), "x");
  EXPECT_EQ(back.scoring.smoothing_sigma, 1.25);
  EXPECT_EQ(back.input.size, 96);
  EXPECT_EQ(calibration_scores(back)[1].map.values[5], 1.5F);
  EXPECT_EQ(serialize_safetensors(model_to_file(back)), bytes);
}

TEST(ModelFile, RefusesDamage) {
  const SafetensorsFile good = model_to_file(tiny_model());
  auto refused = [&](auto change) {
    SafetensorsFile file = good;
    change(file);
    EXPECT_THROW(model_from_file(file, "bad"), Error);
  };
  refused([](SafetensorsFile& f) { f.metadata.clear(); });
  refused([](SafetensorsFile& f) { f.metadata["glint_model"] = "{"; });
  refused([](SafetensorsFile& f) { f.metadata["glint_model"] = R"({"schema_version":99})"; });
  refused([](SafetensorsFile& f) {
    auto record = nlohmann::json::parse(f.metadata["glint_model"]);
    record["input"]["size"] = -5;
    f.metadata["glint_model"] = record.dump();
  });
  refused([](SafetensorsFile& f) {
    f.tensors["method.discriminator.tail.weight"] = from_floats({1, NAN, 2, 3}, {1, 4});
  });
  TensorDict wrong = tiny_model().method_weights;
  wrong["discriminator.tail.weight"] = from_floats({1, 2}, {1, 2});
  EXPECT_THROW(HeadWeights::from_dict(wrong, "x"), Error);
}

TEST(ModelFile, RandomDamageIsRefusedOrHarmless) {
  const Bytes good = serialize_safetensors(model_to_file(tiny_model()));
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    Rng rng(1, "damage", round);
    Bytes bytes = good;
    for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
      // half of the hits in the header, where the structure is
      const std::size_t at =
          rng.below(2) ? rng.below(bytes.size()) : rng.below(std::min<std::size_t>(bytes.size(), 3000));
      bytes[at] = static_cast<std::byte>(rng.below(256));
    }
    if (rng.below(4) == 0) bytes.resize(rng.below(bytes.size()));
    try {
      const Model model = model_from_file(parse_safetensors(bytes, "x"), "x");
      calibration_scores(model);
      HeadWeights::from_dict(model.method_weights, "x");
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Scoring, ReductionsAgreeOnAConstantMapAndOrderOtherwise) {
  ScoringOptions options;
  for (const auto& [score, name] : EnumNames<ImageScore>::table) {
    options.image_score = score;
    const ScoreMap flat(6, 6, 2.0F);
    EXPECT_NEAR(image_score(flat, anomaly_map(flat, 48, options), options), 2.0, 1e-4) << name;
    ScoreMap peak = flat;
    peak.values[14] = 5;
    EXPECT_GT(image_score(peak, anomaly_map(peak, 48, options), options), 2.0) << name;
  }
}

TEST(Input, CropFollowsThePublishedOffsetsAndMapsGoBackInPlace) {
  InputOptions options;
  options.framing = Framing::kCentreCrop;
  RgbImage image(329, 329);
  image.at(20, 20)[0] = 255;  // the crop starts at 20: half to even
  EXPECT_EQ(prepare_input(image, options).at(0, 0)[0], 255);
  ScoreMap map(288, 288);
  map.values[0] = 1;
  EXPECT_EQ(map_to_image(map, options, 329, 329).at(20, 20), 1.0F);
}

}  // namespace
}  // namespace glint
