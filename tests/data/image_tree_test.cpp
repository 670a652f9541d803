#include "glint/data/image_tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include "glint/image/image_name.h"
#include "small_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class ImageTreeTest : public SmallSet {
 protected:
  std::vector<std::string> names(const std::vector<fs::path>& paths) const {
    std::vector<std::string> out;
    for (const fs::path& path : paths) out.push_back(path_in(root(), path).native());
    return out;
  }
  ImageTree tree(Below below = Below::kInclude) const { return list_images(root() / "train", below); }
};

TEST(ForeignNames, AreThoseOfOtherPrograms) {
  for (const char* name : {".ipynb_checkpoints", "@eaDir", "__MACOSX", ".DS_Store", "Thumbs.db", "THUMBS.DB",
                           "._photo.png", "a/b/@eaDir", "$RECYCLE.BIN", "#recycle", "lost+found"})
    EXPECT_TRUE(is_foreign_name(name)) << name;
  for (const char* name : {"good", "scratch", "#1.png", "@home", "part.png", "..", ".", "a/.hidden/b"})
    EXPECT_FALSE(is_foreign_name(name)) << name;
}

TEST_F(ImageTreeTest, FoldersInsideComeAfterWhatIsInTheFolder) {
  fs::remove_all(root() / "train/good");
  for (const char* name : {"a/2.png", "b.png", "a/1.png", "c/d/e.png"})
    put(std::string("train/") + name, picture(1));
  EXPECT_EQ(names(tree().images),
            (std::vector<std::string>{"train/b.png", "train/a/1.png", "train/a/2.png", "train/c/d/e.png"}));
  EXPECT_EQ(names(tree(Below::kLeaveOut).images), std::vector<std::string>{"train/b.png"});
}

TEST_F(ImageTreeTest, PicturesOfOtherKindsAreFoundByEndingOrContent) {
  write_text(root() / "train/good/a.webp", "");
  write_text(root() / "train/good/b.HEIC", "");
  write_text(root() / "train/good/notes.txt", "nothing to see");
  fs::rename(root() / "train/good/3.png", root() / "train/good/3.png.bak");
  EXPECT_EQ(names(tree().unread),
            (std::vector<std::string>{"train/good/3.png.bak", "train/good/a.webp", "train/good/b.HEIC"}));
  const std::vector<std::string> notices = left_out_notices(tree(), root());
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("train/good/3.png.bak and 2 more"), std::string::npos) << notices[0];
}

TEST_F(ImageTreeTest, OtherProgramsFilesAreNamedWhenTheyHoldPictures) {
  put("train/@eaDir/thumb.png", picture(1));
  put("train/good/.ipynb_checkpoints/1-checkpoint.png", picture(1));
  write_text(root() / "train/good/._1.png", "AppleDouble");
  write_text(root() / "train/good/.DS_Store", "x");
  write_text(root() / "train/good/Thumbs.db", "x");
  const ImageTree all = tree();
  EXPECT_EQ(all.images.size(), 12U);
  EXPECT_EQ(all.foreign.size(), 3U);
  const std::vector<std::string> notices = left_out_notices(all, root());
  ASSERT_EQ(notices.size(), 1U);
  for (const char* name : {".ipynb_checkpoints", "@eaDir", "._1.png", ": 3"})
    EXPECT_NE(notices[0].find(name), std::string::npos) << notices[0];
}

TEST_F(ImageTreeTest, LinksKeepTheirOwnPathsAndEndsAreSeen) {
  fs::create_directories(folder() / "store");
  fs::rename(root() / "train/good/3.png", folder() / "store/x.png");
  fs::create_symlink(folder() / "store/x.png", root() / "train/good/3.png");
  fs::create_directory_symlink(folder() / "store", root() / "train/linked");
  fs::create_directory_symlink(root() / "train", root() / "train/round");
  fs::create_symlink("nowhere.png", root() / "train/good/gone.png");
  ASSERT_EQ(mkfifo((root() / "train/good/pipe.png").c_str(), 0600), 0);
  const ImageTree all = tree();
  const std::vector<std::string> images = names(all.images);
  EXPECT_EQ(images.size(), 13U);
  EXPECT_NE(std::find(images.begin(), images.end(), "train/good/3.png"), images.end());
  EXPECT_NE(std::find(images.begin(), images.end(), "train/linked/x.png"), images.end());
  ASSERT_EQ(all.broken.size(), 3U);
  for (const BrokenEntry& entry : all.broken)
    EXPECT_NE(entry.sentence.find(entry.path.filename()), std::string::npos);
}

TEST_F(ImageTreeTest, AFolderThatCannotBeListedIsBroken) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may list every folder";
  fs::permissions(root() / "train/good", fs::perms::none);
  const ImageTree all = tree();
  fs::permissions(root() / "train/good", fs::perms::owner_all);
  ASSERT_EQ(all.broken.size(), 1U);
  EXPECT_NE(all.broken[0].sentence.find("cannot be listed"), std::string::npos);
}

}  // namespace
}  // namespace glint
