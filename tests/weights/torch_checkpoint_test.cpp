#include "glint/nn/torch_checkpoint.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <cstring>

#include "glint/base/error.h"
#include "golden.h"

namespace glint {
namespace {

/// Writes the few pickle operations that torch.save emits for an ordered dictionary of tensors.
class Pickle {
 public:
  Pickle() { raw("\x80\x02"); }
  Pickle& raw(std::string_view s) {
    out_.append(s);
    return *this;
  }
  Pickle& text(const std::string& s) {
    out_ += 'X';
    number(static_cast<std::uint32_t>(s.size()));
    out_ += s;
    return *this;
  }
  Pickle& integer(std::uint8_t v) {
    out_ += 'K';
    out_ += static_cast<char>(v);
    return *this;
  }
  Pickle& global(const std::string& module, const std::string& name) {
    return raw("c" + module + "\n" + name + "\n");
  }
  /// _rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())
  Pickle& tensor(const std::string& type, const std::string& key, std::uint8_t numel,
                 std::vector<std::uint8_t> shape, std::vector<std::uint8_t> stride, std::uint8_t offset = 0) {
    global("torch._utils", "_rebuild_tensor_v2").raw("((");
    text("storage").global("torch", type).text(key).text("cpu").integer(numel).raw("tQ").integer(offset);
    for (const auto* sizes : {&shape, &stride}) {
      raw("(");
      for (const std::uint8_t s : *sizes) integer(s);
      raw("t");
    }
    return raw("\x89").global("collections", "OrderedDict").raw(")RtR");
  }
  std::string end() const { return out_ + "."; }

 private:
  void number(std::uint32_t v) { out_.append(reinterpret_cast<const char*>(&v), 4); }
  std::string out_;
};

std::string dictionary(std::uint8_t rows = 2, const std::string& type = "FloatStorage") {
  Pickle p;
  p.global("collections", "OrderedDict").raw(")R(");
  p.text("w").tensor(type, "0", 6, {rows, 3}, {3, 1});
  p.text("t").tensor(type, "0", 6, {3, 2}, {1, 3});  // a transposed view of the same storage
  return p.raw("u").end();
}

Bytes to_bytes(const std::string& s) {
  const auto* p = reinterpret_cast<const std::byte*>(s.data());
  return {p, p + s.size()};
}

template <class T>
std::string raw_values(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

Bytes zipped(const std::string& pickle, const std::string& storage) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "x.pth").string();
  int error = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE, &error);
  for (const auto& [name, content] :
       {std::pair("archive/data.pkl", &pickle), std::pair("archive/data/0", &storage)}) {
    const zip_int64_t i =
        zip_file_add(archive, name, zip_source_buffer(archive, content->data(), content->size(), 0), 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(i), ZIP_CM_STORE, 0);
  }
  zip_close(archive);
  return read_file(path);
}

Bytes legacy(const std::string& pickle, const std::string& storage, std::uint64_t count) {
  std::string out("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  out += std::string("\x80\x02M\xe9\x03.", 6);  // protocol 1001
  out += Pickle().raw("}").end();               // system information
  out += pickle;
  out += Pickle().raw("](").text("0").raw("e").end();
  out.append(reinterpret_cast<const char*>(&count), 8);
  return to_bytes(out + storage);
}

const std::vector<float> kValues = {1, 2, 3, 4, 5, 6};

void expect_tensors(const TensorDict& t) {
  EXPECT_EQ(to_floats(t.at("w")), kValues);
  EXPECT_EQ(t.at("w").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(to_floats(t.at("t")), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(TorchCheckpoint, ReadsZipLayout) {
  expect_tensors(parse_torch_checkpoint(zipped(dictionary(), raw_values(kValues)), "x"));
}

TEST(TorchCheckpoint, ReadsLegacyLayoutAndHalf) {
  expect_tensors(parse_torch_checkpoint(legacy(dictionary(), raw_values(kValues), 6), "x"));
  std::vector<std::uint16_t> half;
  for (const float v : kValues) half.push_back(float_to_half(v));
  expect_tensors(parse_torch_checkpoint(legacy(dictionary(2, "HalfStorage"), raw_values(half), 6), "x"));
}

TEST(TorchCheckpoint, RefusesForeignObjectsByName) {
  const std::string evil = Pickle().global("os", "system").text("true").raw("\x85R").end();
  for (const Bytes& file : {zipped(evil, ""), legacy(evil, "", 0)}) {
    try {
      parse_torch_checkpoint(file, "evil.pth");
      FAIL();
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("os.system"), std::string::npos) << e.what();
    }
  }
}

TEST(TorchCheckpoint, RefusesTensorsThatReachPastTheirStorage) {
  EXPECT_THROW(parse_torch_checkpoint(zipped(dictionary(3), raw_values(kValues)), "x"), Error);
  EXPECT_THROW(parse_torch_checkpoint(zipped(dictionary(), raw_values(std::vector<float>{1, 2})), "x"),
               Error);
}

/// `count` tensors of the same storage, each of `shape` (written as pickle operations).
std::string views(int count, const std::string& shape, const std::string& stride) {
  Pickle p;
  p.global("collections", "OrderedDict").raw(")R(");
  for (int i = 0; i < count; ++i) {
    p.text("v" + std::to_string(i)).global("torch._utils", "_rebuild_tensor_v2").raw("((");
    p.text("storage").global("torch", "FloatStorage").text("0").text("cpu").integer(1).raw("tQ").integer(0);
    p.raw("(" + shape + "t(" + stride + "t\x89").global("collections", "OrderedDict").raw(")RtR");
  }
  return p.raw("u").end();
}

TEST(TorchCheckpoint, MemoryStaysNearTheFilesSize) {
  const std::string storage(65535 * sizeof(float), '\0'), all("M\xff\xff", 3), one("K\x01", 2);
  EXPECT_EQ(parse_torch_checkpoint(zipped(views(4, all, one), storage), "x").size(), 4U);
  EXPECT_THROW(parse_torch_checkpoint(zipped(views(200, all, one), storage), "x"), Error)
      << "52 MB of a file of 0.3 MB";
  std::string many;
  for (int i = 0; i < 40; ++i) many += one;
  EXPECT_THROW(parse_torch_checkpoint(zipped(views(1, many, many), storage), "x"), Error) << "40 dimensions";
  EXPECT_THROW(parse_torch_checkpoint(zipped(std::string(500'000, '('), ""), "x"), Error)
      << "an endless stack";
  EXPECT_THROW(parse_torch_checkpoint(zipped(std::string(500'000, 'N'), ""), "x"), Error)
      << "endless objects";
}

TEST(TorchCheckpoint, EveryTruncationIsRefused) {
  const Bytes whole = legacy(dictionary(), raw_values(kValues), 6);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_THROW(parse_torch_checkpoint({whole.data(), n}, "cut"), Error) << n;
  }
}

}  // namespace
}  // namespace glint
