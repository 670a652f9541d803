// One trained candidate before the judging parts: what it rejects of them as they are, how long it takes, and
// how many of their synthetic defects it finds.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glint/base/progress.h"
#include "glint/choose/candidate.h"
#include "glint/data/dataset.h"
#include "glint/detect/model_file.h"
#include "glint/limit/seeded_defects.h"
#include "glint/metrics/clustered_rate.h"
#include "glint/metrics/conformal.h"

namespace glint {

/// The defects that every candidate is shown, the same ones on the same parts. The sizes run from what a
/// patch of 8 input pixels hardly shows to what most detectors find, so that neither all nor none are found.
struct DefectLadder {
  std::vector<SyntheticDefect> kinds = {SyntheticDefect::kScratch, SyntheticDefect::kBlob,
                                        SyntheticDefect::kStain, SyntheticDefect::kCutPaste};
  std::vector<double> contrasts = {0.1, 0.3};                  ///< of the grey range, as `glint limit`
  std::vector<double> size_shares = {0.01, 0.02, 0.04, 0.08};  ///< of the photograph's longer side
  int trials = 12;                                             ///< of each kind, contrast and size
  std::uint64_t seed = 0;

  nlohmann::json to_json() const;
};

/// The photographs that judge, and their ladder in pixels.
struct Judges {
  std::vector<DefectCarrier> carriers;
  std::vector<DefectSeries> series;  ///< in the order of the trials

  int trials() const;
  /// Of each trial, in order: the index of its carrier.
  std::vector<int> carrier_of_trial() const;
};
/// Reads the photographs. Sizes are shares of the median longer side. The carriers take turns over all
/// series.
Judges make_judges(const std::vector<Sample>& parts, const DefectLadder& ladder);

/// One image score of a candidate's map.
struct JudgedScore {
  ScoringOptions scoring;
  double promised_rate = 0;  ///< that its threshold guarantees
  int rejected_good = 0;     ///< judging parts without a defect
  double excess_p = 1;       ///< excess_rejects_p_value of that
  std::vector<bool> found;   ///< per trial
  double defect_auroc = 0;   ///< parts with a defect against parts without, whatever the threshold

  nlohmann::json to_json() const;
  static JudgedScore from_json(const nlohmann::json& json);
};

enum class CandidateStatus { kMeasured, kOverLatency, kNoBudget, kRefused };
template <>
struct EnumNames<CandidateStatus> {
  static constexpr std::pair<CandidateStatus, std::string_view> table[] = {
      {CandidateStatus::kMeasured, "measured"},
      {CandidateStatus::kOverLatency, "over latency"},
      {CandidateStatus::kNoBudget, "no budget left"},
      {CandidateStatus::kRefused, "refused"}};
};

struct CandidateResult {
  Candidate candidate;
  std::string identity;  ///< of everything that decides the result but the machine's speed
  CandidateStatus status = CandidateStatus::kMeasured;
  std::string reason;               ///< when it was not measured
  double wall_seconds = 0;          ///< training and judging
  double training_seconds = 0;      ///< features and training
  double feature_seconds = 0;       ///< of these, the features
  double milliseconds_image = 0;    ///< from the decoded photograph to the score, median of the judging parts
  int judged_good = 0;              ///< judging parts
  std::vector<JudgedScore> scores;  ///< the method's own choice first; empty when it was not measured

  nlohmann::json to_json() const;
  static CandidateResult from_json(const nlohmann::json& json);
};

/// Fills in milliseconds_image, judged_good and scores. A part that cannot be aligned is NO DECISION: it
/// counts as a false reject without a defect, and as not found with one. Stops after the time per image, with
/// status kOverLatency, when that is above `latency_ms` (0 = no limit).
void judge_candidate(const Model& model, const Inspector& inspector, const Judges& judges, double rate,
                     double latency_ms, std::uint64_t seed, CandidateResult& result, ProgressSink& progress);

/// Hits and trials of each carrier; of the trials that `use` (per trial) says, all when it is empty.
std::vector<ClusterTrials> by_carrier(const JudgedScore& score, const std::vector<int>& carrier_of_trial,
                                      const std::vector<bool>& use = {});

}  // namespace glint
