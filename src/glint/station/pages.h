// The files of the operator's page and the description of the interface, as they are inside the program.
#pragma once

#include <span>
#include <string_view>

namespace glint {

struct Page {
  const char* path;  ///< in the address
  const char* type;  ///< media type
  std::string_view content;
};

std::span<const Page> pages();

}  // namespace glint
