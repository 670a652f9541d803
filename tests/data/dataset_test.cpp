#include "glint/data/dataset.h"

#include <gtest/gtest.h>

#include "data/small_set.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/data/augment.h"
#include "glint/data/sleeve.h"
#include "glint/data/split.h"
#include "glint/image/codec.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using DatasetTest = SmallSet;

TEST_F(DatasetTest, ReadsMvtecLayout) {
  const Dataset d = scan();
  EXPECT_EQ(d.train.size(), 12U);
  EXPECT_EQ(d.test.size(), 4U);
  EXPECT_TRUE(d.masks_present);
  EXPECT_TRUE(d.warnings.empty());
  EXPECT_EQ(load_mask(d.test.back())->pixels[5], 1);
}

TEST_F(DatasetTest, AcceptsOtherSpellingsOfMasks) {
  fs::rename(root() / "ground_truth", root() / "ground truth");
  fs::rename(root() / "ground truth/scratch/0_mask.png", root() / "ground truth/scratch/0.png");
  EXPECT_TRUE(scan().test[2].mask.has_value());
}

TEST_F(DatasetTest, FlatFolderAndNoTest) {
  fs::remove_all(root() / "test");
  fs::remove_all(root() / "ground_truth");
  EXPECT_EQ(scan().train.size(), 12U);
  const Dataset flat = scan_dataset(root() / "train/good", {}, silent_progress());
  EXPECT_EQ(flat.train.size(), 12U);
}

TEST_F(DatasetTest, RefusalsNameTheFile) {
  put_mask("ground_truth/scratch/9_mask.png", 24, 16);
  EXPECT_NE(refusal().find("9_mask.png"), std::string::npos);
  fs::remove(root() / "ground_truth/scratch/9_mask.png");
  put_mask("ground_truth/scratch/0_mask.png", 20, 16);
  EXPECT_NE(refusal().find("20x16"), std::string::npos);
  put_mask("ground_truth/scratch/0_mask.png", 24, 16);
  write_text(root() / "train/good/bad.png", "no image");
  EXPECT_NE(refusal().find("bad.png"), std::string::npos);
  fs::remove(root() / "train/good/bad.png");
  EXPECT_EQ(refusal(), "");
}

TEST_F(DatasetTest, RefusesTheSameBytesInTrainAndTest) {
  put("test/good/copy.png", picture(3));
  EXPECT_NE(refusal().find("train/good/3.png"), std::string::npos);
  EXPECT_EQ(scan(true).leaked.size(), 1U);
}

TEST_F(DatasetTest, WarnsAboutAMissingMaskAndNeedsTenImages) {
  fs::remove(root() / "ground_truth/scratch/1_mask.png");
  EXPECT_EQ(scan().warnings.size(), 1U);
  for (int i = 0; i < 3; ++i) fs::remove(root() / "train/good" / (std::to_string(i) + ".png"));
  EXPECT_NE(refusal().find("at least 10"), std::string::npos);
}

TEST(Split, HoldoutAndFoldsPartition) {
  const Split s = holdout_split(320, 0.2, 50, 7);
  EXPECT_EQ(s.held_out.size(), 64U);
  EXPECT_EQ(s.train.size(), 256U);
  EXPECT_EQ(holdout_split(320, 0.2, 50, 7).held_out, s.held_out);
  EXPECT_NE(holdout_split(320, 0.2, 50, 8).held_out, s.held_out);
  std::vector<int> seen(23, 0);
  for (const Split& fold : fold_splits(23, 5, 1)) {
    EXPECT_EQ(fold.train.size() + fold.held_out.size(), 23U);
    for (const int i : fold.held_out) ++seen[i];
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 23);
}

TEST(Augment, DependsOnSeedImageAndDrawOnly) {
  const RgbImage image = picture(1, 64, 64);
  EXPECT_EQ(augment(image, AugmentRegime::kNone, 1, 2, 3).pixels, image.pixels);
  const auto a = augment(image, AugmentRegime::kMild, 1, 2, 3).pixels;
  EXPECT_EQ(a, augment(image, AugmentRegime::kMild, 1, 2, 3).pixels);
  EXPECT_NE(a, augment(image, AugmentRegime::kMild, 1, 2, 4).pixels);
  EXPECT_NE(augment(image, AugmentRegime::kStrong, 1, 2, 3).pixels, a);
}

TEST(Augment, MildStaysWithinItsBounds) {
  RgbImage flat(8, 8);
  std::fill(flat.pixels.begin(), flat.pixels.end(), std::uint8_t{100});
  for (int draw = 0; draw < 200; ++draw) {
    const int v = augment(flat, AugmentRegime::kMild, 9, 0, draw).pixels[0];
    EXPECT_GE(v, 95);
    EXPECT_LE(v, 105);
  }
}

TEST(Sleeve, SameSeedSameBytesAndMasksOnlyForDefects) {
  for (const SleeveDefect defect : {SleeveDefect::kNone, SleeveDefect::kScratch, SleeveDefect::kDent,
                                    SleeveDefect::kColour, SleeveDefect::kBevel1, SleeveDefect::kBevel2}) {
    const SleeveImage a = render_sleeve(defect, 160, 5), b = render_sleeve(defect, 160, 5);
    EXPECT_EQ(a.image.pixels, b.image.pixels);
    const auto area = std::count(a.mask.pixels.begin(), a.mask.pixels.end(), 1);
    EXPECT_EQ(area > 0, defect != SleeveDefect::kNone) << enum_name(defect);
    EXPECT_LT(area, 0.005 * 160 * 160) << "a defect is tiny";
  }
}

TEST(Sleeve, DefectChangesOnlyTheNeighbourhoodOfItsMask) {
  // The nuisances are drawn from their own stream: good and defective parts of one seed differ where the
  // defect is.
  const SleeveImage good = render_sleeve(SleeveDefect::kNone, 200, 8),
                    bad = render_sleeve(SleeveDefect::kScratch, 200, 8);
  double inside = 0, outside = 0, n_inside = 0, n_outside = 0;
  for (std::size_t i = 0; i < bad.mask.pixels.size(); ++i) {
    const double d = std::abs(good.image.pixels[3 * i] - bad.image.pixels[3 * i]);
    (bad.mask.pixels[i] ? inside : outside) += d;
    (bad.mask.pixels[i] ? n_inside : n_outside) += 1;
  }
  EXPECT_GT(inside / n_inside, 4 * outside / n_outside);
}

TEST(Sleeve, WritesASetThatScansClean) {
  const TemporaryFolder folder;
  SleeveSetOptions options;
  options.train = 10;
  options.test_good = 1;
  options.per_class = {1, 1, 1, 1, 1};
  options.size = 96;
  EXPECT_EQ(write_sleeve_set(folder.path() / "s", options, silent_progress()), 16);
  const Dataset d = scan_dataset(folder.path() / "s", {}, silent_progress());
  EXPECT_EQ(d.test.size(), 6U);
  EXPECT_THROW(write_sleeve_set(folder.path() / "s", options, silent_progress()), Error);
}

TEST_F(DatasetTest, SeveralCategoriesBecomeOneDataset) {
  const fs::path other = root().parent_path() / "other";
  for (int i = 0; i < 10; ++i)
    write_file(other / "train/good" / (std::to_string(i) + ".png"), encode_png(picture(40 + i)));
  const Dataset both = scan_datasets({root(), other}, {}, silent_progress());
  EXPECT_EQ(both.train.size(), 22U);
  EXPECT_EQ(both.name(), "set+other");
  EXPECT_EQ(both.train.front().id, "set/train/good/0.png");
  EXPECT_EQ(both.train.back().category, "other");
  EXPECT_NE(both.fingerprint(), scan().fingerprint());
  EXPECT_THROW(scan_datasets({root(), root()}, {}, silent_progress()), Error);
  // a test image of one category among the other's training images
  write_file(other / "train/good/leak.png", encode_png(picture(200)));
  EXPECT_THROW(scan_datasets({root(), other}, {}, silent_progress()), Error);
}

TEST(FewShot, TakesSoManyOfEachCategoryAndHoldsOutTheRest) {
  const std::vector<std::string> group = {"a", "a", "a", "b", "b", "b", "b"};
  const Split split = few_shot_split(group, 2, 7);
  ASSERT_EQ(split.train.size(), 4U);
  EXPECT_EQ(split.held_out.size(), 3U);
  int of_a = 0;
  for (const int i : split.train) of_a += group[i] == "a";
  EXPECT_EQ(of_a, 2);
  EXPECT_EQ(few_shot_split(group, 2, 7).train, split.train);
}

TEST(FewShot, VersionsAreAllDifferentAndQuarterTurnsExact) {
  RgbImage image = picture(3, 16, 16);
  std::vector<std::vector<std::uint8_t>> seen;
  for (int v = 0; v < kFewShotVersions; ++v) {
    const RgbImage out = few_shot_version(image, v);
    EXPECT_EQ(out.width, 16);
    for (const auto& earlier : seen) EXPECT_NE(out.pixels, earlier) << v;
    seen.push_back(out.pixels);
  }
  EXPECT_EQ(seen[0], image.pixels);
  // a quarter turn counter-clockwise: the top right pixel comes to the top left
  const auto at = [](const std::vector<std::uint8_t>& p, int x, int y) { return p[3 * (16 * y + x)]; };
  EXPECT_EQ(at(seen[19], 0, 0), at(seen[0], 15, 0));
  EXPECT_EQ(at(seen[20], 0, 0), at(seen[0], 15, 15));
}

}  // namespace
}  // namespace glint
