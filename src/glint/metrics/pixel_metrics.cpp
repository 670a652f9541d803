#include "glint/metrics/pixel_metrics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/metrics/arithmetic.h"
#include "glint/metrics/saturated_overlap.h"

namespace glint {
namespace {

constexpr int kHighBins = 1 << 16;
constexpr std::uint32_t kBinScores = 1U << 16;  // different scores of one of these bins
constexpr int kBootstrapBins = 1024;
constexpr std::size_t kCurvePoints = 400;

/// Bit pattern of a float as an unsigned number with the same order.
std::uint32_t ordered_key(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v == 0 ? 0.0F : v);  // -0 and +0 tie
  return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}
float key_score(std::uint32_t key) {
  return std::bit_cast<float>(key & 0x80000000U ? key & 0x7fffffffU : ~key);
}

/// Least-significant-digit radix sort; 11 bits a pass.
void radix_sort(std::vector<std::uint32_t>& keys) {
  std::vector<std::uint32_t> other(keys.size());
  for (int shift = 0; shift < 32; shift += 11) {
    std::array<std::size_t, 2049> start{};
    for (const std::uint32_t k : keys) ++start[((k >> shift) & 2047) + 1];
    std::partial_sum(start.begin(), start.end(), start.begin());
    for (const std::uint32_t k : keys) other[start[(k >> shift) & 2047]++] = k;
    keys.swap(other);
  }
}

struct DefectPixel {
  std::uint32_t key;
  float weight;  ///< 1 / area of its region
};

struct ImagePixels {
  std::vector<std::uint32_t> keys;
  std::vector<std::int32_t> labels;  ///< empty for a good image
  std::vector<double> region_area;   ///< index label - 1
  std::vector<float> weights;        ///< saturated_weights; empty for connected regions
  std::int64_t regions = 0;

  /// Calls `normal(key)` and `defect(key, what it adds to the regions' overlap)` in the pixels' order.
  template <class Normal, class Defect>
  void for_each(const Normal& normal, const Defect& defect) const {
    for (std::size_t p = 0; p < keys.size(); ++p) {
      const std::int32_t label = labels.empty() ? 0 : labels[p];
      if (label == 0) {
        normal(keys[p]);
      } else {
        defect(keys[p], weights.empty() ? static_cast<float>(1.0 / region_area[label - 1]) : weights[p]);
      }
    }
  }
};

ImagePixels load_pixels(const std::function<MapAndMask(int)>& load, int i, Connectivity connectivity) {
  const MapAndMask image = load(i);
  GLINT_CHECK(image.map.values.size() == image.mask.pixels.size());
  ImagePixels out;
  out.keys.resize(image.map.values.size());
  std::transform(image.map.values.begin(), image.map.values.end(), out.keys.begin(), ordered_key);
  if (std::any_of(image.mask.pixels.begin(), image.mask.pixels.end(), [](auto v) { return v != 0; })) {
    RegionLabels regions = label_regions(image.mask, connectivity);
    out.region_area.assign(static_cast<std::size_t>(regions.count), 0.0);
    for (const std::int32_t l : regions.labels) {
      if (l > 0) out.region_area[l - 1] += 1;
    }
    out.labels = std::move(regions.labels);
    out.regions = regions.count;
  }
  if (!image.saturated.empty()) {
    out.weights = saturated_weights(image.map, image.saturated);
    out.regions = std::ssize(image.saturated);
  }
  return out;
}

/// Runs over all distinct scores, descending, and accumulates every metric.
class Sweep {
 public:
  Sweep(double normal, double defect, double regions, double limit)
      : normal_(normal), defect_(defect), regions_(regions), limit_(limit) {}

  void step(float score, double normals, double defects, double overlap) {
    auroc_area_ += normals * (tp_ + 0.5 * defects);
    const double pro_before = pro_, fpr_before = fp_ / normal_;
    tp_ += defects;
    fp_ += normals;
    pro_ = std::min(1.0, pro_ + overlap / regions_);
    const double fpr = fp_ / normal_;
    if (fpr_before < limit_) {
      if (fpr <= limit_) {
        pro_area_ += 0.5 * (pro_ + pro_before) * (fpr - fpr_before);
      } else {
        const double pro_at_limit =
            pro_before + (pro_ - pro_before) * (limit_ - fpr_before) / (fpr - fpr_before);
        pro_area_ += 0.5 * (pro_at_limit + pro_before) * (limit_ - fpr_before);
      }
    }
    if (defects > 0) ap_ += defects / defect_ * (tp_ / (tp_ + fp_));
    const double f1 = 2 * tp_ / (defect_ + tp_ + fp_);
    if (f1 > f1_) {
      f1_ = f1;
      f1_threshold_ = score;
    }
    if (fpr <= 1 &&
        (curve_.empty() || fpr - curve_.back().x > 1.0 / kCurvePoints || pro_ - curve_.back().y > 0.005)) {
      curve_.push_back({fpr, pro_});
    }
  }

  double auroc() const { return auroc_area_ / (normal_ * defect_); }
  double average_precision() const { return ap_; }
  double aupro() const { return pro_area_ / limit_; }
  double f1() const { return f1_; }
  double f1_threshold() const { return f1_threshold_; }
  std::vector<CurvePoint> take_curve() {
    curve_.insert(curve_.begin(), {0, 0});
    curve_.push_back({1, 1});
    return std::move(curve_);
  }

 private:
  double normal_, defect_, regions_, limit_;
  double tp_ = 0, fp_ = 0, pro_ = 0, auroc_area_ = 0, pro_area_ = 0, ap_ = 0, f1_ = 0, f1_threshold_ = 0;
  std::vector<CurvePoint> curve_;
};

/// Pixels with one score.
using TakeScore = std::function<void(std::uint32_t key, double normals, double defects, double overlap)>;

/// The pixels of a range of scores, collected and sorted.
class SortedRange {
 public:
  SortedRange(std::int64_t normals, std::int64_t defects) {
    normals_.reserve(static_cast<std::size_t>(normals));
    defects_.reserve(static_cast<std::size_t>(defects));
  }
  std::int64_t room() const { return static_cast<std::int64_t>(normals_.capacity() + defects_.capacity()); }
  void add_normal(std::uint32_t key) { normals_.push_back(key); }
  void add_defect(std::uint32_t key, float weight) { defects_.push_back({key, weight}); }

  /// Every distinct score, descending.
  void visit(const TakeScore& take) {
    radix_sort(normals_);
    // Stable in a fixed pixel order, so that the float sums below do not depend on the library's sort.
    std::stable_sort(defects_.begin(), defects_.end(), [](auto& a, auto& b) { return a.key > b.key; });
    std::size_t d = 0;
    for (std::size_t n = normals_.size(); n > 0 || d < defects_.size();) {
      const std::uint32_t key =
          std::max(n > 0 ? normals_[n - 1] : 0U, d < defects_.size() ? defects_[d].key : 0U);
      double normal_here = 0, defect_here = 0, overlap = 0;
      for (; n > 0 && normals_[n - 1] == key; --n) normal_here += 1;
      for (; d < defects_.size() && defects_[d].key == key; ++d) {
        defect_here += 1;
        overlap += defects_[d].weight;
      }
      take(key, normal_here, defect_here, overlap);
    }
  }

 private:
  std::vector<std::uint32_t> normals_;
  std::vector<DefectPixel> defects_;
};

/// The pixels of one bin, counted at each score that it can hold: for bins of any number of pixels.
class CountedBin {
 public:
  explicit CountedBin(std::uint32_t first) : first_(first), at_(kBinScores) {}
  void add_normal(std::uint32_t key) { at_[key - first_].normals += 1; }
  void add_defect(std::uint32_t key, float weight) {
    at_[key - first_].defects += 1;
    at_[key - first_].overlap += weight;
  }
  void visit(const TakeScore& take) const {
    for (std::uint32_t i = kBinScores; i-- > 0;) {
      if (at_[i].normals > 0 || at_[i].defects > 0)
        take(first_ + i, at_[i].normals, at_[i].defects, at_[i].overlap);
    }
  }

 private:
  struct AtScore {
    double normals = 0, defects = 0, overlap = 0;
  };
  std::uint32_t first_;
  std::vector<AtScore> at_;
};

/// Counts of one image at the bootstrap's thresholds (bin 0 = highest scores).
struct BinnedImage {
  std::vector<double> normal, defect, overlap;
  double regions = 0;
};

std::array<double, 4> binned_metrics(const std::vector<BinnedImage>& images, const std::vector<int>& chosen,
                                     double limit) {
  std::vector<double> normal(kBootstrapBins), defect(kBootstrapBins), overlap(kBootstrapBins);
  double regions = 0;
  for (const int i : chosen) {
    const BinnedImage& image = images[i];
    for (int b = 0; b < kBootstrapBins; ++b) normal[b] += image.normal[b];
    regions += image.regions;
    if (image.defect.empty()) continue;
    for (int b = 0; b < kBootstrapBins; ++b) {
      defect[b] += image.defect[b];
      overlap[b] += image.overlap[b];
    }
  }
  const double n = std::accumulate(normal.begin(), normal.end(), 0.0);
  const double d = std::accumulate(defect.begin(), defect.end(), 0.0);
  if (n == 0 || d == 0) return {kNaN, kNaN, kNaN, kNaN};
  Sweep sweep(n, d, regions, limit);
  for (int b = 0; b < kBootstrapBins; ++b) sweep.step(0, normal[b], defect[b], overlap[b]);
  return {sweep.auroc(), sweep.average_precision(), sweep.f1(), sweep.aupro()};
}

}  // namespace

PixelMetrics pixel_metrics(int images, const std::function<MapAndMask(int)>& load,
                           const std::vector<int>& stratum, const PixelMetricOptions& options) {
  PixelMetrics out;
  std::vector<std::int64_t> normal_count(kHighBins), defect_count(kHighBins);
  int with_defects = 0;
  for (int i = 0; i < images; ++i) {
    const ImagePixels pixels = load_pixels(load, i, options.connectivity);
    pixels.for_each([&](std::uint32_t key) { ++normal_count[key >> 16]; },
                    [&](std::uint32_t key, float) { ++defect_count[key >> 16]; });
    out.regions += pixels.regions;
    with_defects += pixels.labels.empty() ? 0 : 1;
  }
  const auto normal = std::accumulate(normal_count.begin(), normal_count.end(), std::int64_t{0});
  const auto defect = std::accumulate(defect_count.begin(), defect_count.end(), std::int64_t{0});
  out.units = with_defects == images ? images : std::min(with_defects, images - with_defects);
  out.passes = 1;
  if (defect == 0 || normal == 0) {
    out.auroc = out.average_precision = out.f1max = out.aupro = {kNaN, kNaN, kNaN};
    return out;
  }

  Sweep sweep(static_cast<double>(normal), static_cast<double>(defect), static_cast<double>(out.regions),
              options.pro_limit);
  // Lower edges of the bootstrap's bins: half at quantiles of all pixels, half spread over the rarest 2 %.
  std::vector<std::uint32_t> edges;
  const double total = static_cast<double>(normal + defect);
  std::vector<double> wanted;
  for (int b = 1; b <= kBootstrapBins / 2; ++b) wanted.push_back(0.02 * total * b / (kBootstrapBins / 2));
  for (int b = 1; b < kBootstrapBins / 2; ++b)
    wanted.push_back(total * (0.02 + 0.98 * b / (kBootstrapBins / 2)));
  double seen = 0;

  const TakeScore take = [&](std::uint32_t key, double normals, double defects, double overlap) {
    sweep.step(key_score(key), normals, defects, overlap);
    seen += normals + defects;
    while (edges.size() < wanted.size() && seen >= wanted[edges.size()]) edges.push_back(key);
  };
  for (int high = kHighBins; high > 0;) {
    int low = high;
    std::int64_t normals = 0, defects = 0;
    auto fits = [&](int bin) {
      return normals + defects + normal_count[bin] + defect_count[bin] <= options.max_pixels_in_memory;
    };
    while (low > 0 && (normals + defects == 0 || fits(low - 1))) {
      normals += normal_count[--low];
      defects += defect_count[low];
    }
    const std::uint32_t key_low = static_cast<std::uint32_t>(low) << 16;
    const std::uint64_t key_high = static_cast<std::uint64_t>(high) << 16;
    high = low;
    if (normals + defects == 0) continue;
    ++out.passes;
    auto collect = [&](auto& range) {
      for (int i = 0; i < images; ++i) {
        load_pixels(load, i, options.connectivity)
            .for_each(
                [&](std::uint32_t key) {
                  if (key >= key_low && key < key_high) range.add_normal(key);
                },
                [&](std::uint32_t key, float weight) {
                  if (key >= key_low && key < key_high) range.add_defect(key, weight);
                });
      }
      range.visit(take);
    };
    if (normals + defects > options.max_pixels_in_memory) {
      // Only a single bin gets this far: the empty ones above it hold nothing that is counted.
      CountedBin bin(key_low);
      collect(bin);
      continue;
    }
    SortedRange range(normals, defects);
    out.peak_pixels = std::max(out.peak_pixels, range.room());
    collect(range);
  }
  out.auroc.value = sweep.auroc();
  out.average_precision.value = sweep.average_precision();
  out.f1max.value = sweep.f1();
  out.f1max_threshold = sweep.f1_threshold();
  out.aupro.value = sweep.aupro();
  out.pro_curve = sweep.take_curve();

  std::array<Estimate*, 4> estimates = {&out.auroc, &out.average_precision, &out.f1max, &out.aupro};
  if (options.bootstrap_replicates <= 0) {
    for (Estimate* e : estimates) e->ci_low = e->ci_high = kNaN;
    return out;
  }
  std::vector<BinnedImage> binned(static_cast<std::size_t>(images));
  ++out.passes;
  parallel_for(images, [&](std::int64_t i) {
    const ImagePixels pixels = load_pixels(load, static_cast<int>(i), options.connectivity);
    BinnedImage& image = binned[i];
    image.normal.assign(kBootstrapBins, 0);
    if (!pixels.labels.empty()) {
      image.defect.assign(kBootstrapBins, 0);
      image.overlap.assign(kBootstrapBins, 0);
    }
    image.regions = static_cast<double>(pixels.regions);
    // edges descend: the first edge not above the key is its bin
    auto bin_of = [&](std::uint32_t key) {
      return static_cast<std::size_t>(std::lower_bound(edges.begin(), edges.end(), key, std::greater<>()) -
                                      edges.begin());
    };
    pixels.for_each([&](std::uint32_t key) { image.normal[bin_of(key)] += 1; },
                    [&](std::uint32_t key, float weight) {
                      image.defect[bin_of(key)] += 1;
                      image.overlap[bin_of(key)] += weight;
                    });
  });
  std::vector<int> everyone(static_cast<std::size_t>(images));
  std::iota(everyone.begin(), everyone.end(), 0);
  const auto full = binned_metrics(binned, everyone, options.pro_limit);
  std::vector<std::array<double, 4>> replicates(static_cast<std::size_t>(options.bootstrap_replicates));
  parallel_for(options.bootstrap_replicates, [&](std::int64_t r) {
    replicates[r] = binned_metrics(binned, stratified_resample(stratum, options.seed, static_cast<int>(r)),
                                   options.pro_limit);
  });
  for (std::size_t k = 0; k < 4; ++k) {
    std::vector<double>& values = out.replicates[k];
    for (const auto& r : replicates)
      values.push_back(std::clamp(r[k] + estimates[k]->value - full[k], 0.0, 1.0));
    *estimates[k] = bootstrap_interval(estimates[k]->value, values, out.units);
  }
  return out;
}

}  // namespace glint
