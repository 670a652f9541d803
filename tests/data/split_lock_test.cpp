#include "glint/data/split_lock.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "data/small_set.h"
#include "glint/base/error.h"
#include "glint/data/quarantine.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class SplitLockTest : public SmallSet {
 protected:
  Dataset scan_unlocked() {
    return scan_dataset(root(), {.allow_leakage = true, .lock = LockHandling::kIgnore}, silent_progress());
  }
};

TEST_F(SplitLockTest, NamesEveryDifference) {
  EXPECT_FALSE(check_lock(scan()).has_value());
  lock_split(scan(), "2026-01-01", false);
  EXPECT_TRUE(check_lock(scan())->empty());
  EXPECT_THROW(lock_split(scan(), "2026-01-02", false), Error);

  fs::rename(root() / "train/good/3.png", root() / "test/good/3.png");
  fs::remove(root() / "train/good/4.png");
  put("train/good/5.png", picture(55));
  put("train/good/new.png", picture(77));
  fs::remove(root() / "ground_truth/scratch/1_mask.png");
  const LockDifferences d = *check_lock(scan_unlocked());
  EXPECT_EQ(d.moved,
            std::vector<std::string>{"train/good/3.png moved to test/good/3.png and is a test image now"});
  EXPECT_EQ(d.removed, std::vector<std::string>{"train/good/4.png was removed"});
  EXPECT_EQ(d.added, std::vector<std::string>{"train/good/new.png was added"});
  EXPECT_EQ(d.changed, (std::vector<std::string>{"train/good/5.png has other content",
                                                 "test/scratch/1.png has lost its mask"}));
  EXPECT_NE(refusal().find("train/good/3.png moved"), std::string::npos);
}

TEST_F(SplitLockTest, RoleAndClassAreCompared) {
  Dataset set = scan();
  lock_split(set, "2026-01-01", false);
  set.test[0].role = Role::kTrain;  // as a list would have it: the file stays where it is
  set.test[1].label = "scratch";
  LockDifferences d = *check_lock(set);
  EXPECT_EQ(d.moved,
            std::vector<std::string>{"test/good/0.png is a training image now; locked as a test image"});
  EXPECT_EQ(d.changed,
            std::vector<std::string>{"test/good/1.png is of the class 'scratch' now; locked as 'good'"});
  EXPECT_TRUE(d.added.empty() && d.removed.empty());
}

TEST_F(SplitLockTest, EveryMaskOfAnImageCounts) {
  fs::create_directories(root() / "ground_truth/scratch/1");
  fs::rename(root() / "ground_truth/scratch/1_mask.png", root() / "ground_truth/scratch/1/000.png");
  put_mask("ground_truth/scratch/1/001.png", 24, 16);
  lock_split(scan(), "2026-01-01", false);
  fs::remove(root() / "ground_truth/scratch/1/001.png");
  EXPECT_EQ(check_lock(scan_unlocked())->changed,
            std::vector<std::string>{"test/scratch/1.png has another mask"});
}

TEST_F(SplitLockTest, LocksOfEarlierVersionsHold) {
  // They named a link's target and the bytes as they are, and need not say role and label.
  fs::create_directories(folder() / "store");
  fs::rename(root() / "train/good/3.png", folder() / "store/a.png");
  fs::create_symlink(folder() / "store/a.png", root() / "train/good/3.png");
  fs::create_symlink(folder() / "store/a.png", root() / "train/good/3 again.png");
  put("train/good/x\\xE4.png", picture(70));
  lock_split(scan(), "2026-01-01", false);
  nlohmann::json lock = nlohmann::json::parse(read_text(root() / kLockFile));
  int rewritten = 0;
  for (nlohmann::json& image : lock["images"]) {
    if (image["id"] == "train/good/3.png" || image["id"] == "train/good/3 again.png") {
      image["id"] = "../store/a.png";
      ++rewritten;
    }
    if (image["id"] == "train/good/x\\x5CxE4.png") {
      image["id"] = "train/good/x\\xE4.png";
      ++rewritten;
    }
    image.erase("role");
    image.erase("label");
  }
  EXPECT_EQ(rewritten, 3);
  write_text(root() / kLockFile, lock.dump());
  EXPECT_EQ(check_lock(scan_unlocked())->text(), "");
}

TEST_F(SplitLockTest, RefusesADamagedLock) {
  write_text(root() / kLockFile, "{\"version\": 1");
  EXPECT_NE(refusal().find(kLockFile), std::string::npos);
}

TEST(CaptureTime, ReadsDatesInNames) {
  const auto a = capture_time("01_200828110055_305000_090_crop_2.jpg"),
             b = capture_time("x_200828110101.png");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*b - *a, 6);
  EXPECT_EQ(*capture_time("cam-20200828-110055-7.png"), *a);
  EXPECT_FALSE(capture_time("image_000123456789.png"));  // month 34
  EXPECT_FALSE(capture_time("000.png"));
  EXPECT_FALSE(capture_time("1234567890123456.png"));
}

std::vector<Sample> timed(int n) {
  std::vector<Sample> out;
  for (int i = 0; i < n; ++i) {
    Sample s;
    s.path = s.id = fmt::format("g{}_2001011200{:02}.png", i % 4, i);
    out.push_back(s);
  }
  return out;
}

TEST(Resplit, ByTimeKeepsTheOrder) {
  const Resplit split = split_by_time(timed(40), 0.25, 3);
  EXPECT_EQ(split.test.size(), 10U);
  EXPECT_EQ(split.train.size(), 27U);  // the three seconds before the border are left out
  EXPECT_LT(split.train.back(), 27);
  EXPECT_EQ(split.test.front(), 30);
  Sample nameless;
  nameless.path = nameless.id = "a.png";
  EXPECT_THROW(split_by_time({nameless}, 0.5, 0), Error);
}

TEST(Resplit, ByGroupKeepsGroupsTogether) {
  const Resplit split = split_by_group(timed(40), 0.3, "^(g[0-9])_", 1);
  EXPECT_EQ(split.train.size() + split.test.size(), 40U);
  std::set<int> train, test;
  for (const int i : split.train) train.insert(i % 4);
  for (const int i : split.test) test.insert(i % 4);
  EXPECT_EQ(train.size() + test.size(), 4U);
  EXPECT_THROW(split_by_group(timed(40), 0.3, "(", 1), Error);
  EXPECT_THROW(split_by_group(timed(40), 0.3, "2001", 1), Error);
  EXPECT_THROW(split_by_group(timed(40), 0.3, "nothing", 1), Error);
}

TEST_F(SplitLockTest, WritesTheNewDataset) {
  const Dataset dataset = scan();
  Resplit split;
  for (int i = 0; i < 14; ++i) (i < 4 ? split.test : split.train).push_back(i);
  write_resplit(dataset, split, folder() / "new");
  const Dataset again = scan_dataset(folder() / "new", {}, silent_progress());
  EXPECT_EQ(again.train.size(), 10U);
  EXPECT_EQ(again.test.size(), 6U);
  EXPECT_TRUE(again.masks_present);
  EXPECT_THROW(write_resplit(dataset, split, folder() / "new"), Error);
}

TEST_F(SplitLockTest, QuarantineAndBack) {
  const Dataset dataset = scan();
  const fs::path quarantine = folder() / "quarantine";
  write_text(quarantine / kProposalFile, "# list\ntrain/good/1.png  # odd\ntrain/good/2.png\n");
  const QuarantineResult result = apply_quarantine(dataset, quarantine);
  EXPECT_EQ(result.moved, 2);
  EXPECT_EQ(scan().train.size(), 10U);
  EXPECT_EQ(undo_quarantine(result.undo_file), 2);
  EXPECT_EQ(scan().fingerprint(), dataset.fingerprint());

  write_text(quarantine / kProposalFile, "train/good/1.png\ntest/good/0.png\n");
  EXPECT_THROW(apply_quarantine(dataset, quarantine), Error);
  EXPECT_EQ(scan().train.size(), 12U);
  Dataset rest = scan();
  write_text(quarantine / kProposalFile, "train/good/1.png\n");
  EXPECT_EQ(exclude_samples(rest, quarantine / kProposalFile), 1);
  EXPECT_EQ(rest.train.size(), 11U);
}

TEST_F(SplitLockTest, QuarantineMovesLinksAndNotTheirTargets) {
  fs::create_directories(folder() / "store");
  fs::rename(root() / "train/good/1.png", folder() / "store/x.png");
  fs::create_symlink("../../../store/x.png", root() / "train/good/1.png");  // leads nowhere from elsewhere
  const Dataset dataset = scan();
  const fs::path quarantine = folder() / "far/away/q";
  write_text(quarantine / kProposalFile, "train/good/1.png\n");
  const QuarantineResult result = apply_quarantine(dataset, quarantine);
  EXPECT_TRUE(fs::is_symlink(quarantine / "train/good/1.png"));
  EXPECT_FALSE(fs::is_symlink(fs::symlink_status(root() / "train/good/1.png")));
  EXPECT_TRUE(fs::is_regular_file(folder() / "store/x.png"));
  EXPECT_EQ(undo_quarantine(result.undo_file), 1);
  EXPECT_EQ(fs::read_symlink(root() / "train/good/1.png"), "../../../store/x.png");
  EXPECT_EQ(scan().fingerprint(), dataset.fingerprint());
}

TEST_F(SplitLockTest, UndoRemovesOnlyItsOwnFile) {
  write_text(folder() / "mine.json", "[]");
  EXPECT_THROW(undo_quarantine(folder() / "mine.json"), Error);
  EXPECT_TRUE(fs::exists(folder() / "mine.json"));
  write_text(folder() / "q" / kProposalFile, "# nothing\n");
  EXPECT_EQ(apply_quarantine(scan(), folder() / "q").moved, 0);
  EXPECT_FALSE(fs::exists(folder() / "q/undo.json"));
}

TEST_F(SplitLockTest, QuarantineReplacesNothingAndStaysOutOfTheImages) {
  const Dataset dataset = scan();
  const fs::path quarantine = folder() / "q";
  write_text(quarantine / kProposalFile, "train/good/1.png\ntrain/good/2.png\n");
  write_text(quarantine / "train/good/2.png", "mine");
  EXPECT_THROW(apply_quarantine(dataset, quarantine), Error);
  EXPECT_EQ(read_text(quarantine / "train/good/2.png"), "mine");
  EXPECT_TRUE(fs::exists(root() / "train/good/1.png"));
  EXPECT_FALSE(fs::exists(quarantine / "undo.json"));
  fs::remove(quarantine / "train/good/2.png");
  const QuarantineResult result = apply_quarantine(dataset, quarantine);
  put("train/good/2.png", picture(99));  // its place is taken meanwhile
  EXPECT_THROW(undo_quarantine(result.undo_file), Error);
  EXPECT_TRUE(fs::exists(quarantine / "train/good/1.png"));
  fs::remove(root() / "train/good/2.png");
  EXPECT_EQ(undo_quarantine(result.undo_file), 2);
  // images moved into a class's folder would be read again
  write_text(root() / "train/good/suspects" / kProposalFile, "train/good/1.png\n");
  EXPECT_THROW(apply_quarantine(dataset, root() / "train/good/suspects"), Error);
  write_text(root() / "suspects" / kProposalFile, "train/good/1.png\n");
  EXPECT_EQ(apply_quarantine(dataset, root() / "suspects").moved, 1);
  EXPECT_EQ(scan().train.size(), 11U);
}

}  // namespace
}  // namespace glint
