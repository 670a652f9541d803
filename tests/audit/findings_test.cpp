#include "glint/audit/findings.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "data/small_set.h"
#include "glint/base/random.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct Scene {
  double brightness = 1, red = 1, shift_x = 0, angle_deg = 0;
  bool blurred = false, cut_off = false, highlight = false;
};

/// A grey, textured rectangle on a dark ground with a little sensor noise: what a clean station would take.
RgbImage station_picture(std::uint64_t seed, const Scene& scene = {}) {
  constexpr int kSceneSide = 96;
  RgbImage image(kSceneSide, kSceneSide);
  Rng rng(seed, "test.station");
  const double c = std::cos(scene.angle_deg * M_PI / 180), s = std::sin(scene.angle_deg * M_PI / 180);
  for (int y = 0; y < kSceneSide; ++y) {
    for (int x = 0; x < kSceneSide; ++x) {
      const double dx = x - kSceneSide / 2.0 - kSceneSide * scene.shift_x, dy = y - kSceneSide / 2.0;
      const double u = c * dx + s * dy, v = -s * dx + c * dy;
      const bool part = std::abs(u) < (scene.cut_off ? 80 : 30) && std::abs(v) < (scene.cut_off ? 80 : 14);
      const double texture = scene.blurred ? 0 : 25 * std::sin(1.9 * x) * std::sin(1.7 * y);
      double value = scene.brightness * (part ? 140 + texture : 20) + 2 * rng.normal();
      if (scene.highlight && std::hypot(dx, dy) < 8) value = 255;
      image.at(x, y)[0] = static_cast<std::uint8_t>(std::clamp(scene.red * value, 0.0, 255.0));
      image.at(x, y)[1] = image.at(x, y)[2] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
    }
  }
  return image;
}

/// A clean set of 24 good images; tests plant one fault each.
class AuditTest : public ::testing::Test {
 protected:
  AuditTest() {
    for (int i = 0; i < 24; ++i) put(name(i), station_picture(i));
  }
  static std::string name(int i) { return fmt::format("train/good/{:03}.png", i); }
  fs::path root() const { return folder_.path() / "set"; }
  void put(const std::string& id, const RgbImage& image) { write_file(root() / id, encode_png(image)); }
  void put_defect(const std::string& stem, const Mask& mask, int seed) {
    RgbImage image = station_picture(seed);
    for (int i = 0; i < image.width * image.height; ++i) {
      if (mask.pixels[i]) std::fill_n(&image.pixels[3 * static_cast<std::size_t>(i)], 3, std::uint8_t{250});
    }
    put("test/scratch/" + stem + ".png", image);
    write_file(root() / ("ground_truth/scratch/" + stem + "_mask.png"), encode_png(mask));
  }
  static Mask box(int x0, int y0, int w, int h) {
    Mask mask(96, 96);
    for (int y = y0; y < y0 + h; ++y)
      for (int x = x0; x < x0 + w; ++x) mask.pixels[96 * y + x] = 1;
    return mask;
  }
  Dataset scan() {
    return scan_dataset(root(), {DatasetUse::kTrain, true, FaultHandling::kCollect, LockHandling::kIgnore},
                        silent_progress());
  }
  std::vector<AuditedImage> measured() { return measure_dataset(scan(), silent_progress()); }
  static bool has(const std::vector<Finding>& findings, const std::string& text) {
    return std::any_of(findings.begin(), findings.end(),
                       [&](const Finding& f) { return f.title.find(text) != std::string::npos; });
  }
  static std::string titles(const std::vector<Finding>& findings) {
    std::string out;
    for (const Finding& f : findings) out += f.title + "\n";
    return out;
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(AuditTest, CleanDataHasNoFinding) {
  put("test/good/000.png", station_picture(900));
  put_defect("0", box(40, 40, 10, 10), 901);
  const auto images = measured();
  EXPECT_EQ(titles(audit_identity(images)), "");
  EXPECT_EQ(titles(audit_imaging(images)), "");
  EXPECT_EQ(titles(audit_masks(images)), "");
  EXPECT_EQ(titles(audit_resolution(images, {})), "");
  EXPECT_EQ(titles(audit_sequence(images)), "");
  EXPECT_EQ(titles(audit_files(scan())), "");
}

TEST_F(AuditTest, FindsLightFaults) {
  put(name(3), station_picture(3, {.brightness = 1.3}));
  put(name(4), station_picture(4, {.red = 0.8}));
  put(name(5), station_picture(5, {.highlight = true}));
  const auto findings = audit_imaging(measured());
  EXPECT_TRUE(has(findings, "brightness: ")) << titles(findings);
  EXPECT_TRUE(has(findings, "red over green: 1 of 24")) << titles(findings);
  EXPECT_TRUE(has(findings, "highlight share: 1 of 24")) << titles(findings);
}

TEST_F(AuditTest, FindsFocusAndFramingFaults) {
  put(name(6), station_picture(6, {.blurred = true}));
  put(name(7), station_picture(7, {.shift_x = 0.12}));
  put(name(8), station_picture(8, {.cut_off = true}));
  const auto findings = audit_imaging(measured());
  EXPECT_TRUE(has(findings, "focus: ")) << titles(findings);
  EXPECT_TRUE(has(findings, "part position across: ")) << titles(findings);
  EXPECT_TRUE(has(findings, "part on the border: ") || has(findings, "part size: ")) << titles(findings);
}

TEST_F(AuditTest, FindsDriftAndTurnedParts) {
  for (int i = 0; i < 24; ++i) {
    put(name(i), station_picture(i, {.brightness = 0.9 + 0.01 * i, .angle_deg = 37.0 * i}));
  }
  const auto findings = audit_imaging(measured());
  EXPECT_TRUE(has(findings, "brightness drifts")) << titles(findings);
  EXPECT_TRUE(has(findings, "orientation varies")) << titles(findings);
}

TEST_F(AuditTest, FindsIdenticalBytesAndPixels) {
  put("test/good/copy.png", station_picture(2));
  RgbImage same = station_picture(3);
  // The same pixels in another file format.
  write_file(root() / "test/scratch/other.bmp", encode_png(same));
  put(name(20), station_picture(10));
  const auto findings = audit_identity(measured());
  EXPECT_TRUE(has(findings, "test images that are also training or calibration images: 2"))
      << titles(findings);
  EXPECT_TRUE(has(findings, "pictures with two labels: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "groups of identical images on one side of the split: 1")) << titles(findings);
}

TEST_F(AuditTest, FindsInterleavedCaptures) {
  for (int i = 0; i < 24; ++i) fs::remove(root() / name(i));
  for (int i = 0; i < 40; ++i) {
    put(fmt::format("{}/good/cam_2001011200{:02}.png", i % 4 == 3 ? "test" : "train", i), station_picture(i));
  }
  EXPECT_TRUE(has(audit_sequence(measured()), "10 of 10 good test images"))
      << titles(audit_sequence(measured()));
  // The same images split by time: nothing to find.
  fs::remove_all(root());
  for (int i = 0; i < 40; ++i) {
    put(fmt::format("{}/good/cam_20010112{:02}{:02}.png", i >= 30 ? "test" : "train", i >= 30 ? 30 : 0, i),
        station_picture(i));
  }
  EXPECT_EQ(titles(audit_sequence(measured())), "");
}

TEST_F(AuditTest, FindsMaskFaults) {
  put_defect("good", box(40, 40, 10, 10), 800);
  put_defect("empty", Mask(96, 96), 801);
  Mask ring = box(30, 35, 20, 20);
  for (int y = 40; y < 50; ++y)
    for (int x = 35; x < 45; ++x) ring.pixels[96 * y + x] = 0;
  put_defect("ring", ring, 802);
  put_defect("grey", box(40, 40, 10, 10), 803);
  RgbImage grey(96, 96);  // its outline is smoothed to the left and right
  for (int y = 40; y < 50; ++y)
    for (int x = 39; x < 51; ++x)
      std::fill_n(grey.at(x, y), 3, static_cast<std::uint8_t>(x == 39 || x == 50 ? 90 : 255));
  write_file(root() / "ground_truth/scratch/grey_mask.png", encode_png(grey));
  put_defect("numbered", box(40, 40, 10, 10), 807);
  RgbImage numbered(96, 96);
  for (int y = 40; y < 50; ++y) std::fill_n(numbered.at(40, y), 30, std::uint8_t{1});
  write_file(root() / "ground_truth/scratch/numbered_mask.png", encode_png(numbered));
  Mask specks(96, 96);
  for (int i = 0; i < 12; ++i) specks.pixels[96 * 44 + 30 + 3 * i] = 1;
  put_defect("specks", specks, 804);
  put("test/scratch/missing.png", station_picture(805));
  put("test/good/000.png", station_picture(806));
  write_file(root() / "ground_truth/good/000_mask.png", encode_png(box(1, 1, 5, 5)));
  const auto images = measured();
  const auto findings = audit_masks(images);
  EXPECT_TRUE(has(findings, "empty masks: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "masks that are read by a rule: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "masks with holes: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "masks that are not binary: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "masks with more than 10 regions: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "anomalous images without a mask: 1")) << titles(findings);
  EXPECT_TRUE(has(findings, "good images whose mask has defect pixels: 1")) << titles(findings);
  const auto classes = mask_summaries(images);
  ASSERT_EQ(classes.size(), 1U);
  EXPECT_EQ(classes[0].images, 7);
  EXPECT_EQ(classes[0].with_mask, 5);
}

TEST_F(AuditTest, FindsLooseMasks) {
  // The texture is inside and outside alike: an outline that follows nothing.
  RgbImage image(96, 96);
  for (int y = 0; y < 96; ++y)
    for (int x = 0; x < 96; ++x) {
      const bool defect = std::abs(x - 48) < 12 && std::abs(y - 48) < 12;
      std::fill_n(image.at(x, y), 3, static_cast<std::uint8_t>(defect && (x + y) % 4 < 2 ? 220 : 100));
    }
  put("test/scratch/0.png", image);
  write_file(root() / "ground_truth/scratch/0_mask.png", encode_png(box(24, 24, 48, 48)));
  EXPECT_TRUE(has(audit_masks(measured()), "masks that look wider than their defect: 1"))
      << titles(audit_masks(measured()));
}

TEST_F(AuditTest, FindsSmallDefectsAndSaysWhatHelps) {
  put_defect("0", box(40, 40, 2, 1), 800);
  const auto findings = audit_resolution(measured(), {.input_size = 96});
  ASSERT_TRUE(has(findings, "1 of 1 masks")) << titles(findings);
  EXPECT_NE(findings[0].advice.find("too few pixels"), std::string::npos);
  const auto pitch =
      audit_resolution(measured(), {.input_size = 48, .pixel_pitch_um = 20, .smallest_defect_um = 200});
  EXPECT_TRUE(has(pitch, "a defect of 200 um spans 5.0 pixels")) << titles(pitch);
}

TEST_F(AuditTest, CollectsFaultyFiles) {
  write_text(root() / name(2), "no image");
  put_defect("0", box(40, 40, 10, 10), 800);
  write_file(root() / "ground_truth/scratch/0_mask.png", encode_png(Mask(10, 10)));
  write_file(root() / "ground_truth/scratch/9_mask.png", encode_png(Mask(96, 96)));
  const Dataset dataset = scan();
  EXPECT_EQ(dataset.train.size(), 23U);
  ASSERT_EQ(dataset.faults.size(), 3U);
  EXPECT_TRUE(has(audit_files(dataset), "files that cannot be used: 3"));
}

TEST_F(AuditTest, WhatTheScanLeftOutIsANotice) {
  put("val/good/1.png", station_picture(900));
  const std::vector<Finding> found = audit_files(scan());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].severity, Severity::kNotice);
  ASSERT_EQ(found[0].items.size(), 1U);
  EXPECT_NE(found[0].items[0].note.find("val/good: 1 image is left out"), std::string::npos);
}

TEST(PerceptualHash, NearForTheSamePictureFarForAnother) {
  const auto a = perceptual_hash(station_picture(1)),
             b = perceptual_hash(station_picture(1, {.brightness = 1.05}));
  const auto c = perceptual_hash(station_picture(1, {.shift_x = 0.2, .angle_deg = 70}));
  EXPECT_LE(std::popcount(a ^ b), 12);
  EXPECT_GE(std::popcount(a ^ c), 20);
}

TEST(Measure, NoiseIsThatOfTheSensor) {
  RgbImage image(128, 128);
  Rng rng(5);
  for (int i = 0; i < 128 * 128; ++i) {
    std::fill_n(&image.pixels[3 * static_cast<std::size_t>(i)], 3,
                static_cast<std::uint8_t>(std::lround(128 + 4 * rng.normal())));
  }
  EXPECT_NEAR(measure_image(image).noise, 4, 0.25);
}

}  // namespace
}  // namespace glint
