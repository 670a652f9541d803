#include "glint/nn/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "golden.h"

namespace glint {
namespace {

SafetensorsFile sample() {
  SafetensorsFile file;
  file.tensors["a"] = from_floats({1, 2, 3, 4, 5, 6}, {2, 3});
  file.tensors["b"] = from_floats({0.5F, -1}, {2}, DType::kF16);
  file.metadata["k"] = "v";
  return file;
}

Bytes with_header(const std::string& header, std::size_t data = 0) {
  Bytes out(8 + header.size() + data);
  const std::uint64_t n = header.size();
  std::memcpy(out.data(), &n, 8);
  std::memcpy(out.data() + 8, header.data(), header.size());
  return out;
}

TEST(Safetensors, RoundTripIsExactAndCanonical) {
  const Bytes bytes = serialize_safetensors(sample());
  const SafetensorsFile back = parse_safetensors(bytes, "x");
  EXPECT_EQ(to_floats(back.tensors.at("a")), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(to_floats(back.tensors.at("b")), (std::vector<float>{0.5F, -1}));
  EXPECT_EQ(back.metadata.at("k"), "v");
  EXPECT_EQ(serialize_safetensors(back), bytes);
}

TEST(Safetensors, RefusesHostileHeaders) {
  const std::vector<Bytes> bad = {
      Bytes(3),
      with_header("[]"),
      with_header("{\"a\":1}"),
      with_header("{", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 12),
      with_header(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0),
      with_header(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
          6),
      with_header(std::string(100000, '['))};
  for (std::size_t i = 0; i < bad.size(); ++i) EXPECT_THROW(parse_safetensors(bad[i], "bad"), Error) << i;
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const Bytes bytes = serialize_safetensors(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(parse_safetensors({bytes.data(), n}, "cut"), Error) << n;
  }
}

TEST(Half, RoundTripsAllFiniteValuesAndRoundsToEven) {
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const float v = half_to_float(static_cast<std::uint16_t>(h));
    if (std::isfinite(v)) {
      ASSERT_EQ(float_to_half(v), h);
    }
  }
  EXPECT_EQ(half_to_float(float_to_half(1.0F + 0x1p-11F)), 1.0F);
  EXPECT_EQ(half_to_float(float_to_half(1.0F + 3 * 0x1p-11F)), 1.0F + 0x1p-9F);
  EXPECT_TRUE(std::isinf(half_to_float(float_to_half(70000.0F))));
}

}  // namespace
}  // namespace glint
