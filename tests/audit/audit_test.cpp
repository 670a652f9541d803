#include "glint/audit/audit.h"

#include <gtest/gtest.h>

#include "glint/base/files.h"
#include "glint/image/codec.h"
#include "glint/nn/backbone_store.h"
#include "glint/report/audit_report.h"
#include "glint/synth/sleeve.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr int kSide = 128;

/// Rendered sleeves; with faults: one training image with a black bar, and two test images that are slightly
/// changed copies of training images.
class DatasetAuditTest : public ::testing::Test {
 protected:
  DatasetAuditTest() {
    for (int i = 0; i < 24; ++i) put(fmt::format("train/good/{:03}.png", i), sleeve(i));
    for (int i = 0; i < 4; ++i) put(fmt::format("test/good/{:03}.png", i), sleeve(100 + i));
    for (int i = 0; i < 3; ++i) {
      const SleeveImage scratched =
          render_sleeve(SleeveDefect::kScratch, kSide, 200 + i, SleeveDifficulty::kHard);
      put(fmt::format("test/scratch/{:03}.png", i), scratched.image);
      write_file(root() / fmt::format("ground_truth/scratch/{:03}_mask.png", i), encode_png(scratched.mask));
    }
  }
  void plant_faults() {
    RgbImage barred = sleeve(7);
    for (int y = 50; y < 80; ++y) std::fill_n(barred.at(30, y), 3 * 60, std::uint8_t{0});
    put("train/good/007.png", barred);
    for (const int i : {2, 3}) {
      RgbImage copy = sleeve(i);
      for (std::uint8_t& v : copy.pixels) v = static_cast<std::uint8_t>(std::min(255, v + 2));
      put(fmt::format("test/good/{:03}.png", i), copy);
    }
  }
  Audit audit() {
    dataset_ =
        scan_dataset(root(), {DatasetUse::kTrain, true, FaultHandling::kCollect, LockHandling::kIgnore},
                     silent_progress());
    Backbone backbone = open_backbone("compact");
    backbone.to(DeviceChoice::kCpu, Precision::kAuto);
    return audit_dataset(dataset_, backbone, {}, silent_progress());
  }
  static std::string titles(const Audit& audit) { return audit_text(audit); }
  static const Finding* find(const Audit& audit, const std::string& text) {
    for (const Finding& f : audit.findings) {
      if (f.title.find(text) != std::string::npos) return &f;
    }
    return nullptr;
  }
  Dataset dataset_;

 private:
  static RgbImage sleeve(int seed) {
    return render_sleeve(SleeveDefect::kNone, kSide, seed, SleeveDifficulty::kHard).image;
  }
  fs::path root() const { return folder_.path() / "set"; }
  void put(const std::string& id, const RgbImage& image) { write_file(root() / id, encode_png(image)); }
  TemporaryFolder folder_;
};

TEST_F(DatasetAuditTest, CleanSetHasNoLeakAndNoSuspect) {
  const Audit clean = audit();
  EXPECT_EQ(find(clean, "near duplicates of training"), nullptr) << titles(clean);
  EXPECT_EQ(find(clean, "look unlike the others"), nullptr) << titles(clean);
  EXPECT_NE(find(clean, "4 good and 3 anomalous test images"), nullptr) << titles(clean);
  EXPECT_NE(find(clean, "the split is not locked"), nullptr);
  EXPECT_TRUE(clean.found());
  ASSERT_EQ(clean.expected.size(), 3U);
  EXPECT_LT(clean.expected[1].interval.ci_low, 0.8);
}

TEST_F(DatasetAuditTest, FindsPlantedCopiesAndTheOddPart) {
  plant_faults();
  const Audit faulty = audit();
  const Finding* copies = find(faulty, "near duplicates of training images: 2");
  ASSERT_NE(copies, nullptr) << titles(faulty);
  EXPECT_EQ(copies->severity, Severity::kError);
  EXPECT_EQ(copies->items[0].ids.size(), 2U);
  ASSERT_FALSE(faulty.suspicious.empty()) << titles(faulty);
  EXPECT_EQ(faulty.suspicious[0], "train/good/007.png");
  EXPECT_NE(exclusion_text(faulty).find("\ntrain/good/007.png\n"), std::string::npos);

  const nlohmann::json json = audit_json(faulty, dataset_);
  EXPECT_EQ(json["findings"].size(), faulty.findings.size());
  EXPECT_EQ(json["normal_class"].size(), 24U);
  const std::string page = audit_report(faulty, dataset_);
  EXPECT_NE(page.find("look unlike the others"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);  // self-contained
}

}  // namespace
}  // namespace glint
