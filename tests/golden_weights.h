// Weights of a golden's networks, which the files give by formula.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <sstream>
#include <string>

#include "glint/nn/safetensors.h"

namespace glint {

/// What the metadata `key` of a golden says of a network's state: one line per entry, `k name kind shape`,
/// filled by the formula in the file's metadata `weights` (shared/goldens/README.md). `skip` entries are left
/// out. Names as published.
inline TensorDict formula_weights(const SafetensorsFile& file, const std::string& key,
                                  const std::string& seed_key = "seed") {
  const auto seed = static_cast<std::uint32_t>(std::stoul(file.metadata.at(seed_key)));
  TensorDict out;
  std::istringstream lines(file.metadata.at(key));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::uint32_t k = 0;
    std::string name, kind, shape_text;
    words >> k >> name >> kind >> shape_text;
    if (kind == "skip") continue;
    std::vector<std::int64_t> shape;
    std::istringstream sizes(shape_text);
    for (std::string size; std::getline(sizes, size, 'x');) shape.push_back(std::stol(size));
    double factor = 0.1, offset = 0;
    if (kind == "conv") factor = std::sqrt(4.0 / static_cast<double>(shape[1] * shape[2] * shape[3]));
    if (kind == "matrix") factor = std::sqrt(2.0 / static_cast<double>(shape[1]));
    if (kind == "scale") offset = 0.8;
    std::vector<float> values(static_cast<std::size_t>(c10::multiply_integers(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint32_t h = static_cast<std::uint32_t>(i) + 2654435761U * (k + 1) + 2246822519U * seed;
      h = (h ^ (h >> 16)) * 2246822507U;
      h = (h ^ (h >> 13)) * 3266489909U;
      h ^= h >> 16;
      const double s = std::sqrt(1.5) * (2 * (h + 0.5) / 4294967296.0 - 1);
      values[i] = static_cast<float>(kind == "var" ? 1 + 0.5 * s * s : offset + factor * s);
    }
    out[name] = from_floats(values, shape);
  }
  return out;
}

}  // namespace glint
