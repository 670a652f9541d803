// Does a ranking from good parts alone agree with the real test set? The arms are the final forms of the
// candidates of `glint choose`, trained and calibrated as its winner would be; the ranking comes from
// candidates that never see a test image.
#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/base/random.h"
#include "glint/choose/choose.h"
#include "glint/data/split.h"
#include "glint/detect/detector.h"
#include "glint/metrics/ranking.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

constexpr int kReplicates = 1000;
constexpr std::uint64_t kRolesSeed = 0;  // the arms of all seeds share one dataset

/// Without a list, those that train in one pass: the others would take most of the time.
std::vector<Candidate> candidates_of(const StudyInput& input) {
  if (!input.options.candidates.empty()) return input.options.candidates;
  std::vector<Candidate> out;
  const std::string backbone = input.options.configure(default_method(), Recipe::kRefined, 0)->backbone;
  for (Candidate& candidate : built_in_candidates(backbone, {})) {
    if (make_method(candidate.method)->needs().training == TrainingKind::kOnePass)
      out.push_back(std::move(candidate));
  }
  return out;
}

GoodRoles roles_of(const StudyInput& input) {
  return assign_roles(*input.dataset,
                      input.options.configure(default_method(), Recipe::kRefined, 0)->false_reject,
                      kRolesSeed);
}

/// One candidate under one image score: what good parts say, and what the test set says, mean over the seeds.
struct Judged {
  std::string name;
  bool own_score = false;                              ///< the method's own image score
  std::vector<std::vector<ClusterTrials>> by_carrier;  ///< of each seed
  RepeatedScores test;                                 ///< image scores of each seed
  double found = 0, defect_auroc = 0, auroc = 0, aupro = 0;
  double milliseconds = 0, training_seconds = 0;
};

double found_share(const std::vector<ClusterTrials>& clusters, const std::vector<int>& use) {
  double hits = 0, trials = 0;
  for (const int k : use) {
    hits += static_cast<double>(clusters[static_cast<std::size_t>(k)].hits);
    trials += static_cast<double>(clusters[static_cast<std::size_t>(k)].trials);
  }
  return hits / trials;
}

double mean_auroc(const RepeatedScores& scores, const std::vector<int>& labels, const std::vector<int>& use) {
  std::vector<int> drawn;
  for (const int i : use) drawn.push_back(labels[static_cast<std::size_t>(i)]);
  double sum = 0;
  for (const std::vector<double>& of_seed : scores) {
    std::vector<double> values;
    for (const int i : use) values.push_back(of_seed[static_cast<std::size_t>(i)]);
    sum += auroc(values, drawn) / static_cast<double>(scores.size());
  }
  return sum;
}

/// Spearman's correlation of shares found and test AUROC; carriers and test images (by class) resampled.
Estimate correlation(const std::vector<const Judged*>& judged, const std::vector<int>& labels) {
  std::vector<double> shares, figures;
  for (const Judged* j : judged) {
    shares.push_back(j->found);
    figures.push_back(j->auroc);
  }
  Estimate out{rank_correlation(shares, figures).value, NAN, NAN};
  std::vector<double> replicates;
  for (int r = 0; r < kReplicates; ++r) {
    const std::vector<int> images = stratified_resample(labels, kRolesSeed, r);
    const std::size_t carriers = judged[0]->by_carrier[0].size();
    Rng rng(kRolesSeed, "study.choice", r);
    std::vector<int> drawn;
    for (std::size_t k = 0; k < carriers; ++k) drawn.push_back(static_cast<int>(rng.below(carriers)));
    for (std::size_t j = 0; j < judged.size(); ++j) {
      shares[j] = 0;
      for (const auto& seed : judged[j]->by_carrier)
        shares[j] += found_share(seed, drawn) / static_cast<double>(judged[j]->by_carrier.size());
      figures[j] = mean_auroc(judged[j]->test, labels, images);
    }
    const double value = rank_correlation(shares, figures).value;
    if (std::isfinite(value)) replicates.push_back(value);
  }
  if (std::ssize(replicates) < kReplicates / 2) return out;
  out.ci_low = std::min(out.value, quantile(replicates, (1 - kConfidence) / 2));
  out.ci_high = std::max(out.value, quantile(replicates, (1 + kConfidence) / 2));
  return out;
}

std::string correlation_sentence(const std::string& what, std::size_t n, const Estimate& c) {
  if (!std::isfinite(c.ci_low))
    return fmt::format("{}: no correlation could be computed over {} candidates (six at least).", what, n);
  const char* verdict = c.ci_low > 0    ? "the order from good parts agrees with the test set"
                        : c.ci_high < 0 ? "the order from good parts is the reverse of the test set's"
                                        : "agreement cannot be told from none";
  return fmt::format("{}: rank correlation {:+.2f} [{:+.2f}, {:+.2f}] over {} candidates; {}.", what, c.value,
                     c.ci_low, c.ci_high, n, verdict);
}

std::string loss_sentence(const std::string& other, const Judged& a, const Judged& b,
                          const std::vector<int>& labels) {
  if (&a == &b) return fmt::format("The chosen one, {}, is {}.", b.name, other);
  const Estimate d = mean_auroc_difference(a.test, b.test, labels);
  return fmt::format("{} ({}) minus the chosen one ({}): image AUROC {:+.3f} [{:+.3f}, {:+.3f}].", other,
                     a.name, b.name, d.value, d.ci_low, d.ci_high);
}

Measured measure(const StudyInput& input, int seed) {
  ChooseOptions options;
  options.budget.seconds = 1e9;
  options.false_reject = roles_of(input).false_reject;
  options.seed = kRolesSeed;
  options.candidates = candidates_of(input);
  options.ladder = input.options.ladder;
  options.configure = [&input, seed](const std::string& method) {
    return input.options.configure(method, Recipe::kRefined, seed);
  };
  options.out = input.options.models / fmt::format("choice_seed{}", seed);
  return measure_candidates(*input.dataset, options, *input.progress);
}

/// The image scores of an arm's run under another scoring.
std::vector<double> test_scores(const ArmRun& run, const ScoringOptions& scoring) {
  const Scorer scorer(scoring, run.model.input.canvas(), calibration_scores(run.model));
  std::vector<double> out;
  for (const ScoredImage& image : run.evaluation.images) out.push_back(scorer.score(image.patches));
  return out;
}

}  // namespace

std::vector<Arm> choice_arms(const StudyInput& input) {
  const GoodRoles roles = roles_of(input);
  const auto trained_on = std::make_shared<const Dataset>(final_dataset(*input.dataset, roles));
  std::vector<Arm> arms;
  for (const Candidate& candidate : candidates_of(input)) {
    Arm arm{candidate.name(), trained_on,
            [configure = input.options.configure, candidate, rate = roles.false_reject](int seed) {
              auto config = configure(candidate.method, Recipe::kRefined, seed);
              apply_candidate(candidate, *config);
              config->false_reject = rate;
              return config;
            }};
    arm.may_be_refused = true;
    arms.push_back(std::move(arm));
  }
  return arms;
}

StudyReport choice_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says = "nothing: it chose its detector with the test set in view.";
  const int seeds = input.options.seeds;
  std::vector<Measured> measured;
  for (int seed = 0; seed < seeds; ++seed) measured.push_back(measure(input, seed));

  std::vector<Judged> judged;
  std::vector<int> labels;
  std::vector<CandidateResult> ranked = measured[0].results;  // of the candidates that every seed could train
  for (std::size_t c = 0; c < arms.size(); ++c) {
    const ArmResult& arm = arms[c];
    const bool complete = std::ssize(arm.runs) == seeds &&
                          std::all_of(measured.begin(), measured.end(), [&](const Measured& m) {
                            return m.results[c].status == CandidateStatus::kMeasured;
                          });
    if (!complete) {
      report.notes.push_back(fmt::format("{} is left out: {}", arm.name, measured[0].results[c].reason));
      ranked[c].status = CandidateStatus::kRefused;
      continue;
    }
    labels = image_labels(arm.runs[0]->evaluation);
    for (std::size_t s = 0; s < measured[0].results[c].scores.size(); ++s) {
      Judged j;
      j.name = ranked_name(measured[0].results, {c, s, {}, {}, false, false});
      j.own_score = s == 0;
      for (int seed = 0; seed < seeds; ++seed) {
        const Measured& m = measured[static_cast<std::size_t>(seed)];
        const JudgedScore& score = m.results[c].scores[s];
        const ArmRun& run = *arm.runs[static_cast<std::size_t>(seed)];
        j.by_carrier.push_back(by_carrier(score, m.judges.carrier_of_trial()));
        j.test.push_back(test_scores(run, score.scoring));
        j.found += clustered_rate(j.by_carrier.back()).value / seeds;
        j.defect_auroc += score.defect_auroc / seeds;
        j.aupro += run.evaluation.pixel.aupro.value / seeds;
        j.milliseconds += m.results[c].milliseconds_image / seeds;
        j.training_seconds += m.results[c].training_seconds / seeds;
      }
      j.auroc = mean_auroc(j.test, labels, all_indices(static_cast<int>(labels.size())));
      judged.push_back(std::move(j));
    }
  }
  if (judged.empty()) fail(ErrorCode::kBadInput, "study choice: no candidate could be trained");

  const Choice choice = rank_candidates(ranked, measured[0].judges.carrier_of_trial());
  const auto find = [&](const std::string& name) -> const Judged& {
    const auto at =
        std::find_if(judged.begin(), judged.end(), [&](const Judged& j) { return j.name == name; });
    GLINT_CHECK(at != judged.end());
    return *at;
  };
  const Judged& chosen = find(ranked_name(measured[0].results, choice.ranking[choice.winner]));
  const Judged& most_found = find(ranked_name(measured[0].results, choice.ranking[0]));
  const Judged& best = *std::max_element(judged.begin(), judged.end(),
                                         [](const Judged& a, const Judged& b) { return a.auroc < b.auroc; });
  const Judged& fixed = find(measured[0].results[0].candidate.name());

  std::vector<const Judged*> all, own;
  std::vector<double> shares, aurocs, defect_aurocs, own_shares, aupros;
  for (const Judged& j : judged) {
    all.push_back(&j);
    shares.push_back(j.found);
    aurocs.push_back(j.auroc);
    defect_aurocs.push_back(j.defect_auroc);
    if (!j.own_score) continue;
    own.push_back(&j);
    own_shares.push_back(j.found);
    aupros.push_back(j.aupro);
  }
  report.findings = {
      correlation_sentence("Share of synthetic defects found and image AUROC, every image score", all.size(),
                           correlation(all, labels)),
      correlation_sentence("The same, each training's own image score", own.size(), correlation(own, labels)),
      loss_sentence("the best candidate of this test set", best, chosen, labels),
      loss_sentence("the fixed default", fixed, chosen, labels),
      loss_sentence("the highest share found, whatever its speed", most_found, chosen, labels)};
  const Estimate by_auroc = rank_correlation(defect_aurocs, aurocs),
                 by_aupro = rank_correlation(own_shares, aupros);
  report.notes.push_back(
      fmt::format("Beside these, without bootstrap: the AUROC of synthetic defects against good parts and "
                  "image AUROC {:+.2f}, "
                  "the share found and AUPRO {:+.2f} (own image scores).",
                  by_auroc.value, by_aupro.value));

  StudyTable table{
      "",
      {"candidate", "found, good parts", "defect AUROC, good parts", "image AUROC, test", "AUPRO, test",
       "ms an image", "training s", ""},
      {},
      "By the share of synthetic defects found on parts that no candidate has seen; 95 % intervals over "
      "those parts and over the test images (DeLong's or Newcombe's, the wider). Means over the seeds; "
      "the first seed's interval of the share. The test columns are of the candidate's final form, "
      "trained on all good parts but those that calibrate it. Correlations: carriers and test images "
      "resampled 1000 times; candidates are taken as given."};
  std::sort(all.begin(), all.end(), [](const Judged* a, const Judged* b) { return a->found > b->found; });
  StudyCurve points{"candidates", {}};
  for (const Judged* j : all) {
    Estimate found = clustered_rate(j->by_carrier[0]);
    found.value = j->found;
    table.rows.push_back({j->name, found, j->defect_auroc, mean_auroc_interval(j->test, labels), j->aupro,
                          fmt::format("{:.1f}", j->milliseconds), fmt::format("{:.0f}", j->training_seconds),
                          j == &chosen  ? std::string("chosen")
                          : j == &fixed ? std::string("fixed default")
                          : j == &best  ? std::string("best on the test set")
                                        : std::string()});
    points.points.push_back({j->found, j->auroc});
  }
  report.tables.push_back(std::move(table));
  report.charts.push_back(
      {"Good parts and test set", "share of synthetic defects found", "image AUROC, test", {points}, true});
  const GoodRoles& roles = measured[0].roles;
  report.notes.push_back(
      fmt::format("{} good images trained the candidates, {} set their thresholds for {} false rejects, {} "
                  "carried {} synthetic "
                  "defects. The best candidate of the test set is chosen on it, so its lead is flattered. {}",
                  roles.train.size(), roles.calibration.size(), roles.judged_rate, roles.judging.size(),
                  measured[0].judges.trials(), choice.reason));
  return report;
}

}  // namespace glint
