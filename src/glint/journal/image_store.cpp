#include "glint/journal/image_store.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"

namespace fs = std::filesystem;

namespace glint {

std::string frame_sha256(const RgbImage& frame) {
  const std::string size = fmt::format("{}\n{}\n", frame.width, frame.height);
  Bytes bytes(size.size() + frame.pixels.size());
  std::copy_n(reinterpret_cast<const std::byte*>(size.data()), size.size(), bytes.begin());
  std::copy_n(reinterpret_cast<const std::byte*>(frame.pixels.data()), frame.pixels.size(),
              bytes.begin() + std::ssize(size));
  return sha256_hex(bytes);
}

ImageStore::ImageStore(Journal& journal, const ImageStoreOptions& options)
    : journal_(journal), options_(options), bytes_(journal.kept_bytes()) {
  make_room();
}

bool ImageStore::wants(Verdict verdict) const {
  return options_.keep == KeepImages::kAll || (options_.keep == KeepImages::kNok && verdict != Verdict::kOk);
}

void ImageStore::keep(const InspectionRecord& record, std::span<const std::byte> file,
                      const std::string& ending) {
  const std::string name = fmt::format("{:06}/{:09}{}", record.id / 1000, record.id, ending);
  write_file(journal_.images_folder() / name, file);
  journal_.note_image(record.id, name, std::ssize(file));
  bytes_ += std::ssize(file);
  make_room();
}

void ImageStore::make_room() {
  constexpr int kBatch = 16;
  while (bytes_ > options_.max_bytes) {
    const auto oldest = journal_.oldest_images(kBatch);
    if (oldest.empty()) break;
    for (const Journal::KeptImage& image : oldest) {
      if (bytes_ <= options_.max_bytes) break;
      std::error_code ec;
      fs::remove(journal_.images_folder() / image.file, ec);
      journal_.forget_image(image.inspection);
      bytes_ -= image.bytes;
    }
  }
}

}  // namespace glint
