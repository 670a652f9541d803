#include "glint/synth/texture_source.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/parallel.h"
#include "glint/base/progress.h"
#include "glint/base/random.h"
#include "glint/data/image_tree.h"
#include "glint/image/codec.h"
#include "glint/image/resample.h"
#include "glint/synth/texture.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;  // of one file, as of a photograph

/// The largest central part of the size's proportions, resized.
RgbImage fitted(const RgbImage& image, ImageSize size) {
  const double scale = std::min(static_cast<double>(image.width) / size.width,
                                static_cast<double>(image.height) / size.height);
  const int width = std::clamp(static_cast<int>(size.width * scale), 1, image.width);
  const int height = std::clamp(static_cast<int>(size.height * scale), 1, image.height);
  return resize_antialiased(
      crop(image, (image.width - width) / 2, (image.height - height) / 2, width, height), size.width,
      size.height);
}

}  // namespace

TextureFolder scan_texture_folder(const fs::path& folder, const std::string& field) {
  std::error_code ec;
  if (!fs::is_directory(folder, ec))
    fail(ErrorCode::kConfig, "{} = {}: is no folder; give one of pictures, or leave it out", field,
         name_line(folder));
  const ImageTree tree = list_images(folder);
  if (!tree.broken.empty()) fail(ErrorCode::kBadInput, "{}: {}", field, tree.broken[0].sentence);
  TextureFolder out{folder, {}, left_out_notices(tree, folder), ""};
  if (tree.images.empty()) {
    fail(ErrorCode::kConfig,
         "{} = {}: holds no picture that is read here (PNG, JPEG, BMP, TIFF); give a folder of pictures, or "
         "leave it out and textures are rendered",
         field, name_line(folder));
  }
  out.files.resize(tree.images.size());
  parallel_for(std::ssize(out.files), [&](std::int64_t i) {
    throw_if_cancelled();
    out.files[i] = {tree.images[i], sha256_hex(read_file(tree.images[i], kMostBytes))};
  });
  std::string text;
  for (const TextureFolder::File& file : out.files) text += file.sha256 + '\n';
  out.fingerprint = sha256_hex(text);
  return out;
}

TextureSource::TextureSource(ImageSize size, std::uint64_t seed) : count_(kRenderedTextures) {
  kept_.resize(static_cast<std::size_t>(count_));
  make_ = [size, seed](int index) {
    const int side = std::clamp(std::max(size.width, size.height), kSmallestTexture, kLargestTexture);
    return fitted(render_texture(side, derive_seed(seed, stream_key("train.textures"), index)), size);
  };
}

TextureSource::TextureSource(const TextureFolder& folder, ImageSize size)
    : count_(static_cast<int>(folder.files.size())) {
  kept_.resize(static_cast<std::size_t>(count_));
  make_ = [files = folder.files, size](int index) {
    const TextureFolder::File& file = files[static_cast<std::size_t>(index)];
    const Bytes bytes = read_file(file.path, kMostBytes);
    const std::string name = name_line(file.path);
    if (sha256_hex(bytes) != file.sha256)
      fail(ErrorCode::kBadInput, "{}: was changed during the training; start it again", name);
    return fitted(decode_image(bytes, name), size);
  };
  parallel_for(count_, [this](std::int64_t i) {
    throw_if_cancelled();
    picture(static_cast<int>(i));
  });
}

RgbImage TextureSource::picture(int index) const {
  GLINT_CHECK(index >= 0 && index < count_);
  RgbImage& kept = kept_[static_cast<std::size_t>(index)];
  {
    const std::lock_guard lock(mutex_);
    if (!kept.pixels.empty()) return kept;
  }
  RgbImage made = make_(index);
  const std::lock_guard lock(mutex_);
  if (kept.pixels.empty() && kept_bytes_ + made.pixels.size() <= kKeptTextureBytes) {
    kept = made;
    kept_bytes_ += made.pixels.size();
  }
  return made;
}

}  // namespace glint
