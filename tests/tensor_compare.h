// Tensors compared relative to the largest wanted value.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <string>

namespace glint {

inline void expect_close(const torch::Tensor& got, const torch::Tensor& want, double relative,
                         const std::string& what = "") {
  ASSERT_EQ(got.numel(), want.numel()) << what;
  const torch::Tensor g = got.detach().flatten().to(torch::kDouble), w = want.flatten().to(torch::kDouble);
  const double scale = std::max(1e-12, w.abs().max().item<double>());
  EXPECT_LT((g - w).abs().max().item<double>() / scale, relative) << what;
}

}  // namespace glint
