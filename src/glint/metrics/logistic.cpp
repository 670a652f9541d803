#include "glint/metrics/logistic.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>

#include "glint/base/error.h"

namespace glint {

double LogisticModel::logit(std::span<const double> features) const {
  GLINT_CHECK(features.size() == weight.size());
  double out = offset;
  for (std::size_t i = 0; i < weight.size(); ++i) out += weight[i] * (features[i] - mean[i]) / scale[i];
  return out;
}

LogisticModel fit_logistic(const std::vector<std::vector<double>>& rows, std::span<const int> labels,
                           double ridge) {
  constexpr int kIterations = 50;
  GLINT_CHECK(!rows.empty() && rows.size() == labels.size());
  GLINT_CHECK(std::count(labels.begin(), labels.end(), 0) > 0 &&
              std::count(labels.begin(), labels.end(), 1) > 0);
  const int n = static_cast<int>(rows.size()), k = static_cast<int>(rows[0].size());
  LogisticModel out;
  cv::Mat x(n, k + 1, CV_64F, cv::Scalar(1.0));  // the last column is the offset's
  for (int j = 0; j < k; ++j) {
    double mean = 0, square = 0;
    for (const auto& row : rows) mean += row[j] / n;
    for (const auto& row : rows) square += (row[j] - mean) * (row[j] - mean) / n;
    const double scale = square > 0 ? std::sqrt(square) : 1;
    for (int i = 0; i < n; ++i) x.at<double>(i, j) = (rows[i][j] - mean) / scale;
    out.mean.push_back(mean);
    out.scale.push_back(scale);
  }
  cv::Mat w(k + 1, 1, CV_64F, cv::Scalar(0.0));
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    const cv::Mat z = x * w;
    cv::Mat gradient(k + 1, 1, CV_64F, cv::Scalar(0.0)), weighted = x.clone();
    for (int i = 0; i < n; ++i) {
      const double p = 1 / (1 + std::exp(-z.at<double>(i)));
      gradient += x.row(i).t() * (labels[i] - p);
      weighted.row(i) *= std::max(1e-9, p * (1 - p));
    }
    cv::Mat hessian = x.t() * weighted;
    for (int j = 0; j < k; ++j) {
      gradient.at<double>(j) -= 2 * ridge * w.at<double>(j);
      hessian.at<double>(j, j) += 2 * ridge;
    }
    cv::Mat step;
    cv::solve(hessian, gradient, step, cv::DECOMP_SVD);
    const double length = cv::norm(step);
    w += step * std::min(1.0, 5 / std::max(1e-12, length));  // far steps overshoot on separable data
    if (length < 1e-10) break;
  }
  for (int j = 0; j < k; ++j) out.weight.push_back(w.at<double>(j));
  out.offset = w.at<double>(k);
  return out;
}

}  // namespace glint
