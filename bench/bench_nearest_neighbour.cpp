// Quality yardstick, not a detector: nearest neighbour of each test patch among training patches, maximum per
// image, on the same features that SimpleNet trains on. A trained head that stays far below it has something
// wrong. usage: bench_nearest_neighbour BACKBONE DATASET [KEEP_EVERY=4]
#include <ATen/ATen.h>

#include <cstdio>
#include <cstdlib>

#include "glint/data/dataset.h"
#include "glint/detect/input.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/image/codec.h"
#include "glint/metrics/intervals.h"
#include "glint/nn/backbone_store.h"

namespace {

using namespace glint;

torch::Tensor patches(const Backbone& backbone, const Sample& sample, bool average) {
  const torch::InferenceMode inference;
  const RgbImage input = prepare_input(read_image(sample.path), InputOptions{});
  const FeatureMaps maps = backbone.features(images_to_tensor({input}, kImageNetMean, kImageNetStd));
  if (!average) {
    const int d = backbone.spec().simplenet_dimension;
    return PatchEmbedding(backbone.spec().channels(2), backbone.spec().channels(3), d, d)
        .embed(maps.layer2, maps.layer3);
  }
  // 3x3 mean per channel, layer3 brought to layer2's grid, joined
  const torch::Tensor two = at::avg_pool2d(maps.layer2, 3, 1, 1),
                      three = at::avg_pool2d(maps.layer3, 3, 1, 1);
  const torch::Tensor large = at::upsample_bilinear2d(three, {two.size(2), two.size(3)}, false);
  return at::cat({two, large}, 1).permute({0, 2, 3, 1}).reshape({two.size(2) * two.size(3), -1});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_nearest_neighbour BACKBONE DATASET [KEEP_EVERY=4]\n");
    return 2;
  }
  prepare_runtime();
  const int keep = argc > 3 ? std::atoi(argv[3]) : 4;
  Backbone backbone = open_backbone(argv[1]);
  backbone.to(torch::kCPU, Precision::kFloat32);
  const Dataset dataset = scan_dataset(argv[2], {DatasetUse::kEvaluate, false}, silent_progress());
  for (const bool average : {true, false}) {
    const torch::InferenceMode inference;
    std::vector<torch::Tensor> bank;
    for (std::size_t i = 0; i < dataset.train.size(); ++i) {
      const torch::Tensor p = patches(backbone, dataset.train[i], average);
      bank.push_back(p.slice(0, static_cast<std::int64_t>(i) % keep, p.size(0), keep).clone());
    }
    const torch::Tensor all = at::cat(bank), norm = all.square().sum(1);
    const bool fast = cpu_has_bfloat16();
    const torch::Tensor keys = fast ? all.to(torch::kBFloat16) : all;
    std::vector<double> scores;
    std::vector<int> labels;
    for (const Sample& sample : dataset.test) {
      const torch::Tensor q = patches(backbone, sample, average);
      const torch::Tensor product = at::linear(fast ? q.to(torch::kBFloat16) : q, keys).to(torch::kFloat);
      const auto nearest = std::get<1>((norm.unsqueeze(0) - 2 * product).min(1));
      scores.push_back((q - all.index_select(0, nearest)).norm(2, 1).max().item<double>());
      labels.push_back(sample.anomalous() ? 1 : 0);
    }
    const Estimate e = delong_auroc(scores, labels);
    std::printf("%-28s image AUROC %.4f [%.4f, %.4f]\n",
                average ? "3x3 mean, joined" : "SimpleNet's embedding", e.value, e.ci_low, e.ci_high);
    std::fflush(stdout);
  }
  return 0;
}
