// How the one who asked waits for the line's answer.

#include <algorithm>

#include "glint/station/line.h"
#include "glint/station/reasons.h"

namespace glint {
namespace {

/// A waiter gives the line this much longer than the line gives itself.
constexpr std::chrono::milliseconds kGrace{1000};

}  // namespace

Outcome Ticket::wait() const {
  // The deadline may be set or moved while it is waited for.
  for (auto until = deadline() + kGrace; Clock::now() < until; until = deadline() + kGrace) {
    const auto pause = std::min(until, Clock::now() + kGrace);
    if (future_.wait_until(pause) == std::future_status::ready) return future_.get();
  }
  if (auto outcome = poll()) return *std::move(outcome);
  State pending = State::kPending;
  if (!state_.compare_exchange_strong(pending, State::kExpired)) {
    if (pending == State::kTaken) return future_.get();  // being written just now
  }
  Outcome late{draft_, /*recorded=*/false};
  late.record.verdict = Verdict::kNoDecision;
  late.record.reason = kNoDecisionInTime;
  return late;
}

std::optional<Outcome> Ticket::poll() const {
  if (future_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
  return future_.get();
}

}  // namespace glint
