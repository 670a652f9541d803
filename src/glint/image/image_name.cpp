#include "glint/image/image_name.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <string_view>

#include "glint/base/files.h"
#include "glint/image/codec.h"

namespace glint {
namespace {

/// In lower case. NAS systems (Synology, QNAP), macOS, Windows, Linux, Python.
constexpr std::array<std::string_view, 21> kForeignNames = {"@eadir",
                                                            "@tmp",
                                                            "@recycle",
                                                            "@recently-snapshot",
                                                            "@sharebin",
                                                            "#recycle",
                                                            "#snapshot",
                                                            "~snapshot",
                                                            "__macosx",
                                                            "__pycache__",
                                                            "thumbs.db",
                                                            "ehthumbs.db",
                                                            "ehthumbs_vista.db",
                                                            "desktop.ini",
                                                            "$recycle.bin",
                                                            "recycler",
                                                            "system volume information",
                                                            "network trash folder",
                                                            "temporary items",
                                                            "lost+found",
                                                            "icon\r"};

constexpr std::array<std::string_view, 43> kUnreadEndings = {
    ".webp", ".gif",  ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".jpm", ".jxl",
    ".jxr",  ".jfif", ".jpe",  ".dib",  ".pbm",  ".pgm", ".ppm", ".pnm", ".pam", ".pfm", ".tga",
    ".exr",  ".hdr",  ".psd",  ".pcx",  ".ico",  ".svg", ".xcf", ".raw", ".dng", ".cr2", ".cr3",
    ".nef",  ".nrw",  ".arw",  ".orf",  ".rw2",  ".raf", ".pef", ".srw", ".dcm", ".apng"};

bool shows_a_picture(std::string_view start) {
  const auto at = [&](std::size_t position, std::string_view text) {
    return start.size() >= position + text.size() && start.substr(position, text.size()) == text;
  };
  return at(0, "\x89PNG\r\n") || at(0, "\xff\xd8\xff") || at(0, std::string_view("II*\0", 4)) ||
         at(0, std::string_view("MM\0*", 4)) || at(0, "GIF8") || (at(0, "RIFF") && at(8, "WEBP")) ||
         at(4, "ftyphei") || at(4, "ftypavif") || at(4, "ftypmif1") || at(4, "jP  ");
}

}  // namespace

bool is_foreign_name(const std::filesystem::path& path) {
  std::string name = path.filename().native();
  if (name.starts_with(".")) return name != "." && name != "..";
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c < 0x80 ? static_cast<char>(std::tolower(c)) : static_cast<char>(c);
  });
  return std::find(kForeignNames.begin(), kForeignNames.end(), name) != kForeignNames.end();
}

bool is_unread_image(const std::filesystem::path& path) {
  if (is_image_file(path)) return false;
  const std::string ending = lower_extension(path);
  if (std::find(kUnreadEndings.begin(), kUnreadEndings.end(), ending) != kUnreadEndings.end()) return true;
  std::ifstream in(path, std::ios::binary);
  std::array<char, 12> start{};
  in.read(start.data(), start.size());
  return shows_a_picture({start.data(), static_cast<std::size_t>(in.gcount())});
}

}  // namespace glint
