#include "glint/report/choose_report.h"

#include <algorithm>
#include <cmath>

#include "glint/base/duration.h"
#include "glint/base/error.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace glint {
namespace {

std::string verdict_of(const Choice& choice, std::size_t at) {
  const RankedScore& r = choice.ranking[at];
  if (at == choice.winner) return "<b>winner</b>";
  if (r.rejects_too_much) return "rejects more good parts than promised";
  return r.tied ? "cannot be told apart from the best" : "finds less";
}

std::string share_text(const Estimate& e) {
  return fmt::format("{} [{}, {}]", percent(e.value), percent(e.ci_low), percent(e.ci_high));
}

std::string ranking_table(const ChooseOutcome& outcome) {
  const std::vector<CandidateResult>& results = outcome.measured.results;
  std::string out =
      "<h2>Ranking</h2><div class='wide'><table><tr><th>candidate</th><th>synthetic defects "
      "found</th><th>behind "
      "the best</th><th>good parts rejected</th><th>defect against good, AUROC</th><th>one "
      "image</th><th>training</th><th></th></tr>";
  for (std::size_t i = 0; i < outcome.choice.ranking.size(); ++i) {
    const RankedScore& r = outcome.choice.ranking[i];
    const CandidateResult& result = results[r.candidate];
    const JudgedScore& score = result.scores[r.score];
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{} of {} (p {:.2f})</td><td>{:.3f}</td><td>{:.1f} "
        "ms</td><td>{:.0f} s</td><td>{}</td></tr>",
        escape_html(ranked_name(results, r)), share_text(r.found), i == 0 ? "–" : share_text(r.behind_best),
        score.rejected_good, result.judged_good, score.excess_p, score.defect_auroc,
        result.milliseconds_image, result.training_seconds, verdict_of(outcome.choice, i));
  }
  return out +
         fmt::format(
             "</table></div><p class='soft'>Found: share of {} synthetic defects, the same for every "
             "candidate, at "
             "the threshold that promises {} false rejects; 95 % intervals over the {} photographs that "
             "carried "
             "them. Behind the best: paired over the photographs. Good parts rejected: the same photographs "
             "without a defect, and the probability of at least so many when the promise holds. One image: "
             "from "
             "the decoded photograph to the score, median, on the machine that made this page.</p>",
             outcome.measured.judges.trials(), percent(outcome.measured.roles.judged_rate),
             outcome.measured.roles.judging.size());
}

std::string bars(const ChooseOutcome& outcome) {
  constexpr std::size_t kMost = 12;
  std::vector<std::pair<std::string, Estimate>> rows;
  for (const RankedScore& r : outcome.choice.ranking) {
    if (rows.size() < kMost) rows.emplace_back(ranked_name(outcome.measured.results, r), r.found);
  }
  return "<div class='figures'>" + figure("Share of the synthetic defects found", rate_bars(rows)) + "</div>";
}

std::string parts_table(const ChooseOutcome& outcome) {
  constexpr std::size_t kMost = 6;
  std::vector<std::vector<LadderPart>> columns;
  std::string out =
      "<h2>By kind and contrast</h2><div class='wide'><table><tr><th>defect</th><th>contrast</th>";
  for (const RankedScore& r : outcome.choice.ranking) {
    if (columns.size() == kMost) break;
    columns.push_back(ladder_parts(outcome.measured, outcome.measured.results[r.candidate].scores[r.score]));
    out += fmt::format("<th>{}</th>", escape_html(ranked_name(outcome.measured.results, r)));
  }
  out += "</tr>";
  for (std::size_t p = 0; p < columns[0].size(); ++p) {
    out += fmt::format("<tr><td>{}</td><td>{}</td>", enum_name(columns[0][p].kind),
                       percent(columns[0][p].contrast));
    for (const auto& column : columns) {
      const LadderPart& part = column[p];
      out += fmt::format("<td>{}<br><span class='soft'>a90 {}</span></td>", share_text(part.found),
                         part.a90 ? fmt::format("{:.0f} px", *part.a90) : std::string("not reached"));
    }
    out += "</tr>";
  }
  std::string sizes;
  const Measured& m = outcome.measured;
  for (std::size_t s = 0; s < m.ladder.size_shares.size() && s < m.judges.series.size(); ++s)
    sizes += fmt::format("{}{:.0f}", sizes.empty() ? "" : ", ", m.judges.series[s].size_px);
  return out + fmt::format(
                   "</table></div><p class='soft'>The first {} of the ranking. Sizes {} px of the "
                   "photograph, {} defects "
                   "of each kind, contrast and size. a90: the size that is found with probability 0.9, "
                   "fitted as `glint "
                   "limit` does; few trials, so take it as a hint.</p>",
                   columns.size(), sizes, m.ladder.trials);
}

std::string not_tried(const ChooseOutcome& outcome) {
  std::string rows;
  for (const CandidateResult& result : outcome.measured.results) {
    if (result.status == CandidateStatus::kMeasured) continue;
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", escape_html(result.candidate.name()),
                        enum_name(result.status), escape_html(result.reason));
  }
  if (rows.empty()) return "<h2>Not tried</h2><p>Every candidate of the list was measured.</p>";
  return "<h2>Not tried, or left out</h2><div "
         "class='wide'><table><tr><th>candidate</th><th></th><th>why</th></tr>" +
         rows +
         "</table></div><p class='soft'>The same command with a larger --budget goes on with those for which "
         "there was none; what is finished is kept.</p>";
}

}  // namespace

std::string choose_report(const ChooseOutcome& outcome, const Dataset& dataset) {
  const GoodRoles& roles = outcome.measured.roles;
  std::string html = page_begin(dataset.name() + ": choice of a detector");
  html += fmt::format(
      "<h1>{}: {}</h1><p>{}</p><p>The winner was then trained on {} good parts and calibrated on {} that "
      "took no "
      "part in the choice: {}.</p>",
      escape_html(dataset.name()), escape_html(outcome.winner), escape_html(outcome.choice.reason),
      roles.train.size() + roles.calibration.size() + roles.judging.size(), roles.final_calibration.size(),
      escape_html(outcome.guarantee));
  html +=
      "<div class='banner'>No real defect was seen. Synthetic defects are drawings of defects: the ranking "
      "says "
      "which detector finds more of these, and real ones may be of another kind. `glint evaluate` on real "
      "defective parts has the last word.</div>";
  double spent = 0;
  for (const CandidateResult& result : outcome.measured.results) spent += result.wall_seconds;
  html += ranking_table(outcome) + bars(outcome) + parts_table(outcome) + not_tried(outcome);
  html += fmt::format(
      "<h2>Who did what</h2><p>Of the good parts {} trained the candidates, {} set the candidates' "
      "thresholds, {} "
      "judged them (neither trained nor calibrated anything before), {} calibrated the winner and were not "
      "looked "
      "at before. Choosing took {} of a budget of {}{}; the winner's own training came on top. choose.json "
      "lists "
      "every photograph's role.</p><p class='soft'>Dataset fingerprint <code>{}</code>, seed {}.</p>",
      roles.train.size(), roles.calibration.size(), roles.judging.size(), roles.final_calibration.size(),
      seconds_text(spent), seconds_text(outcome.budget.seconds),
      outcome.budget.latency_ms > 0 ? fmt::format(", at most {:.1f} ms an image", outcome.budget.latency_ms)
                                    : "",
      dataset.fingerprint().substr(0, 16), outcome.measured.ladder.seed);
  return html + page_end();
}

}  // namespace glint
