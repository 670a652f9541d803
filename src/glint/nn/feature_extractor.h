// What a method sees of a frozen network: its shape, and features in host memory. Free of libtorch: another
// engine can stand behind it (nn/backbone.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "glint/image/image.h"
#include "glint/nn/backbone_spec.h"
#include "glint/nn/precision.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

/// A read-only array in host memory that somebody else made: not copied, kept alive by `owner`.
struct HostBuffer {
  std::shared_ptr<const void> owner;
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  ///< elements from one index to the next; channels may lie last
};

/// A frozen network, ready to run. Const methods may run from several threads.
class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;
  virtual const BackboneSpec& spec() const = 0;
  /// In which a method computes with the features; the network itself may be computed in int8. Never auto,
  /// never int8.
  virtual Precision precision() const = 0;
  /// What computes the features; never auto.
  virtual Engine engine() const = 0;
  /// Where it runs, and where a method may compute too: kCpu or kCuda.
  virtual DeviceChoice place() const = 0;

  /// Feature maps of images of one size, for each of `layers` (1 to 3) float32 [B, C, H, W] with H and W a
  /// 4th, 8th or 16th of the image's. Error(kConfig) when the network has no maps.
  virtual std::vector<HostBuffer> maps(const std::vector<RgbImage>& images,
                                       const std::vector<int>& layers) const = 0;
  /// Outputs of a transformer's `blocks` (ascending, from 0), patch tokens only: for each float32
  /// [B, positions, D], positions row-major. Error(kConfig) when the network has no tokens.
  virtual std::vector<HostBuffer> tokens(const std::vector<RgbImage>& images,
                                         const std::vector<int>& blocks) const = 0;
};

}  // namespace glint
