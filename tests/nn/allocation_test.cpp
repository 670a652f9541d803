// What the engine allocates for an image once it has warmed up: counted at malloc, so that libraries count
// too.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "formula_weights.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/fused_net.h"
#include "glint/nn/packed_linear.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0}, bytes{0}, largest{0};

void count(std::size_t size) {
  if (!counting) return;
  ++allocations;
  bytes += size;
  std::size_t seen = largest;
  while (seen < size && !largest.compare_exchange_weak(seen, size)) {
  }
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);                 // NOLINT: glibc's own names
void* __libc_memalign(std::size_t, std::size_t);  // NOLINT

void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  *out = memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}

namespace glint {
namespace {

struct Counted {
  std::size_t allocations, bytes, largest;
};

template <class Work>
Counted counted(const Work& work) {
  allocations = bytes = largest = 0;
  counting = true;
  work();
  counting = false;
  return {allocations, bytes, largest};
}

/// oneDNN 2 makes small argument tables for each step that it runs, and a result is described by a few
/// vectors: nothing of it grows with the image.
constexpr std::size_t kLargestTable = 4096;

TEST(Allocations, TheCounterSeesThem) {
  EXPECT_GE(counted([] { std::vector<float>(100000, 1.0F).at(5) = 2; }).largest, 400000U);
}

TEST(Allocations, AWarmEngineAllocatesNothingThatGrowsWithTheImage) {
  const BackboneSpec& spec = backbone_spec("compact");
  const FusedNet net(spec, open_backbone("compact").weights(), Precision::kFloat32, "embedded");
  std::vector<Counted> each;
  for (const int side : {96, 192}) {
    const std::vector<RgbImage> image = {RgbImage(side, side)};
    for (int i = 0; i < 3; ++i) net.maps(image, {2, 3});
    each.push_back(counted([&] { net.maps(image, {2, 3}); }));
    EXPECT_LE(each.back().largest, kLargestTable) << side;
    EXPECT_GT(each.back().allocations, 0U) << "the counter does not see oneDNN's tables";
  }
  EXPECT_EQ(each[0].bytes, each[1].bytes);
  EXPECT_EQ(each[0].allocations, each[1].allocations);
  std::printf("allocations an image: %zu, %zu bytes\n", each[1].allocations, each[1].bytes);
}

TEST(Allocations, AWarmLinearMapTakesNoMemoryOfItsRows) {
  const std::vector<float> weight(64 * 32, 0.5F), bias(64, 1.0F), x(900 * 32, 2.0F);
  const PackedLinear linear(weight, 64, 32, bias, Precision::kFloat32);
  std::vector<float> y(900 * 64);
  for (int i = 0; i < 3; ++i) linear.run(x.data(), 900, y.data());
  EXPECT_EQ(y[1234], 33.0F);
  EXPECT_LE(counted([&] { linear.run(x.data(), 900, y.data()); }).largest, kLargestTable);
}

}  // namespace
}  // namespace glint
