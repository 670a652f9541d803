// Spends a budget of time on candidates, in their order, and never on one twice.
#pragma once

#include <functional>
#include <vector>

#include "glint/choose/judging.h"

namespace glint {

/// What is needed of a candidate; tests give their own.
struct CandidateSteps {
  /// Of everything that decides the result. An Error(kConfig or kBadInput) refuses the candidate.
  std::function<std::string(const Candidate&)> identity;
  /// Trains and judges; an Error as above refuses it. The time it takes is measured around it.
  std::function<CandidateResult(const Candidate&)> run;
  /// Seconds that it will take, from what the finished ones took; 0 when nothing is known.
  std::function<double(const Candidate&, const std::vector<CandidateResult>&)> expected_seconds;
  /// Seconds that `run` took, when the clock shall not say.
  std::function<double()> seconds;
};

struct Budget {
  double seconds = 900;   ///< of training and judging, all candidates together, those of `known` too
  double latency_ms = 0;  ///< 0 = no limit
};

/// One result per candidate, in their order. A result of `known` with the same identity is taken as it is;
/// not one that was over the latency and would not be now, or for which there was no budget. A candidate
/// begins while the budget is not spent and, where its time can be told, holds it; one that has begun may
/// finish. `on_result` is called with all results so far after each one.
std::vector<CandidateResult> spend_budget(
    const std::vector<Candidate>& candidates, const Budget& budget, const std::vector<CandidateResult>& known,
    const CandidateSteps& steps, const std::function<void(const std::vector<CandidateResult>&)>& on_result);

}  // namespace glint
