#include "glint/choose/judging.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/base/stopwatch.h"
#include "glint/inspect/decision.h"
#include "glint/metrics/ranking.h"

namespace glint {
namespace {

using nlohmann::json;

/// A trained map under one image score, with its threshold.
struct Way {
  Decision decision;
  std::vector<double> scores;  ///< parts as they are, then every trial
  std::vector<int> labels;
};

}  // namespace

json DefectLadder::to_json() const {
  json names = json::array();
  for (const SyntheticDefect kind : kinds) names.push_back(enum_name(kind));
  return {{"kinds", names},
          {"contrasts", contrasts},
          {"size_shares", size_shares},
          {"trials", trials},
          {"seed", seed}};
}

int Judges::trials() const {
  int sum = 0;
  for (const DefectSeries& s : series) sum += s.trials;
  return sum;
}

std::vector<int> Judges::carrier_of_trial() const {
  std::vector<int> out;
  for (const DefectSeries& s : series) {
    for (int t = 0; t < s.trials; ++t) out.push_back(s.carrier_of(t, carriers.size()));
  }
  return out;
}

Judges make_judges(const std::vector<Sample>& parts, const DefectLadder& ladder) {
  Judges out;
  std::vector<double> sides;
  for (const Sample& part : parts) {
    out.carriers.push_back(read_carrier(part.path));
    sides.push_back(std::max(out.carriers.back().image.width, out.carriers.back().image.height));
  }
  const double side = median(sides);
  int begun = 0;
  for (const SyntheticDefect kind : ladder.kinds) {
    for (const double contrast : ladder.contrasts) {
      for (std::size_t s = 0; s < ladder.size_shares.size(); ++s) {
        out.series.push_back({kind, contrast, ladder.size_shares[s] * side, s, ladder.trials,
                              static_cast<int>(begun % std::ssize(out.carriers))});
        begun += ladder.trials;
      }
    }
  }
  return out;
}

void judge_candidate(const Model& model, const Inspector& inspector, const Judges& judges, double rate,
                     double latency_ms, std::uint64_t seed, CandidateResult& result, ProgressSink& progress) {
  std::vector<Way> ways;
  for (const ScoringOptions& scoring : scoring_variants(model.scoring)) {
    ways.push_back({make_decision(model, scoring, rate), {}, {}});
    JudgedScore judged;
    judged.scoring = scoring;
    judged.promised_rate = ways.back().decision.conformal.guaranteed_rate;
    result.scores.push_back(std::move(judged));
  }
  inspector.patch_scores({judges.carriers.at(0).image});  // the first one pays for what is set up once
  std::vector<double> milliseconds;
  for (const DefectCarrier& carrier : judges.carriers) {
    throw_if_cancelled();
    const Stopwatch watch;
    const PhotographScores patches = inspector.patch_scores({carrier.image})[0];
    for (std::size_t w = 0; w < ways.size(); ++w) {
      const double score = ways[w].decision.scorer.score(patches);
      if (w == 0) milliseconds.push_back(1000 * watch.seconds());
      const bool rejected = ways[w].decision.rejects(score) || !patches.placement.refusal.empty();
      result.scores[w].rejected_good += rejected ? 1 : 0;
      ways[w].scores.push_back(score);
      ways[w].labels.push_back(0);
    }
  }
  result.milliseconds_image = median(milliseconds);
  result.judged_good = static_cast<int>(judges.carriers.size());
  if (latency_ms > 0 && result.milliseconds_image > latency_ms) {
    result.status = CandidateStatus::kOverLatency;
    result.scores.clear();
    return;
  }
  progress.begin("synthetic defects", judges.trials());
  std::int64_t done = 0;
  for (const DefectSeries& series : judges.series) {
    score_defects(inspector, judges.carriers, series, seed, [&](const ScoredDefect& defect) {
      const ScoreMap map = ways[0].decision.scorer.map(defect.patches);  // the ways differ in the image score
      for (std::size_t w = 0; w < ways.size(); ++w) {
        const double score = ways[w].decision.scorer.score(defect.patches, map);
        result.scores[w].found.push_back(ways[w].decision.rejects(score) &&
                                         defect.patches.placement.refusal.empty());
        ways[w].scores.push_back(score);
        ways[w].labels.push_back(1);
      }
      progress.advance(++done, std::string(enum_name(series.kind)));
    });
  }
  progress.end();
  for (std::size_t w = 0; w < ways.size(); ++w) {
    JudgedScore& judged = result.scores[w];
    judged.excess_p =
        excess_rejects_p_value(ways[w].decision.conformal, judged.rejected_good, result.judged_good);
    judged.defect_auroc = auroc(ways[w].scores, ways[w].labels);
  }
}

std::vector<ClusterTrials> by_carrier(const JudgedScore& score, const std::vector<int>& carrier_of_trial,
                                      const std::vector<bool>& use) {
  GLINT_CHECK(score.found.size() == carrier_of_trial.size());
  GLINT_CHECK(use.empty() || use.size() == score.found.size());
  const int carriers =
      carrier_of_trial.empty() ? 0 : 1 + *std::max_element(carrier_of_trial.begin(), carrier_of_trial.end());
  std::vector<ClusterTrials> out(static_cast<std::size_t>(carriers));
  for (std::size_t t = 0; t < score.found.size(); ++t) {
    if (!use.empty() && !use[t]) continue;
    ClusterTrials& cluster = out[static_cast<std::size_t>(carrier_of_trial[t])];
    ++cluster.trials;
    cluster.hits += score.found[t] ? 1 : 0;
  }
  std::erase_if(out, [](const ClusterTrials& c) { return c.trials == 0; });
  return out;
}

}  // namespace glint
