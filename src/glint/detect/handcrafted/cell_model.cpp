#include "glint/detect/handcrafted/cell_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/progress.h"
#include "glint/base/random.h"
#include "glint/detect/handcrafted/one_class_svm.h"
#include "glint/detect/ledoit_wolf.h"
#include "glint/detect/padim/gaussians.h"
#include "glint/image/filters/local_binary_patterns.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr const char *kCellMean = "mean", *kCellWhitening = "whitening", *kCellScale = "scale",
                     *kCellVectors = "vectors", *kCellCoefficients = "coefficients", *kCellFirst = "first",
                     *kCellOffset = "offset", *kCellGamma = "gamma", *kCellBank = "bank";

/// descriptors [images, cells, length] -> [groups, samples, length]: a group for each cell, or one for all.
torch::Tensor grouped(const CellModelOptions& options, const torch::Tensor& descriptors) {
  return options.place == CellPlace::kFixed ? descriptors.transpose(0, 1).contiguous()
                                            : descriptors.reshape({1, -1, descriptors.size(2)});
}

/// At most `most` samples of every group, drawn once for all groups, in order.
torch::Tensor drawn_samples(const torch::Tensor& groups, int most, std::uint64_t seed) {
  if (groups.size(1) <= most) return groups;
  std::vector<int> which = permutation(static_cast<int>(groups.size(1)), Rng(seed, "handcrafted.samples"));
  which.resize(static_cast<std::size_t>(most));
  std::sort(which.begin(), which.end());
  const std::vector<std::int64_t> index(which.begin(), which.end());
  return groups.index_select(1, torch::tensor(index)).contiguous();
}

/// Added to every variance: a share of the mean one, so that a cell that never changed does not decide alone.
double variance_floor(const CellModelOptions& options, const torch::Tensor& groups) {
  const torch::Tensor x = groups.to(torch::kDouble);
  return std::max(1e-12, options.regularisation * x.var(1, /*unbiased=*/false).mean().item<double>());
}

[[noreturn]] void no_training_gives(const std::string& file, const std::string& name, const char* what) {
  fail(ErrorCode::kBadInput, "{}: tensor '{}' {}; train it again", file, name, what);
}

/// Floats of any shape; every value in [low, high].
torch::Tensor floats_between(const HostTensor& tensor, const std::string& name, double low, double high,
                             const std::string& file) {
  if (!is_floating(tensor.dtype)) no_training_gives(file, name, "holds no floating-point numbers");
  const torch::Tensor out = to_tensor(tensor).to(torch::kFloat).contiguous();
  if (out.numel() == 0) no_training_gives(file, name, "is empty");
  // NaN fails both comparisons.
  if (!((out >= low) & (out <= high)).all().item<bool>())
    no_training_gives(file, name, "holds values that no training gives");
  return out;
}

void check_cells(std::int64_t groups, const torch::Tensor& descriptors) {
  if (groups != 1 && groups != descriptors.size(1)) {
    fail(ErrorCode::kBadInput, "the model describes {} cells, the input has {}; train it again", groups,
         descriptors.size(1));
  }
}

class GaussianCells : public CellModel {
 public:
  explicit GaussianCells(PositionGaussians gaussians) : gaussians_(std::move(gaussians)) {}

  torch::Tensor scores(const torch::Tensor& descriptors, int) const override {
    const torch::InferenceMode inference;
    check_cells(gaussians_.mean.size(0), descriptors);
    const bool one_model = gaussians_.mean.size(0) != descriptors.size(1);  // cells are its samples
    return mahalanobis(one_model ? descriptors.reshape({-1, 1, descriptors.size(2)}) : descriptors,
                       gaussians_)
        .reshape({descriptors.size(0), descriptors.size(1)});
  }

 private:
  PositionGaussians gaussians_;
};

TensorDict fit_gaussians(const CellModelOptions& options, const torch::Tensor& groups) {
  ShrunkCovariance shrunk = ledoit_wolf(groups);
  shrunk.covariance.diagonal(0, 1, 2).add_(variance_floor(options, groups));
  return {{kCellMean, to_host(shrunk.mean.to(torch::kFloat))},
          {kCellWhitening, to_host(packed_whitening(shrunk.covariance).to(torch::kFloat))}};
}

/// Support vectors of all groups after one another.
class SvmCells : public CellModel {
 public:
  torch::Tensor mean, scale;  ///< [groups, length]: standardised = (x - mean) * scale
  torch::Tensor vectors;      ///< [supports, length], standardised
  torch::Tensor coefficients, offset, gamma;
  std::vector<std::int64_t> first;  ///< [groups + 1] into vectors

  torch::Tensor scores(const torch::Tensor& descriptors, int) const override {
    const torch::InferenceMode inference;
    const std::int64_t groups = mean.size(0), images = descriptors.size(0), cells = descriptors.size(1);
    const auto length = static_cast<std::size_t>(mean.size(1));
    check_cells(groups, descriptors);
    const torch::Tensor x = ((descriptors - mean) * scale).contiguous();
    torch::Tensor out = torch::empty({images, cells});
    float* to = out.data_ptr<float>();
    const float *from = x.data_ptr<float>(), *all = vectors.data_ptr<float>(),
                *weights = coefficients.data_ptr<float>();
    parallel_for(images * cells, [&](std::int64_t i) {
      const std::int64_t group = groups == 1 ? 0 : i % cells;
      const auto begin = static_cast<std::size_t>(first[static_cast<std::size_t>(group)]),
                 n = static_cast<std::size_t>(first[static_cast<std::size_t>(group) + 1]) - begin;
      to[i] = static_cast<float>(one_class_surprise(
          {all + begin * length, n * length}, {weights + begin, n}, offset.data_ptr<float>()[group],
          gamma.data_ptr<float>()[group], {from + static_cast<std::size_t>(i) * length, length}));
    });
    return out;
  }
};

TensorDict fit_svms(const CellModelOptions& options, const torch::Tensor& all, std::uint64_t seed) {
  const torch::Tensor groups = drawn_samples(all, options.samples, seed), x = groups.to(torch::kDouble);
  const torch::Tensor mean = x.mean(1),
                      scale = (x.var(1, /*unbiased=*/false) + variance_floor(options, groups)).rsqrt();
  const torch::Tensor standard =
      ((x - mean.unsqueeze(1)) * scale.unsqueeze(1)).to(torch::kFloat).contiguous();
  const std::int64_t n = standard.size(1), length = standard.size(2);
  // Constant descriptors have no spread: any width serves.
  const torch::Tensor spread = standard.to(torch::kDouble).square().mean({1, 2}).clamp_min(1e-6),
                      gamma = (1.0 / (spread * static_cast<double>(length))).contiguous();
  std::vector<OneClassSvm> machines(static_cast<std::size_t>(standard.size(0)));
  parallel_for(std::ssize(machines), [&](std::int64_t g) {
    throw_if_cancelled();
    machines[static_cast<std::size_t>(g)] = fit_one_class_svm(
        {standard.data_ptr<float>() + g * n * length, static_cast<std::size_t>(n * length)},
        static_cast<int>(n), static_cast<int>(length), options.nu, gamma.data_ptr<double>()[g]);
  });
  std::vector<torch::Tensor> vectors;
  std::vector<float> coefficients, offset;
  std::vector<std::int64_t> first = {0};
  for (std::size_t g = 0; g < machines.size(); ++g) {
    const OneClassSvm& machine = machines[g];
    const std::vector<std::int64_t> index(machine.support.begin(), machine.support.end());
    vectors.push_back(standard[static_cast<std::int64_t>(g)].index_select(0, torch::tensor(index)));
    coefficients.insert(coefficients.end(), machine.coefficients.begin(), machine.coefficients.end());
    offset.push_back(static_cast<float>(machine.offset));
    first.push_back(std::ssize(coefficients));
  }
  return {{kCellMean, to_host(mean.to(torch::kFloat))},
          {kCellScale, to_host(scale.to(torch::kFloat))},
          {kCellVectors, to_host(at::cat(vectors))},
          {kCellCoefficients, from_floats(coefficients, {std::ssize(coefficients)})},
          {kCellOffset, from_floats(offset, {std::ssize(offset)})},
          {kCellGamma, to_host(gamma.to(torch::kFloat))},
          {kCellFirst, to_host(torch::tensor(first))}};
}

/// Chi-square distance to the nearest good cell: of the same place and its eight neighbours, or of any.
class NearestCells : public CellModel {
 public:
  explicit NearestCells(torch::Tensor bank) : bank_(std::move(bank)) {}

  torch::Tensor scores(const torch::Tensor& descriptors, int columns) const override {
    const torch::InferenceMode inference;
    const std::int64_t groups = bank_.size(0), samples = bank_.size(1), length = bank_.size(2),
                       cells = descriptors.size(1);
    check_cells(groups, descriptors);
    const torch::Tensor x = descriptors.contiguous();
    torch::Tensor out = torch::empty({x.size(0), cells});
    const float *from = x.data_ptr<float>(), *bank = bank_.data_ptr<float>();
    float* to = out.data_ptr<float>();
    parallel_for(out.numel(), [&](std::int64_t i) {
      double least = std::numeric_limits<double>::infinity();
      const auto look_at = [&](std::int64_t group) {
        for (std::int64_t s = 0; s < samples; ++s)
          least = std::min(least, chi_square(from + i * length, bank + (group * samples + s) * length,
                                             static_cast<int>(length)));
      };
      if (groups == 1) {
        look_at(0);
      } else {
        const std::int64_t cell = i % cells, column = cell % columns, row = cell / columns;
        for (std::int64_t r = std::max<std::int64_t>(0, row - 1); r <= std::min(cells / columns - 1, row + 1);
             ++r) {
          for (std::int64_t c = std::max<std::int64_t>(0, column - 1);
               c <= std::min<std::int64_t>(columns - 1, column + 1); ++c)
            look_at(r * columns + c);
        }
      }
      to[i] = static_cast<float>(least);
    });
    return out;
  }

 private:
  torch::Tensor bank_;  ///< [groups, samples, length]
};

std::unique_ptr<CellModel> load_svms(const TensorDict& weights, const std::string& prefix, int length,
                                     const std::string& file) {
  constexpr double kLargest = 1e12;
  const auto between = [&](const char* what, const std::vector<std::int64_t>& shape, double low,
                           double high) {
    const std::string name = prefix + what;
    return floats_between(require_tensor(weights, name, shape, file), name, low, high, file);
  };
  const HostTensor& mean = require_tensor(weights, prefix + kCellMean, file);
  if (mean.shape.size() != 2 || mean.shape[0] < 1)
    no_training_gives(file, prefix + kCellMean, "must be [groups, length]");
  const std::int64_t groups = mean.shape[0];
  const std::int64_t supports = require_tensor(weights, prefix + kCellCoefficients, file).numel();
  auto out = std::make_unique<SvmCells>();
  out->mean = between(kCellMean, {groups, length}, -kLargest, kLargest);
  out->scale = between(kCellScale, {groups, length}, 1e-12, kLargest);
  out->vectors = between(kCellVectors, {supports, length}, -kLargest, kLargest);
  out->coefficients = between(kCellCoefficients, {supports}, 1e-30, 1.001);
  out->offset = between(kCellOffset, {groups}, 1e-30, 1.001);
  out->gamma = between(kCellGamma, {groups}, 1e-12, kLargest);
  const std::string first_name = prefix + kCellFirst;
  const HostTensor& first = require_tensor(weights, first_name, {groups + 1}, file);
  if (first.dtype != DType::kI64) no_training_gives(file, first_name, "holds no whole numbers");
  const torch::Tensor places = to_tensor(first);
  out->first.assign(places.data_ptr<std::int64_t>(), places.data_ptr<std::int64_t>() + groups + 1);
  const bool ascending = std::adjacent_find(out->first.begin(), out->first.end(),
                                            [](auto a, auto b) { return a >= b; }) == out->first.end();
  if (!ascending || out->first.front() != 0 || out->first.back() != supports)
    no_training_gives(file, first_name, "does not divide the support vectors");
  return out;
}

}  // namespace

void CellModelOptions::describe(OptionTable& table, const std::string& method) {
  table.add(method + ".model", model,
            "what a good cell is: a Gaussian with Ledoit-Wolf covariance, a one-class SVM, or (histograms) "
            "the nearest good cell by chi-square");
  table.add(method + ".place", place,
            "fixed: each place of the input has its own model; anywhere: one for all places");
  table.add(method + ".regularisation", regularisation,
            "mahalanobis, svm: share of the mean variance that every variance is raised by", {1e-9, 1});
  table.add(method + ".nu", nu, "svm: share of good cells that may lie outside", {0.001, 0.5});
  table.add(method + ".samples", samples, "svm, nearest: good cells of a place that are kept at most",
            {1, 20000});
}

TensorDict fit_cell_model(const CellModelOptions& options, const torch::Tensor& descriptors,
                          const std::string& prefix, std::uint64_t seed) {
  const torch::InferenceMode inference;
  GLINT_CHECK(descriptors.dim() == 3 && descriptors.numel() > 0);
  const torch::Tensor groups = grouped(options, descriptors);
  TensorDict out;
  switch (options.model) {
    case CellModelKind::kMahalanobis:
      add_prefixed(out, prefix, fit_gaussians(options, groups));
      break;
    case CellModelKind::kSvm:
      add_prefixed(out, prefix, fit_svms(options, groups, seed));
      break;
    case CellModelKind::kNearest:
      out[prefix + kCellBank] = to_host_half(drawn_samples(groups, options.samples, seed));
      break;
  }
  return out;
}

std::unique_ptr<CellModel> load_cell_model(const CellModelOptions& options, const TensorDict& weights,
                                           const std::string& prefix, int length, const std::string& file) {
  constexpr double kLargest = 1e12;
  const auto grid_of_floats = [&](const std::string& name, std::size_t sides, double low) {
    const HostTensor& tensor = require_tensor(weights, name, file);
    if (tensor.shape.size() != sides || tensor.shape[0] < 1 || tensor.shape.back() != length)
      no_training_gives(file, name, "has the wrong shape");
    return floats_between(tensor, name, low, low < 0 ? kLargest : 1.01, file);
  };
  if (options.model == CellModelKind::kSvm) return load_svms(weights, prefix, length, file);
  if (options.model == CellModelKind::kNearest)
    return std::make_unique<NearestCells>(grid_of_floats(prefix + kCellBank, 3, 0));
  const torch::Tensor mean = grid_of_floats(prefix + kCellMean, 2, -kLargest);
  const std::int64_t triangle = static_cast<std::int64_t>(length) * (length + 1) / 2;
  const std::string name = prefix + kCellWhitening;
  const torch::Tensor packed = floats_between(require_tensor(weights, name, {mean.size(0), triangle}, file),
                                              name, -kLargest, kLargest, file);
  std::vector<std::int64_t> diagonal;
  for (std::int64_t row = 0; row < length; ++row) diagonal.push_back(row * (row + 3) / 2);
  if (!(packed.index_select(1, torch::tensor(diagonal)) > 0).all().item<bool>())
    no_training_gives(file, name, "is no inverse of a deviation");
  return std::make_unique<GaussianCells>(PositionGaussians{mean, packed});
}

std::int64_t cell_model_bytes(const CellModelOptions& options, std::int64_t images, std::int64_t cells,
                              std::int64_t length) {
  const bool fixed = options.place == CellPlace::kFixed;
  const std::int64_t groups = fixed ? cells : 1;
  const std::int64_t samples = std::min<std::int64_t>(options.samples, fixed ? images : images * cells);
  switch (options.model) {
    case CellModelKind::kMahalanobis:
      return 4 * groups * (length + length * (length + 1) / 2);
    case CellModelKind::kSvm:  // about three times as many support vectors as there must be
      return 4 * groups * length *
             (2 + static_cast<std::int64_t>(3 * options.nu * static_cast<double>(samples)));
    case CellModelKind::kNearest:
      return 2 * groups * samples * length;
  }
  return 0;
}

}  // namespace glint
