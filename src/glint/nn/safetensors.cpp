#include "glint/nn/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr int kMaxDepth = 32;
constexpr std::int64_t kMaxEvents = 8'000'000;  // of the parser in one text: a million images' entries

std::optional<DType> parse_dtype(const std::string& text) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    if (dtype_name(static_cast<DType>(i)) == text) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> as_unsigned(const json& v) {
  if (v.is_number_unsigned()) return v.get<std::uint64_t>();
  return std::nullopt;
}

}  // namespace

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  auto broken = [&](const std::string& why) {
    fail(ErrorCode::kBadInput, "{}: not a valid safetensors file ({}); fetch or create it again", name, why);
  };
  if (bytes.size() < 8) broken("shorter than its length field");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > kMaxHeader || header_bytes > bytes.size() - 8)
    broken("the header is longer than the file");
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + 8;
  const json header = parse_bounded_json({text, header_bytes});
  if (!header.is_object()) broken("the header is not a JSON object of reasonable depth");

  SafetensorsFile out;
  const std::span<const std::byte> data = bytes.subspan(8 + header_bytes);
  std::vector<std::array<std::uint64_t, 2>> extents;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      if (!entry.is_object()) broken("__metadata__ is not an object");
      for (const auto& [k, v] : entry.items()) {
        if (!v.is_string()) broken("__metadata__ holds something that is not text");
        out.metadata[k] = v.get<std::string>();
      }
      continue;
    }
    if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
        !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
        !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
      broken(fmt::format("entry '{}' lacks dtype, shape or data_offsets", key));
    }
    HostTensor tensor;
    const auto dtype = parse_dtype(entry["dtype"].get<std::string>());
    if (!dtype) broken(fmt::format("tensor '{}' has the unknown type {}", key, entry["dtype"].dump()));
    tensor.dtype = *dtype;
    for (const json& size : entry["shape"]) {
      const auto s = as_unsigned(size);
      if (!s || *s > (std::uint64_t{1} << 40))
        broken(fmt::format("tensor '{}' has an impossible shape", key));
      tensor.shape.push_back(static_cast<std::int64_t>(*s));
    }
    const auto begin = as_unsigned(entry["data_offsets"][0]), end = as_unsigned(entry["data_offsets"][1]);
    if (!begin || !end || *begin > *end || *end > data.size()) {
      broken(fmt::format("tensor '{}' lies outside the file", key));
    }
    const std::uint64_t expected =
        static_cast<std::uint64_t>(checked_numel(tensor.shape, key)) * dtype_bytes(tensor.dtype);
    if (*end - *begin != expected) broken(fmt::format("tensor '{}' has data of the wrong length", key));
    extents.push_back({*begin, *end});
    tensor.data.assign(data.begin() + static_cast<std::ptrdiff_t>(*begin),
                       data.begin() + static_cast<std::ptrdiff_t>(*end));
    out.tensors.emplace(key, std::move(tensor));
  }
  std::sort(extents.begin(), extents.end());
  std::uint64_t position = 0;
  for (const auto& [begin, end] : extents) {
    if (begin != position) broken("tensors overlap or leave a gap");
    position = end;
  }
  if (position != data.size()) broken("bytes after the last tensor");
  return out;
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path), name_line(path));
}

json parse_bounded_json(std::string_view text) {
  std::int64_t events = 0;
  struct TooLarge {};
  // The parser keeps its own stack, but what walks the result later (dump, destructors) recurses.
  const json::parser_callback_t bounded = [&events](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth || ++events > kMaxEvents) throw TooLarge();
    return true;
  };
  try {
    json out = json::parse(text, bounded, /*allow_exceptions=*/false);
    return out.is_discarded() ? json() : out;
  } catch (const TooLarge&) {
    return {};
  }
}

namespace {

std::string content_sha256(const SafetensorsFile& file) {
  // One line per part, with the lengths of what may hold line ends, so that no two contents give one text.
  std::string text;
  for (const auto& [key, value] : file.metadata) {
    if (key != kChecksumKey)
      text += fmt::format("m {} {} {} {}\n", key.size(), key, value.size(), sha256_hex(value));
  }
  for (const auto& [name, tensor] : file.tensors) {
    text += fmt::format("t {} {} {} [{}] {}\n", name.size(), name, dtype_name(tensor.dtype),
                        fmt::join(tensor.shape, ","), sha256_hex(tensor.data));
  }
  return sha256_hex(text);
}

}  // namespace

void add_checksum(SafetensorsFile& file) {
  file.metadata[kChecksumKey] = content_sha256(file);
}

bool verify_checksum(const SafetensorsFile& file, const std::string& name) {
  const auto it = file.metadata.find(kChecksumKey);
  if (it == file.metadata.end()) return false;
  if (it->second != content_sha256(file)) {
    fail(ErrorCode::kBadInput,
         "{}: its content does not match its checksum: the file was damaged or changed; copy it again from "
         "where it was made",
         name);
  }
  return true;
}

Bytes serialize_safetensors(const SafetensorsFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    header[name] = {{"dtype", dtype_name(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data starts 8-byte aligned
  const std::uint64_t length = text.size();
  Bytes out(8 + text.size() + offset);
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, text.data(), text.size());
  std::size_t position = 8 + text.size();
  for (const auto& [name, tensor] : file.tensors) {
    std::copy(tensor.data.begin(), tensor.data.end(), out.begin() + static_cast<std::ptrdiff_t>(position));
    position += tensor.data.size();
  }
  return out;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  write_file(path, serialize_safetensors(file));
}

}  // namespace glint
