// Training and inspection with alignment and with tiles, on drawn parts and a random network.
#include "glint/fit/alignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "drawn_part.h"
#include "glint/base/error.h"
#include "glint/evaluate/evaluate.h"
#include "glint/image/codec.h"
#include "tiny_set.h"

namespace glint {
namespace {

RgbImage with_spot(RgbImage image, int at_x, int at_y) {
  for (int y = at_y - 7; y <= at_y + 7; ++y) {
    for (int x = at_x - 7; x <= at_x + 7; ++x) std::fill_n(image.at(x, y), 3, std::uint8_t{0});
  }
  return image;
}

class AlignmentTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write("keys", Shape::kKey);
    write("discs", Shape::kDisc);
    // A set with two wrong parts among the good ones.
    write("mixed", Shape::kKey);
    for (const int i : {3, 17})
      write_png(folder_->path() / "mixed" / "train" / "good" / name(i),
                draw_part(Shape::kDisc, 0, 0, 0, 500 + i));
    backbone_ = random_backbone(folder_->path()).string();
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::string name(int i) { return fmt::format("{:03}.png", i); }
  static void write_png(const std::filesystem::path& path, const RgbImage& image) {
    write_file(path, encode_png(image));
  }
  static void write(const std::string& set, Shape shape) {
    const std::filesystem::path at = folder_->path() / set;
    int i = 0;
    for (const RgbImage& part : drawn_parts(shape, 32)) write_png(at / "train" / "good" / name(i++), part);
    for (int t = 0; t < 3; ++t) {
      write_png(at / "test" / "good" / name(t), draw_part(shape, 100 * t, 3 * t, 0, 900 + t));
      write_png(at / "test" / "spot" / name(t), with_spot(draw_part(shape, 100 * t, 0, 2, 950 + t), 100, 80));
    }
    write_png(at / "test" / "wrong" / name(0), draw_part(Shape::kDisc, 0, 0, 0, 990));
  }

  static std::unique_ptr<TrainConfig> config(const std::string& method,
                                             const std::vector<std::string>& settings) {
    auto out = tiny(method, backbone_);
    OptionTable table = out->table();
    for (const std::string& setting : settings) table.set_assignment(setting);
    return out;
  }
  static Dataset dataset(const std::string& set) {
    return scan_dataset(folder_->path() / set, {}, silent_progress());
  }
  static Model train(const std::string& set, const std::string& method,
                     const std::vector<std::string>& settings) {
    return fit_model(*config(method, settings), dataset(set), {}, silent_progress());
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static std::string backbone_;
};

const std::vector<std::string> kRigid = {"input.align=rigid", "padim.channels=6"};

TEST_F(AlignmentTest, APartThatCannotBeAlignedGetsNoDecision) {
  const Model model = train("keys", "padim", kRigid);
  EXPECT_EQ(model.record.at("alignment").at("used"), "rigid");
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kAuto, "model");
  const Decision decision = make_decision(model);
  const RgbImage good = draw_part(Shape::kKey, 200, 4, -3, 700);
  EXPECT_NO_THROW(inspect_image(inspector, decision, good, "part"));
  for (const RgbImage& wrong : {draw_part(Shape::kDisc, 0, 0, 0, 1), RgbImage(200, 160)}) {
    try {
      inspect_image(inspector, decision, wrong, "part");
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kBadInput);
      EXPECT_NE(std::string(e.what()).find("cannot be aligned"), std::string::npos) << e.what();
    }
  }
  // The map lies in the photograph's pixels: a spot on the key's head is there, within a cell of layer3's
  // grid (33 pixels; view_test.cpp is exact), and not where the head lies in the reference.
  const InspectionResult spot = inspect_image(inspector, decision, with_spot(good, 141, 90), "part");
  EXPECT_TRUE(spot.rejected);
  const auto peak =
      std::max_element(spot.map.values.begin(), spot.map.values.end()) - spot.map.values.begin();
  EXPECT_LT(std::hypot(static_cast<double>(peak % 200) - 141, static_cast<double>(peak / 200) - 90), 34);
  ASSERT_FALSE(spot.regions.empty());

  // An evaluation counts such parts and says so.
  EvaluateOptions options;
  options.scoring = model.scoring;
  options.false_reject = 0.2;
  std::string warnings;
  for (const std::string& warning :
       evaluate_model(model, inspector, dataset("keys"), options, false, silent_progress()).warnings)
    warnings += warning + "\n";
  EXPECT_NE(warnings.find("1 of 7 test images (1 of them anomalous) cannot be aligned"), std::string::npos)
      << warnings;

  // The file keeps the reference, and is not read without it.
  SafetensorsFile file = model_to_file(model);
  const Model back = model_from_file(file, "x");
  EXPECT_EQ(back.registration->reference().pixels, model.registration->reference().pixels);
  EXPECT_EQ(serialize_safetensors(model_to_file(back)), serialize_safetensors(file));
  const Inspector again(back, DeviceChoice::kCpu, Precision::kAuto, "back");
  EXPECT_EQ(inspect_image(again, decision, good, "part").score,
            inspect_image(inspector, decision, good, "part").score);
  Model without = model;
  without.registration.reset();
  EXPECT_THROW(model_from_file(model_to_file(without), "x"), Error);
  auto record = nlohmann::json::parse(file.metadata["glint_model"]);
  record["schema_version"] = 1;  // before the checksum
  record["alignment"]["quality_bound"] = 7;
  file.metadata = {{"glint_model", record.dump()}};
  EXPECT_THROW(model_from_file(file, "x"), Error);
  record["alignment"]["quality_bound"] = 0.5;
  file.metadata = {{"glint_model", record.dump()}};
  EXPECT_EQ(model_from_file(file, "x").registration->quality_bound(), 0.5);
  file.tensors["alignment.reference"].shape = {1, file.tensors["alignment.reference"].numel()};
  EXPECT_THROW(model_from_file(file, "x"), Error);
}

TEST_F(AlignmentTest, WhatCannotBeAlignedNeitherTrainsNorCalibrates) {
  const Model all = train("keys", "padim", kRigid), fewer = train("mixed", "padim", kRigid);
  EXPECT_FALSE(all.record["alignment"].contains("left_out"));
  EXPECT_EQ(fewer.record["alignment"]["left_out"], 2);
  EXPECT_LE(calibration_scores(fewer).size(), calibration_scores(all).size());
}

TEST_F(AlignmentTest, RigidRefusesAndAutoGoesWithoutWhereNoPoseIsFound) {
  EXPECT_THROW(train("discs", "padim", kRigid), Error);
  const Model model = train("discs", "padim", {"input.align=auto", "padim.channels=6"});
  EXPECT_EQ(model.input.align, Align::kNone);
  EXPECT_EQ(model.record["alignment"]["used"], "none");
  EXPECT_NE(model.record["alignment"]["reason"].get<std::string>().find("same in another angle"),
            std::string::npos);
  EXPECT_EQ(model_from_file(model_to_file(model), "x").input.align, Align::kNone);
}

TEST_F(AlignmentTest, AutoAlignsWhereItSteadiesTheScoresOfKeptOutParts) {
  const Model model = train("keys", "padim", {"input.align=auto", "padim.channels=6"});
  const nlohmann::json& record = model.record["alignment"];
  EXPECT_EQ(record["used"], "rigid") << record.dump();
  EXPECT_EQ(record["tried_with"], "padim");
  EXPECT_LE(record["spread_rigid"].get<double>(), 0.9 * record["spread_none"].get<double>());
  // It looks at training parts alone: the choice is the same whatever calibrates.
  const auto c = config("padim", {"input.align=auto", "padim.channels=6"});
  Dataset data = dataset("keys");
  std::vector<int> training;
  for (int i = 0; i < 26; ++i) training.push_back(i);
  const auto backbone = std::make_shared<Backbone>(open_backbone(backbone_));
  backbone->to(DeviceChoice::kCpu, Precision::kFloat32);
  const AlignmentChoice a = choose_alignment(*c, backbone, data.train, training, nullptr, silent_progress());
  for (std::size_t i = 26; i < data.train.size(); ++i) data.train[i].path = "absent.png";
  const AlignmentChoice b = choose_alignment(*c, backbone, data.train, training, nullptr, silent_progress());
  EXPECT_EQ(a.record, b.record);
}

TEST_F(AlignmentTest, TilesAreForMethodsThatDoNotCompareByPlace) {
  EXPECT_THROW(train("keys", "padim", {"input.tiles=2"}), Error);
  EXPECT_THROW(train("keys", "dfm", {"input.tiles=2"}), Error);
  const Model model =
      train("keys", "patchcore", {"input.tiles=2", "input.size=192", "patchcore.bank_rows=100"});
  const std::vector<PatchScores> calibration = calibration_scores(model);
  EXPECT_EQ(calibration.size(), 6U) << "photographs, not views";
  EXPECT_EQ(calibration[0].map.width, model.input.canvas().width / 8);
  const Decision decision = make_decision(model);
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kAuto, "model");
  const RgbImage good = draw_part(Shape::kKey, 200, 4, -3, 700);
  EXPECT_EQ(inspect_image(inspector, decision, good, "part").map.width, 200);

  // The same bank on one large input: away from the canvas' edge the maps agree, at tile borders too.
  Model whole = model;
  whole.input.tiles = 1;
  whole.input.size = model.input.canvas().width;
  const Inspector untiled(whole, DeviceChoice::kCpu, Precision::kAuto, "whole");
  const ScoreMap a = inspector.patch_scores({good})[0].map, b = untiled.patch_scores({good})[0].map;
  ASSERT_EQ(a.values.size(), b.values.size());
  double at_border = 0, elsewhere = 0, level = 0;
  int border_cells = 0, other_cells = 0;
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < a.width; ++x) {
      const int px = x * 8 + 4, step = model.input.tile_step().width, size = model.input.size;
      const bool border = px > step - 8 && px < size + 8;  // the overlap, and a cell beside it
      const double difference = std::abs(a.at(x, y) - b.at(x, y));
      (border ? at_border : elsewhere) += difference;
      ++(border ? border_cells : other_cells);
      level += b.at(x, y);
    }
  }
  level /= static_cast<double>(b.values.size());
  at_border /= border_cells, elsewhere /= other_cells;
  EXPECT_LT(at_border, 0.25 * level) << elsewhere;
}

}  // namespace
}  // namespace glint
