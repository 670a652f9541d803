#include "glint/base/error.h"
#include "glint/labels/label_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto* parse : {glint::parse_label_studio, glint::parse_coco}) {
    try {
      for (const glint::LabelledImage& image : parse(text, "fuzz").images) {
        if (image.width > 512 || image.height > 512) continue;  // time goes into parsing, not into painting
        for (const glint::LabelledRegion& region : image.regions)
          glint::rasterise(region.shape, image.width, image.height);
      }
    } catch (const glint::Error&) {
    }
  }
  return 0;
}
