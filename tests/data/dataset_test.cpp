#include "glint/data/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "data/small_set.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/data/augment.h"
#include "glint/data/split.h"
#include "glint/image/codec.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using DatasetTest = SmallSet;

bool warned(const Dataset& dataset, const std::string& text) {
  return std::any_of(dataset.warnings.begin(), dataset.warnings.end(),
                     [&](const std::string& w) { return w.find(text) != std::string::npos; });
}

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

TEST_F(DatasetTest, IdsAreWhereImagesLieWhateverLinksLeadTo) {
  fs::create_directories(folder() / "store");
  fs::rename(root() / "test/scratch", folder() / "store/scratch");
  fs::create_directory_symlink(folder() / "store/scratch", root() / "test/scratch");
  fs::rename(root() / "train/good/3.png", folder() / "store/b.png");
  fs::create_symlink("../../../store/b.png", root() / "train/good/3.png");
  fs::create_symlink("3.png", root() / "train/good/3 again.png");
  fs::create_directory_symlink(root(), folder() / "linked");
  const Dataset linked = scan_dataset(folder() / "linked", {}, silent_progress());
  ASSERT_EQ(linked.train.size(), 13U);
  for (const char* id : {"train/good/3.png", "train/good/3 again.png"}) {
    EXPECT_EQ(
        std::count_if(linked.train.begin(), linked.train.end(), [&](const Sample& s) { return s.id == id; }),
        1);
  }
  EXPECT_EQ(linked.test.back().id, "test/scratch/1.png");
  EXPECT_TRUE(linked.test.back().mask.has_value());
  EXPECT_EQ(linked.fingerprint(), scan().fingerprint());
  fs::create_symlink("../../train/good/3.png", root() / "test/good/copy.png");
  EXPECT_NE(refusal().find("test/good/copy.png are the same file"), std::string::npos);
}

TEST_F(DatasetTest, FoldersInsideAClassBelongToItAndAreNamed) {
  fs::create_directories(root() / "train/good/2024-11-01");
  for (const char* n : {"3.png", "4.png"})
    fs::rename(root() / "train/good" / n, root() / "train/good/2024-11-01" / n);
  fs::create_directories(root() / "test/scratch/late");
  fs::rename(root() / "test/scratch/1.png", root() / "test/scratch/late/1.png");
  const Dataset d = scan();
  EXPECT_EQ(d.train.size(), 12U);
  EXPECT_EQ(d.train.back().id, "train/good/2024-11-01/4.png");
  EXPECT_EQ(d.train.back().label, "good");
  EXPECT_TRUE(d.test.back().mask.has_value());  // ground_truth/scratch/1_mask.png still
  EXPECT_TRUE(warned(d, "2024-11-01 (2)"));
  fs::create_directories(root() / "ground_truth/scratch/late");
  fs::rename(root() / "ground_truth/scratch/1_mask.png", root() / "ground_truth/scratch/late/1_mask.png");
  EXPECT_TRUE(scan().test.back().mask.has_value());
}

TEST_F(DatasetTest, FoldersOfOtherProgramsAreNoClasses) {
  put("test/.ipynb_checkpoints/0-checkpoint.png", picture(100));
  put("test/@eaDir/0.png", picture(100));
  put("test/good/__MACOSX/0.png", picture(100));
  put("ground_truth/.ipynb_checkpoints/0.png", picture(100));
  const Dataset d = scan();
  EXPECT_EQ(d.test.size(), 4U);
  for (const char* name : {".ipynb_checkpoints", "@eaDir"}) EXPECT_TRUE(warned(d, name)) << name;
}

TEST_F(DatasetTest, WhateverIsLeftOutIsNamed) {
  put("train/bad/1.png", picture(50));
  put("train/loose.png", picture(51));
  put("test/loose.png", picture(52));
  put("val/good/1.png", picture(53));
  put("val/good/2.png", picture(54));
  put("Test/dent/1.png", picture(55));
  put("preview.png", picture(56));
  put("test/scratch/gt/0.png", picture(57));
  put_mask("ground_truth/loose_mask.png", 24, 16);
  write_text(root() / "test/scratch/3.webp", "RIFF");
  fs::create_directories(root() / "test/dent");
  fs::create_symlink("nowhere", root() / "old");
  const Dataset d = scan();
  EXPECT_EQ(d.train.size(), 12U);
  EXPECT_EQ(d.test.size(), 4U);
  for (const char* part :
       {"train/bad: 1 image is left out", "train: 1 image is left out", "test: 1 image is left out",
        "val/good: 2 images are left out", "Test/dent: 1 image is left out", "preview.png",
        "test/scratch/gt: 1 image is left out", "ground_truth: 1 image is left out", "test/scratch/3.webp",
        "test/dent: no image", "old: a link whose target"}) {
    EXPECT_TRUE(warned(d, part)) << part;
  }
}

TEST_F(DatasetTest, GoodPartsUnderAnotherSpellingAreNoDefectClass) {
  for (const char* name : {"Good", "OK", "normal"}) {
    put(std::string("test/") + name + "/1.png", picture(60));
    EXPECT_NE(refusal().find("would count as a defect class"), std::string::npos) << name;
    fs::remove_all(root() / "test" / name);
  }
  put("test/Scratch/1.png", picture(60));
  EXPECT_TRUE(warned(scan(), "differ only in capital letters"));
}

TEST_F(DatasetTest, ValidationImagesCalibrateWhereNoneAreCalledCalibration) {
  put("validation/good/1.png", picture(60));
  EXPECT_EQ(scan().calibration.size(), 1U);
  EXPECT_TRUE(warned(scan(), "validation/good: used as calibration/good (1 image)"));
  put("calibration/good/2.png", picture(61));
  const Dataset d = scan();
  ASSERT_EQ(d.calibration.size(), 1U);
  EXPECT_EQ(d.calibration[0].id, "calibration/good/2.png");
  EXPECT_TRUE(warned(d, "validation/good: 1 image is left out"));
}

TEST_F(DatasetTest, BrokenLinksAndUnreadableFoldersAreRefused) {
  fs::create_symlink("nowhere.png", root() / "train/good/gone.png");
  EXPECT_NE(refusal().find("gone.png: a link whose target"), std::string::npos);
  fs::remove(root() / "train/good/gone.png");
  fs::create_directory_symlink("/nowhere", root() / "test/dent");
  EXPECT_NE(refusal().find("test/dent: a link whose target"), std::string::npos);
  const Dataset audited = scan_dataset(
      root(), {.faults = FaultHandling::kCollect, .lock = LockHandling::kIgnore}, silent_progress());
  ASSERT_EQ(audited.faults.size(), 1U);
  EXPECT_EQ(audited.faults[0].id, "test/dent");
  fs::remove(root() / "test/dent");
  if (::geteuid() == 0) GTEST_SKIP() << "root may list every folder";
  fs::permissions(root() / "test/scratch", fs::perms::none);
  EXPECT_NE(refusal().find("cannot be listed"), std::string::npos);
  fs::permissions(root() / "test/scratch", fs::perms::owner_all);
}

TEST_F(DatasetTest, AFolderWithoutImagesSaysWhatItHolds) {
  const fs::path wrong = folder() / "wrong";
  for (int i = 0; i < 12; ++i)
    write_file(wrong / "Train/good" / (std::to_string(i) + ".png"), encode_png(picture(i)));
  try {
    scan_dataset(wrong, {}, silent_progress());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("Train/good: 12 images are left out"), std::string::npos)
        << e.what();
  }
}

TEST_F(DatasetTest, SeveralMasksInAFolderAreOne) {
  fs::remove(root() / "ground_truth/scratch/0_mask.png");
  for (int i = 0; i < 2; ++i) {
    Mask mask(24, 16);
    mask.pixels[10 + static_cast<std::size_t>(i)] = 1;
    write_file(root() / fmt::format("ground_truth/scratch/0/{:03}.png", i), encode_png(mask));
  }
  const Dataset d = scan();
  EXPECT_TRUE(d.warnings.empty());
  const Mask mask = *load_mask(d.test[2]);
  EXPECT_EQ(std::count(mask.pixels.begin(), mask.pixels.end(), 1), 2);
  put_mask("ground_truth/scratch/0/002.png", 20, 16);
  EXPECT_NE(refusal().find("20x16"), std::string::npos);
  put_mask("ground_truth/scratch/0/002.png", 24, 16);
  put_mask("ground_truth/scratch/0_mask.png", 24, 16);
  EXPECT_NE(refusal().find("a second mask"), std::string::npos);
}

TEST_F(DatasetTest, AMaskOfTwoImagesIsRefused) {
  put("test/scratch/0.jpg", picture(70));
  EXPECT_NE(refusal().find("the mask of"), std::string::npos);
  fs::remove(root() / "test/scratch/0.jpg");
  // images "a" and "a_mask": the names of both masks tell which is whose
  put("test/scratch/0_mask.png", picture(71));
  EXPECT_NE(refusal().find("the mask of"), std::string::npos);
  put_mask("ground_truth/scratch/0_mask_mask.png", 24, 16);
  const Dataset d = scan();
  ASSERT_EQ(d.test.size(), 5U);
  EXPECT_EQ(d.test[2].mask->filename(), "0_mask.png");
  EXPECT_EQ(d.test[3].mask->filename(), "0_mask_mask.png");
}

TEST_F(DatasetTest, RefusesTheSameBytesInTrainAndTest) {
  put("test/good/copy.png", picture(3));
  EXPECT_NE(refusal().find("train/good/3.png"), std::string::npos);
  EXPECT_EQ(scan(true).leaked.size(), 1U);
}

TEST_F(DatasetTest, LeavesOutCopiesAmongGoodImagesAndNamesThem) {
  put("train/good/copy.png", picture(3));
  put("calibration/good/a.png", picture(5));
  Dataset dataset = scan();
  ASSERT_EQ(dataset.train.size(), 13U);
  EXPECT_EQ(leave_out_copies(dataset), 2);  // one of the two, and the one that calibrates
  EXPECT_EQ(dataset.train.size(), 11U);
  EXPECT_EQ(dataset.calibration.size(), 1U);
  ASSERT_FALSE(dataset.warnings.empty());
  EXPECT_NE(dataset.warnings.back().find("train/good/5.png = calibration/good/a.png"), std::string::npos)
      << dataset.warnings.back();
  EXPECT_NE(dataset.warnings.back().find("train/good/copy.png = train/good/3.png"), std::string::npos);
  EXPECT_EQ(leave_out_copies(dataset), 0);
}

TEST_F(DatasetTest, TooFewDifferentGoodImagesAreRefused) {
  for (int i = 2; i < 12; ++i) put("train/good/" + std::to_string(i) + ".png", picture(1));
  Dataset dataset = scan();
  EXPECT_THROW(leave_out_copies(dataset), Error);
}

TEST_F(DatasetTest, WarnsAboutAMissingMaskAndNeedsTenImages) {
  fs::remove(root() / "ground_truth/scratch/1_mask.png");
  EXPECT_EQ(scan().warnings.size(), 1U);
  for (int i = 0; i < 3; ++i) fs::remove(root() / "train/good" / (std::to_string(i) + ".png"));
  write_text(root() / "train/good/0.webp", "RIFF");
  EXPECT_NE(refusal().find("at least 10"), std::string::npos);
  EXPECT_NE(refusal().find("0.webp"), std::string::npos);  // why there are too few
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
