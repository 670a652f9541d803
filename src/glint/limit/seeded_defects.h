// Seeded synthetic defects in good photographs, made and scored batch by batch: what the detection limit and
// the choice between detectors are counted from. Equal arguments make equal defects, whatever scores them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "glint/detect/model_file.h"
#include "glint/synth/synthetic_defect.h"

namespace glint {

/// A good photograph that carries defects, and where its part lies.
struct DefectCarrier {
  RgbImage image;
  Mask part;
};
DefectCarrier read_carrier(const std::filesystem::path& photograph);

/// Defects of one kind, contrast and size.
struct DefectSeries {
  SyntheticDefect kind = SyntheticDefect::kScratch;
  double contrast = 0;   ///< of the grey range
  double size_px = 0;    ///< pixels of the photograph
  std::size_t rung = 0;  ///< of size_px on the ladder: with trial and contrast it decides the defect's seed
  int trials = 0;        ///< trial t lies in carrier (first_carrier + t) modulo their number
  int first_carrier = 0;

  /// Index of the photograph that trial `trial` lies in, of so many.
  int carrier_of(int trial, std::size_t carriers) const {
    return static_cast<int>(static_cast<std::size_t>(first_carrier + trial) % carriers);
  }
};

/// One defect and what a model says of its photograph.
struct ScoredDefect {
  int trial = 0, carrier = 0;
  const DefectiveImage& made;
  const PhotographScores& patches;
};

/// Trials in their order, from this thread.
void score_defects(const Inspector& inspector, const std::vector<DefectCarrier>& carriers,
                   const DefectSeries& series, std::uint64_t seed,
                   const std::function<void(const ScoredDefect&)>& use);

}  // namespace glint
