// Miniatures of the published datasets of surfaces, and of MVTec LOCO and MPDD.
#include "glint/data/surface_layout.h"

#include <nlohmann/json.hpp>

#include "glint/data/box_list.h"
#include "glint/data/loco_layout.h"
#include "small_set.h"

namespace glint {
namespace {

class SurfaceLayout : public ::testing::Test {
 protected:
  void image(const std::string& name) { write_file(at(name), encode_png(picture(seed_++))); }
  /// A label image: all black, or with `pixels` defect pixels of `value`.
  void label(const std::string& name, int pixels, std::uint8_t value = 255) {
    RgbImage grey(24, 16);
    for (int p = 0; p < pixels; ++p) std::fill_n(grey.at(3 + p, 4), 3, value);
    write_file(at(name), encode_png(grey));
  }
  std::filesystem::path at(const std::string& name) const { return folder_.path() / name; }
  Dataset scan(const std::string& name, FaultHandling faults = FaultHandling::kRefuse,
               DatasetUse use = DatasetUse::kTrain) {
    return scan_dataset(at(name), {use, false, faults}, silent_progress());
  }
  std::string refusal(const std::string& name) {
    try {
      scan(name);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  static int defective(const std::vector<Sample>& samples) {
    return static_cast<int>(
        std::count_if(samples.begin(), samples.end(), [](const Sample& s) { return s.anomalous(); }));
  }
  static bool warns(const Dataset& set, const std::string& text) {
    return std::any_of(set.warnings.begin(), set.warnings.end(),
                       [&](const std::string& w) { return w.find(text) != std::string::npos; });
  }

 private:
  TemporaryFolder folder_;
  int seed_ = 0;
};

TEST_F(SurfaceLayout, KolektorDividesByCommutator) {
  for (const char* part : {"kos01", "kos02", "kos03"}) {
    for (int i = 0; i < 6; ++i) {
      image(fmt::format("k/{}/Part{}.png", part, i));
      label(fmt::format("k/{}/Part{}_label.png", part, i), 0);
    }
  }
  label("k/kos01/Part2_label.png", 3);
  const Dataset set = scan("k");
  EXPECT_EQ(set.layout, DatasetLayout::kKolektor);
  EXPECT_EQ(set.train.size(), 11U);
  ASSERT_EQ(set.test.size(), 7U);
  EXPECT_EQ(set.test[0].id, "kos01/Part2.png");
  EXPECT_EQ(set.test[0].label, "defect");
  const Mask mask = *load_mask(set.test[0]);
  EXPECT_EQ(std::count(mask.pixels.begin(), mask.pixels.end(), 1), 3);
  EXPECT_EQ(set.warnings.size(), 1U);  // the division; no file is left over

  std::filesystem::remove(at("k/kos02/Part4_label.png"));
  EXPECT_NE(refusal("k").find("Part4_label"), std::string::npos);
}

TEST_F(SurfaceLayout, Kolektor2LeavesItsDefectiveTrainingImagesOut) {
  for (int i = 0; i < 12; ++i) {
    image(fmt::format("k2/train/{}.png", 10000 + i));
    label(fmt::format("k2/train/{}_GT.png", 10000 + i), i == 3 ? 2 : 0);
  }
  for (int i = 0; i < 3; ++i) {
    image(fmt::format("k2/test/{}.png", 20000 + i));
    label(fmt::format("k2/test/{}_GT.png", 20000 + i), i == 1 ? 2 : 0);
  }
  label("k2/test/20001_GT(1).png", 1);  // a stray copy
  const Dataset set = scan("k2");
  EXPECT_EQ(set.layout, DatasetLayout::kKolektor2);
  EXPECT_EQ(set.train.size(), 11U);
  EXPECT_EQ(set.test.size(), 3U);
  EXPECT_EQ(defective(set.test), 1);
  EXPECT_TRUE(warns(set, "1 defective image"));
  EXPECT_TRUE(warns(set, "test: 1 image is left out: neither a photograph"));
  write_text(at("k2/test/20002_GT.png"), "no picture");
  EXPECT_NE(refusal("k2").find("20002_GT.png"), std::string::npos);
  EXPECT_EQ(scan("k2", FaultHandling::kCollect).faults.size(), 1U);
}

TEST_F(SurfaceLayout, DagmTellsDefectsByItsLabelFolder) {
  const auto part = [&](const std::string& name, int count, int defect) {
    std::string list = "1\r\n";
    for (int i = 1; i <= count; ++i) {
      image(fmt::format("Class1/{}/{:04}.PNG", name, i));
      if (i == defect) label(fmt::format("Class1/{}/Label/{:04}_label.PNG", name, i), 4);
      list += fmt::format("{}\t{}\t{:04}.PNG\t0\t{}\r\n", i, i == defect ? 1 : 0, i,
                          i == defect ? fmt::format("{:04}_label.PNG", i) : "0");
    }
    write_text(at(fmt::format("Class1/{}/Label/Labels.txt", name)), list);
  };
  part("Train", 12, 5);
  part("Test", 4, 2);
  const Dataset set = scan("Class1");
  EXPECT_EQ(set.layout, DatasetLayout::kDagm);
  EXPECT_EQ(set.train.size(), 11U);
  EXPECT_EQ(set.test.size(), 4U);
  EXPECT_EQ(defective(set.test), 1);
  EXPECT_TRUE(warns(set, "ellipses"));
  EXPECT_EQ(set.warnings.size(), 2U);
  label("Class1/Test/Label/0003_label.PNG", 4);  // the list calls it good
  EXPECT_NE(refusal("Class1").find("0003.PNG"), std::string::npos);
}

TEST(DagmLabels, OtherLinesAreRefusedByNumber) {
  EXPECT_EQ(parse_dagm_labels("1\n7 1 0007.PNG 0 0007_label.PNG\n8 0 0008.PNG 0 0\n", "f"),
            (std::map<std::string, std::string>{{"0007.PNG", "0007_label.PNG"}, {"0008.PNG", ""}}));
  for (const char* line :
       {"7 1 a.PNG 0", "7 2 a.PNG 0 0", "7 1 a.PNG 0 0", "7 0 a.PNG 0 a_label.PNG", "8 0 b.PNG 0 0"}) {
    try {
      parse_dagm_labels(fmt::format("1\n8 0 b.PNG 0 0\n{}\n", line), "f");
      ADD_FAILURE() << line;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("line 3"), std::string::npos) << line;
    }
  }
}

TEST_F(SurfaceLayout, NeuIsDefectsOnlyAndNeverGoodParts) {
  for (const char* name : {"crazing_1", "rolled-in_scale_12", "pitted_surface_3", "In_7", "PS_2"})
    image(fmt::format("neu/{}.png", name));
  const Dataset set = scan("neu", FaultHandling::kRefuse, DatasetUse::kEvaluate);
  EXPECT_EQ(set.layout, DatasetLayout::kNeu);
  EXPECT_TRUE(set.train.empty());
  std::map<std::string, int> classes;
  for (const Sample& sample : set.test) ++classes[sample.label];
  EXPECT_EQ(classes, (std::map<std::string, int>{
                         {"crazing", 1}, {"inclusion", 1}, {"pitted_surface", 2}, {"rolled-in_scale", 1}}));
  EXPECT_NE(refusal("neu").find("0 good images"), std::string::npos);
  EXPECT_NE(refusal("neu").find("without good parts"), std::string::npos);
  image("neu/other.png");  // not all names are NEU's: a folder of good images, as before
  EXPECT_EQ(scan("neu", FaultHandling::kCollect).layout, DatasetLayout::kFlat);
}

TEST_F(SurfaceLayout, TheRealNeuSampleIsRead) {
  const auto root = std::filesystem::path(GLINT_TEST_GOLDENS).parent_path().parent_path();
  const auto folder = root.parent_path() / "shared/datasets/neu_steel";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is absent";
  EXPECT_EQ(recognise_surface_layout(folder), DatasetLayout::kNeu);
}

TEST_F(SurfaceLayout, MpddHasMvtecsLayout) {
  for (int i = 0; i < 10; ++i) image(fmt::format("bracket_black/train/good/{:03}.png", i));
  image("bracket_black/test/good/000.png");
  image("bracket_black/test/hole/000.png");
  label("bracket_black/ground_truth/hole/000_mask.png", 2);
  const Dataset set = scan("bracket_black");
  EXPECT_EQ(set.layout, DatasetLayout::kMvtec);
  EXPECT_EQ(set.test.size(), 2U);
  EXPECT_TRUE(set.masks_present);
}

class LocoLayout : public SurfaceLayout {
 protected:
  LocoLayout() {
    for (int i = 0; i < 10; ++i) image(fmt::format("pushpins/train/good/{:03}.png", i));
    image("pushpins/validation/good/000.png");
    image("pushpins/test/good/000.png");
    image("pushpins/test/logical_anomalies/000.png");
    image("pushpins/test/structural_anomalies/000.png");
    label("pushpins/ground_truth/logical_anomalies/000/000.png", 8, 255);
    label("pushpins/ground_truth/logical_anomalies/000/001.png", 6, 254);
    label("pushpins/ground_truth/structural_anomalies/000/000.png", 5, 253);
    put(kConfig);
  }
  void put(const std::string& config) { write_text(at("pushpins/defects_config.json"), config); }
  static constexpr const char* kConfig = R"([
    {"defect_name": "missing", "pixel_value": 255, "saturation_threshold": 3, "relative_saturation": false},
    {"defect_name": "extra", "pixel_value": 254, "saturation_threshold": 0.5, "relative_saturation": true},
    {"defect_name": "broken", "pixel_value": 253, "saturation_threshold": 900, "relative_saturation": false}])";
};

TEST_F(LocoLayout, EveryMaskIsARegionWithItsSaturation) {
  const Dataset set = scan("pushpins");
  EXPECT_EQ(set.layout, DatasetLayout::kMvtecLoco);
  EXPECT_EQ(set.calibration.size(), 1U);
  ASSERT_EQ(set.test.size(), 3U);
  const std::vector<SaturatedRegion> logical = load_saturated_regions(set.test[1]);
  EXPECT_EQ(set.test[1].label, "logical_anomalies");
  ASSERT_EQ(logical.size(), 2U);
  EXPECT_EQ(logical[0].saturation_px, 3);  // pixels
  EXPECT_EQ(logical[1].saturation_px, 3);  // half of 6
  const std::vector<SaturatedRegion> structural = load_saturated_regions(set.test[2]);
  ASSERT_EQ(structural.size(), 1U);
  EXPECT_EQ(structural[0].saturation_px, 5);  // never more than the region
  EXPECT_TRUE(load_saturated_regions(set.test[0]).empty());
}

TEST_F(LocoLayout, WhatTheConfigurationDoesNotSayIsRefused) {
  label("pushpins/ground_truth/logical_anomalies/000/001.png", 6, 200);
  EXPECT_NE(refusal("pushpins").find("value 200 is not listed"), std::string::npos);
  label("pushpins/ground_truth/logical_anomalies/000/001.png", 6, 254);
  using nlohmann::json;
  const auto without = [](const char* key, const json& value) {
    json config = json::parse(kConfig);
    config[1][key] = value;
    return config.dump();
  };
  for (const std::string& config :
       {std::string("{}"), std::string("[3]"), without("defect_name", 3), without("pixel_value", 0),
        without("pixel_value", 255), without("saturation_threshold", 0), without("saturation_threshold", 2),
        without("relative_saturation", "yes")}) {
    put(config);
    EXPECT_NE(refusal("pushpins").find("defects_config.json"), std::string::npos) << config;
  }
}

TEST_F(SurfaceLayout, BoxesBelongToTestImagesAndAreNoMasks) {
  for (int i = 0; i < 10; ++i) image(fmt::format("b/train/good/{}.png", i));
  image("b/test/inclusion/1.png");
  const BoxList boxes = {{"test/inclusion/1.png", {{"-dark", 1, 2, 5.5, 9}, {"in, clusion", 0, 0, 3, 3}}}};
  write_text(at("b/boxes.csv"), box_csv(boxes));
  const Dataset set = scan("b");
  ASSERT_EQ(set.test[0].boxes.size(), 2U);
  EXPECT_EQ(set.test[0].boxes[0].label, "-dark");
  EXPECT_EQ(set.test[0].boxes[0].x1, 5.5);
  EXPECT_FALSE(set.masks_present);
  EXPECT_FALSE(load_mask(set.test[0]).has_value());
  for (const char* text : {"image,x0\n", "image,label,x0,y0,x1,y1\ntest/inclusion/1.png,a,1,1,1,4\n",
                           "image,label,x0,y0,x1,y1\ntest/inclusion/1.png,a,1,1,b,4\n",
                           "image,label,x0,y0,x1,y1\ntest/inclusion/1.png,a,1,1\n",
                           "image,label,x0,y0,x1,y1\nx.png,a,1,1,2,4\n"}) {
    write_text(at("b/boxes.csv"), text);
    EXPECT_NE(refusal("b").find("boxes.csv"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace glint
