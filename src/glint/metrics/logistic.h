// Logistic regression of a few features: a small ridge penalty, Newton's method.
#pragma once

#include <span>
#include <vector>

namespace glint {

struct LogisticModel {
  std::vector<double> mean, scale;  ///< of the features, for standardising
  std::vector<double> weight;       ///< of standardised features
  double offset = 0;

  double logit(std::span<const double> features) const;
};

/// `rows` of equal length, label 1 or 0 each; both labels must occur. `ridge` times the sum of squared
/// weights is added to the negative log-likelihood, so that separable data have finite weights.
LogisticModel fit_logistic(const std::vector<std::vector<double>>& rows, std::span<const int> labels,
                           double ridge = 1.0);

}  // namespace glint
