#include "glint/detect/parity_capsule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "glint/base/error.h"
#include "glint/detect/packed_scores.h"

namespace glint {
namespace {

constexpr const char* kInput = "input";
constexpr double kFloat32Tolerance = 0.01, kShortTolerance = 0.15, kOtherPrecisionTolerance = 1;

/// All maps' values after one another.
std::vector<float> values_of(const std::vector<PatchScores>& scores, ScoreMap PatchScores::*part) {
  std::vector<float> out;
  for (const PatchScores& one : scores) {
    const std::vector<float>& values = (one.*part).values;
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

std::vector<float> images_of(const std::vector<PatchScores>& scores) {
  std::vector<float> out;
  for (const PatchScores& one : scores) {
    if (one.image) out.push_back(*one.image);
  }
  return out;
}

/// Root mean square of a - b over the standard deviation of `good`, which has at least the rounding of its
/// largest value.
double relative_difference(const std::vector<float>& a, const std::vector<float>& b,
                           const std::vector<float>& good) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  if (a.empty()) return 0;
  double sum = 0, mean = 0, squares = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  for (const float v : good) {
    mean += v / static_cast<double>(good.size());
    largest = std::max(largest, std::abs(static_cast<double>(v)));
  }
  for (const float v : good) squares += std::pow(v - mean, 2) / static_cast<double>(good.size());
  const double unit = std::max({std::sqrt(squares), 1e-4 * largest, 1e-12});
  const double out = std::sqrt(sum / static_cast<double>(a.size())) / unit;
  return std::isfinite(out) ? out : std::numeric_limits<double>::infinity();
}

}  // namespace

ParityCapsule ParityCapsule::make(const Detector& detector, RgbImage input) {
  PatchScores scores = detector.patch_scores({input}).at(0);
  return {std::move(input), std::move(scores)};
}

TensorDict ParityCapsule::pack() const {
  TensorDict out = pack_scores({scores});
  const std::span bytes = std::as_bytes(std::span(input.pixels));
  out[kInput] = {DType::kU8, {input.height, input.width, 3}, {bytes.begin(), bytes.end()}};
  return out;
}

std::optional<ParityCapsule> ParityCapsule::unpack(const TensorDict& tensors, const std::string& prefix,
                                                   const std::string& name) {
  if (tensors.empty()) return std::nullopt;
  constexpr std::int64_t kMaxSide = 1 << 15;
  TensorDict scores = tensors;
  scores.erase(kInput);
  const HostTensor& input = require_tensor(tensors, kInput, name);
  const auto& shape = input.shape;
  if (input.dtype != DType::kU8 || shape.size() != 3 || shape[2] != 3 || shape[0] < 1 || shape[1] < 1 ||
      shape[0] > kMaxSide || shape[1] > kMaxSide) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}{}' is no picture; train it again", name, prefix, kInput);
  }
  std::vector<PatchScores> unpacked = unpack_scores(scores, prefix, name);
  if (unpacked.size() != 1) {
    fail(ErrorCode::kBadInput,
         "{}: the tensors '{}...' hold the scores of {} inputs, not of one; train it again", name, prefix,
         unpacked.size());
  }
  ParityCapsule out{RgbImage(static_cast<int>(shape[1]), static_cast<int>(shape[0])), std::move(unpacked[0])};
  std::transform(input.data.begin(), input.data.end(), out.input.pixels.begin(),
                 [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  return out;
}

double capsule_difference(const ParityCapsule& capsule, const Detector& detector,
                          const std::vector<PatchScores>& good) {
  const std::vector<PatchScores> found = detector.patch_scores({capsule.input}), wanted = {capsule.scores};
  double out = 0;
  for (const auto part : {&PatchScores::map, &PatchScores::decision})
    out = std::max(
        out, relative_difference(values_of(found, part), values_of(wanted, part), values_of(good, part)));
  return std::max(out, relative_difference(images_of(found), images_of(wanted), images_of(good)));
}

double capsule_tolerance(Precision recorded, Precision computed) {
  if (recorded != computed) return kOtherPrecisionTolerance;
  return recorded == Precision::kFloat32 ? kFloat32Tolerance : kShortTolerance;
}

}  // namespace glint
