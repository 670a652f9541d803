#include "glint/nn/safetensors.h"

#include "glint/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    glint::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const glint::Error&) {
  }
  return 0;
}
