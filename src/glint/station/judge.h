// What the station needs from a trained detector: facts, and a verdict on a photograph. Free of libtorch, so
// that everything around it can be tested, fuzzed and linted without; model_judge.h makes one of a model
// file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glint/inspect/inspection.h"

namespace glint {

struct JudgeFacts {
  std::string file_sha256;  ///< of the model file as loaded
  std::string method, backbone;
  double threshold = 0;
  ColourScale colours;
  std::vector<double> good_scores;  ///< of the calibration images, sorted
  std::string calibration_mode, guarantee;
  double wished_rate = 0, guaranteed_rate = 0, realised_rate_upper_95 = 0;  ///< bounds: NaN when none hold
};

/// Immutable; judge() may be called from several threads, which then share the processors.
class Judge {
 public:
  virtual ~Judge() = default;
  virtual const JudgeFacts& facts() const = 0;
  /// The map's longer side is at most kMapSide pixels. Throws Error when the photograph cannot be judged.
  virtual InspectionResult judge(const RgbImage& photograph) const = 0;
};

/// Makes a judge of a model file's content. Error(kBadInput) naming `name` when it is no model.
using JudgeLoader =
    std::function<std::shared_ptr<const Judge>(const std::vector<std::byte>& file, const std::string& name)>;

}  // namespace glint
