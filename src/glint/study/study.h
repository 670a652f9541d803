// Studies: each answers one question about data, training or decision with an experiment, and says only what
// its intervals support. A study names the arms it trains and makes a report of their results; studies in one
// folder share models.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "glint/base/progress.h"
#include "glint/choose/judging.h"
#include "glint/data/dataset.h"
#include "glint/image/image.h"
#include "glint/metrics/intervals.h"
#include "glint/metrics/ranking.h"
#include "glint/study/arms.h"

namespace glint {

/// A text, a plain number, or a figure with its interval.
using StudyCell = std::variant<std::string, double, Estimate>;

struct StudyTable {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<StudyCell>> rows;
  std::string note;  ///< what the intervals mean
};

struct StudyCurve {
  std::string name;
  std::vector<CurvePoint> points;
};

struct StudyChart {
  std::string title, x_label, y_label;
  std::vector<StudyCurve> curves;
  bool scatter = false;
};

struct StudyPicture {
  std::string group, caption;
  RgbImage picture;
};

struct StudyReport {
  std::string name, question;
  std::vector<std::string> findings;  ///< only what the intervals support
  std::string study_says;             ///< the figures of the study that this repeats
  std::vector<StudyTable> tables;
  std::vector<StudyChart> charts;
  std::vector<StudyPicture> pictures;
  std::vector<std::string> notes;  ///< settings, and what could not be done
};

struct StudyOptions {
  int seeds = 3;
  std::filesystem::path models;  ///< folder of the trained models
  /// A fresh configuration with the user's settings.
  std::function<std::unique_ptr<TrainConfig>(const std::string& method, Recipe recipe, int seed)> configure;
  std::vector<std::string> arms;     ///< simplenet: these beside refined; empty = all
  std::filesystem::path exclude;     ///< list of suspicious training images; empty = the audit's own rule
  std::vector<std::string> methods;  ///< of `contamination`; empty = study_methods()
  std::vector<double> contamination = {0.05, 0.1, 0.2};  ///< shares of defective training parts
  /// Of `choice`: what it chooses from (empty = the built-in candidates that train in one pass), and by what.
  std::vector<Candidate> candidates;
  DefectLadder ladder;
};

/// What a study works on.
struct StudyInput {
  std::shared_ptr<const Dataset> dataset;
  StudyOptions options;
  ProgressSink* progress = &silent_progress();

  /// The first of study_methods(), refined: what every study starts from; its meta-epochs are kept.
  Arm refined() const;
  /// The same with options set afterwards ("key=value"; a key without a dot is the method's own).
  Arm refined_with(const std::string& name, const std::vector<std::string>& settings) const;
};

struct Study {
  std::string name, question;
  std::vector<Arm> (*arms)(const StudyInput&);
  StudyReport (*report)(const StudyInput&, const std::vector<ArmResult>&);
  bool in_all = true;  ///< part of `study all`
};

/// In the order of `study all`.
const std::vector<Study>& studies();
/// Error(kConfig) with the nearest name when unknown.
const Study& find_study(const std::string& name);

/// Trains and evaluates what the study needs.
StudyReport run_study(const Study& study, const StudyInput& input, ArmRunner& runner);

nlohmann::json study_json(const StudyReport& report, const Dataset& dataset);
/// Tables and findings, for the terminal and for Markdown files.
std::string study_markdown(const StudyReport& report);

/// "A is better than B by 0.05 [0.01, 0.09]", or that the difference cannot be told from zero.
std::string difference_sentence(const std::string& figure, const std::string& first,
                                const std::string& second, const Estimate& difference);
/// Mean over seeds with its interval, and the seeds' range as text.
std::vector<StudyCell> figure_cells(const ArmResult& arm);
inline const std::vector<std::string> kFigureColumns = {"image AUROC", "seeds", "pixel AUROC", "AUPRO"};
inline constexpr const char* kFigureNote =
    "Means over the seeds; 95 % intervals over the test images (image AUROC: DeLong's or Newcombe's, the "
    "wider; "
    "the others: stratified bootstrap). The column of seeds shows the lowest and the highest image AUROC.";

}  // namespace glint
