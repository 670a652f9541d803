// Options of PatchCore (Roth et al., CVPR 2022): what is published, and what this product does by default.
#pragma once

#include "glint/base/options.h"

namespace glint {

/// average: 3x3 means of layer2 and layer3, joined (anomalib). published: neighbourhoods flattened and
/// adaptively averaged to 1024 values (the authors' code; simplenet/embedding.h).
enum class PatchcoreEmbedding { kAverage, kPublished };
template <>
struct EnumNames<PatchcoreEmbedding> {
  static constexpr std::pair<PatchcoreEmbedding, std::string_view> table[] = {
      {PatchcoreEmbedding::kAverage, "average"}, {PatchcoreEmbedding::kPublished, "published"}};
};

/// How the bank's rows are chosen (patchcore/coreset.h); random: without looking at distances.
enum class PatchcoreSelection { kApproximate, kKCenter, kRandom };
template <>
struct EnumNames<PatchcoreSelection> {
  static constexpr std::pair<PatchcoreSelection, std::string_view> table[] = {
      {PatchcoreSelection::kApproximate, "approximate"},
      {PatchcoreSelection::kKCenter, "k_center"},
      {PatchcoreSelection::kRandom, "random"}};
};

/// What a patch's distance counts as: Euclidean, or its square (the authors' code).
enum class PatchcoreDistance { kEuclidean, kSquared };
template <>
struct EnumNames<PatchcoreDistance> {
  static constexpr std::pair<PatchcoreDistance, std::string_view> table[] = {
      {PatchcoreDistance::kEuclidean, "euclidean"}, {PatchcoreDistance::kSquared, "squared"}};
};

struct PatchcoreOptions {
  PatchcoreEmbedding embedding = PatchcoreEmbedding::kAverage;
  PatchcoreSelection selection = PatchcoreSelection::kApproximate;
  PatchcoreDistance distance = PatchcoreDistance::kEuclidean;
  /// 0 = by bank_share. 5,000 judged better than 20,000 on both public sets (docs/results.md) and search
  /// faster.
  int bank_rows = 5000;
  double bank_share = 0.1;  ///< of all training patches (published, at 224 pixels)
  int pool = 1'000'000;     ///< most patches the selection looks at; more are thinned out evenly
  int projection =
      128;  ///< width of the random projection that the selection measures in (published); 0 = none
  int start_points = 10;  ///< of the approximate selection (published)
  int neighbours = 1;     ///< a patch's score is the mean of so many smallest distances
  /// A distance counts in units of how far apart the bank's rows lie there (patchcore/density.h): 0 = none
  /// (published). 4 judged better than none on all sets (docs/results.md).
  int density_neighbours = 4;
  int reweighting =
      0;  ///< bank neighbours for the paper's image score (9 there; the authors' code has none); 0 = none

  void describe(OptionTable& table) {
    table.add("patchcore.embedding", embedding, "features of a patch");
    table.add("patchcore.selection", selection, "how the memory bank's rows are chosen");
    table.add("patchcore.distance", distance, "what a distance counts as");
    table.add("patchcore.bank_rows", bank_rows, "rows of the memory bank; 0 = by patchcore.bank_share",
              {0, 10'000'000});
    table.add("patchcore.bank_share", bank_share, "share of the training patches kept when bank_rows = 0",
              {1e-6, 1});
    table.add("patchcore.pool", pool, "most patches that the selection looks at", {1, 100'000'000});
    table.add("patchcore.projection", projection, "width of the selection's random projection; 0 = none",
              {0, 8192});
    table.add("patchcore.start_points", start_points, "start points of the approximate selection", {1, 1000});
    table.add("patchcore.neighbours", neighbours, "smallest distances averaged per patch", {1, 1000});
    table.add("patchcore.density_neighbours", density_neighbours,
              "bank neighbours that say how far apart rows lie, the unit of distances; 0 = none", {0, 100});
    table.add(
        "patchcore.reweighting", reweighting,
        "bank neighbours that weight the method's own image score (scoring.image_score = method); 0 = none",
        {0, 1000});
  }
};

}  // namespace glint
