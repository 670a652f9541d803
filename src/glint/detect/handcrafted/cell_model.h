// What a good cell is, learnt from descriptors of good parts: a Gaussian, a one-class SVM, or the cells
// themselves. One model for each cell of the input, or one for all.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "glint/base/options.h"
#include "glint/nn/tensor_dict.h"

namespace glint {

enum class CellModelKind { kMahalanobis, kSvm, kNearest };
template <>
struct EnumNames<CellModelKind> {
  static constexpr std::pair<CellModelKind, std::string_view> table[] = {
      {CellModelKind::kMahalanobis, "mahalanobis"},
      {CellModelKind::kSvm, "svm"},
      {CellModelKind::kNearest, "nearest"}};
};

/// fixed: parts lie always the same way, each place has a model of its own. anywhere: one model for all
/// places.
enum class CellPlace { kFixed, kAnywhere };
template <>
struct EnumNames<CellPlace> {
  static constexpr std::pair<CellPlace, std::string_view> table[] = {{CellPlace::kFixed, "fixed"},
                                                                     {CellPlace::kAnywhere, "anywhere"}};
};

struct CellModelOptions {
  CellModelKind model = CellModelKind::kMahalanobis;
  CellPlace place = CellPlace::kFixed;
  double regularisation = 0.01;
  double nu = 0.05;    ///< svm
  int samples = 2000;  ///< svm, nearest

  /// Names begin with `method`.
  void describe(OptionTable& table, const std::string& method);
};

/// A cell's descriptors over good parts are compared in the sense of the options. Immutable; const functions
/// may be used from several threads.
class CellModel {
 public:
  virtual ~CellModel() = default;
  /// descriptors [images, cells, length] float32, cells row by row of `columns`; [images, cells] float32,
  /// higher is worse. As many cells as in training when places are fixed: Error(kBadInput).
  virtual torch::Tensor scores(const torch::Tensor& descriptors, int columns) const = 0;
};

/// descriptors [images, cells, length] float32. Tensors named `prefix` + what they are. `seed` draws what is
/// kept of more than options.samples.
TensorDict fit_cell_model(const CellModelOptions& options, const torch::Tensor& descriptors,
                          const std::string& prefix, std::uint64_t seed);
/// Error(kBadInput) naming `file` and the tensor that is missing or cannot come from a training.
std::unique_ptr<CellModel> load_cell_model(const CellModelOptions& options, const TensorDict& weights,
                                           const std::string& prefix, int length, const std::string& file);
/// Bytes of the tensors, estimated.
std::int64_t cell_model_bytes(const CellModelOptions& options, std::int64_t images, std::int64_t cells,
                              std::int64_t length);

}  // namespace glint
