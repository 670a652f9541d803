#include "glint/synth/texture_source.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/image/codec.h"
#include "glint/synth/texture.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr ImageSize kSize{32, 24};  // smaller than a texture can be rendered

void write_picture(const fs::path& path, int side, std::uint64_t seed) {
  write_file(path, encode_png(render_texture(side, seed)));
}

std::string refusal(const fs::path& folder) {
  try {
    TextureSource(scan_texture_folder(folder, "train.textures"), kSize);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(RenderedTextures, DependOnSizeAndSeedAndNotOnWhoAsksFirst) {
  const TextureSource a(kSize, 4), b(kSize, 4), other(kSize, 5);
  ASSERT_EQ(a.count(), kRenderedTextures);
  std::vector<RgbImage> many(24);
  parallel_for(24, [&](std::int64_t i) { many[i] = a.picture(static_cast<int>(i % 6)); });
  for (int i = 23; i >= 0; --i) EXPECT_EQ(many[i].pixels, b.picture(i % 6).pixels);
  EXPECT_EQ(many[0].width, kSize.width);
  EXPECT_EQ(many[0].height, kSize.height);
  EXPECT_NE(many[0].pixels, many[1].pixels);
  EXPECT_NE(many[0].pixels, other.picture(0).pixels);
}

TEST(FolderOfTextures, GivesEachPictureInItsProportions) {
  const TemporaryFolder folder;
  RgbImage halves(64, 24);  // only the middle 32 of its columns fit into the size
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 64; ++x) std::fill_n(halves.at(x, y), 3, std::uint8_t(x < 16 || x >= 48 ? 255 : 10));
  }
  write_file(folder.path() / "b.png", encode_png(halves));
  write_picture(folder.path() / "below" / "c.png", 64, 1);
  write_text(folder.path() / "notes.txt", "not a picture");
  const TextureFolder scanned = scan_texture_folder(folder.path(), "train.textures");
  const TextureSource source(scanned, kSize);
  ASSERT_EQ(source.count(), 2);
  const RgbImage middle = source.picture(0);
  EXPECT_EQ(middle.width, kSize.width);
  EXPECT_EQ(middle.height, kSize.height);
  EXPECT_EQ(*std::max_element(middle.pixels.begin(), middle.pixels.end()), 10);
  EXPECT_EQ(source.picture(1).width, kSize.width) << "another size";

  const std::string before = scanned.fingerprint;
  fs::rename(folder.path() / "b.png", folder.path() / "a.png");
  EXPECT_EQ(scan_texture_folder(folder.path(), "t").fingerprint, before) << "what is in it, not its name";
  write_picture(folder.path() / "a.png", 64, 2);
  EXPECT_NE(scan_texture_folder(folder.path(), "t").fingerprint, before);
}

TEST(FolderOfTextures, ThatCannotBeUsedIsNamedWithTheWayOut) {
  const TemporaryFolder folder;
  EXPECT_NE(refusal(folder.path() / "absent").find("train.textures = "), std::string::npos);
  EXPECT_NE(refusal(folder.path() / "absent").find("is no folder"), std::string::npos);
  EXPECT_NE(refusal(folder.path()).find("holds no picture"), std::string::npos);
  write_text(folder.path() / "a.png", "no PNG");
  EXPECT_NE(refusal(folder.path()).find("a.png"), std::string::npos) << refusal(folder.path());
  write_picture(folder.path() / "a.png", 64, 2);
  EXPECT_EQ(refusal(folder.path()), "");
  fs::create_symlink(folder.path() / "nothing.png", folder.path() / "b.png");
  EXPECT_NE(refusal(folder.path()).find("b.png"), std::string::npos);
}

TEST(FolderOfTextures, ThatChangesAfterTheScanIsRefused) {
  const TemporaryFolder folder;
  write_picture(folder.path() / "a.png", 64, 2);
  const TextureFolder scanned = scan_texture_folder(folder.path(), "t");
  write_picture(folder.path() / "a.png", 64, 3);
  EXPECT_THROW(TextureSource(scanned, kSize), Error);
}

}  // namespace
}  // namespace glint
