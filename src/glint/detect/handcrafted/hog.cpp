#include "glint/detect/handcrafted/descriptor.h"
#include "glint/detect/handcrafted/handcrafted.h"
#include "glint/image/filters/oriented_gradients.h"

namespace glint {
namespace {

class HogDescriptor : public Descriptor {
 public:
  std::string name() const override { return "hog"; }
  int step() const override { return kHogStride; }
  int least_side() const override { return 2 * kHogBlock; }
  int length() const override { return kHogLength; }
  std::unique_ptr<const Descriptor> clone() const override { return std::make_unique<HogDescriptor>(*this); }

  CellGrid of(const GreyImage& image) const override {
    static_assert(kHogBlock == 2 * kHogStride);
    HogBlocks blocks = oriented_gradients(image);
    return {blocks.columns, blocks.rows, std::move(blocks.values)};
  }
};

}  // namespace

std::unique_ptr<Method> make_hog() {
  return make_descriptor_method(std::make_unique<HogDescriptor>());
}

}  // namespace glint
