#include "glint/image/codec.h"

#include "glint/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    glint::decode_image(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const glint::Error&) {
  }
  return 0;
}
