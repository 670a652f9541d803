#include "glint/detect/detector.h"

#include "glint/base/error.h"
#include "glint/detect/dfm/dfm.h"
#include "glint/detect/hybrid/hybrid.h"
#include "glint/detect/inp_former/inp_former.h"
#include "glint/detect/padim/padim.h"
#include "glint/detect/patchcore/patchcore.h"
#include "glint/detect/simplenet/simplenet.h"
#include "glint/detect/spade/spade.h"
#include "glint/detect/supersimplenet/supersimplenet.h"

namespace glint {
namespace {

struct MethodEntry {
  const char* name;
  std::unique_ptr<Method> (*make)();
};

// The visible list of methods.
const MethodEntry kMethods[] = {
    {"patchcore", &make_patchcore},
    {"simplenet", &make_simplenet},
    {"inp_former", &make_inp_former},
    {"hybrid", &make_hybrid},
    {"padim", &make_padim},
    {"spade", &make_spade},
    {"dfm", &make_dfm},
    {"supersimplenet", &make_supersimplenet},
};

}  // namespace

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
