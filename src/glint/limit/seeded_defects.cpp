#include "glint/limit/seeded_defects.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/progress.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/image/measure.h"

namespace glint {
namespace {

constexpr int kScoreBatch = 8;

}  // namespace

DefectCarrier read_carrier(const std::filesystem::path& photograph) {
  RgbImage image = read_image(photograph);
  Mask part = part_mask(image);
  return {std::move(image), std::move(part)};
}

void score_defects(const Inspector& inspector, const std::vector<DefectCarrier>& carriers,
                   const DefectSeries& series, std::uint64_t seed,
                   const std::function<void(const ScoredDefect&)>& use) {
  GLINT_CHECK(!carriers.empty());
  const auto carrier_of = [&](int trial) { return series.carrier_of(trial, carriers.size()); };
  for (int first = 0; first < series.trials; first += kScoreBatch) {
    throw_if_cancelled();
    const int n = std::min(kScoreBatch, series.trials - first);
    std::vector<DefectiveImage> made(static_cast<std::size_t>(n));
    std::vector<RgbImage> photographs(static_cast<std::size_t>(n));
    parallel_for(n, [&](std::int64_t i) {
      const int trial = first + static_cast<int>(i);
      const DefectCarrier& carrier = carriers[static_cast<std::size_t>(carrier_of(trial))];
      const std::uint64_t own = derive_seed(seed, stream_key("limit"), trial, series.rung,
                                            static_cast<std::uint64_t>(series.contrast * 1e6));
      made[i] = add_synthetic_defect(carrier.image, carrier.part, series.kind, series.size_px,
                                     series.contrast, own);
      photographs[i] = made[i].image;
    });
    const std::vector<PhotographScores> patches = inspector.patch_scores(photographs);
    for (int i = 0; i < n; ++i) use({first + i, carrier_of(first + i), made[i], patches[i]});
  }
}

}  // namespace glint
