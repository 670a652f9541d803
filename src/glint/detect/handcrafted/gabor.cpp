#include "glint/image/filters/gabor.h"

#include <mutex>

#include "glint/detect/handcrafted/descriptor.h"
#include "glint/detect/handcrafted/handcrafted.h"

namespace glint {
namespace {

class GaborDescriptor : public Descriptor {
 public:
  std::string name() const override { return "gabor"; }
  int step() const override { return 8; }
  int least_side() const override { return 32; }
  int length() const override { return kGaborMaps; }
  std::unique_ptr<const Descriptor> clone() const override { return std::make_unique<GaborDescriptor>(); }

  /// Mean magnitude of each filter in the cell, in grey levels of a wave that fits it.
  CellGrid of(const GreyImage& image) const override {
    const std::vector<ScoreMap> maps = bank_for({image.width, image.height})->magnitudes(image);
    CellGrid out{image.width / step() - 1, image.height / step() - 1, {}};
    out.values.resize(static_cast<std::size_t>(out.columns) * out.rows * kGaborMaps);
    const int side = 2 * step();
    for (std::size_t k = 0; k < maps.size(); ++k) {
      const double unit = envelopes_[k / kGaborAngles] * side * side;
      for (int r = 0; r < out.rows; ++r) {
        for (int c = 0; c < out.columns; ++c) {
          double sum = 0;
          for (int y = r * step(); y < r * step() + side; ++y) {
            for (int x = c * step(); x < c * step() + side; ++x) sum += maps[k].at(x, y);
          }
          out.values[(static_cast<std::size_t>(r) * out.columns + c) * kGaborMaps + k] =
              static_cast<float>(sum / unit);
        }
      }
    }
    return out;
  }

 private:
  /// Made once for the size of the inputs, which all have the same.
  std::shared_ptr<const GaborBank> bank_for(ImageSize size) const {
    const std::lock_guard lock(making_);
    if (!bank_ || !(bank_->size() == size)) bank_ = std::make_shared<const GaborBank>(size);
    return bank_;
  }

  static std::vector<double> envelope_sums() {
    std::vector<double> out;
    for (const double wavelength : kGaborWavelengths)
      out.push_back(gabor_kernels(wavelength, 0).envelope_sum);
    return out;
  }

  std::vector<double> envelopes_ = envelope_sums();
  mutable std::mutex making_;
  mutable std::shared_ptr<const GaborBank> bank_;
};

}  // namespace

std::unique_ptr<Method> make_gabor() {
  return make_descriptor_method(std::make_unique<GaborDescriptor>());
}

}  // namespace glint
