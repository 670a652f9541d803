// inspect_inputs and picture_names: which photographs an inspection names, and where their pictures go.
#include "glint/inspect/inspect_inputs.h"

#include <gtest/gtest.h>

#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/inspect/picture_names.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

std::string all_notices(const InspectInputs& inputs) {
  std::string out;
  for (const std::string& notice : inputs.notices) out += notice + "\n";
  return out;
}

TEST(InspectInputs, NothingIsLeftOutWithoutAWord) {
  const TemporaryFolder folder;
  const fs::path lot = folder.path() / "[lot1]";
  for (const char* name : {"a.png", "b,c.png", "z\xfc.png", "x.webp", "Thumbs.db", "sub/d.png"})
    write_text(lot / name, "x");
  fs::create_symlink("nowhere", lot / "gone.png");
  fs::create_symlink("nowhere", lot / "gone");
  fs::create_directory(folder.path() / "empty");
  write_text(folder.path() / "lot1" / "other.png", "x");
  const InspectInputs found = collect_inputs(
      {lot, folder.path() / "absent.png", folder.path() / "empty", lot / ".." / "[lot1]" / "a.png"});
  std::vector<std::string> names;
  int refused = 0;
  for (const InspectInput& input : found.inputs) {
    names.push_back(input.path.filename().string());
    refused += input.refusal.empty() ? 0 : 1;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"a.png", "b,c.png", "z\xfc.png", "gone.png", "absent.png", "empty"}));
  EXPECT_EQ(refused, 3);
  const std::string notices = all_notices(found);
  for (const char* named : {"x.webp", "Thumbs.db", "sub", "gone)", "is named twice"})
    EXPECT_NE(notices.find(named), std::string::npos) << named << " in " << notices;
}

TEST(PictureNames, EqualStemsBecomeDifferentFiles) {
  EXPECT_EQ(overlay_names({"lot/a.png", "lot/b.png"}), (std::vector<fs::path>{"a.jpg", "b.jpg"}));
  EXPECT_EQ(overlay_names({"a/0.png", "b/0.png", "b/1.png"}),
            (std::vector<fs::path>{"a/0.jpg", "b/0.jpg", "1.jpg"}));
  EXPECT_EQ(overlay_names({"0.png", "0.bmp"}), (std::vector<fs::path>{"0.png.jpg", "0.bmp.jpg"}));
  // names that look like the ones made above
  const std::vector<fs::path> photographs = {"0.png",   "0.bmp",       "0.png.tif", "0.png.bmp",
                                             "d/0.png", "0.png.1.png", "/0.png",    "x/../e/0.png"};
  const std::vector<fs::path> names = overlay_names(photographs);
  EXPECT_EQ(std::set<fs::path>(names.begin(), names.end()).size(), photographs.size());
  for (const fs::path& name : names) {
    EXPECT_TRUE(name.is_relative());
    EXPECT_EQ(name.extension(), ".jpg");
    for (const fs::path& part : name) EXPECT_NE(part, "..");
  }
}

TEST(PictureNames, ALabelIsAlwaysOneFolder) {
  std::vector<Sample> samples(5);
  const char* const labels[] = {"bad", "bad", "..", "../../x", ""};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].path = i == 1 ? "test/bad/0.bmp" : "test/bad/0.png";
    samples[i].label = labels[i];
  }
  std::vector<const Sample*> all;
  for (const Sample& sample : samples) all.push_back(&sample);
  EXPECT_EQ(map_names(all), (std::vector<fs::path>{"bad/0.png.jpg", "bad/0.bmp.jpg", "_../0.jpg",
                                                   "_.._.._x/0.jpg", "_/0.jpg"}));
}

TEST(PictureNames, NoPictureReplacesAPhotograph) {
  const TemporaryFolder folder;
  const fs::path photograph = folder.path() / "a.jpg";
  write_text(photograph, "x");
  EXPECT_THROW(check_pictures(folder.path(), overlay_names({photograph}), {photograph}), Error);
  fs::create_directory_symlink(folder.path(), folder.path() / "link");
  EXPECT_THROW(check_pictures(folder.path() / "link", overlay_names({photograph}), {photograph}), Error);
  EXPECT_NO_THROW(check_pictures(folder.path() / "maps", overlay_names({photograph}), {photograph}));
}

}  // namespace
}  // namespace glint
