#include "glint/metrics/ranking.h"

#include <algorithm>
#include <numeric>

#include "glint/base/error.h"
#include "glint/metrics/arithmetic.h"

namespace glint {
namespace {

double sum(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0);
}

}  // namespace

RankedCounts rank(std::span<const double> scores, std::span<const int> labels) {
  GLINT_CHECK(scores.size() == labels.size());
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  RankedCounts out;
  for (const std::size_t i : order) {
    if (out.score.empty() || out.score.back() != scores[i]) {
      out.score.push_back(scores[i]);
      out.positives.push_back(0);
      out.negatives.push_back(0);
    }
    (labels[i] ? out.positives : out.negatives).back() += 1;
  }
  return out;
}

double auroc(const RankedCounts& c) {
  const double p = sum(c.positives), n = sum(c.negatives);
  if (p == 0 || n == 0) return kNaN;
  double area = 0, above = 0;
  for (std::size_t i = 0; i < c.score.size(); ++i) {
    area += c.negatives[i] * (above + 0.5 * c.positives[i]);
    above += c.positives[i];
  }
  return area / (p * n);
}

double average_precision(const RankedCounts& c) {
  const double p = sum(c.positives);
  if (p == 0) return kNaN;
  double ap = 0, tp = 0, all = 0;
  for (std::size_t i = 0; i < c.score.size(); ++i) {
    tp += c.positives[i];
    all += c.positives[i] + c.negatives[i];
    if (all > 0) ap += c.positives[i] / p * (tp / all);
  }
  return ap;
}

F1Max f1_max(const RankedCounts& c) {
  const double p = sum(c.positives);
  if (p == 0) return {kNaN, kNaN};
  F1Max best;
  double tp = 0, all = 0;
  for (std::size_t i = 0; i < c.score.size(); ++i) {
    tp += c.positives[i];
    all += c.positives[i] + c.negatives[i];
    const double f1 = 2 * tp / (p + all);
    if (f1 > best.f1) best = {f1, c.score[i]};
  }
  return best;
}

double auroc(std::span<const double> s, std::span<const int> l) {
  return auroc(rank(s, l));
}
double average_precision(std::span<const double> s, std::span<const int> l) {
  return average_precision(rank(s, l));
}
F1Max f1_max(std::span<const double> s, std::span<const int> l) {
  return f1_max(rank(s, l));
}

std::vector<CurvePoint> roc_curve(std::span<const double> scores, std::span<const int> labels) {
  const RankedCounts c = rank(scores, labels);
  const double p = std::max(1.0, sum(c.positives)), n = std::max(1.0, sum(c.negatives));
  std::vector<CurvePoint> out = {{0, 0}};
  double tp = 0, fp = 0;
  for (std::size_t i = 0; i < c.score.size(); ++i) {
    tp += c.positives[i];
    fp += c.negatives[i];
    out.push_back({fp / n, tp / p});
  }
  return out;
}

}  // namespace glint
