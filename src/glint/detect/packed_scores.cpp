#include "glint/detect/packed_scores.h"

#include <algorithm>
#include <optional>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr const char* kMapScores = "patch_scores";
constexpr const char* kDecisionScores = "decision_scores";
constexpr const char* kImageScores = "image_scores";

HostTensor pack_maps(const std::vector<PatchScores>& all, ScoreMap PatchScores::*part) {
  const ScoreMap& first = all[0].*part;
  std::vector<float> values;
  for (const PatchScores& patches : all) {
    const ScoreMap& map = patches.*part;
    GLINT_CHECK(map.width == first.width && map.height == first.height);
    values.insert(values.end(), map.values.begin(), map.values.end());
  }
  return from_floats(values, {std::ssize(all), first.height, first.width});
}

void unpack_maps(const HostTensor& t, std::vector<PatchScores>& all, ScoreMap PatchScores::*part) {
  const std::vector<float> values = to_floats(t);
  const auto n = static_cast<std::size_t>(t.shape[1] * t.shape[2]);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ScoreMap map(static_cast<int>(t.shape[2]), static_cast<int>(t.shape[1]));
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i * n), n, map.values.begin());
    all[i].*part = std::move(map);
  }
}

}  // namespace

void check_scores(const TensorDict& tensors, const std::string& prefix, const std::string& name) {
  constexpr std::int64_t kMaxSide = 4096;
  std::optional<std::int64_t> images;
  for (const auto& [tensor_name, tensor] : tensors) {
    const auto& shape = tensor.shape;
    const bool map = (tensor_name == kMapScores || tensor_name == kDecisionScores) && shape.size() == 3 &&
                     shape[1] >= 1 && shape[2] >= 1 && shape[1] <= kMaxSide && shape[2] <= kMaxSide;
    const bool image = tensor_name == kImageScores && shape.size() == 1;
    if ((!map && !image) || tensor.dtype != DType::kF32 || shape[0] < 1 ||
        images.value_or(shape[0]) != shape[0]) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}{}' is no set of scores; train it again", name, prefix,
           tensor_name);
    }
    images = shape[0];
  }
  if (images && !tensors.contains(kMapScores))
    fail(ErrorCode::kBadInput, "{}: tensor '{}{}' is missing; train it again", name, prefix, kMapScores);
}

TensorDict pack_scores(const std::vector<PatchScores>& scores) {
  if (scores.empty()) return {};
  TensorDict out = {{kMapScores, pack_maps(scores, &PatchScores::map)}};
  if (!scores[0].decision.values.empty()) out[kDecisionScores] = pack_maps(scores, &PatchScores::decision);
  if (scores[0].image) {
    std::vector<float> own;
    for (const PatchScores& patches : scores) own.push_back(patches.image.value());
    out[kImageScores] = from_floats(own, {std::ssize(own)});
  }
  return out;
}

std::vector<PatchScores> unpack_scores(const TensorDict& tensors, const std::string& prefix,
                                       const std::string& name) {
  check_scores(tensors, prefix, name);
  const auto it = tensors.find(kMapScores);
  if (it == tensors.end()) return {};
  std::vector<PatchScores> out(static_cast<std::size_t>(it->second.shape[0]));
  unpack_maps(it->second, out, &PatchScores::map);
  const auto decision = tensors.find(kDecisionScores);
  if (decision != tensors.end()) unpack_maps(decision->second, out, &PatchScores::decision);
  const auto image = tensors.find(kImageScores);
  if (image != tensors.end()) {
    const std::vector<float> own = to_floats(image->second);
    for (std::size_t i = 0; i < out.size(); ++i) out[i].image = own[i];
  }
  return out;
}

}  // namespace glint
