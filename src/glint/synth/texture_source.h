// Pictures of other things than the part, for methods that make defects of them or learn from them what a
// part is not: rendered ones (texture.h), or those in a folder of the user's.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "glint/image/image.h"

namespace glint {

/// The pictures in and below a folder, in the order of image_tree.h.
struct TextureFolder {
  struct File {
    std::filesystem::path path;
    std::string sha256;
  };
  std::filesystem::path folder;
  std::vector<File> files;           ///< not empty
  std::vector<std::string> notices;  ///< of what is left out
  std::string fingerprint;           ///< of the pictures' bytes, in order
};

/// Reads every file once. Error(kConfig) names `field` and the folder when it is none or has no picture that
/// glint reads; Error(kBadInput) names an entry that cannot be read.
TextureFolder scan_texture_folder(const std::filesystem::path& folder, const std::string& field);

/// Immutable to its users: may be asked from several threads.
class TextureSource {
 public:
  /// kRenderedTextures pictures, each rendered when it is first asked for. They depend on size and seed
  /// alone.
  TextureSource(ImageSize size, std::uint64_t seed);
  /// Every picture of the folder: the largest central part of the size's proportions, resized. Decodes all of
  /// them once: Error(kBadInput) names the one that is damaged, and later the one that was changed since the
  /// scan.
  TextureSource(const TextureFolder& folder, ImageSize size);

  int count() const { return count_; }
  RgbImage picture(int index) const;

 private:
  int count_ = 0;
  std::function<RgbImage(int)> make_;
  // The first pictures that were asked for, up to kKeptTextureBytes. All are asked for equally often, so that
  // replacing some by others would gain nothing.
  mutable std::mutex mutex_;
  mutable std::vector<RgbImage> kept_;  ///< by index; empty where not kept
  mutable std::size_t kept_bytes_ = 0;
};

inline constexpr int kRenderedTextures = 1000;
inline constexpr std::size_t kKeptTextureBytes = std::size_t{256} << 20;

}  // namespace glint
