#include "glint/detect/detector.h"

#include "glint/base/error.h"
#include "glint/detect/anogan/anogan.h"
#include "glint/detect/autoencoder/autoencoder.h"
#include "glint/detect/cflow/cflow.h"
#include "glint/detect/dfm/dfm.h"
#include "glint/detect/f_anogan/f_anogan.h"
#include "glint/detect/fastflow/fastflow.h"
#include "glint/detect/ganomaly/ganomaly.h"
#include "glint/detect/handcrafted/handcrafted.h"
#include "glint/detect/hybrid/hybrid.h"
#include "glint/detect/inp_former/inp_former.h"
#include "glint/detect/memae/memae.h"
#include "glint/detect/padim/padim.h"
#include "glint/detect/patchcore/patchcore.h"
#include "glint/detect/pixel/pixel_methods.h"
#include "glint/detect/reverse_distillation/reverse_distillation.h"
#include "glint/detect/simplenet/simplenet.h"
#include "glint/detect/skip_ganomaly/skip_ganomaly.h"
#include "glint/detect/spade/spade.h"
#include "glint/detect/stfpm/stfpm.h"
#include "glint/detect/supersimplenet/supersimplenet.h"
#include "glint/detect/vae/vae.h"
#include "glint/nn/no_backbone.h"

namespace glint {
namespace {

struct MethodEntry {
  const char* name;
  std::unique_ptr<Method> (*make)();
  bool in_study = false;  ///< study_methods
};

// The visible list of methods; the first is the default.
const MethodEntry kMethods[] = {
    {"patchcore", &make_patchcore},
    {"simplenet", &make_simplenet, true},
    {"inp_former", &make_inp_former, true},
    {"hybrid", &make_hybrid, true},
    {"padim", &make_padim},
    {"dfm", &make_dfm},
    {"spade", &make_spade},
    {"supersimplenet", &make_supersimplenet},
    {"variation_model", &make_variation_model},
    {"template", &make_template},
    {"morphology", &make_morphology},
    {"threshold", &make_threshold},
    {"lbp", &make_lbp},
    {"hog", &make_hog},
    {"gabor", &make_gabor},
    {"fastflow", &make_fastflow},
    {"cflow", &make_cflow},
    {"stfpm", &make_stfpm},
    {"reverse_distillation", &make_reverse_distillation},
    {"autoencoder", &make_autoencoder},
    {"vae", &make_vae},
    {"memae", &make_memae},
    {"ganomaly", &make_ganomaly},
    {"skip_ganomaly", &make_skip_ganomaly},
    {"f_anogan", &make_f_anogan},
    {"anogan", &make_anogan},
};

bool suits(const Method& method, const BackboneSpec& backbone) {
  const FeatureKind kind = method.needs().features;
  if (is_no_backbone(backbone)) return kind == FeatureKind::kNone;
  return !((kind == FeatureKind::kMaps && backbone.transformer) ||
           (kind == FeatureKind::kTokens && !backbone.transformer));
}

}  // namespace

TensorDict Method::weights_of(const TensorDict& state) const {
  TensorDict out = state;
  std::erase_if(out, [](const auto& entry) { return entry.first.starts_with(kOptimizerPrefix); });
  return out;
}

void check_method(const Method& method, const BackboneSpec& backbone, const InputOptions& input) {
  if (is_no_backbone(backbone) && !suits(method, backbone)) {
    fail(ErrorCode::kConfig, "{} reads features of a backbone, and there is none; choose another --backbone",
         method.name());
  }
  if (!suits(method, backbone)) {
    std::vector<std::string> others;
    for (const MethodEntry& entry : kMethods) {
      if (suits(*entry.make(), backbone)) others.emplace_back(entry.name);
    }
    fail(ErrorCode::kConfig, "{} {}, and {} is a {}; choose another --backbone{}", method.name(),
         method.needs().features == FeatureKind::kMaps ? "compares maps of a convolutional backbone"
                                                       : "reads tokens of a transformer",
         backbone.name, backbone.transformer ? "transformer" : "convolutional backbone",
         others.empty() ? "" : fmt::format(", or a method that takes it: {}", fmt::join(others, ", ")));
  }
  method.validate(backbone, input);
}

std::string default_method() {
  return kMethods[0].name;
}

std::string position_bound_method() {
  for (const MethodEntry& entry : kMethods) {
    const MethodNeeds needs = entry.make()->needs();
    if (needs.position_bound && needs.training == TrainingKind::kOnePass) return entry.name;
  }
  GLINT_CHECK(false);
  return "";
}

std::vector<std::string> study_methods() {
  std::vector<std::string> names;
  for (const MethodEntry& entry : kMethods) {
    if (entry.in_study) names.emplace_back(entry.name);
  }
  return names;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const MethodEntry& entry : kMethods) names.emplace_back(entry.name);
  return names;
}

std::unique_ptr<Method> make_method(const std::string& name) {
  for (const MethodEntry& entry : kMethods) {
    if (name == entry.name) return entry.make();
  }
  fail(ErrorCode::kConfig, "unknown method '{}'; choose one of: {}", name, fmt::join(method_names(), ", "));
}

}  // namespace glint
