// A whole dataset audit: the checks of findings.h, and those that need the embedded network or statistics.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/audit/findings.h"
#include "glint/metrics/intervals.h"

namespace glint {

class Backbone;

struct AuditOptions {
  ResolutionOptions resolution;
  int folds = 5;  ///< for the scores of the training images
  std::uint64_t seed = 0;
};

/// Training images by how unlike the others they are: each scored by a memory of normal patches made from the
/// folds that it is not in (nearest neighbour, as PatchCore scores; Roth et al. 2022).
struct NormalClassScore {
  int image = 0;          ///< index into Audit::images
  double score = 0;       ///< largest value of the map
  double deviations = 0;  ///< robust deviations of log(score) from the median
  ScoreMap map;           ///< on the features' grid
};

/// log(score) this many robust deviations above the median is suspicious.
inline constexpr double kSuspiciousDeviations = 3.5;

struct ExpectedInterval {
  double auroc = 0;
  Estimate interval;
};

struct Audit {
  std::vector<AuditedImage> images;
  std::vector<Finding> findings;  ///< errors first
  std::vector<Distribution> distributions;
  std::vector<MaskSummary> masks;
  int train_images = 0, test_good = 0, test_anomalous = 0;
  std::vector<ExpectedInterval> expected;      ///< at AUROC 0.8, 0.9, 0.99; empty without a test set
  std::vector<NormalClassScore> normal_class;  ///< most suspicious first
  std::vector<std::string> suspicious;         ///< ids, most suspicious first

  /// True when a warning or an error was found.
  bool found() const;
  int count(Severity severity) const;
};

/// `dataset` scanned with FaultHandling::kCollect. `backbone` must be convolutional.
Audit audit_dataset(const Dataset& dataset, const Backbone& backbone, const AuditOptions& options,
                    ProgressSink& progress);

/// Ids that do not look like the rest of train/good, one per line, with comments: what `glint train
/// --exclude` reads.
std::string exclusion_text(const Audit& audit);

nlohmann::json audit_json(const Audit& audit, const Dataset& dataset);
/// One line per finding, for the terminal.
std::string audit_text(const Audit& audit);

}  // namespace glint
