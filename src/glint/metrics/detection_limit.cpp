#include "glint/metrics/detection_limit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <opencv2/core/optim.hpp>
#include <set>

#include "glint/base/error.h"
#include "glint/metrics/arithmetic.h"
#include "glint/metrics/intervals.h"

namespace glint {
namespace {

constexpr double kDetected = 0.9;
constexpr double kOneSided = 0.95,
                 kTwoSided = 0.975;  // quantiles of normal or t that bound from one or both sides
constexpr double kSteepest = 60;     // b1: a step, as far as any ladder of sizes can tell
constexpr int kIterations = 4000;

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// Sums over all trials of one size.
std::vector<SizeTrials> by_size(std::span<const SizeTrials> trials) {
  std::vector<SizeTrials> out;
  for (const SizeTrials& t : trials) {
    if (out.empty() || out.back().size != t.size) out.push_back({t.size, 0, 0, SizeTrials::kIndependent});
    out.back().trials += t.trials;
    out.back().hits += t.hits;
  }
  return out;
}

class Likelihood {
 public:
  explicit Likelihood(std::vector<SizeTrials> trials) : trials_(std::move(trials)) {}

  double of(const DetectionCurve& curve) const {
    double out = 0;
    for (const SizeTrials& t : trials_) {
      const double p = std::clamp(curve.probability(t.size), 1e-9, 1 - 1e-9);
      out += static_cast<double>(t.hits) * std::log(p) +
             static_cast<double>(t.trials - t.hits) * std::log(1 - p);
    }
    return out;
  }
  double smallest() const { return trials_.front().size; }
  double largest() const { return trials_.back().size; }

 private:
  std::vector<SizeTrials> trials_;
};

/// Minimises by downhill simplex from several starts.
class Objective : public cv::MinProblemSolver::Function {
 public:
  Objective(int dimensions, std::function<double(const double*)> value)
      : dimensions_(dimensions), value_(std::move(value)) {}
  int getDims() const override { return dimensions_; }
  double calc(const double* x) const override { return value_(x); }

 private:
  int dimensions_;
  std::function<double(const double*)> value_;
};

template <std::size_t N>
double minimise(const std::function<double(const double*)>& value,
                const std::vector<std::array<double, N>>& starts, std::array<double, N>& best) {
  double best_value = std::numeric_limits<double>::infinity();
  const cv::Ptr<cv::MinProblemSolver::Function> objective =
      cv::makePtr<Objective>(static_cast<int>(N), value);
  for (const auto& start : starts) {
    cv::Mat step(static_cast<int>(N), 1, CV_64F, cv::Scalar(1.0));
    const auto solver = cv::DownhillSolver::create(
        objective, step,
        cv::TermCriteria(cv::TermCriteria::MAX_ITER + cv::TermCriteria::EPS, kIterations, 1e-9));
    cv::Mat x(1, static_cast<int>(N), CV_64F);
    std::copy(start.begin(), start.end(), x.ptr<double>());
    const double found = solver->minimize(x);
    if (found < best_value) {
      best_value = found;
      std::copy_n(x.ptr<double>(), N, best.begin());
    }
  }
  return best_value;
}

double steepness_of(double x) {
  return std::min(std::exp(std::clamp(x, -6.0, 6.0)), kSteepest);
}

using Coordinates = std::array<double, 4>;

/// Unconstrained coordinates: logits of lo and of (hi - lo) / (1 - lo), the logarithm of the size at the
/// curve's middle, the logarithm of the steepness.
DetectionCurve curve_of(const double* x) {
  DetectionCurve out;
  out.lower = sigmoid(std::clamp(x[0], -12.0, 12.0));
  out.upper = out.lower + (1 - out.lower) * sigmoid(std::clamp(x[1], -12.0, 12.0));
  out.steepness = steepness_of(x[3]);
  out.offset = -out.steepness * x[2];
  return out;
}

std::vector<std::array<double, 4>> starts_of(const Likelihood& likelihood) {
  const double low = std::log(likelihood.smallest()), high = std::log(likelihood.largest());
  std::vector<std::array<double, 4>> out;
  for (const double where : {0.2, 0.5, 0.8})
    for (const double steepness : {0.5, 1.8}) out.push_back({-3, 3, low + where * (high - low), steepness});
  return out;
}

/// Where curve_of gives this curve.
Coordinates coordinates_of(const DetectionCurve& curve) {
  auto bounded = [](double p) { return logit(std::clamp(p, 1e-6, 1 - 1e-6)); };
  return {bounded(curve.lower), bounded((curve.upper - curve.lower) / std::max(1e-12, 1 - curve.lower)),
          -curve.offset / curve.steepness, std::log(curve.steepness)};
}

struct Profiled {
  double log_likelihood = 0;
  DetectionCurve curve;
};

/// The likeliest curve that is `probability` at `size`.
Profiled profile(const Likelihood& likelihood, double size, double probability) {
  std::array<double, 3> best{};
  std::vector<std::array<double, 3>> starts;
  for (const double s : {0.0, 1.5, 3.0}) starts.push_back({-3, 3, s});
  auto curve_at = [&](const double* x) {
    DetectionCurve curve;
    // lo in (0, p), hi in (p, 1): the middle follows from P(size) = p
    curve.lower = probability * sigmoid(std::clamp(x[0], -12.0, 12.0));
    curve.upper = probability + (1 - probability) * sigmoid(std::clamp(x[1], -12.0, 12.0));
    curve.steepness = steepness_of(x[2]);
    const double share = (probability - curve.lower) / (curve.upper - curve.lower);
    curve.offset = logit(std::clamp(share, 1e-12, 1 - 1e-12)) - curve.steepness * std::log(size);
    return curve;
  };
  const double value =
      -minimise<3>([&](const double* x) { return -likelihood.of(curve_at(x)); }, starts, best);
  return {value, curve_at(best.data())};
}

/// The likeliest curve that nowhere reaches kDetected.
Profiled profile_never(const Likelihood& likelihood) {
  std::array<double, 4> best{};
  auto curve_at = [](const double* x) {
    DetectionCurve curve = curve_of(x);
    curve.lower *= kDetected;
    curve.upper *= kDetected;
    return curve;
  };
  const double value =
      -minimise<4>([&](const double* x) { return -likelihood.of(curve_at(x)); }, starts_of(likelihood), best);
  return {value, curve_at(best.data())};
}

/// Border, in (inside, outside), of where `accepted` holds; by bisection on a monotone scale.
double border(double inside, double outside, const std::function<bool(double)>& accepted) {
  for (int i = 0; i < 30 && std::abs(outside - inside) > 1e-4 * (1e-3 + std::abs(inside)); ++i) {
    const double middle = (inside + outside) / 2;
    (accepted(middle) ? inside : outside) = middle;
  }
  return (inside + outside) / 2;
}

std::optional<double> size_at(const DetectionCurve& curve, double probability) {
  if (curve.lower >= probability) return 0.0;
  if (curve.upper <= probability) return std::nullopt;
  return std::exp((logit((probability - curve.lower) / (curve.upper - curve.lower)) - curve.offset) /
                  curve.steepness);
}

/// How the curve's probability at a size moves with its unconstrained coordinates (curve_of).
Coordinates slope_at(const Coordinates& x, double size) {
  constexpr double kStep = 1e-4;
  Coordinates out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    Coordinates up = x, down = x;
    up[i] += kStep;
    down[i] -= kStep;
    out[i] = (curve_of(up.data()).probability(size) - curve_of(down.data()).probability(size)) / (2 * kStep);
  }
  return out;
}

/// Design effects of trials that share carriers.
class Clustering {
 public:
  explicit Clustering(std::span<const SizeTrials> trials) : trials_(trials.begin(), trials.end()) {
    std::set<int> carriers;
    std::int64_t fewer = 0;
    for (const SizeTrials& t : by_size(trials)) fewer += std::min(t.hits, t.trials - t.hits);
    for (const SizeTrials& t : trials) carriers.insert(t.carrier);
    carriers_ = static_cast<int>(carriers.size());
    independent_ = carriers.count(SizeTrials::kIndependent) > 0;
    GLINT_CHECK(independent_ ? carriers_ == 1 : carriers_ >= 2);
    telling_ = fewer >= kLeastTelling;
  }

  /// Of `curve`'s probability at `size`. A bound asks for the curve that it tests, not for the fitted one:
  /// residuals about a curve that fits too well understate how much carriers differ.
  double effect_at(const DetectionCurve& curve, double size) const {
    if (independent_) return 1;
    const Coordinates x = coordinates_of(curve);
    cv::Mat influence;  // of the coordinates' scores on the probability
    const Coordinates slope = slope_at(x, size);
    cv::Mat wanted(4, 1, CV_64F);
    std::copy(slope.begin(), slope.end(), wanted.ptr<double>());
    if (!cv::solve(information(curve, x), wanted, influence, cv::DECOMP_CHOLESKY))
      return worst_of(curve, std::vector<double>(trials_.size(), 1));
    std::vector<double> weight(trials_.size());
    std::map<int, double> sum;
    double independent = 0, robust = 0;
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      const SizeTrials& t = trials_[i];
      const double p = probability(curve, t.size);
      const Coordinates here = slope_at(x, t.size);
      for (int k = 0; k < 4; ++k) weight[i] += influence.at<double>(k) * here[k] / (p * (1 - p));
      sum[t.carrier] += weight[i] * (static_cast<double>(t.hits) - static_cast<double>(t.trials) * p);
      independent += weight[i] * weight[i] * static_cast<double>(t.trials) * p * (1 - p);
    }
    const double worst = worst_of(curve, weight);
    if (!telling_ || !(independent > 0)) return worst;
    for (const auto& [carrier, score] : sum) robust += score * score;
    return std::clamp(robust * carriers_ / freedom() / independent, 1.0, worst);
  }

  /// Drop of the log-likelihood that a bound allows to `curve`: half the squared quantile, times the effect.
  double allowed(double quantile, const DetectionCurve& curve, double size) const {
    const double t = independent_ ? normal_quantile(quantile) : student_quantile(quantile, freedom());
    return t * t / 2 * effect_at(curve, size);
  }

 private:
  static constexpr std::int64_t kLeastTelling = 5;  // outcomes of the rarer kind, summed over the sizes

  /// Carriers beyond the curve's four parameters, which their residuals have been fitted with.
  int freedom() const { return std::max(1, carriers_ - 4); }

  static double probability(const DetectionCurve& curve, double size) {
    return std::clamp(curve.probability(size), 1e-6, 1 - 1e-6);
  }

  /// The effect if all trials in a carrier went the same way.
  double worst_of(const DetectionCurve& curve, const std::vector<double>& weight) const {
    std::map<int, double> sum;
    double independent = 0, together = 0;
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      const double p = probability(curve, trials_[i].size), n = static_cast<double>(trials_[i].trials);
      const double deviation = std::abs(weight[i]) * std::sqrt(p * (1 - p));
      sum[trials_[i].carrier] += n * deviation;
      independent += n * deviation * deviation;
    }
    for (const auto& [carrier, d] : sum) together += d * d;
    return independent > 0 ? std::max(1.0, together / independent) : 1;
  }

  /// Fisher's information of independent trials.
  cv::Mat information(const DetectionCurve& curve, const Coordinates& x) const {
    cv::Mat out = cv::Mat::zeros(4, 4, CV_64F);
    for (const SizeTrials& t : by_size(trials_)) {
      const double p = probability(curve, t.size);
      const Coordinates slope = slope_at(x, t.size);
      for (int i = 0; i < 4; ++i) {
        for (int k = 0; k < 4; ++k)
          out.at<double>(i, k) += static_cast<double>(t.trials) * slope[i] * slope[k] / (p * (1 - p));
      }
    }
    // A coordinate that the trials do not see (an asymptote that is 0 or 1) must not make it singular.
    const double ridge = 1e-6 * (1 + cv::trace(out)[0]);
    for (int i = 0; i < 4; ++i) out.at<double>(i, i) += ridge;
    return out;
  }

  std::vector<SizeTrials> trials_;
  int carriers_ = 0;
  bool independent_ = true, telling_ = false;
};

}  // namespace

double DetectionCurve::probability(double size) const {
  return lower + (upper - lower) * sigmoid(offset + steepness * std::log(size));
}

DetectionLimit fit_detection_limit(std::span<const SizeTrials> trials, std::span<const double> bound_sizes) {
  std::vector<SizeTrials> used;
  for (const SizeTrials& t : trials) {
    GLINT_CHECK(t.size > 0 && t.hits >= 0 && t.hits <= t.trials);
    if (t.trials > 0) used.push_back(t);
  }
  std::stable_sort(used.begin(), used.end(), [](const auto& a, const auto& b) { return a.size < b.size; });
  GLINT_CHECK(used.size() >= 2 && used.front().size < used.back().size);
  const Likelihood likelihood(by_size(used));
  DetectionLimit out;
  Coordinates best{};
  out.log_likelihood =
      -minimise<4>([&](const double* x) { return -likelihood.of(curve_of(x)); }, starts_of(likelihood), best);
  out.curve = curve_of(best.data());
  out.a90 = size_at(out.curve, kDetected);
  // A size beyond the ladder would be extrapolated: it says nothing more than "at no size that was tried".
  if (out.a90 && *out.a90 > likelihood.largest()) out.a90.reset();
  const Clustering clustering(used);
  const double from = std::log(likelihood.smallest()), to = std::log(likelihood.largest());
  const double where =
      out.a90 ? std::clamp(*out.a90, likelihood.smallest(), likelihood.largest()) : likelihood.largest();
  out.design_effect = clustering.effect_at(out.curve, where);
  auto agrees = [&](const Profiled& other, double quantile, double size) {
    return out.log_likelihood - other.log_likelihood <= clustering.allowed(quantile, other.curve, size);
  };
  auto plausible = [&](double log_size) {
    return agrees(profile(likelihood, std::exp(log_size), kDetected), kOneSided, std::exp(log_size));
  };
  const bool never = agrees(profile_never(likelihood), kOneSided, likelihood.largest());
  if (out.a90 && !never && !plausible(to)) {
    const double estimate = *out.a90 > 0 ? std::log(*out.a90) : from;
    if (estimate < to) out.a90_95 = std::exp(border(std::max(estimate, from), to, plausible));
  }
  for (const double size : bound_sizes) {
    const double p = std::clamp(out.curve.probability(size), 1e-6, 1 - 1e-6);
    auto within = [&](double q) { return agrees(profile(likelihood, size, q), kTwoSided, size); };
    out.bounds.push_back({size, within(1e-6) ? 0 : border(p, 1e-6, within),
                          within(1 - 1e-6) ? 1 : border(p, 1 - 1e-6, within)});
  }
  return out;
}

}  // namespace glint
