#include "glint/data/loco_layout.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

/// The mask's one value above 0. MVTec writes 8-bit grey.
int value_of_mask(const RgbImage& image, const fs::path& path, Mask& mask) {
  mask = Mask(image.width, image.height);
  int value = 0;
  for (std::size_t p = 0; p < mask.pixels.size(); ++p) {
    const int v = *std::max_element(&image.pixels[3 * p], &image.pixels[3 * p] + 3);
    if (v == 0) continue;
    if (value != 0 && v != value) {
      fail(ErrorCode::kBadInput, "{}: holds the values {} and {}; MVTec LOCO has one defect per mask file",
           name_line(path), value, v);
    }
    value = v;
    mask.pixels[p] = 1;
  }
  if (value == 0) fail(ErrorCode::kBadInput, "{}: marks no pixel; remove it", name_line(path));
  return value;
}

}  // namespace

SaturationTable parse_saturations(std::string_view text, const std::string& file) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_array()) fail(ErrorCode::kBadInput, "{}: is no JSON list of defects", file);
  SaturationTable out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const json& entry = all[i];
    const auto refuse = [&](const char* why) { fail(ErrorCode::kBadInput, "{}: [{}]: {}", file, i, why); };
    if (!entry.is_object()) refuse("is no object");
    const json name = entry.value("defect_name", json()), value = entry.value("pixel_value", json()),
               threshold = entry.value("saturation_threshold", json()),
               relative = entry.value("relative_saturation", json());
    if (!name.is_string()) refuse("\"defect_name\" is no text");
    if (!value.is_number_integer() || value < 1 || value > 255)
      refuse("\"pixel_value\" is no whole number from 1 to 255");
    if (!threshold.is_number() || !std::isfinite(threshold.get<double>()) || threshold.get<double>() <= 0)
      refuse("\"saturation_threshold\" is no number above 0");
    if (!relative.is_boolean()) refuse("\"relative_saturation\" is neither true nor false");
    if (relative.get<bool>() && threshold.get<double>() > 1)
      refuse("\"saturation_threshold\" is a share of the region and above 1");
    const Saturation saturation{name.get<std::string>(), threshold.get<double>(), relative.get<bool>()};
    if (!out.by_value.emplace(value.get<int>(), saturation).second) refuse("\"pixel_value\" is used twice");
  }
  return out;
}

std::vector<SaturatedRegion> load_saturated_regions(const Sample& sample) {
  std::vector<SaturatedRegion> out;
  if (!sample.mask) return out;
  GLINT_CHECK(sample.saturations != nullptr);
  std::vector<fs::path> files = {*sample.mask};
  files.insert(files.end(), sample.further_masks.begin(), sample.further_masks.end());
  for (const fs::path& file : files) {
    SaturatedRegion region;
    const int value = value_of_mask(read_image(file), file, region.mask);
    const auto found = sample.saturations->by_value.find(value);
    if (found == sample.saturations->by_value.end()) {
      fail(ErrorCode::kBadInput, "{}: its value {} is not listed in {}", name_line(file), value,
           kSaturationFile);
    }
    const auto area =
        static_cast<double>(std::count(region.mask.pixels.begin(), region.mask.pixels.end(), 1));
    const Saturation& saturation = found->second;
    region.saturation_px =
        std::min(area, saturation.relative ? saturation.threshold * area : saturation.threshold);
    out.push_back(std::move(region));
  }
  return out;
}

}  // namespace glint
