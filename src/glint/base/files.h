// Files: whole reads with a size limit, and writes that appear complete or not at all. Nothing that was there
// before is removed by them, but the file that a write replaces.
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

/// Writes to a temporary name in the same folder, syncs it to disk, renames it and syncs the folder, so that
/// `path` is never half-written, also over a power cut. A link stays a link: the file it points to is
/// replaced. A device, pipe or socket stays one: it is written through. Error(kIo) for a folder, or when
/// anything fails.
void write_file(const std::filesystem::path& path, std::span<const std::byte> content);
void write_text(const std::filesystem::path& path, std::string_view content);

/// What write_file would refuse, found before long work: Error(kIo) when `path` is a folder or ends in a
/// slash, when no file can be made in its folder (which is created), or when fewer than `needed_bytes` are
/// free there.
void check_output_file(const std::filesystem::path& path, std::uint64_t needed_bytes = 0);

/// A link counts, whether or not its target is there. False for what cannot be looked at.
bool is_there(const std::filesystem::path& path);

/// A link counts as what it leads to. False for what cannot be looked at.
bool is_folder(const std::filesystem::path& path);

/// True for a device, pipe or socket, or a link to one: write_file writes through it, and no other file
/// belongs beside it.
bool is_device_or_pipe(const std::filesystem::path& path);

/// Error(kBadInput) when writing `out` would replace one of the files that are read.
void check_not_read(const std::filesystem::path& out, const std::vector<std::filesystem::path>& inputs);

/// Creates the folder and its parents; Error(kIo) names the folder when that fails.
void make_folder(const std::filesystem::path& path);

/// A new folder, complete or not there at all: it is filled under a name of its own beside `out`, which no
/// other program and no earlier run has used, and gets its name by commit().
class StagedFolder {
 public:
  /// Error(kBadInput) when `out` exists and is anything but an empty folder; Error(kIo) when none can be
  /// made.
  explicit StagedFolder(const std::filesystem::path& out);
  ~StagedFolder();  ///< removes what was written when commit() was not reached
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::filesystem::path& path() const { return building_; }  ///< where to write
  const std::filesystem::path& out() const { return out_; }        ///< absolute
  void commit();

 private:
  std::filesystem::path out_, building_;
  bool committed_ = false;
};

/// What lies directly in a folder, each list sorted by name (bytes). Links count as what they point to.
struct FolderListing {
  std::vector<std::filesystem::path> files, folders;
  std::vector<std::filesystem::path>
      others;  ///< links to nothing, devices, pipes, and what cannot be looked at
};
/// Empty when the folder is absent; Error(kIo) when it is there and cannot be listed.
FolderListing list_folder(const std::filesystem::path& folder);

/// The files of list_folder that `keep` accepts.
std::vector<std::filesystem::path> list_files(const std::filesystem::path& folder,
                                              const std::function<bool(const std::filesystem::path&)>& keep);
/// The folders of list_folder.
std::vector<std::filesystem::path> list_folders(const std::filesystem::path& folder);

/// File extension in lower case with its dot (".png").
std::string lower_extension(const std::filesystem::path& path);

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> content);
std::string sha256_hex(std::string_view text);

/// Base64 with padding, no line breaks (RFC 4648).
std::string base64(std::span<const std::byte> content);

}  // namespace glint
