// Files: whole reads with a size limit, and writes that appear complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glint {

using Bytes = std::vector<std::byte>;

/// Reads a whole file. Error(kNotFound) when absent, Error(kBadInput) when larger than `max_bytes`.
Bytes read_file(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 34);
std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 28);

/// Writes to a temporary name in the same folder and renames it, so that `path` is never half-written.
void write_file(const std::filesystem::path& path, std::span<const std::byte> content);
void write_text(const std::filesystem::path& path, std::string_view content);

/// Creates the folder and its parents; Error(kIo) names the folder when that fails.
void make_folder(const std::filesystem::path& path);

/// Regular files directly in `folder` that `keep` accepts, sorted by name. Empty when the folder is absent.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& folder,
                                              const std::function<bool(const std::filesystem::path&)>& keep);
/// Folders directly in `folder`, sorted by name.
std::vector<std::filesystem::path> list_folders(const std::filesystem::path& folder);

/// File extension in lower case with its dot (".png").
std::string lower_extension(const std::filesystem::path& path);

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> content);

/// Base64 with padding, no line breaks (RFC 4648).
std::string base64(std::span<const std::byte> content);

}  // namespace glint
