// Reading exports of annotation tools: values that are checked, and problems that say where they are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "glint/base/error.h"
#include "glint/labels/label_file.h"

namespace glint {

/// An entry that cannot be used; the text says why.
[[noreturn]] void refuse_entry(const std::string& why);

/// The field of an object. Refused when it is absent, of another kind, not finite, or no side of an image.
double number_field(const nlohmann::json& object, const char* key);
std::string text_field(const nlohmann::json& object, const char* key);
int side_field(const nlohmann::json& object, const char* key);

/// Refused when the image would be larger than any that is read.
void check_image_size(int width, int height);

/// Cuts a box at its image's edges, where the size is known. Refused when it has no area or reaches far
/// outside: then the labels belong to an image of another size.
void clip_box(DefectBox& box, const LabelledImage& image);

/// Error(kBadInput) naming `file` when it is not valid JSON.
nlohmann::json parse_export(std::string_view content, const std::string& file);

/// Calls `use` on each entry of the array `key`; what it refuses becomes a problem of `out`.
template <class Use>
void each_entry(const nlohmann::json& all, const char* key, LabelFile& out, const Use& use) {
  for (std::size_t i = 0; i < all[key].size(); ++i) {
    try {
      use(all[key][i]);
    } catch (const Error& e) {
      out.problems.push_back(fmt::format("{}[{}]: {}", key, i, e.what()));
    }
  }
}

}  // namespace glint
