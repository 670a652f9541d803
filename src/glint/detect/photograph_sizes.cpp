#include "glint/detect/photograph_sizes.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kTolerance = 0.02;  // a crop of a few pixels more or less is the same camera
constexpr const char* kNumbers[] = {"smallest_width", "largest_width", "smallest_height",
                                    "largest_height", "lowest_aspect", "highest_aspect"};

std::string range(double low, double high) {
  const auto text = [](double v) {
    return v == std::round(v) ? fmt::format("{:.0f}", v) : fmt::format("{:.3f}", v);
  };
  return low == high ? text(low) : text(low) + " to " + text(high);
}

bool within(double value, double low, double high) {
  return value >= low * (1 - kTolerance) && value <= high * (1 + kTolerance);
}

}  // namespace

void PhotographSizes::add(int width, int height) {
  const double aspect = static_cast<double>(width) / height;
  if (largest_width == 0) {
    *this = {width, width, height, height, aspect, aspect};
    return;
  }
  smallest_width = std::min(smallest_width, width);
  largest_width = std::max(largest_width, width);
  smallest_height = std::min(smallest_height, height);
  largest_height = std::max(largest_height, height);
  lowest_aspect = std::min(lowest_aspect, aspect);
  highest_aspect = std::max(highest_aspect, aspect);
}

std::string PhotographSizes::refusal(int width, int height, ImageSize input) const {
  const double aspect = static_cast<double>(width) / height;
  if (!within(aspect, lowest_aspect, highest_aspect)) {
    return fmt::format(
        "{} x {} pixels is another shape than the model was trained on (width / height {:.3f}, trained {}); "
        "turn or crop it as the training photographs, or judge it all the same with --any-size",
        width, height, aspect, range(lowest_aspect, highest_aspect));
  }
  const int side = std::min(width, height), smallest = std::min(smallest_width, smallest_height);
  if (side < smallest * (1 - kTolerance) && side < std::min(input.width, input.height)) {
    return fmt::format(
        "{} x {} pixels is too small for a model that was trained on {} x {}: defects may not be visible; "
        "give the full photograph, or judge it all the same with --any-size",
        width, height, range(smallest_width, largest_width), range(smallest_height, largest_height));
  }
  return "";
}

std::string PhotographSizes::notice(int width, int height) const {
  if (within(width, smallest_width, largest_width) && within(height, smallest_height, largest_height))
    return "";
  return fmt::format("{} x {} pixels is another size than the model was trained on ({} x {})", width, height,
                     range(smallest_width, largest_width), range(smallest_height, largest_height));
}

nlohmann::json PhotographSizes::to_json() const {
  const double values[] = {0.0 + smallest_width, 0.0 + largest_width, 0.0 + smallest_height,
                           0.0 + largest_height, lowest_aspect,       highest_aspect};
  nlohmann::json out;
  for (std::size_t i = 0; i < std::size(kNumbers); ++i) {
    const bool pixels = i < 4;
    out[kNumbers[i]] = pixels ? nlohmann::json(static_cast<int>(values[i])) : nlohmann::json(values[i]);
  }
  return out;
}

PhotographSizes PhotographSizes::from_json(const nlohmann::json& record, const std::string& name) {
  double values[std::size(kNumbers)];
  for (std::size_t i = 0; i < std::size(kNumbers); ++i) {
    const nlohmann::json value = record.is_object() ? record.value(kNumbers[i], nlohmann::json()) : record;
    values[i] = value.is_number() ? value.get<double>() : 0;
    if (!(values[i] > 0 && values[i] < 1e9)) {
      fail(ErrorCode::kBadInput,
           "{}: not a usable glint model (photographs.{} is not a size); train it again", name, kNumbers[i]);
    }
  }
  return {static_cast<int>(values[0]),
          static_cast<int>(values[1]),
          static_cast<int>(values[2]),
          static_cast<int>(values[3]),
          values[4],
          values[5]};
}

}  // namespace glint
