#include "glint/base/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <fstream>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {

Bytes read_file(const fs::path& path, std::uint64_t max_bytes) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) fail(ErrorCode::kNotFound, "{}: no such file", name_line(path));
  const std::uint64_t size = fs::file_size(path, ec);
  if (ec) fail(ErrorCode::kIo, "{}: cannot be read ({})", name_line(path), ec.message());
  if (size > max_bytes) {
    fail(ErrorCode::kBadInput, "{}: {} bytes, more than the {} this kind of file may have", name_line(path),
         size, max_bytes);
  }
  std::ifstream in(path, std::ios::binary);
  Bytes content(size);
  in.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(size));
  if (!in || static_cast<std::uint64_t>(in.gcount()) != size) {
    fail(ErrorCode::kIo, "{}: cannot be read; check its permissions", name_line(path));
  }
  return content;
}

std::string read_text(const fs::path& path, std::uint64_t max_bytes) {
  const Bytes content = read_file(path, max_bytes);
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

bool is_there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(fs::symlink_status(path, ec));
}

bool is_folder(const fs::path& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

bool is_device_or_pipe(const fs::path& path) {
  std::error_code ec;
  const fs::file_status status = fs::status(path, ec);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

namespace {

std::string reason_of(int error) {
  return std::error_code(error, std::generic_category()).message();
}

/// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

  bool write_all(std::span<const std::byte> content) const {
    while (!content.empty()) {
      const ssize_t n = ::write(fd_, content.data(), std::min<std::size_t>(content.size(), 1 << 30));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      content = content.subspan(static_cast<std::size_t>(n));
    }
    return true;
  }

 private:
  int fd_;
};

[[noreturn]] void fail_writing(const fs::path& path, int error) {
  fail(ErrorCode::kIo, "{}: cannot be written ({}); check the folder's permissions and free space",
       name_line(path), reason_of(error));
}

/// What a write to `path` ends at: the target of a link (of a chain of links), else `path` itself.
fs::path write_target(const fs::path& path) {
  if (is_device_or_pipe(path)) return path;  // also /dev/stdout, whose link cannot be followed by name
  fs::path out = path;
  std::error_code ec;
  for (int hops = 0; hops < 40 && fs::is_symlink(fs::symlink_status(out, ec)); ++hops) {
    const fs::path next = fs::read_symlink(out, ec);
    if (ec) break;
    out = next.is_absolute() ? next : out.parent_path() / next;
  }
  return out;
}

void refuse_folder(const fs::path& path) {
  std::error_code ec;
  if (fs::is_directory(path, ec))
    fail(ErrorCode::kIo, "{}: is a folder; name a file to write", name_line(path));
  if (!path.has_filename())
    fail(ErrorCode::kIo, "{}: ends in a slash; name a file to write", name_line(path));
}

/// A free name for a temporary file beside `target`. Long names are cut so that the temporary one fits.
fs::path temporary_beside(const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  return target.parent_path() /
         fmt::format(".{}.{}.{}.tmp", target.filename().native().substr(0, 200), ::getpid(), counter++);
}

}  // namespace

void write_file(const fs::path& path, std::span<const std::byte> content) {
  refuse_folder(path);
  const fs::path target = write_target(path);
  if (is_device_or_pipe(target)) {
    const Descriptor out(target, O_WRONLY);
    if (out.get() < 0 || !out.write_all(content)) fail_writing(path, errno);
    return;
  }
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  make_folder(folder);
  const fs::path temporary = temporary_beside(target);
  const auto discard = [&](int error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    fail_writing(path, error);
  };
  {
    const Descriptor out(temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (out.get() < 0) fail_writing(path, errno);
    if (!out.write_all(content) || ::fsync(out.get()) != 0) discard(errno);
  }
  if (::rename(temporary.c_str(), target.c_str()) != 0) discard(errno);
  const Descriptor parent(folder, O_RDONLY | O_DIRECTORY);
  if (parent.get() >= 0)
    ::fsync(parent.get());  // some file systems cannot sync a folder; the file is safe then
}

void write_text(const fs::path& path, std::string_view content) {
  write_file(path, std::as_bytes(std::span(content.data(), content.size())));
}

void check_output_file(const fs::path& path, std::uint64_t needed_bytes) {
  refuse_folder(path);
  const fs::path target = write_target(path);
  if (is_device_or_pipe(target)) {
    if (::access(target.c_str(), W_OK) != 0) fail_writing(path, errno);
    return;
  }
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  make_folder(folder);
  if (target.filename().native().size() > NAME_MAX) fail_writing(path, ENAMETOOLONG);
  const fs::path probe = temporary_beside(target);
  {
    const Descriptor out(probe, O_WRONLY | O_CREAT | O_EXCL);
    if (out.get() < 0) fail_writing(path, errno);
  }
  std::error_code ec;
  fs::remove(probe, ec);
  const fs::space_info space = fs::space(folder, ec);
  if (!ec && space.available < needed_bytes) {
    fail(ErrorCode::kIo,
         "{}: about {} MiB are needed there, {} MiB are free; make room or name another place",
         name_line(path), (needed_bytes >> 20) + 1, space.available >> 20);
  }
}

void check_not_read(const fs::path& out, const std::vector<fs::path>& inputs) {
  std::error_code ec;
  if (!fs::exists(out, ec) || is_device_or_pipe(out)) return;
  for (const fs::path& input : inputs) {
    if (fs::equivalent(out, input, ec))
      fail(ErrorCode::kBadInput, "{}: is read here; name another file to write", name_line(out));
  }
}

void make_folder(const fs::path& path) {
  if (path.empty()) return;
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) fail(ErrorCode::kIo, "{}: the folder cannot be created ({})", name_line(path), ec.message());
}

StagedFolder::StagedFolder(const fs::path& out) {
  std::error_code ec;
  const fs::file_status status = fs::symlink_status(out, ec);
  if (fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(out, ec) && !ec))
    fail(ErrorCode::kBadInput, "{}: exists and is not an empty folder; name a new folder", name_line(out));
  out_ = fs::absolute(out).lexically_normal();
  if (!out_.has_filename()) out_ = out_.parent_path();
  make_folder(out_.parent_path());
  std::string pattern =
      (out_.parent_path() / fmt::format(".{}.XXXXXX", out_.filename().native().substr(0, 200))).native();
  if (::mkdtemp(pattern.data()) == nullptr) fail_writing(out, errno);
  building_ = pattern;
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(building_, ignored);
}

void StagedFolder::commit() {
  const ::mode_t mask = ::umask(0);
  ::umask(mask);
  if (::chmod(building_.c_str(), 0777 & ~mask) != 0) fail_writing(out_, errno);  // mkdtemp gives 0700
  // rename(2) replaces an empty folder and refuses any other.
  if (::rename(building_.c_str(), out_.c_str()) != 0) fail_writing(out_, errno);
  committed_ = true;
}

FolderListing list_folder(const fs::path& folder) {
  FolderListing out;
  std::error_code ec;
  fs::directory_iterator it(folder, ec);
  if (ec == std::errc::no_such_file_or_directory) return out;
  for (; !ec && it != fs::directory_iterator(); it.increment(ec)) {
    std::error_code unknown;
    const fs::file_status status = it->status(unknown);
    auto& list = fs::is_regular_file(status) ? out.files
                 : fs::is_directory(status)  ? out.folders
                                             : out.others;
    list.push_back(it->path());
  }
  if (ec) {
    fail(ErrorCode::kIo, "{}: the folder cannot be listed ({}); check its permissions", name_line(folder),
         ec.message());
  }
  for (auto* list : {&out.files, &out.folders, &out.others}) std::sort(list->begin(), list->end());
  return out;
}

std::vector<fs::path> list_files(const fs::path& folder, const std::function<bool(const fs::path&)>& keep) {
  std::vector<fs::path> out = list_folder(folder).files;
  std::erase_if(out, [&](const fs::path& file) { return !keep(file); });
  return out;
}

std::vector<fs::path> list_folders(const fs::path& folder) {
  return list_folder(folder).folders;
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

std::string sha256_hex(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text.data(), text.size())));
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
