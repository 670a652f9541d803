// The order of the candidates, from good parts alone: what finds more of the synthetic defects at the
// promised rate of false rejects stands higher; what cannot be told apart from the best is decided by speed.
#pragma once

#include <string>
#include <vector>

#include "glint/choose/judging.h"

namespace glint {

/// A candidate under one of its image scores.
struct RankedScore {
  std::size_t candidate = 0, score = 0;  ///< indices of the results and of their scores
  Estimate found;                        ///< share of the defects, over the carriers
  Estimate behind_best;                  ///< the highest share's minus this one's, paired over the carriers
  /// The judging parts are rejected more often than promised, and not by chance (excess_p below 0.05): ranks
  /// below all that are not.
  bool rejects_too_much = false;
  bool tied = false;  ///< cannot be told apart from the highest share: the interval of behind_best holds 0
};

struct Choice {
  /// By share within those that keep the promise, then the others. The first has the highest share.
  std::vector<RankedScore> ranking;
  std::size_t winner = 0;  ///< of the tied ones the fastest; of equally fast ones the first in the list
  std::string reason;      ///< one or two sentences
};

/// "59.9 % [53.6, 66.2]"
std::string found_text(const Estimate& share);

/// "patchcore 288 px", with ", top_mean" for an image score that is not the method's own choice.
std::string ranked_name(const std::vector<CandidateResult>& results, const RankedScore& ranked);

/// Over the results that were measured. Error(kBadInput) with the reasons when none was.
Choice rank_candidates(const std::vector<CandidateResult>& results, const std::vector<int>& carrier_of_trial);

}  // namespace glint
