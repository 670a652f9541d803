#include "glint/station/pages.h"

#include <array>

// Each file becomes a pair of symbols around its bytes.
#define GLINT_EMBED(symbol, file)                                                            \
  __asm__(".section .rodata\n.global " #symbol "_begin\n" #symbol "_begin:\n.incbin \"" file \
          "\"\n.global " #symbol "_end\n" #symbol "_end:\n.byte 0\n.text\n");                \
  extern "C" const char symbol##_begin[]; /* NOLINT */                                       \
  extern "C" const char symbol##_end[]    /* NOLINT */

GLINT_EMBED(glint_page_html, GLINT_SOURCE_FOLDER "/assets/station/page.html");
GLINT_EMBED(glint_page_css, GLINT_SOURCE_FOLDER "/assets/station/page.css");
GLINT_EMBED(glint_page_js, GLINT_SOURCE_FOLDER "/assets/station/page.js");
GLINT_EMBED(glint_trend_js, GLINT_SOURCE_FOLDER "/assets/station/trend.js");
GLINT_EMBED(glint_icon_svg, GLINT_SOURCE_FOLDER "/assets/station/icon.svg");
GLINT_EMBED(glint_openapi_json, GLINT_SOURCE_FOLDER "/docs/openapi.json");

namespace glint {
namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

std::span<const Page> pages() {
  static const std::array<Page, 6> all = {
      Page{"/", "text/html; charset=utf-8", between(glint_page_html_begin, glint_page_html_end)},
      Page{"/page.css", "text/css; charset=utf-8", between(glint_page_css_begin, glint_page_css_end)},
      Page{"/page.js", "text/javascript; charset=utf-8", between(glint_page_js_begin, glint_page_js_end)},
      Page{"/trend.js", "text/javascript; charset=utf-8", between(glint_trend_js_begin, glint_trend_js_end)},
      Page{"/icon.svg", "image/svg+xml", between(glint_icon_svg_begin, glint_icon_svg_end)},
      Page{"/api", "application/json", between(glint_openapi_json_begin, glint_openapi_json_end)}};
  return all;
}

}  // namespace glint
