#include "glint/choose/ranking.h"

#include <algorithm>

#include "glint/base/error.h"

namespace glint {
namespace {

constexpr double kExcessLevel = 0.05;

std::string reason_of(const Choice& choice, const std::vector<CandidateResult>& results) {
  const RankedScore& best = choice.ranking.front();
  const RankedScore& winner = choice.ranking[choice.winner];
  const auto tied = std::count_if(choice.ranking.begin(), choice.ranking.end(),
                                  [](const RankedScore& r) { return r.tied; });
  const std::string name = ranked_name(results, winner);
  std::string out;
  if (tied == 1) {
    out = fmt::format(
        "{} finds most of the synthetic defects, {}, and more than every other candidate by more "
        "than the uncertainty",
        name, found_text(winner.found));
  } else if (choice.winner == 0) {
    out = fmt::format(
        "{} finds most of the synthetic defects, {}; {} others cannot be told apart from it and "
        "are not faster",
        name, found_text(winner.found), tied - 1);
  } else {
    out = fmt::format(
        "{} finds {} of the synthetic defects and takes {:.1f} ms for an image; {} finds {}, which "
        "cannot be told apart from it on these parts, and takes {:.1f} ms",
        name, found_text(winner.found), results[winner.candidate].milliseconds_image,
        ranked_name(results, best), found_text(best.found), results[best.candidate].milliseconds_image);
  }
  const auto beyond = std::count_if(choice.ranking.begin(), choice.ranking.end(),
                                    [](const RankedScore& r) { return r.rejects_too_much; });
  if (winner.rejects_too_much) {
    out +=
        ". Every candidate rejects more of the good parts than promised: collect more good parts before "
        "this one is used";
  } else if (beyond > 0) {
    out += fmt::format(". {} rank below because they reject more good parts than promised", beyond);
  }
  return out + ".";
}

}  // namespace

std::string found_text(const Estimate& share) {
  return fmt::format("{:.1f} % [{:.1f}, {:.1f}]", 100 * share.value, 100 * share.ci_low, 100 * share.ci_high);
}

std::string ranked_name(const std::vector<CandidateResult>& results, const RankedScore& ranked) {
  const CandidateResult& result = results.at(ranked.candidate);
  std::string name = result.candidate.name();
  if (ranked.score > 0)
    name += fmt::format(", {}", enum_name(result.scores.at(ranked.score).scoring.image_score));
  return name;
}

Choice rank_candidates(const std::vector<CandidateResult>& results,
                       const std::vector<int>& carrier_of_trial) {
  Choice out;
  const auto clusters = [&](const RankedScore& r) {
    return by_carrier(results[r.candidate].scores[r.score], carrier_of_trial);
  };
  std::string reasons;
  for (std::size_t c = 0; c < results.size(); ++c) {
    if (results[c].status != CandidateStatus::kMeasured) {
      reasons += fmt::format("; {}: {}{}", results[c].candidate.name(), enum_name(results[c].status),
                             results[c].reason.empty() ? "" : ", " + results[c].reason);
      continue;
    }
    for (std::size_t s = 0; s < results[c].scores.size(); ++s) {
      RankedScore ranked{c, s, {}, {}, results[c].scores[s].excess_p < kExcessLevel, false};
      ranked.found = clustered_rate(clusters(ranked));
      out.ranking.push_back(ranked);
    }
  }
  if (out.ranking.empty()) fail(ErrorCode::kBadInput, "no candidate could be measured{}", reasons);
  std::stable_sort(out.ranking.begin(), out.ranking.end(), [](const RankedScore& a, const RankedScore& b) {
    return a.rejects_too_much != b.rejects_too_much ? b.rejects_too_much : a.found.value > b.found.value;
  });
  const std::vector<ClusterTrials> best = clusters(out.ranking[0]);
  const auto speed = [&](std::size_t at) { return results[out.ranking[at].candidate].milliseconds_image; };
  const auto listed = [&](std::size_t at) {
    return std::pair(out.ranking[at].candidate, out.ranking[at].score);
  };
  for (std::size_t i = 0; i < out.ranking.size(); ++i) {
    RankedScore& ranked = out.ranking[i];
    ranked.behind_best = clustered_difference(best, clusters(ranked));
    if (i == 0) ranked.behind_best = {0, 0, 0};
    ranked.tied =
        ranked.rejects_too_much == out.ranking[0].rejects_too_much && ranked.behind_best.ci_low <= 0;
    if (!ranked.tied) continue;
    if (speed(i) < speed(out.winner) || (speed(i) == speed(out.winner) && listed(i) < listed(out.winner)))
      out.winner = i;
  }
  out.reason = reason_of(out, results);
  return out;
}

}  // namespace glint
