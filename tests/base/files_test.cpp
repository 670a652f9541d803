#include "glint/base/files.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "golden.h"

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

}  // namespace
}  // namespace glint
