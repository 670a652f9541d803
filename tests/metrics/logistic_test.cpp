#include "glint/metrics/logistic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/random.h"

namespace glint {
namespace {

TEST(Logistic, FindsKnownWeights) {
  Rng rng(3, "logistic_test");
  std::vector<std::vector<double>> rows;
  std::vector<int> labels;
  for (int i = 0; i < 20000; ++i) {
    const double a = rng.normal(), b = 10 + 3 * rng.normal();
    rows.push_back({a, b});
    labels.push_back(rng.uniform() < 1 / (1 + std::exp(-(0.5 + 1.5 * a - 0.4 * (b - 10)))) ? 1 : 0);
  }
  const LogisticModel model = fit_logistic(rows, labels);
  EXPECT_NEAR(model.logit(std::vector<double>{0, 10}), 0.5, 0.08);
  EXPECT_NEAR(model.logit(std::vector<double>{1, 10}), 2.0, 0.1);
  EXPECT_NEAR(model.logit(std::vector<double>{0, 13}), -0.7, 0.1);
}

TEST(Logistic, SeparableDataStayFinite) {
  const std::vector<std::vector<double>> rows = {{0, 1}, {1, 1}, {5, 1}, {6, 1}};  // the second never varies
  const std::vector<int> labels = {0, 0, 1, 1};
  const LogisticModel model = fit_logistic(rows, labels);
  EXPECT_LT(model.logit(rows[1]), 0);
  EXPECT_GT(model.logit(rows[2]), 0);
  EXPECT_TRUE(std::isfinite(model.logit(rows[3])));
}

}  // namespace
}  // namespace glint
