#include "glint/nn/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

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
      Bytes(3), with_header("[]"), with_header("{\"a\":1}"), with_header("{", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 12),
      with_header(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
      with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0),
      with_header(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
          6),
      // many times more elements than the file has bytes, hidden behind a size of zero
      with_header(R"({"a":{"dtype":"F32","shape":[0,1099511627776,1099511627776],"data_offsets":[0,0]}})"),
      with_header(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})",
                  4),
      with_header(std::string(100000, '['))};
  for (std::size_t i = 0; i < bad.size(); ++i) EXPECT_THROW(parse_safetensors(bad[i], "bad"), Error) << i;
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const Bytes bytes = serialize_safetensors(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(parse_safetensors({bytes.data(), n}, "cut"), Error) << n;
  }
}

TEST(Safetensors, ChecksumSeesEveryPartOfTheFile) {
  SafetensorsFile sealed = sample();
  EXPECT_FALSE(verify_checksum(sealed, "x"));
  add_checksum(sealed);
  EXPECT_TRUE(verify_checksum(parse_safetensors(serialize_safetensors(sealed), "x"), "x"));
  const auto refused = [&](const auto& change) {
    SafetensorsFile file = sealed;
    change(file);
    EXPECT_THROW(verify_checksum(file, "x"), Error);
  };
  refused([](SafetensorsFile& f) { f.tensors["a"].data[23] ^= std::byte{1}; });
  refused([](SafetensorsFile& f) { f.tensors["a"].shape = {3, 2}; });
  refused([](SafetensorsFile& f) { f.tensors["b"].dtype = DType::kBF16; });
  refused([](SafetensorsFile& f) { f.tensors["c"] = f.tensors["a"]; });
  refused([](SafetensorsFile& f) { f.metadata["k"] = "w"; });
  refused([](SafetensorsFile& f) { f.metadata["l"] = ""; });
  refused([](SafetensorsFile& f) { f.metadata["checksum"] = ""; });
}

TEST(Safetensors, JsonFromStrangersIsBounded) {
  EXPECT_EQ(parse_bounded_json(R"({"a":[1]})")["a"][0], 1);
  EXPECT_TRUE(parse_bounded_json("{").is_null());
  EXPECT_TRUE(parse_bounded_json(std::string(100000, '[') + std::string(100000, ']')).is_null());
}

TEST(TensorDict, FiniteMeansEveryFloatingType) {
  const auto with = [](DType dtype, std::vector<std::uint8_t> little_endian) {
    HostTensor t{dtype, {2}, Bytes(2 * dtype_bytes(dtype))};
    std::memcpy(&t.data[dtype_bytes(dtype)], little_endian.data(), little_endian.size());
    return t;
  };
  EXPECT_TRUE(all_finite(with(DType::kF64, {0, 0, 0, 0, 0, 0, 0xf0, 0x3f})));
  EXPECT_FALSE(all_finite(with(DType::kF64, {0, 0, 0, 0, 0, 0, 0xf8, 0x7f}))) << "NaN";
  EXPECT_FALSE(all_finite(with(DType::kF64, {0, 0, 0, 0, 0, 0, 0xf0, 0x7e})))
      << "finite, infinite as float32";
  EXPECT_TRUE(all_finite(with(DType::kF32, {0, 0, 0x7f, 0x7f})));
  EXPECT_FALSE(all_finite(with(DType::kF32, {0, 0, 0x80, 0xff}))) << "minus infinity";
  EXPECT_TRUE(all_finite(with(DType::kF16, {0xff, 0x7b})));
  EXPECT_FALSE(all_finite(with(DType::kF16, {1, 0x7c}))) << "NaN";
  EXPECT_TRUE(all_finite(with(DType::kBF16, {0x7f, 0x7f})));
  EXPECT_FALSE(all_finite(with(DType::kBF16, {0x80, 0x7f})));
  EXPECT_TRUE(all_finite(with(DType::kI64, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})));
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
