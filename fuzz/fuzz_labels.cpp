#include "glint/base/error.h"
#include "glint/data/box_list.h"
#include "glint/data/loco_layout.h"
#include "glint/data/surface_layout.h"
#include "glint/labels/label_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto* parse :
       {glint::parse_label_studio, glint::parse_coco, glint::parse_voc, glint::parse_severstal}) {
    try {
      for (const glint::LabelledImage& image : parse(text, "fuzz").images) {
        if (image.width > 512 || image.height > 512) continue;  // time goes into parsing, not into painting
        for (const glint::LabelledRegion& region : image.regions)
          glint::rasterise(region.shape, image.width, image.height);
      }
    } catch (const glint::Error&) {
    }
  }
  // What readers of published datasets parse beside their pictures.
  const auto attempt = [](const auto& parse) {
    try {
      parse();
    } catch (const glint::Error&) {
    }
  };
  attempt([&] { glint::parse_saturations(text, "fuzz"); });
  attempt([&] { glint::parse_dagm_labels(text, "fuzz"); });
  attempt([&] { glint::parse_boxes(glint::box_csv(glint::parse_boxes(text, "fuzz")), "fuzz"); });
  return 0;
}
