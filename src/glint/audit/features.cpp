#include "glint/audit/features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/base/random.h"
#include "glint/data/split.h"
#include "glint/detect/input.h"
#include "glint/image/codec.h"
#include "glint/image/resample.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/nearest.h"
#include "glint/nn/tensors.h"

namespace glint {
namespace {

constexpr int kInputSide = 288, kGrid = 18, kBatch = 8;
constexpr int kDescriptorGrid = 9;
/// Of 64 bits; unrelated pictures differ in about 32.
constexpr int kNearHashBits = 20;
constexpr int kDisturbedImages = 40;
constexpr std::int64_t kMemoryPatches = 20'000;
constexpr std::size_t kShownItems = 40;

torch::Tensor features_of(const std::vector<RgbImage>& inputs, const Backbone& backbone) {
  const torch::InferenceMode inference;
  const FeatureMaps maps = backbone.features(images_to_tensor(inputs, kImageNetMean, kImageNetStd));
  std::vector<torch::Tensor> layers;
  for (const torch::Tensor& layer : {maps.layer2, maps.layer3}) {
    const torch::Tensor pooled = at::adaptive_avg_pool2d(layer, {kGrid, kGrid}).flatten(2).transpose(1, 2);
    layers.push_back(pooled / pooled.norm(2, {2}, true).clamp_min(1e-12));
  }
  return at::cat(layers, 2);  // [B, 324, C2 + C3]
}

/// One unit vector per image, [n, d] float32, before the dataset's mean is taken off.
torch::Tensor descriptors_of(const torch::Tensor& features) {
  const torch::InferenceMode inference;
  std::vector<torch::Tensor> out;
  for (std::int64_t i = 0; i < features.size(0); ++i) {
    const torch::Tensor map = features[i].to(torch::kFloat).t().reshape({1, features.size(2), kGrid, kGrid});
    out.push_back(at::adaptive_avg_pool2d(map, {kDescriptorGrid, kDescriptorGrid}).flatten());
  }
  return at::stack(out);
}

torch::Tensor unit_rows(const torch::Tensor& rows) {
  return rows / rows.norm(2, {1}, true).clamp_min(1e-12);
}

RgbImage disturbed(const RgbImage& image, Rng rng) {
  const double angle = 2 * 3.14159265358979 * rng.uniform();
  RgbImage out = warp_about_centre(image, 0, 0.005 * std::cos(angle), 0.005 * std::sin(angle), 1, false);
  for (std::uint8_t& v : out.pixels) {
    v = static_cast<std::uint8_t>(std::clamp(std::lround(1.02 * v + 2 * rng.normal()), 0L, 255L));
  }
  return out;
}

/// Distance of a picture to its slightly disturbed copy: the median over some images.
double disturbance(const std::vector<AuditedImage>& images, const torch::Tensor& descriptors,
                   const torch::Tensor& mean, const Backbone& backbone, std::uint64_t seed) {
  const torch::InferenceMode inference;
  std::vector<double> distances;
  const std::vector<int> order = permutation(static_cast<int>(images.size()), Rng(seed, "audit.disturb"));
  for (std::size_t i = 0; i < order.size() && i < kDisturbedImages; ++i) {
    const RgbImage input = prepare_input(read_image(images[order[i]].sample.path), InputOptions{});
    const torch::Tensor moved = features_of({disturbed(input, Rng(seed, "audit.noise", order[i]))}, backbone);
    const torch::Tensor a = unit_rows(descriptors_of(moved) - mean);
    const torch::Tensor b = unit_rows(descriptors[order[i]].unsqueeze(0) - mean);
    distances.push_back(1 - (a * b).sum().item<double>());
  }
  return median(std::move(distances));
}

struct Pair {
  int a = 0, b = 0;
  double distance = 0;
};

Finding pair_finding(Severity severity, std::string title, std::string why, std::string advice,
                     std::vector<Pair> pairs, const std::vector<AuditedImage>& images) {
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.distance < b.distance; });
  Finding out{severity, "leakage", std::move(title), std::move(why), std::move(advice), {}};
  for (std::size_t i = 0; i < pairs.size() && i < kShownItems; ++i) {
    out.items.push_back({{images[pairs[i].a].sample.id, images[pairs[i].b].sample.id},
                         fmt::format("feature distance {:.4f}", pairs[i].distance)});
  }
  return out;
}

/// Connected groups of near duplicates, largest first.
std::vector<std::vector<int>> groups_of(const std::vector<Pair>& pairs, int n) {
  std::vector<int> parent(static_cast<std::size_t>(n));
  std::iota(parent.begin(), parent.end(), 0);
  auto root = [&](int i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (const Pair& pair : pairs) parent[root(pair.a)] = root(pair.b);
  std::map<int, std::vector<int>> members;
  for (int i = 0; i < n; ++i) members[root(i)].push_back(i);
  std::vector<std::vector<int>> out;
  for (auto& [r, group] : members) {
    if (group.size() > 1) out.push_back(std::move(group));
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return out;
}

}  // namespace

struct AuditFeatures::State {
  const std::vector<AuditedImage>& images;
  const Backbone& backbone;
  torch::Tensor features;  // [n, 324, C2 + C3] bfloat16
};

AuditFeatures::AuditFeatures(const std::vector<AuditedImage>& images, const Backbone& backbone,
                             ProgressSink& progress)
    : state_(new State{images, backbone, {}}) {
  std::vector<torch::Tensor> batches;
  progress.begin("computing features", std::ssize(images));
  for (std::size_t first = 0; first < images.size(); first += kBatch) {
    throw_if_cancelled();
    std::vector<RgbImage> inputs;
    for (std::size_t i = first; i < std::min(images.size(), first + kBatch); ++i) {
      inputs.push_back(prepare_input(read_image(images[i].sample.path), InputOptions{.size = kInputSide}));
    }
    batches.push_back(features_of(inputs, backbone).to(torch::kBFloat16));
    progress.advance(static_cast<std::int64_t>(first + inputs.size()), "");
  }
  progress.end();
  state_->features = at::cat(batches);
}

AuditFeatures::~AuditFeatures() = default;

std::vector<Finding> AuditFeatures::near_duplicates(std::uint64_t seed) const {
  const auto& [images, backbone, features] = *state_;
  const torch::InferenceMode inference;
  const torch::Tensor raw = descriptors_of(features), mean = raw.mean(0, true);
  const double limit = disturbance(images, raw, mean, backbone, seed);
  const torch::Tensor unit = unit_rows(raw - mean), similar = at::matmul(unit, unit.t()).contiguous();
  const float* similarity = similar.data_ptr<float>();
  const int n = static_cast<int>(images.size());
  std::vector<Pair> across, across_label, inside;
  for (int a = 0; a < n; ++a) {
    for (int b = a + 1; b < n; ++b) {
      if (std::popcount(images[a].perceptual ^ images[b].perceptual) > kNearHashBits) continue;
      if (images[a].pixel_sha256 == images[b].pixel_sha256) continue;  // audit_identity says so
      const double distance = 1 - static_cast<double>(similarity[static_cast<std::int64_t>(a) * n + b]);
      if (distance > limit) continue;
      const bool test_a = images[a].sample.role == Role::kTest, test_b = images[b].sample.role == Role::kTest;
      if (images[a].sample.anomalous() != images[b].sample.anomalous()) {
        across_label.push_back({a, b, distance});
      } else if (test_a != test_b) {
        across.push_back({a, b, distance});
      } else if (!test_a) {
        inside.push_back({a, b, distance});
      }
    }
  }
  const std::string rule = fmt::format(
      " (nearer than a picture and its own slightly disturbed copy, feature distance {:.4f})", limit);
  std::vector<Finding> out;
  if (!across.empty()) {
    std::vector<int> tests;
    for (const Pair& pair : across) tests.push_back(pair.b);  // test images come last
    std::sort(tests.begin(), tests.end());
    const auto distinct = std::unique(tests.begin(), tests.end()) - tests.begin();
    out.push_back(pair_finding(
        Severity::kError,
        fmt::format("good test images that are near duplicates of training images: {}{}", distinct, rule),
        "The detector has seen almost the same picture; false rejects on these images are too few.",
        "Keep pictures of one part, or of one run, on one side: glint split time, glint split group.",
        std::move(across), images));
  }
  if (!across_label.empty()) {
    const std::string title =
        fmt::format("near duplicates, one good and one anomalous: {} pairs{}", across_label.size(), rule);
    out.push_back(
        pair_finding(Severity::kNotice, title,
                     "Either the defect is tiny, or one label is wrong, or the same part was photographed "
                     "before and after.",
                     "Look at the pairs. If they show one part, keep its images on one side of the split.",
                     std::move(across_label), images));
  }
  if (!inside.empty()) {
    const auto groups = groups_of(inside, n);
    Finding finding{
        Severity::kNotice,
        "leakage",
        fmt::format("groups of near duplicates among the training images: {}, the largest of {}{}",
                    groups.size(), groups[0].size(), rule),
        "Near duplicates make a training set look larger than it is, and when calibration images are drawn "
        "from it, they leak: the promised false-reject rate becomes too optimistic.",
        "Thin the groups, or calibrate from a run of its own (calibration/good).",
        {}};
    for (std::size_t g = 0; g < groups.size() && g < 12; ++g) {
      FindingItem item{{}, fmt::format("{} images", groups[g].size())};
      for (const int i : groups[g]) {
        if (item.ids.size() < 50) item.ids.push_back(images[i].sample.id);
      }
      finding.items.push_back(std::move(item));
    }
    out.push_back(std::move(finding));
  }
  return out;
}

std::vector<NormalClassScore> AuditFeatures::normal_class(int folds, std::uint64_t seed,
                                                          ProgressSink& progress) const {
  const auto& [images, backbone, features] = *state_;
  const torch::InferenceMode inference;
  std::vector<int> train;
  for (int i = 0; i < std::ssize(images); ++i) {
    if (images[i].sample.role == Role::kTrain) train.push_back(i);
  }
  std::vector<NormalClassScore> out;
  if (static_cast<int>(train.size()) < 2 * folds) return out;
  progress.begin("scoring training images", std::ssize(train));
  const std::vector<Split> splits = fold_splits(static_cast<int>(train.size()), folds, seed);
  for (std::size_t f = 0; f < splits.size(); ++f) {
    std::vector<std::int64_t> rows;
    for (const int i : splits[f].train) rows.push_back(train[i]);
    const torch::Tensor kept = features.index_select(0, torch::tensor(rows)).flatten(0, 1);
    torch::Tensor memory = kept;
    if (kept.size(0) > kMemoryPatches) {
      const std::vector<int> order =
          permutation(static_cast<int>(kept.size(0)), Rng(seed, "audit.memory", f));
      memory = kept.index_select(
          0, torch::tensor(std::vector<std::int64_t>(order.begin(), order.begin() + kMemoryPatches)));
    }
    const NearestRows bank(memory.to(torch::kFloat));
    for (const int i : splits[f].held_out) {
      throw_if_cancelled();
      const torch::Tensor distance =
          bank.search(features[train[i]].to(torch::kFloat)).distance.flatten().contiguous();
      NormalClassScore item;
      item.image = train[i];
      item.map = ScoreMap(kGrid, kGrid);
      std::copy_n(distance.data_ptr<float>(), kGrid * kGrid, item.map.values.begin());
      item.map = gaussian_smooth(item.map, 0.5);
      item.score = *std::max_element(item.map.values.begin(), item.map.values.end());
      out.push_back(std::move(item));
      progress.advance(std::ssize(out), "");
    }
  }
  progress.end();
  std::vector<double> logs;
  for (const NormalClassScore& item : out) logs.push_back(std::log(std::max(1e-6, item.score)));
  const double centre = median(logs);
  std::vector<double> spread;
  for (const double v : logs) spread.push_back(std::abs(v - centre));
  const double deviation = std::max(1e-3, 1.4826 * median(spread));
  for (std::size_t i = 0; i < out.size(); ++i) out[i].deviations = (logs[i] - centre) / deviation;
  std::sort(out.begin(), out.end(),
            [](const NormalClassScore& a, const NormalClassScore& b) { return a.score > b.score; });
  return out;
}

}  // namespace glint
