// What `choose` may choose from: a method with its view of the photograph, and the image scores that its map
// can become without another training.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glint/fit/config.h"

namespace glint {

/// One training.
struct Candidate {
  std::string method;
  int input_size = 288;  ///< pixels
  int tiles = 1;         ///< per side
  Align align = Align::kNone;
  std::string backbone = "compact";  ///< name or file

  /// "patchcore 288 px", "patchcore 288 px, 2 x 2 tiles", "padim 288 px, aligned".
  std::string name() const;
  nlohmann::json to_json() const;
  /// Error(kBadInput) when something is missing or of the wrong type.
  static Candidate from_json(const nlohmann::json& json);
};

/// In the order in which a budget is spent: every one of candidate_methods() that trains in one pass, other
/// views for the default and for one that compares places, then the methods that train in meta-epochs. Only
/// of `methods` where that is not empty. Error(kConfig) for an unknown method.
std::vector<Candidate> built_in_candidates(const std::string& backbone,
                                           const std::vector<std::string>& methods);

/// Configures a training as `candidate` says: `config` is a fresh one of its method and backbone, with the
/// user's settings. Calibration images are a folder of their own.
void apply_candidate(const Candidate& candidate, TrainConfig& config);

/// Share of the map's pixels that top_mean averages here; the published INP-Former's.
inline constexpr double kTopShare = 0.01;

/// The image scores to try of a trained map: the method's own choice first, then the map's maximum and the
/// mean of its top share where they are others.
std::vector<ScoringOptions> scoring_variants(const ScoringOptions& own);

}  // namespace glint
