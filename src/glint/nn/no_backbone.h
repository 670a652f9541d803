// The backbone of a method that reads none (FeatureKind::kNone): a name, a network without layers or weights.
// It still says where a method may compute and in which precision. Free of libtorch.
#pragma once

#include "glint/nn/backbone_spec.h"

namespace glint {

/// Of its BackboneSpec, as --backbone and the model file say it. Not in backbone_specs(): no method that
/// reads features can take it (check_method).
inline constexpr const char* kNoBackbone = "none";

inline bool is_no_backbone(const BackboneSpec& spec) {
  return spec.name == kNoBackbone;
}

}  // namespace glint
