#include "glint/nn/packed_linear.h"

#include <gtest/gtest.h>

#include "glint/base/bfloat16.h"
#include "glint/base/random.h"
#include "glint/nn/fused_net.h"

namespace glint {
namespace {

struct Problem {
  static constexpr std::int64_t kOut = 37, kIn = 51, kRows = 29;
  std::vector<float> weight = values(kOut * kIn, "weight"), bias = values(kOut, "bias"),
                     x = values(kRows * kIn, "x"), y = std::vector<float>(kRows * kOut);

  static std::vector<float> values(std::int64_t count, const char* stream) {
    Rng rng(3, stream);
    std::vector<float> out;
    for (std::int64_t i = 0; i < count; ++i) out.push_back(static_cast<float>(rng.normal()));
    return out;
  }
  void expect_close(double tolerance, bool with_bias) const {
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t o = 0; o < kOut; ++o) {
        double sum = with_bias ? bias[static_cast<std::size_t>(o)] : 0;
        for (std::int64_t i = 0; i < kIn; ++i)
          sum += static_cast<double>(weight[static_cast<std::size_t>(o * kIn + i)]) *
                 x[static_cast<std::size_t>(r * kIn + i)];
        ASSERT_NEAR(y[static_cast<std::size_t>(r * kOut + o)], sum, tolerance) << r << " " << o;
      }
    }
  }
};

TEST(PackedLinear, EqualsTheSum) {
  Problem p;
  const PackedLinear with(p.weight, p.kOut, p.kIn, p.bias, Precision::kFloat32),
      without(p.weight, p.kOut, p.kIn, {}, Precision::kFloat32);
  with.run(p.x.data(), p.kRows, p.y.data());
  p.expect_close(1e-4, true);
  without.run(p.x.data(), p.kRows, p.y.data());
  p.expect_close(1e-4, false);
  // another number of rows on the same object
  with.run(p.x.data(), p.kRows - 3, p.y.data());
  with.run(p.x.data(), p.kRows, p.y.data());
  p.expect_close(1e-4, true);
}

TEST(PackedLinear, TakesBFloat16) {
  if (!FusedNet::runs_here(Precision::kBFloat16)) GTEST_SKIP() << "this processor has no bfloat16";
  Problem p;
  std::vector<std::uint16_t> x;
  for (const float v : p.x) x.push_back(float_to_bfloat16(v));
  const PackedLinear linear(p.weight, p.kOut, p.kIn, p.bias, Precision::kBFloat16);
  linear.run(x.data(), p.kRows, p.y.data());
  p.expect_close(0.2, true);
}

}  // namespace
}  // namespace glint
