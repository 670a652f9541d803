// Ranking metrics over labelled scores. Higher score = more anomalous; label 1 = anomalous. Ties are exact
// everywhere. Definitions: scikit-learn's roc_auc_score, average_precision_score (step rule), and F1
// maximised over distinct scores.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace glint {

struct CurvePoint {
  double x = 0, y = 0;
};

struct F1Max {
  double f1 = 0;
  double threshold = 0;  ///< predict anomalous when score >= threshold
};

/// P(anomalous > good) + 0.5 P(tie). NaN when one class is empty.
double auroc(std::span<const double> scores, std::span<const int> labels);

/// sum over distinct thresholds of (R_n - R_{n-1}) P_n. NaN without positives.
double average_precision(std::span<const double> scores, std::span<const int> labels);

F1Max f1_max(std::span<const double> scores, std::span<const int> labels);

/// (false positive rate, true positive rate) at every distinct threshold, from (0,0) to (1,1).
std::vector<CurvePoint> roc_curve(std::span<const double> scores, std::span<const int> labels);

/// Counts at the distinct scores, descending: what every metric here is a function of.
struct RankedCounts {
  std::vector<double> score;
  std::vector<double> positives;  ///< with this score (may be weighted)
  std::vector<double> negatives;
};
RankedCounts rank(std::span<const double> scores, std::span<const int> labels);
double auroc(const RankedCounts& counts);
double average_precision(const RankedCounts& counts);
F1Max f1_max(const RankedCounts& counts);

}  // namespace glint
