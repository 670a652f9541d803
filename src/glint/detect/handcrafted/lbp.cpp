#include <algorithm>

#include "glint/detect/handcrafted/descriptor.h"
#include "glint/detect/handcrafted/handcrafted.h"
#include "glint/image/filters/local_binary_patterns.h"

namespace glint {
namespace {

/// Points on the circle with its radius, and whether patterns that are rotated into each other are one.
enum class LbpPatterns { kUniform8, kInvariant8, kInvariant16 };

}  // namespace

template <>
struct EnumNames<LbpPatterns> {
  static constexpr std::pair<LbpPatterns, std::string_view> table[] = {
      {LbpPatterns::kUniform8, "u2_8_1"},
      {LbpPatterns::kInvariant8, "riu2_8_1"},
      {LbpPatterns::kInvariant16, "riu2_16_2"}};
};

namespace {

class LbpDescriptor : public Descriptor {
 public:
  std::string name() const override { return "lbp"; }
  void describe(OptionTable& table) override {
    table.add("lbp.patterns", patterns_,
              "u2_8_1: 59 labels of 8 points at radius 1; riu2: 10 or 18 labels whatever the rotation");
  }
  int step() const override { return 16; }
  int least_side() const override { return 48; }
  int length() const override { return patterns_ == LbpPatterns::kUniform8 ? 59 : points() + 2; }
  bool histogram() const override { return true; }
  std::unique_ptr<const Descriptor> clone() const override { return std::make_unique<LbpDescriptor>(*this); }

  CellGrid of(const GreyImage& image) const override {
    const int radius = patterns_ == LbpPatterns::kInvariant16 ? 2 : 1;
    const Grid<std::uint16_t> codes = binary_patterns(image, points(), radius);
    const std::vector<int> labels =
        patterns_ == LbpPatterns::kUniform8 ? uniform_labels(points()) : rotation_invariant_labels(points());
    CellGrid out{image.width / step() - 1, image.height / step() - 1, {}};
    for (int r = 0; r < out.rows; ++r) {
      for (int c = 0; c < out.columns; ++c) {
        // The frame of the picture has no codes.
        const int left = std::max(0, c * step() - radius), top = std::max(0, r * step() - radius);
        const int right = std::min(codes.width, (c + 2) * step() - radius),
                  bottom = std::min(codes.height, (r + 2) * step() - radius);
        for (const double share :
             pattern_histogram(codes, labels, length(), left, top, right - left, bottom - top))
          out.values.push_back(static_cast<float>(share));
      }
    }
    return out;
  }

 private:
  int points() const { return patterns_ == LbpPatterns::kInvariant16 ? 16 : 8; }

  LbpPatterns patterns_ = LbpPatterns::kUniform8;
};

}  // namespace

std::unique_ptr<Method> make_lbp() {
  return make_descriptor_method(std::make_unique<LbpDescriptor>());
}

}  // namespace glint
