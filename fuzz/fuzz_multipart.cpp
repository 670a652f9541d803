// A form's boundary and body: the first line of the input is the Content-Type, the rest the body. What is
// accepted must lie inside the body, in order.

#include <cstdlib>

#include "glint/station/http_message.h"
#include "glint/station/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(input.find('\n'), input.size());
  const std::string_view body = input.substr(std::min(end + 1, input.size()));
  try {
    const char* last = body.data();
    for (const glint::FormPart& part : glint::parse_form(body, glint::form_boundary(input.substr(0, end)))) {
      if (part.content.data() < last || part.content.data() + part.content.size() > body.data() + body.size())
        std::abort();
      last = part.content.data() + part.content.size();
    }
  } catch (const glint::Refusal&) {
  }
  return 0;
}
