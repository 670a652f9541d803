#include "glint/audit/audit.h"

#include <algorithm>
#include <cmath>

#include "glint/audit/features.h"
#include "glint/base/error.h"
#include "glint/data/name_list.h"
#include "glint/data/split_lock.h"
#include "glint/metrics/estimate_json.h"

namespace glint {
namespace {

/// Recommendation 6 of the study.
constexpr int kLeastTestGood = 30, kLeastTestAnomalous = 60;

std::vector<Finding> audit_test_set(Audit& audit) {
  for (const AuditedImage& image : audit.images) {
    if (image.sample.role == Role::kTrain) ++audit.train_images;
    if (image.sample.role == Role::kTest)
      ++(image.sample.anomalous() ? audit.test_anomalous : audit.test_good);
  }
  std::vector<Finding> out;
  const int good = audit.test_good, bad = audit.test_anomalous;
  if (good >= 2 && bad >= 2) {
    for (const double auroc : {0.8, 0.9, 0.99}) {
      audit.expected.push_back({auroc, expected_auroc_interval(auroc, good, bad)});
    }
  }
  if (good + bad == 0) {
    out.push_back({Severity::kNotice,
                   "test_set",
                   "there is no test set",
                   "How good the detector is cannot be measured; its false-reject rate still can.",
                   "Collect good and bad parts that never train (recommendation 6).",
                   {}});
    return out;
  }
  if (good < kLeastTestGood || bad < kLeastTestAnomalous) {
    std::string why = "A small test set cannot tell a good detector from a bad one.";
    if (!audit.expected.empty()) {
      const Estimate& e = audit.expected[1].interval;
      why += fmt::format(
          " With {} good and {} anomalous images a true image AUROC of 0.9 is measured as anything in "
          "[{:.2f}, {:.2f}].",
          good, bad, e.ci_low, e.ci_high);
    }
    out.push_back({Severity::kWarning,
                   "test_set",
                   fmt::format("{} good and {} anomalous test images; at least {} and {} are wanted", good,
                               bad, kLeastTestGood, kLeastTestAnomalous),
                   why,
                   "Collect more test images, evenly over the defect classes (recommendation 6).",
                   {}});
  }
  const auto [least, most] =
      std::minmax_element(audit.masks.begin(), audit.masks.end(),
                          [](const auto& a, const auto& b) { return a.images < b.images; });
  if (audit.masks.size() > 1 && most->images > 2 * least->images) {
    out.push_back(
        {Severity::kWarning,
         "test_set",
         fmt::format("defect classes are uneven: {} images of '{}', {} of '{}'", most->images, most->label,
                     least->images, least->label),
         "The overall figure then speaks mostly of the largest class.",
         "Collect more of the rare classes, and read the figures per class (recommendations 6 and 7).",
         {}});
  }
  return out;
}

std::vector<Finding> audit_lock(const Dataset& dataset) {
  const auto differences = check_lock(dataset);
  if (!differences) {
    return {{Severity::kNotice,
             "fingerprint",
             "the split is not locked",
             "Without a record nobody notices when an image moves from training to test.",
             "glint split lock DATASET (recommendation 11).",
             {}}};
  }
  if (differences->empty()) return {};
  Finding finding{
      Severity::kError,
      "fingerprint",
      "the dataset differs from its locked split",
      "Figures of before and after cannot be compared.",
      "Restore the images, or lock anew with a reason: glint split lock --replace (recommendation 11).",
      {}};
  for (const auto* part :
       {&differences->moved, &differences->changed, &differences->removed, &differences->added}) {
    for (const std::string& line : *part) finding.items.push_back({{}, line});
  }
  return {finding};
}

std::vector<Finding> audit_normal_class(Audit& audit) {
  Finding finding{Severity::kWarning,
                  "normal_class",
                  "",
                  "What is in train/good is what the detector calls good. A defect there is learned, and its "
                  "kind is missed for ever.",
                  "Look at each one. Move borderline parts to a folder of their own (recommendations 1 and "
                  "9): --quarantine "
                  "DIR writes the list, glint train --exclude FILE leaves them out.",
                  {}};
  for (const NormalClassScore& item : audit.normal_class) {
    if (item.deviations < kSuspiciousDeviations) break;
    audit.suspicious.push_back(audit.images[item.image].sample.id);
    finding.items.push_back({{audit.suspicious.back()},
                             fmt::format("score {:.3f}, {:.1f} robust deviations above "
                                         "the median",
                                         item.score, item.deviations)});
  }
  if (finding.items.empty()) return {};
  finding.title = fmt::format("{} of {} training images look unlike the others", finding.items.size(),
                              audit.normal_class.size());
  return {finding};
}

}  // namespace

bool Audit::found() const {
  return count(Severity::kWarning) + count(Severity::kError) > 0;
}

int Audit::count(Severity severity) const {
  return static_cast<int>(std::count_if(findings.begin(), findings.end(),
                                        [&](const Finding& f) { return f.severity == severity; }));
}

Audit audit_dataset(const Dataset& dataset, const Backbone& backbone, const AuditOptions& options,
                    ProgressSink& progress) {
  Audit audit;
  audit.images = measure_dataset(dataset, progress);
  if (audit.images.empty()) {
    fail(ErrorCode::kBadInput, "{}: no image can be decoded{}", dataset.root.string(),
         dataset.faults.empty() ? "" : "; first fault: " + dataset.faults[0].sentence);
  }
  audit.distributions = imaging_distributions(audit.images);
  audit.masks = mask_summaries(audit.images);
  auto add = [&](std::vector<Finding> found) {
    for (Finding& finding : found) audit.findings.push_back(std::move(finding));
  };
  add(audit_files(dataset));
  add(audit_identity(audit.images));
  add(audit_sequence(audit.images));
  const AuditFeatures features(audit.images, backbone, progress);
  add(features.near_duplicates(options.seed));
  audit.normal_class = features.normal_class(options.folds, options.seed, progress);
  add(audit_normal_class(audit));
  add(audit_test_set(audit));
  add(audit_masks(audit.images));
  add(audit_resolution(audit.images, options.resolution));
  add(audit_imaging(audit.images));
  add(audit_lock(dataset));
  std::stable_sort(audit.findings.begin(), audit.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return audit;
}

std::string exclusion_text(const Audit& audit) {
  std::string out =
      "# Training images that look unlike the others (glint audit). Look at each one before you use this "
      "list:\n"
      "# remove a line to keep its image. glint train DATASET --exclude THIS_FILE leaves them out.\n";
  for (const std::string& id : audit.suspicious) out += list_line(id) + "\n";
  return out;
}

nlohmann::json audit_json(const Audit& audit, const Dataset& dataset) {
  nlohmann::json findings = nlohmann::json::array(), classes = nlohmann::json::array(),
                 expected = nlohmann::json::array(), ranking = nlohmann::json::array(),
                 measures = nlohmann::json::object();
  for (const Finding& f : audit.findings) {
    nlohmann::json items = nlohmann::json::array();
    for (const FindingItem& item : f.items) items.push_back({{"images", item.ids}, {"note", item.note}});
    findings.push_back({{"severity", enum_name(f.severity)},
                        {"check", f.check},
                        {"title", f.title},
                        {"why", f.why},
                        {"advice", f.advice},
                        {"items", items}});
  }
  for (const MaskSummary& m : audit.masks) {
    classes.push_back(
        {{"label", m.label},
         {"images", m.images},
         {"with_mask", m.with_mask},
         {"regions", m.regions},
         {"area_px",
          {{"least", m.area_least}, {"median", m.area_median}, {"mean", m.area_mean}, {"most", m.area_most}}},
         {"mean_share", m.share_mean}});
  }
  for (const ExpectedInterval& e : audit.expected) {
    expected.push_back({{"auroc", e.auroc}, {"ci_low", e.interval.ci_low}, {"ci_high", e.interval.ci_high}});
  }
  for (const NormalClassScore& s : audit.normal_class) {
    ranking.push_back(
        {{"image", audit.images[s.image].sample.id}, {"score", s.score}, {"deviations", s.deviations}});
  }
  for (const Distribution& d : audit.distributions) {
    nlohmann::json values = nlohmann::json::object();
    for (std::size_t i = 0; i < d.values.size(); ++i)
      values[audit.images[i].sample.id] = number_json(d.values[i]);
    measures[d.name] = {{"unit", d.unit}, {"values", values}};
  }
  return {{"schema_version", 1},
          {"dataset",
           {{"name", dataset.name()},
            {"fingerprint", dataset.fingerprint()},
            {"train", audit.train_images},
            {"test_good", audit.test_good},
            {"test_anomalous", audit.test_anomalous}}},
          {"findings", findings},
          {"classes", classes},
          {"expected_intervals", expected},
          {"normal_class", ranking},
          {"measures", measures}};
}

std::string audit_text(const Audit& audit) {
  std::string out;
  for (const Finding& f : audit.findings) {
    out += fmt::format("{:<8} {:<13} {}\n", enum_name(f.severity), f.check, f.title);
  }
  out += fmt::format("{} errors, {} warnings, {} notices over {} images\n", audit.count(Severity::kError),
                     audit.count(Severity::kWarning), audit.count(Severity::kNotice), audit.images.size());
  return out;
}

}  // namespace glint
