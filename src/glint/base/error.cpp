#include "glint/base/error.h"

namespace glint {

void check_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(fmt::format("glint bug: {} does not hold at {}:{}", condition, file, line));
}

}  // namespace glint
