#include "glint/base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

TEST(Files, WriteIsCompleteAndLeavesNoTemporary) {
  const TemporaryFolder folder;
  write_text(folder.path() / "a" / "b.txt", "hello");
  write_text(folder.path() / "a" / "b.txt", "world");
  EXPECT_EQ(read_text(folder.path() / "a" / "b.txt"), "world");
  EXPECT_EQ(list_files(folder.path() / "a", [](auto&) { return true; }).size(), 1U);
  EXPECT_THROW(write_text("/proc/nothing/x", "y"), Error);
  EXPECT_THROW(read_file(folder.path() / "absent"), Error);
}

TEST(Files, WriteThroughALinkReplacesItsTarget) {
  const TemporaryFolder folder;
  fs::create_symlink("store/real.txt", folder.path() / "link");
  write_text(folder.path() / "link", "one");
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link"));
  EXPECT_EQ(read_text(folder.path() / "store" / "real.txt"), "one");
}

TEST(Files, DevicesAndPipesStay) {
  const TemporaryFolder folder;
  write_text("/dev/null", "x");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THROW(write_text("/dev/full", "x"), Error);
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string received;
  std::thread reader([&] { std::getline(std::ifstream(pipe), received); });
  write_text(pipe, "through\n");
  reader.join();
  EXPECT_EQ(received, "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(Files, AnOutputThatCannotBeWrittenIsFoundBeforeTheWork) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "model");
  EXPECT_THROW(check_output_file(folder.path() / "model"), Error);
  EXPECT_THROW(write_text(folder.path() / "model", "x"), Error);
  EXPECT_THROW(check_output_file(folder.path() / "new/"), Error);
  EXPECT_THROW(check_output_file("/proc/nothing/x"), Error);
  EXPECT_THROW(check_output_file(folder.path() / std::string(300, 'a')), Error);
  EXPECT_THROW(check_output_file(folder.path() / "m", std::uint64_t{1} << 60), Error);
  check_output_file(folder.path() / "deep" / "m");
  check_output_file("/dev/null", 100);
  EXPECT_EQ(list_folder(folder.path() / "deep").files.size(), 0U);
}

TEST(Files, StagedFolderTouchesNothingThatWasThere) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "new";
  write_text(folder.path() / "new.part" / "mine", "x");
  write_text(folder.path() / ".new.partial" / "mine", "x");
  {
    const StagedFolder left(out);
    write_text(left.path() / "a", "x");
  }
  EXPECT_EQ(list_folder(folder.path()).folders.size(), 2U);
  StagedFolder kept(out);
  write_text(kept.path() / "a", "x");
  EXPECT_FALSE(fs::exists(out));
  kept.commit();
  EXPECT_EQ(read_text(out / "a"), "x");
  EXPECT_THROW(StagedFolder{out}, Error);
  EXPECT_EQ(read_text(folder.path() / "new.part" / "mine"), "x");
}

TEST(Files, ListingTellsWhatItCannotUse) {
  const TemporaryFolder folder;
  write_text(folder.path() / "b", "x");
  fs::create_symlink("b", folder.path() / "a");
  fs::create_symlink("nothing", folder.path() / "broken");
  fs::create_directory(folder.path() / "d");
  const FolderListing listing = list_folder(folder.path());
  EXPECT_EQ(listing.files, (std::vector<fs::path>{folder.path() / "a", folder.path() / "b"}));
  EXPECT_EQ(listing.folders, (std::vector<fs::path>{folder.path() / "d"}));
  EXPECT_EQ(listing.others, (std::vector<fs::path>{folder.path() / "broken"}));
  EXPECT_TRUE(list_folder(folder.path() / "absent").files.empty());
  EXPECT_THROW(list_folder(folder.path() / "b"), Error);
}

TEST(Files, KnownDigestAndBase64) {
  const std::string text = "abc";
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  EXPECT_EQ(sha256_hex(bytes),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2, B.1
  EXPECT_EQ(base64(bytes), "YWJj");
}

TEST(Parallel, RunsEachItemOnceAndRethrows) {
  std::vector<int> hits(1000);
  parallel_for(
      1000, [&](std::int64_t i) { ++hits[i]; }, 4);
  EXPECT_EQ(std::count(hits.begin(), hits.end(), 1), 1000);
  EXPECT_THROW(parallel_for(
                   100,
                   [](std::int64_t i) {
                     if (i == 50) fail(ErrorCode::kIo, "x");
                   },
                   3),
               Error);
}

TEST(Random, StreamsAreReproducibleAndUniform) {
  Rng a(1, "x", 2), b(1, "x", 2), c(1, "x", 3);
  EXPECT_EQ(a.bits(), b.bits());
  EXPECT_NE(a.bits(), c.bits());
  Rng rng(7);
  double sum = 0, squares = 0;
  constexpr int kN = 200000;
  for (int i = 0; i < kN; ++i) {
    const double v = rng.normal();
    sum += v;
    squares += v * v;
  }
  EXPECT_NEAR(sum / kN, 0, 0.01);
  EXPECT_NEAR(squares / kN, 1, 0.02);
}

TEST(Files, AFileThatIsReadIsNotAnOutput) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a", link = folder.path() / "b";
  write_text(file, "x");
  fs::create_symlink("a", link);
  EXPECT_THROW(check_not_read(link, {folder.path() / "c", file}), Error);
  EXPECT_NO_THROW(check_not_read(folder.path() / "new", {file}));
  EXPECT_NO_THROW(check_not_read("/dev/null", {"/dev/null"}));
  EXPECT_TRUE(is_device_or_pipe("/dev/null"));
  EXPECT_FALSE(is_device_or_pipe(file));
}

}  // namespace
}  // namespace glint
