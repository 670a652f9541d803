// Which good photograph does what while a detector is chosen, so that nothing is judged on what it has seen.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "glint/data/dataset.h"

namespace glint {

/// Fewest good photographs for a choice; a calibration folder counts besides.
inline constexpr int kLeastToChoose = 40;

/// Seeded. The candidates train on `train` and set their thresholds on `calibration`; `judging` carries the
/// defects and shows the false rejects. `final_calibration` is seen by no candidate and judges nobody: it
/// calibrates the winner, which trains on the other three. The dataset's calibration folder, where there is
/// one; else a fifth of the good images, or a third up to 50 when that is more.
struct GoodRoles {
  std::vector<Sample> train, calibration, judging, final_calibration;
  double judged_rate = 0;   ///< false-reject rate that the candidates' thresholds promise
  double false_reject = 0;  ///< that the winner's promises

  /// {"train": [ids], ...}
  nlohmann::json to_json() const;
};

/// `false_reject`: of the winner; 0 = the one that the final calibration images can promise
/// (promisable_rate). The candidates are judged at the same rate where their calibration images can promise
/// it without taking more than half of the others, else at the lowest that they can. Error(kBadInput) with
/// the number of images when there are fewer than kLeastToChoose, Error(kConfig) when the rate takes more.
GoodRoles assign_roles(const Dataset& dataset, double false_reject, std::uint64_t seed);

/// What the candidates are trained from: no test images.
Dataset candidate_dataset(const Dataset& dataset, const GoodRoles& roles);
/// What the winner is trained from; with the test images, which a training does not look at.
Dataset final_dataset(const Dataset& dataset, const GoodRoles& roles);

}  // namespace glint
