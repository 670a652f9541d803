// What defective parts among the training images cost each method.
#include <cmath>

#include "glint/base/error.h"
#include "glint/data/contamination.h"
#include "glint/study/study_list.h"

namespace glint {
namespace {

constexpr std::uint64_t kPartsSeed = 0;  // the same parts for every seed of training: the test set is one

std::vector<std::string> contaminated_methods(const StudyInput& input) {
  return input.options.methods.empty() ? study_methods() : input.options.methods;
}

/// The clean set first.
std::vector<double> contamination_shares(const StudyInput& input) {
  std::vector<double> out = {0};
  for (const double share : input.options.contamination) {
    if (share != 0) out.push_back(share);
  }
  return out;
}

std::string percent(double share) {
  return fmt::format("{:.3g} %", 100 * share);
}

/// Mean over the runs of the share of images of one kind that are rejected at the promised rate.
double rejected_share(const ArmResult& arm, bool anomalous) {
  double sum = 0;
  for (const auto& run : arm.runs) {
    int images = 0, rejected = 0;
    for (const ScoredImage& image : run->evaluation.images) {
      if (image.sample.anomalous() != anomalous) continue;
      ++images;
      rejected += image.rejected ? 1 : 0;
    }
    sum += static_cast<double>(rejected) / std::max(1, images);
  }
  return sum / static_cast<double>(arm.runs.size());
}

}  // namespace

std::vector<Arm> contamination_arms(const StudyInput& input) {
  const std::vector<double> shares = contamination_shares(input);
  if (shares.size() < 2)
    fail(ErrorCode::kConfig, "--contamination: names no share above 0; give some, such as 0.05,0.1,0.2");
  ContaminatedSets sets = contaminate(*input.dataset, shares, kPartsSeed);
  std::vector<std::shared_ptr<const Dataset>> shared;
  for (Dataset& set : sets.sets) shared.push_back(std::make_shared<const Dataset>(std::move(set)));
  std::vector<Arm> out;
  for (const std::string& method : contaminated_methods(input)) {
    for (std::size_t s = 0; s < shares.size(); ++s) {
      out.push_back({fmt::format("{}, {}", method, percent(shares[s])), shared[s],
                     [configure = input.options.configure, method](int seed) {
                       return configure(method, Recipe::kRefined, seed);
                     },
                     /*keep_epochs=*/false, /*may_be_refused=*/true});
    }
  }
  return out;
}

StudyReport contamination_report(const StudyInput& input, const std::vector<ArmResult>& arms) {
  StudyReport report;
  report.study_says =
      "the protocol is Real-IAD's fully unsupervised setting, in which nobody sorted the training images; no "
      "figure.";
  const std::vector<double> shares = contamination_shares(input);
  const ContaminatedSets sets = contaminate(*input.dataset, shares, kPartsSeed);
  const std::vector<std::string> methods = contaminated_methods(input);
  StudyTable figures{"", {"method, share of defective parts"}, {}, kFigureNote};
  figures.columns.insert(figures.columns.end(), kFigureColumns.begin(), kFigureColumns.end());
  figures.columns.insert(figures.columns.end(), {"found", "false rejects"});
  figures.note +=
      " Found and false rejects: shares at the calibrated threshold, means over the seeds; defective parts "
      "calibrate "
      "as well as train.";
  StudyTable losses{"Loss against the clean training set",
                    {"method, share of defective parts", "image AUROC", "pixel AUROC", "AUPRO"},
                    {},
                    "Contaminated minus clean, same test images; 95 % intervals as in all studies."};
  StudyChart chart{
      "Image AUROC against the share of defective training parts", "share", "image AUROC", {}, false};
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const ArmResult& clean = arms[m * shares.size()];
    StudyCurve curve{methods[m], {}};
    for (std::size_t s = 0; s < shares.size(); ++s) {
      const ArmResult& arm = arms[m * shares.size() + s];
      if (arm.runs.empty()) {
        report.notes.push_back(fmt::format("{}: left out, its training was refused.", arm.name));
        continue;
      }
      std::vector<StudyCell> row = {arm.name};
      for (StudyCell& cell : figure_cells(arm)) row.push_back(std::move(cell));
      row.emplace_back(rejected_share(arm, true));
      row.emplace_back(rejected_share(arm, false));
      figures.rows.push_back(std::move(row));
      curve.points.push_back({shares[s], mean_figure(arm, ArmFigure::kImageAuroc).mean});
      if (s == 0 || clean.runs.size() != arm.runs.size()) continue;
      const PairedDifference d = paired_difference(arm, clean);
      losses.rows.push_back({arm.name, d.image_auroc, d.pixel_auroc, d.aupro});
      report.findings.push_back(difference_sentence("Image AUROC", d.first, d.second, d.image_auroc));
      if (std::isfinite(d.aupro.value))
        report.findings.push_back(difference_sentence("AUPRO", d.first, d.second, d.aupro));
    }
    if (!curve.points.empty()) chart.curves.push_back(std::move(curve));
  }
  report.tables = {std::move(figures), std::move(losses)};
  report.charts.push_back(std::move(chart));
  std::string counts;
  for (std::size_t s = 1; s < shares.size(); ++s)
    counts += fmt::format("{}{} at {}", s > 1 ? ", " : "", sets.moved[s], percent(shares[s]));
  report.notes.push_back(
      fmt::format("{} good training images in every arm, and defective parts of the test set beside them: "
                  "{}. The {} parts that "
                  "the largest share needs are taken out of the test set of all arms, the clean one too: {} "
                  "images test. Figures "
                  "are comparable among these arms only.",
                  input.dataset->train.size(), counts, sets.pool.size(), sets.sets[0].test.size()));
  return report;
}

}  // namespace glint
