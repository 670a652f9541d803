// Reasons for NO DECISION that the line gives itself, and which of them pass.
#pragma once

#include <string>

#include "glint/journal/record.h"

namespace glint {

inline constexpr const char* kLate = "overloaded: it waited longer than the time limit";
inline constexpr const char* kFull = "overloaded: the line is full; inspect less often or faster";
inline constexpr const char* kNoDecisionInTime = "no decision in time";
inline constexpr const char* kNoMemory = "not enough memory for this image";
inline constexpr const char* kNotRecorded = "not recorded: ";  ///< before the journal's message
inline constexpr const char* kNotANumber = "the detector's score is not a number";

/// True for a NO DECISION that time or load made: another try of the same image may end otherwise.
inline bool may_be_tried_again(const InspectionRecord& record) {
  const std::string& reason = record.reason;
  return record.verdict == Verdict::kNoDecision &&
         (reason == kLate || reason == kFull || reason == kNoDecisionInTime || reason == kNoMemory ||
          reason.starts_with(kNotRecorded));
}

}  // namespace glint
