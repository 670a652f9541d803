// What every HTML page of this program shares: frame and style (light, dark, print; no network), numbers with
// intervals, pictures inside the page.
#pragma once

#include <string>

#include "glint/image/image.h"
#include "glint/metrics/intervals.h"

namespace glint {

/// Everything up to and including <main>; `title` is escaped.
std::string page_begin(const std::string& title);
std::string page_end();

std::string percent(double v);
/// "0.931 [0.900, 0.962]"; a dash for NaN.
std::string with_interval(const Estimate& e);
std::string rate_text(const Estimate& e);

/// JPEG as a data: address.
std::string data_uri(const RgbImage& image);
std::string figure(const std::string& caption, const std::string& svg);

}  // namespace glint
