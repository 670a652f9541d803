#include "glint/base/files.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "glint/base/error.h"

namespace fs = std::filesystem;

namespace glint {

Bytes read_file(const fs::path& path, std::uint64_t max_bytes) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) fail(ErrorCode::kNotFound, "{}: no such file", path.string());
  const std::uint64_t size = fs::file_size(path, ec);
  if (ec) fail(ErrorCode::kIo, "{}: cannot be read ({})", path.string(), ec.message());
  if (size > max_bytes) {
    fail(ErrorCode::kBadInput, "{}: {} bytes, more than the {} this kind of file may have", path.string(),
         size, max_bytes);
  }
  std::ifstream in(path, std::ios::binary);
  Bytes content(size);
  in.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(size));
  if (!in || static_cast<std::uint64_t>(in.gcount()) != size) {
    fail(ErrorCode::kIo, "{}: cannot be read; check its permissions", path.string());
  }
  return content;
}

std::string read_text(const fs::path& path, std::uint64_t max_bytes) {
  const Bytes content = read_file(path, max_bytes);
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

void write_file(const fs::path& path, std::span<const std::byte> content) {
  static std::atomic<unsigned> counter{0};
  if (path.has_parent_path()) make_folder(path.parent_path());
  const fs::path temporary =
      path.parent_path() / fmt::format(".{}.{}.{}.tmp", path.filename().string(), ::getpid(), counter++);
  std::error_code ec;
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    out.flush();
    if (!out) {
      fs::remove(temporary, ec);
      fail(ErrorCode::kIo, "{}: cannot be written; check the folder's permissions and free space",
           path.string());
    }
  }
  fs::rename(temporary, path, ec);
  if (ec) {
    const std::string reason = ec.message();
    fs::remove(temporary, ec);
    fail(ErrorCode::kIo, "{}: cannot be written ({})", path.string(), reason);
  }
}

void write_text(const fs::path& path, std::string_view content) {
  write_file(path, std::as_bytes(std::span(content.data(), content.size())));
}

void make_folder(const fs::path& path) {
  if (path.empty()) return;
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) fail(ErrorCode::kIo, "{}: the folder cannot be created ({})", path.string(), ec.message());
}

std::vector<fs::path> list_files(const fs::path& folder, const std::function<bool(const fs::path&)>& keep) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    if (entry.is_regular_file(ec) && keep(entry.path())) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<fs::path> list_folders(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    if (entry.is_directory(ec)) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string lower_extension(const fs::path& path) {
  std::string ext = path.extension().string();
  std::transform(ext.begin(), ext.end(), ext.begin(), [](unsigned char c) { return std::tolower(c); });
  return ext;
}

std::string sha256_hex(std::span<const std::byte> content) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  GLINT_CHECK(EVP_Digest(content.data(), content.size(), digest, &length, EVP_sha256(), nullptr) == 1);
  std::string out;
  for (unsigned int i = 0; i < length; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string base64(std::span<const std::byte> content) {
  std::string out(4 * ((content.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(content.data()),
                                static_cast<int>(content.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

}  // namespace glint
