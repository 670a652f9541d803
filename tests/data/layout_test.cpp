// Miniatures of the published folder structures.
#include "glint/data/layout.h"

#include "small_set.h"

namespace glint {
namespace {

class LayoutTest : public ::testing::Test {
 protected:
  void image(const std::string& name, int seed) { write_file(at(name), encode_png(picture(seed))); }
  /// `value` as the only defect value, as a grey PNG would hold it.
  void mask(const std::string& name, std::uint8_t value = 255) {
    RgbImage grey(24, 16);
    for (int c = 0; c < 3; ++c) grey.at(3, 4)[c] = value;
    write_file(at(name), encode_png(grey));
  }
  void good(const std::string& folder, int count, int seed) {
    for (int i = 0; i < count; ++i) image(folder + "/" + std::to_string(seed + i) + ".png", seed + i);
  }
  std::filesystem::path at(const std::string& name) const { return folder_.path() / name; }
  Dataset scan(const std::string& name) {
    return scan_dataset(at(name), {DatasetUse::kTrain, false}, silent_progress());
  }
  std::string refusal(const std::string& name) {
    try {
      scan(name);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  static int defect_pixels(const Sample& sample) {
    const Mask m = *load_mask(sample);
    return static_cast<int>(std::count(m.pixels.begin(), m.pixels.end(), 1));
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(LayoutTest, BtadsOkBecomesGood) {
  good("01/train/ok", 10, 0);
  good("01/test/ok", 2, 20);
  good("01/test/ko", 2, 30);
  mask("01/ground_truth/ko/30.png");
  mask("01/ground_truth/ko/31.png");
  const Dataset set = scan("01");
  EXPECT_EQ(set.layout, DatasetLayout::kBtad);
  EXPECT_EQ(set.train.size(), 10U);
  ASSERT_EQ(set.test.size(), 4U);
  EXPECT_EQ(set.test[0].label, "ko");
  EXPECT_EQ(defect_pixels(set.test[0]), 1);
  EXPECT_FALSE(set.test[2].anomalous());
}

TEST_F(LayoutTest, MvtecAd2CalibratesOnItsValidationImages) {
  good("can/train/good", 10, 0);
  good("can/validation/good", 3, 20);
  good("can/test_public/good", 2, 30);
  good("can/test_public/bad", 2, 40);
  good("can/test_private", 1, 50);
  mask("can/test_public/ground_truth/bad/40_mask.png");
  const Dataset set = scan("can");
  EXPECT_EQ(set.layout, DatasetLayout::kMvtecAd2);
  EXPECT_EQ(set.calibration.size(), 3U);
  ASSERT_EQ(set.test.size(), 4U);
  EXPECT_EQ(set.test[0].label, "bad");
  EXPECT_TRUE(set.test[0].mask.has_value());
  EXPECT_EQ(set.warnings.size(), 2U);  // one missing mask, one private set
}

class VisaTest : public LayoutTest {
 protected:
  VisaTest() {
    good("candle/Data/Images/Normal", 12, 0);
    good("candle/Data/Images/Anomaly", 2, 30);
    mask("candle/Data/Masks/Anomaly/30.png", 3);  // the number of a defect class, not white
    std::string csv = "object,split,label,image,mask\n";
    for (int i = 0; i < 12; ++i)
      csv += "candle," + std::string(i < 10 ? "train" : "test") + ",normal,candle/Data/Images/Normal/" +
             std::to_string(i) + ".png,\n";
    csv += "candle,test,anomaly,candle/Data/Images/Anomaly/30.png,candle/Data/Masks/Anomaly/30.png\r\n";
    csv += "capsules,train,normal,capsules/Data/Images/Normal/0.png,\n";
    put_list(csv);
  }
  void put_list(const std::string& csv) { write_text(at("split_csv/1cls.csv"), csv); }
};

TEST_F(VisaTest, TheListDividesAndEveryMaskValueIsADefect) {
  const Dataset set = scan("candle");
  EXPECT_EQ(set.layout, DatasetLayout::kVisa);
  EXPECT_EQ(set.train.size(), 10U);
  ASSERT_EQ(set.test.size(), 3U);
  EXPECT_EQ(set.test[2].label, "anomaly");
  EXPECT_EQ(defect_pixels(set.test[2]), 1);
}

TEST_F(VisaTest, BadListsAreNamed) {
  std::filesystem::rename(at("split_csv"), at("elsewhere"));
  EXPECT_NE(refusal("candle").find("1cls.csv"), std::string::npos);
  put_list("object,split,image,mask\n");
  EXPECT_NE(refusal("candle").find("'label'"), std::string::npos);
  put_list("object,split,label,image,mask\ncandle,train,normal,../../etc/passwd,\n");
  EXPECT_NE(refusal("candle").find("outside"), std::string::npos);
  put_list("object,split,label,image,mask\ncandle,train,normal,candle/Data/Images/Normal/99.png,\n");
  EXPECT_NE(refusal("candle").find("99.png"), std::string::npos);
  put_list("object,split,label,image,mask\ncandle,train\n");
  EXPECT_NE(refusal("candle").find("row 2"), std::string::npos);
}

TEST_F(VisaTest, ListsFromOtherSystemsAreRead) {
  std::string csv = "\xEF\xBB\xBFobject,split,label,image,mask\r\n";
  for (int i = 0; i < 10; ++i)
    csv += fmt::format("candle,train,normal,candle\\Data\\Images\\Normal\\{}.png,\r\n", i);
  write_file(at("candle/Data/Images/Normal/kl\xE4mme, 1.png"), encode_png(picture(60)));
  csv += "candle,test,normal,\"candle/Data/Images/Normal/kl\xE4mme, 1.png\",\r\n";
  put_list(csv);
  const Dataset set = scan("candle");
  EXPECT_EQ(set.train.size(), 10U);
  ASSERT_EQ(set.test.size(), 1U);
  EXPECT_EQ(set.test[0].id, "Data/Images/Normal/kl\\xE4mme, 1.png");
}

TEST_F(VisaTest, WordsOutsideTheListsVocabularyAreRefused) {
  for (const char* row :
       {"candle,Train,normal", "candle,test,good", "candle,valid,normal", "candle,train,Normal"}) {
    put_list("object,split,label,image,mask\n" + std::string(row) + ",candle/Data/Images/Normal/1.png,\n");
    EXPECT_NE(refusal("candle").find("row 2"), std::string::npos) << row;
  }
  put_list(
      "object,split,label,image,mask\ncandle,train,normal,candle/Data/Images/Normal/1.png,\n"
      "candle,test,normal,candle/Data/Images/Normal/1.png,\n");
  EXPECT_NE(refusal("candle").find("names it twice"), std::string::npos);
}

TEST_F(VisaTest, ALinkedCategoryIsReadAndWhatTheListLeavesOutIsNamed) {
  std::filesystem::create_directories(at("work"));
  std::filesystem::create_directory_symlink(at("candle"), at("work/candle"));
  const Dataset set = scan("work/candle");
  EXPECT_EQ(set.train[0].id, "Data/Images/Normal/0.png");
  const auto named = std::find_if(set.warnings.begin(), set.warnings.end(), [](const std::string& w) {
    return w.find("1 image is left out: not named in the list") != std::string::npos;
  });
  EXPECT_NE(named, set.warnings.end());
}

class RealIadTest : public LayoutTest {
 protected:
  RealIadTest() {
    good("usb/OK/S0001", 12, 0);
    good("usb/NG/S0100", 1, 30);
    mask("usb/NG/S0100/30_mask.png");
  }
  static std::string entry(const std::string& kind, const std::string& image, const std::string& mask_path) {
    return R"({"category": "usb", "anomaly_class": ")" + kind + R"(", "image_path": ")" + image +
           R"(", "mask_path": )" + (mask_path.empty() ? "null" : '"' + mask_path + '"') + "}";
  }
};

TEST_F(RealIadTest, TheJsonDivides) {
  std::string train;
  for (int i = 0; i < 10; ++i)
    train += (i > 0 ? "," : "") + entry("OK", "OK/S0001/" + std::to_string(i) + ".png", "");
  write_text(at("realiad_jsons/usb.json"),
             R"({"meta": {"prefix": "usb/", "normal_class": "OK"}, "train": [)" + train + R"(], "test": [)" +
                 entry("OK", "OK/S0001/10.png", "") + "," +
                 entry("HS", "NG/S0100/30.png", "NG/S0100/30_mask.png") + "]}");
  const Dataset set = scan("usb");
  EXPECT_EQ(set.layout, DatasetLayout::kRealIad);
  EXPECT_EQ(set.train.size(), 10U);
  ASSERT_EQ(set.test.size(), 2U);
  EXPECT_EQ(set.test[1].label, "HS");
  EXPECT_EQ(defect_pixels(set.test[1]), 1);
}

TEST_F(RealIadTest, BadListsAreNamed) {
  EXPECT_NE(refusal("usb").find("usb.json is missing"), std::string::npos);
  for (const char* text : {"[1]", "{\"train\": 3, \"test\": []}", "{\"train\": [7], \"test\": []}", "{"}) {
    write_text(at("usb/usb.json"), text);
    EXPECT_NE(refusal("usb").find("usb.json"), std::string::npos) << text;
  }
  write_text(at("usb/usb.json"), "{\"train\": [" + entry("OK", "/etc/passwd", "") + "], \"test\": []}");
  EXPECT_NE(refusal("usb").find("outside"), std::string::npos);
}

TEST_F(RealIadTest, ClassesThatNoFolderCanHaveAreRefused) {
  for (const char* kind : {"../up", "good", "a/b"}) {
    write_text(at("usb/usb.json"), "{\"train\": [], \"test\": [" + entry(kind, "NG/S0100/30.png", "") + "]}");
    EXPECT_NE(refusal("usb").find("usb.json"), std::string::npos) << kind;
  }
}

TEST(Layout, FolderNamesSurviveSlashes) {
  EXPECT_EQ(folder_name("/data/bottle/"), "bottle");
  EXPECT_EQ(folder_name("/data/bottle"), "bottle");
}

}  // namespace
}  // namespace glint
