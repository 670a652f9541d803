#include "glint/data/name_list.h"

#include <set>

#include "glint/base/names.h"
#include "glint/data/quarantine.h"
#include "glint/data/split_lock.h"
#include "small_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

/// Names that people and cameras give, as bytes.
const std::vector<std::string> kNames = {"part#12",
                                         "#1",
                                         "a # b",
                                         " lead",
                                         "trail ",
                                         "a, b",
                                         "a \"b\"",
                                         "a[1]{2}",
                                         "line\nbreak",
                                         "tab\tin",
                                         "kl\xE4mme",
                                         "kl\xC4mme",
                                         "kl\xC3\xA4mme",
                                         "x\\xE4y",
                                         "x\xE4y",
                                         "'quoted'",
                                         "=1+1",
                                         "\xEF\xBB\xBF"
                                         "bom",
                                         "%20",
                                         "back\\slash"};

class NameListTest : public SmallSet {
 protected:
  NameListTest() {
    for (int i = 0; i < std::ssize(kNames); ++i) put("train/good/" + kNames[i] + ".png", picture(20 + i));
  }
  fs::path list() const { return folder() / "list.txt"; }
};

TEST_F(NameListTest, EveryNameSurvivesAList) {
  const Dataset all = scan();
  ASSERT_EQ(all.train.size(), 12 + kNames.size());
  std::string text;
  for (const Sample& s : all.train) text += list_line(s.id) + "\n";
  write_text(list(), text);
  Dataset rest = all;
  EXPECT_EQ(exclude_samples(rest, list()), static_cast<int>(all.train.size()));
  EXPECT_TRUE(rest.train.empty());
  for (const Sample& s : all.train) {  // each line names its own image and no other
    write_text(list(), "\xEF\xBB\xBF# list\r\n" + list_line(s.id) + "\r\n\r\n");
    rest = all;
    EXPECT_EQ(exclude_samples(rest, list()), 1) << list_line(s.id);
    EXPECT_EQ(
        std::count_if(rest.train.begin(), rest.train.end(), [&](const Sample& r) { return r.id == s.id; }),
        0);
  }
}

TEST_F(NameListTest, NamesTypedByHandAreFoundToo) {
  const Dataset all = scan();
  for (const std::string line : {"train/good/part#12.png", "./train/good/part#12.png  # odd",
                                 "train/good/a # b.png", "train/good/a # b.png # odd", "  train/good/3.png\t",
                                 "train/good/kl\xE4mme.png", "train/good/3.png#"}) {
    write_text(list(), line);
    Dataset rest = all;
    if (line.ends_with("#")) {
      EXPECT_THROW(exclude_samples(rest, list()), Error) << line;  // a '#' inside a word is part of the name
    } else {
      EXPECT_EQ(exclude_samples(rest, list()), 1) << line;
    }
  }
}

TEST_F(NameListTest, AnUnknownNameIsRefusedWithItsLine) {
  write_text(list(), "# list\ntrain/good/3.png\ntrain/good/33.png\n");
  Dataset all = scan();
  try {
    exclude_samples(all, list());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("line 3: 'train/good/33.png'"), std::string::npos) << e.what();
  }
  EXPECT_EQ(all.train.size(), 12 + kNames.size());
}

TEST_F(NameListTest, QuarantineAndLockKeepEveryName) {
  const Dataset all = scan();
  lock_split(all, "2026-01-01", false);
  EXPECT_TRUE(check_lock(scan())->empty());
  const fs::path quarantine = folder() / "q";
  std::string text;
  for (const Sample& s : all.train) text += list_line(s.id) + "\n";
  write_text(quarantine / kProposalFile, text);
  const QuarantineResult result = apply_quarantine(all, quarantine);
  EXPECT_EQ(result.moved, static_cast<int>(all.train.size()));
  EXPECT_TRUE(fs::exists(quarantine / "train/good/kl\xE4mme.png"));
  EXPECT_EQ(undo_quarantine(result.undo_file), result.moved);
  EXPECT_EQ(scan().fingerprint(), all.fingerprint());
}

TEST_F(NameListTest, TwoNamesNeverBecomeOne) {
  std::set<std::string> ids, lines;
  for (const Sample& s : scan().train) {
    EXPECT_TRUE(is_utf8(s.id));
    ids.insert(s.id);
    lines.insert(list_line(s.id));
  }
  EXPECT_EQ(ids.size(), 12 + kNames.size());
  EXPECT_EQ(lines.size(), 12 + kNames.size());
}

TEST_F(NameListTest, AClassMayHaveAnyName) {
  put("test/kl\xE4mme/1.png", picture(90));
  put_mask("ground_truth/kl\xE4mme/1_mask.png", 24, 16);
  const Dataset all = scan();
  const auto found =
      std::find_if(all.test.begin(), all.test.end(), [](const Sample& s) { return s.label == "kl\\xE4mme"; });
  ASSERT_NE(found, all.test.end());
  EXPECT_TRUE(found->mask.has_value());
  Resplit split;
  for (int i = 0; i < std::ssize(good_images(all)); ++i) (i < 4 ? split.test : split.train).push_back(i);
  write_resplit(all, split, folder() / "copy");
  EXPECT_TRUE(fs::exists(folder() / "copy/test/kl\xE4mme/1.png"));
}

}  // namespace
}  // namespace glint
