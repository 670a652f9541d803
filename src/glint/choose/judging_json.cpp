// How results of candidates are written to and read from choose.json.
#include "glint/base/error.h"
#include "glint/choose/judging.h"
#include "glint/metrics/estimate_json.h"

namespace glint {

using nlohmann::json;

namespace {

json scoring_json(ScoringOptions scoring) {
  OptionTable table;
  scoring.describe(table);
  return table.to_json();
}

std::string text_of(const std::vector<bool>& found) {
  std::string out;
  for (const bool f : found) out += f ? '1' : '0';
  return out;
}

}  // namespace

json JudgedScore::to_json() const {
  return {{"image_score", enum_name(scoring.image_score)},
          {"options", scoring_json(scoring)},
          {"guaranteed_rate", number_json(promised_rate)},
          {"rejected_good", rejected_good},
          {"excess_p", excess_p},
          {"found", text_of(found)},
          {"defect_auroc", number_json(defect_auroc)}};
}

JudgedScore JudgedScore::from_json(const json& entry) {
  JudgedScore out;
  OptionTable table;
  out.scoring.describe(table);
  table.set_all(entry.at("options"));
  out.promised_rate = entry.at("guaranteed_rate").get<double>();
  out.rejected_good = entry.at("rejected_good").get<int>();
  out.excess_p = entry.at("excess_p").get<double>();
  for (const char c : entry.at("found").get<std::string>()) out.found.push_back(c == '1');
  out.defect_auroc = entry.at("defect_auroc").get<double>();
  return out;
}

json CandidateResult::to_json() const {
  json entry = {{"candidate", candidate.to_json()},
                {"identity", identity},
                {"status", enum_name(status)},
                {"wall_seconds", wall_seconds},
                {"training_seconds", training_seconds},
                {"feature_seconds", feature_seconds},
                {"milliseconds_per_image", milliseconds_image},
                {"judged_good", judged_good}};
  if (!reason.empty()) entry["reason"] = reason;
  json list = json::array();
  for (const JudgedScore& score : scores) list.push_back(score.to_json());
  entry["scores"] = std::move(list);
  return entry;
}

CandidateResult CandidateResult::from_json(const json& entry) {
  try {
    CandidateResult out;
    out.candidate = Candidate::from_json(entry.at("candidate"));
    out.identity = entry.at("identity").get<std::string>();
    out.status = parse_enum<CandidateStatus>(entry.at("status").get<std::string>(), "status");
    out.reason = entry.value("reason", "");
    out.wall_seconds = entry.at("wall_seconds").get<double>();
    out.training_seconds = entry.at("training_seconds").get<double>();
    out.feature_seconds = entry.at("feature_seconds").get<double>();
    out.milliseconds_image = entry.at("milliseconds_per_image").get<double>();
    out.judged_good = entry.at("judged_good").get<int>();
    for (const json& score : entry.at("scores")) out.scores.push_back(JudgedScore::from_json(score));
    return out;
  } catch (const json::exception& e) {
    fail(ErrorCode::kBadInput, "a candidate's result is damaged: {}", e.what());
  }
}

}  // namespace glint
