#include "glint/station/model_shelf.h"

#include <gtest/gtest.h>

#include "fake_judge.h"
#include "golden.h"

namespace glint {
namespace {

TEST(ModelShelf, ActivatesLoadsAndRollsBack) {
  TemporaryFolder folder;
  write_text(folder.path() / "a.glint", "0.1");
  write_text(folder.path() / "b.glint", "0.2");
  write_text(folder.path() / "notes.txt", "x");
  ModelShelf shelf({folder.path()}, fake_loader());
  EXPECT_EQ(shelf.active_name(), "a");
  EXPECT_FALSE(shelf.list()[1].judge);
  EXPECT_THROW(shelf.roll_back(), Error);
  shelf.activate("b");
  EXPECT_EQ(shelf.active()->facts().threshold, 0.2);
  shelf.roll_back();
  EXPECT_EQ(shelf.active_name(), "a");
  shelf.roll_back();
  EXPECT_EQ(shelf.active_name(), "b");
}

TEST(ModelShelf, NamesAreNotPaths) {
  TemporaryFolder folder;
  write_text(folder.path() / "line.glint", "0.1");
  ModelShelf shelf({folder.path() / "line.glint"}, fake_loader());
  for (const char* name : {"../line", "line.glint", "/etc/passwd", ""}) EXPECT_THROW(shelf.load(name), Error);
  try {
    shelf.activate("lime");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean 'line'"), std::string::npos);
  }
}

TEST(ModelShelf, RefusesTwoFilesOfOneNameAndAnEmptyFolder) {
  TemporaryFolder folder;
  write_text(folder.path() / "a.glint", "0.1");
  write_text(folder.path() / "other/a.glint", "0.1");
  EXPECT_THROW(ModelShelf({folder.path() / "a.glint", folder.path() / "other/a.glint"}, fake_loader()),
               Error);
  make_folder(folder.path() / "empty");
  EXPECT_THROW(ModelShelf({folder.path() / "empty"}, fake_loader()), Error);
}

TEST(ModelShelf, KnowsWhetherTheActiveModelIsTheFileAlsoAfterLoadAndRollBack) {
  TemporaryFolder folder;
  const auto file = folder.path() / "m.glint";
  write_text(file, "0.1");
  ModelShelf shelf({file}, fake_loader());
  const auto changed = [&] { return shelf.list()[0].file_changed; };
  EXPECT_FALSE(changed());
  write_text(file, "0.2");  // as long, maybe within the clock's resolution: a file of its own all the same
  EXPECT_TRUE(changed());
  shelf.load("m");
  EXPECT_FALSE(changed());
  shelf.roll_back();
  EXPECT_EQ(shelf.active()->facts().threshold, 0.1);
  EXPECT_TRUE(changed());  // the file holds 0.2
  shelf.roll_back();
  EXPECT_EQ(shelf.active()->facts().threshold, 0.2);
  EXPECT_FALSE(changed());
  std::filesystem::remove(file);
  EXPECT_TRUE(changed());
}

}  // namespace
}  // namespace glint
