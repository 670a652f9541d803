// The safetensors container: 8-byte little-endian header length, JSON header, raw data
// (https://github.com/huggingface/safetensors, format section of its README).
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "glint/nn/tensor_dict.h"

namespace glint {

struct SafetensorsFile {
  TensorDict tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses untrusted bytes. Error(kBadInput) names `name` and what is wrong: header length, JSON, dtype,
/// shape, offsets that overlap, leave gaps or leave the file. Memory stays within a small multiple of the
/// file's size.
SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name);
SafetensorsFile read_safetensors(const std::filesystem::path& path);

/// Tensors in name order; same content, same bytes.
Bytes serialize_safetensors(const SafetensorsFile& file);
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

/// JSON from a stranger: null when it does not parse, nests deeper than 32, or has more than some millions of
/// values.
nlohmann::json parse_bounded_json(std::string_view text);

/// Metadata entry "checksum": SHA-256 over all tensors (name, type, shape, data) and all other metadata.
inline constexpr const char* kChecksumKey = "checksum";
void add_checksum(SafetensorsFile& file);
/// False when the file has no checksum. Error(kBadInput) naming `name` when it differs from the content.
bool verify_checksum(const SafetensorsFile& file, const std::string& name);

}  // namespace glint
