#include "glint/detect/model_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

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
  model.method_weights["simplenet.feature_scale"] = {DType::kF64, {1}, Bytes(8)};
  const double scale = 1.5;
  std::memcpy(model.method_weights["simplenet.feature_scale"].data.data(), &scale, sizeof(scale));
  model.calibration_patches = pack_scores({{ScoreMap(3, 2, 0.5F), {}}, {ScoreMap(3, 2, 1.5F), {}}});
  model.scoring.smoothing_sigma = 1.25;
  model.input.size = 96;
  model.precision = Precision::kFloat32;
  model.photographs.emplace().add(640, 480);
  model.training.series = {{1, {{"loss", 0.5}}}};
  model.training.curves = {{"Loss", {"loss"}}};
  model.record = {
      {"decision", {{"mode", "holdout"}, {"wished_rate", 0.1}, {"threshold", 1.5}}},
      {"dataset", {{"name", "set"}, {"images", {{{"id", "a"}, {"sha256", "0"}, {"role", "train"}}}}}},
      {"config", {{"simplenet", {{"margin", 0.5}}}}},
      {"run_identity", "x"}};
  return model;
}

/// The file without its checksum, as versions before it wrote them.
SafetensorsFile old_file(const nlohmann::json& changed_record = nullptr) {
  SafetensorsFile file = model_to_file(tiny_model());
  auto record =
      changed_record.is_null() ? nlohmann::json::parse(file.metadata["glint_model"]) : changed_record;
  if (record.contains("schema_version") && record["schema_version"] == kModelSchemaVersion)
    record["schema_version"] = 1;
  file.metadata = {{"glint_model", record.dump()}};
  return file;
}

/// Everything that the verbs do with a model before they score, as far as it needs no backbone.
void use(const SafetensorsFile& file) {
  const Model model = model_from_file(file, "x");
  calibration_scores(model);
  HeadWeights::from_dict(model.method_weights, "x");
  make_method(model.method);
  full_record(model).dump();
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
  const SafetensorsFile good = old_file();  // no checksum stands before the other checks
  ASSERT_NO_THROW(use(good));
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
  const auto with_nan = [](DType dtype, std::initializer_list<int> little_endian) {
    HostTensor t{dtype, {1}, {}};
    for (const int byte : little_endian) t.data.push_back(static_cast<std::byte>(byte));
    return t;
  };
  refused([&](SafetensorsFile& f) {
    f.tensors["method.simplenet.feature_scale"] = with_nan(DType::kF64, {0, 0, 0, 0, 0, 0, 0xf8, 0x7f});
  });
  refused([&](SafetensorsFile& f) { f.tensors["backbone.conv1.bias"] = with_nan(DType::kF16, {1, 0x7c}); });
  refused([&](SafetensorsFile& f) { f.tensors["method.x"] = with_nan(DType::kBF16, {0x80, 0x7f}); });
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{std::int64_t{1} << 40, 0, 1}, {0, 4, 4}, {2, 3}, {}}) {
    refused([&](SafetensorsFile& f) {
      const std::int64_t n = checked_numel(shape, "x");
      f.tensors["calibration.patch_scores"] = {DType::kF32, shape, Bytes(static_cast<std::size_t>(4 * n))};
    });
  }
  refused([](SafetensorsFile& f) {
    f.tensors["calibration.decision_scores"] = from_floats({1, 2, 3}, {3, 1, 1});  // of 3 images, not 2
  });
  TensorDict negative = tiny_model().method_weights;
  negative["discriminator.body.block1.1.running_var"] = from_floats({1, -1, 1, 1}, {4});
  EXPECT_THROW(HeadWeights::from_dict(negative, "x"), Error);
  TensorDict empty = tiny_model().method_weights;
  for (auto& [name, tensor] : empty) tensor = {DType::kF32, {0, 0}, {}};
  EXPECT_THROW(HeadWeights::from_dict(empty, "x"), Error);
  TensorDict wrong = tiny_model().method_weights;
  wrong["discriminator.tail.weight"] = from_floats({1, 2}, {1, 2});
  EXPECT_THROW(HeadWeights::from_dict(wrong, "x"), Error);
}

TEST(ModelFile, KeepsRangesAndCapsuleAndRefusesOthers) {
  Model model = tiny_model();
  model.precision = Precision::kInt8;
  model.activation_ranges = {{"conv1", {2.5F}}, {"layer1.0.conv1.reduce", {1, 2}}};
  const ImageSize size = model.input.input_size();
  model.capsule = {RgbImage(size.width, size.height), {ScoreMap(3, 2, 0.5F), {}}};
  const SafetensorsFile good = model_to_file(model);
  const Model back = model_from_file(good, "x");
  EXPECT_EQ(back.precision, Precision::kInt8);
  EXPECT_EQ(back.activation_ranges, model.activation_ranges);
  EXPECT_EQ(back.capsule->scores.map.values, model.capsule->scores.map.values);
  EXPECT_FALSE(model_from_file(model_to_file(tiny_model()), "x").capsule);
  const auto refusal = [&](const std::string& tensor, const HostTensor& value) {
    SafetensorsFile file = good;
    file.tensors[tensor] = value;
    add_checksum(file);
    try {
      model_from_file(file, "part.glint");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  for (const float bad : {0.0F, -1.0F, 1e20F, NAN}) {
    EXPECT_NE(refusal("activation_range.conv1", from_floats({bad}, {1})).find("part.glint"),
              std::string::npos)
        << bad;
  }
  EXPECT_NE(refusal("activation_range.conv1", from_floats({}, {0})).find("no range"), std::string::npos);
  EXPECT_NE(refusal("activation_range.conv1", {DType::kU8, {1}, Bytes(1)}).find("no range"),
            std::string::npos);
  EXPECT_NE(refusal("parity.input", {DType::kU8, {8, 8, 3}, Bytes(192)}).find("no input of this model"),
            std::string::npos);
}

TEST(ModelFile, EveryFlippedBitIsRefusedOrHasNoEffect) {
  const Bytes good = serialize_safetensors(model_to_file(tiny_model()));
  const Model original = model_from_file(parse_safetensors(good, "x"), "x");
  int refused = 0, tried = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    const int bit = static_cast<int>(at % 8);
    Bytes bytes = good;
    bytes[at] ^= static_cast<std::byte>(1 << bit);
    ++tried;
    try {
      const Model model = model_from_file(parse_safetensors(bytes, "x"), "x");
      EXPECT_EQ(model.method_weights.size(), original.method_weights.size()) << "byte " << at;
      for (const auto& [name, tensor] : model.method_weights)
        EXPECT_EQ(tensor.data, original.method_weights.at(name).data) << name;
      EXPECT_EQ(model.calibration_patches.at("patch_scores").data,
                original.calibration_patches.at("patch_scores").data);
      EXPECT_EQ(model.record, original.record) << "byte " << at;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("x"), std::string::npos);
      ++refused;
    }
  }
  EXPECT_GE(refused, tried - 8) << "only the blanks that pad the header may have no effect";
}

TEST(ModelFile, TheChecksumCannotBeLeftOut) {
  SafetensorsFile file = model_to_file(tiny_model());
  file.metadata.erase("checksum");
  EXPECT_THROW(model_from_file(file, "x"), Error);
  EXPECT_NO_THROW(model_from_file(old_file(), "x")) << "version 1 had none";
}

/// Drops each key of the record, then gives each value another type: always an Error or a usable model.
TEST(ModelFile, EveryChangeOfTheRecordIsRefusedOrUsable) {
  const auto record = nlohmann::json::parse(model_to_file(tiny_model()).metadata["glint_model"]);
  int refused = 0, tried = 0;
  const auto attempt = [&](const nlohmann::json& changed) {
    ++tried;
    try {
      use(old_file(changed));
    } catch (const Error&) {
      ++refused;
    }
  };
  const auto walk = [&](const auto& self, const nlohmann::json& node,
                        const nlohmann::json::json_pointer& at) -> void {
    if (!at.empty()) {
      nlohmann::json dropped = record;
      if (dropped[at.parent_pointer()].is_object()) {
        dropped[at.parent_pointer()].erase(at.back());
      } else {
        dropped[at.parent_pointer()].clear();
      }
      attempt(dropped);
    }
    for (const nlohmann::json& other :
         {nlohmann::json(), nlohmann::json(-1e300), nlohmann::json("text"), nlohmann::json(true),
          nlohmann::json::array({1, "a"}), nlohmann::json::object({{"a", 1}})}) {
      nlohmann::json changed = record;
      changed[at] = other;
      attempt(changed);
    }
    if (node.is_object()) {
      for (const auto& [key, value] : node.items()) self(self, value, at / key);
    } else if (node.is_array()) {
      for (std::size_t i = 0; i < node.size(); ++i) self(self, node[i], at / i);
    }
  };
  walk(walk, record, nlohmann::json::json_pointer());
  EXPECT_GT(tried, 300);
  EXPECT_GT(refused, tried / 2);
  nlohmann::json without = record;
  without.erase("training");
  EXPECT_THROW(use(old_file(without)), Error);
}

TEST(ModelFile, RandomDamageIsRefusedOrHarmless) {
  const Bytes good = serialize_safetensors(old_file());
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

TEST(Scorer, LetsNoNumberThroughThatIsNotFinite) {
  const Scorer scorer({}, {32, 32}, {});
  PatchScores patches{ScoreMap(4, 4, 0.5F), {}};
  EXPECT_NO_THROW(scorer.score(patches));
  const ScoreMap map = scorer.map(patches);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    PatchScores damaged = patches;
    damaged.map.values[5] = bad;  // a maximum would pass over it
    EXPECT_THROW(scorer.score(damaged), Error);
    EXPECT_THROW(scorer.map(damaged), Error);
    EXPECT_THROW(scorer.score(damaged, map), Error);
    damaged = patches;
    damaged.decision = ScoreMap(4, 4, bad);
    EXPECT_THROW(scorer.score(damaged), Error);
    EXPECT_THROW(Scorer({}, {32, 32}, {damaged}), Error) << "calibration";
  }
  const Scorer two({}, {32, 32}, {{ScoreMap(4, 4, 0.5F), ScoreMap(4, 4, 1.0F)}});
  EXPECT_THROW(two.score(patches), Error) << "scores of another method";
}

TEST(PhotographSizes, OtherShapesAreRefusedAndOtherSizesAreSaid) {
  PhotographSizes sizes;
  sizes.add(1000, 500);
  EXPECT_EQ(sizes.refusal(1000, 500, {288, 288}), "");
  EXPECT_EQ(sizes.notice(1000, 500), "");
  EXPECT_EQ(sizes.refusal(1010, 500, {288, 288}), "") << "a few pixels";
  EXPECT_NE(sizes.refusal(500, 1000, {288, 288}), "") << "turned";
  EXPECT_NE(sizes.refusal(1000, 750, {288, 288}), "");
  EXPECT_EQ(sizes.refusal(2000, 1000, {288, 288}), "");
  EXPECT_NE(sizes.notice(2000, 1000), "");
  EXPECT_EQ(sizes.refusal(600, 300, {288, 288}), "") << "smaller, but more than the network sees";
  EXPECT_NE(sizes.refusal(200, 100, {288, 288}), "") << "less than was trained on, and than the network sees";
  sizes.add(800, 800);
  EXPECT_EQ(sizes.refusal(900, 600, {288, 288}), "") << "between those seen";
  const PhotographSizes back = PhotographSizes::from_json(sizes.to_json(), "x");
  EXPECT_EQ(back.to_json(), sizes.to_json());
  EXPECT_EQ(back.largest_width, 1000);
  EXPECT_EQ(back.smallest_height, 500);
}

TEST(Scoring, ReductionsAgreeOnAConstantMapAndOrderOtherwise) {
  ScoringOptions options;
  for (const auto& [score, name] : EnumNames<ImageScore>::table) {
    if (score == ImageScore::kMethod) continue;  // is not made from the map
    options.image_score = score;
    const ScoreMap flat(6, 6, 2.0F);
    EXPECT_NEAR(image_score(flat, anomaly_map(flat, {48, 48}, options), options), 2.0, 1e-4) << name;
    ScoreMap peak = flat;
    peak.values[14] = 5;
    EXPECT_GT(image_score(peak, anomaly_map(peak, {48, 48}, options), options), 2.0) << name;
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
