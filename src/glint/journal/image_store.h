// Images of inspections beside the journal: which are kept, and how much disk they may use. What is kept is
// the file as it was posted or, for camera frames, a PNG; its hash is in the journal.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "glint/image/image.h"
#include "glint/journal/journal.h"

namespace glint {

/// SHA-256 of a camera's frame: over "width\nheight\n" and its RGB bytes. A frame is kept as PNG.
std::string frame_sha256(const RgbImage& frame);

/// nok keeps NOK and NO DECISION.
enum class KeepImages { kAll, kNok, kNone };
template <>
struct EnumNames<KeepImages> {
  static constexpr std::pair<KeepImages, std::string_view> table[] = {
      {KeepImages::kAll, "all"}, {KeepImages::kNok, "nok"}, {KeepImages::kNone, "none"}};
};

struct ImageStoreOptions {
  KeepImages keep = KeepImages::kNok;
  std::int64_t max_bytes = std::int64_t{10} << 30;  ///< beyond it the oldest are deleted
};

/// Used by one thread.
class ImageStore {
 public:
  ImageStore(Journal& journal, const ImageStoreOptions& options);

  bool wants(Verdict verdict) const;
  /// Writes "000012/000012345.png" below the journal's folder and deletes the oldest beyond the limit. Error
  /// (kIo) when the disk is full.
  void keep(const InspectionRecord& record, std::span<const std::byte> file, const std::string& ending);

  std::int64_t bytes() const { return bytes_; }

 private:
  void make_room();

  Journal& journal_;
  ImageStoreOptions options_;
  std::int64_t bytes_ = 0;
};

}  // namespace glint
