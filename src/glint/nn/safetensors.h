// The safetensors container: 8-byte little-endian header length, JSON header, raw data
// (https://github.com/huggingface/safetensors, format section of its README).
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "glint/nn/tensor_dict.h"

namespace glint {

struct SafetensorsFile {
  TensorDict tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses untrusted bytes. Error(kBadInput) names `name` and what is wrong: header length, JSON, dtype,
/// shape, offsets that overlap, leave gaps or leave the file.
SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name);
SafetensorsFile read_safetensors(const std::filesystem::path& path);

/// Tensors in name order; same content, same bytes.
Bytes serialize_safetensors(const SafetensorsFile& file);
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

}  // namespace glint
