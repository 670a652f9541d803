#include "glint/choose/budget.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/stopwatch.h"

namespace glint {
namespace {

bool refuses(const Error& e) {
  return e.code() == ErrorCode::kConfig || e.code() == ErrorCode::kBadInput;
}

/// The result under this latency limit; nothing when it was not judged and would have to be now.
std::optional<CandidateResult> usable(const CandidateResult& known, double latency_ms) {
  CandidateResult out = known;
  if (known.status == CandidateStatus::kNoBudget) return std::nullopt;
  if (known.status == CandidateStatus::kRefused) return out;
  const bool over = latency_ms > 0 && known.milliseconds_image > latency_ms;
  if (!over && known.scores.empty()) return std::nullopt;
  out.status = over ? CandidateStatus::kOverLatency : CandidateStatus::kMeasured;
  return out;
}

}  // namespace

std::vector<CandidateResult> spend_budget(
    const std::vector<Candidate>& candidates, const Budget& budget, const std::vector<CandidateResult>& known,
    const CandidateSteps& steps, const std::function<void(const std::vector<CandidateResult>&)>& on_result) {
  std::vector<CandidateResult> out;
  std::vector<std::string> identities;
  double spent = 0;
  for (const Candidate& candidate : candidates) {  // what is known first: it has taken its share already
    CandidateResult result;
    result.candidate = candidate;
    result.status = CandidateStatus::kNoBudget;
    try {
      result.identity = steps.identity(candidate);
    } catch (const Error& e) {
      if (!refuses(e)) throw;
      result.status = CandidateStatus::kRefused;
      result.reason = e.what();
    }
    for (const CandidateResult& before : known) {
      if (result.identity.empty() || before.identity != result.identity) continue;
      if (const auto taken = usable(before, budget.latency_ms)) result = *taken;
    }
    spent += result.wall_seconds;
    out.push_back(std::move(result));
  }
  for (CandidateResult& result : out) {
    if (result.status != CandidateStatus::kNoBudget) continue;
    throw_if_cancelled();
    const double expected = steps.expected_seconds(result.candidate, out);
    if (spent >= budget.seconds || (expected > 0 && spent + expected > budget.seconds)) {
      result.reason = expected > 0
                          ? fmt::format("about {:.0f} s expected, {:.0f} s of {:.0f} s left", expected,
                                        std::max(0.0, budget.seconds - spent), budget.seconds)
                          : fmt::format("{:.0f} s of {:.0f} s are spent", spent, budget.seconds);
      on_result(out);
      continue;
    }
    const Stopwatch watch;
    const std::string identity = result.identity;
    try {
      result = steps.run(result.candidate);
    } catch (const Error& e) {
      if (!refuses(e)) throw;
      result.status = CandidateStatus::kRefused;
      result.reason = e.what();
    }
    result.identity = identity;
    result.wall_seconds = steps.seconds ? steps.seconds() : watch.seconds();
    if (result.status == CandidateStatus::kOverLatency) {
      result.reason =
          fmt::format("{:.1f} ms for an image, {:.1f} allowed", result.milliseconds_image, budget.latency_ms);
    }
    spent += result.wall_seconds;
    on_result(out);
  }
  return out;
}

}  // namespace glint
