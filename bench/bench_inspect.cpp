// Image to verdict, stage by stage, beside the plain float32 path in the same run; then its tail on the
// machine as it is and beside one other process that keeps a processor busy. usage: bench_inspect MODEL
// IMAGE... ; prints medians, p99, throughput at batch 1, and the score difference.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "glint/base/files.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/simplenet/head.h"
#include "glint/image/codec.h"
#include "glint/inspect/decision.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/tensors.h"

namespace {

using Clock = std::chrono::steady_clock;

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1))];
}

/// Literal published procedure in float32: unfold, average, adapter, discriminator, one after the other.
class PlainPath {
 public:
  explicit PlainPath(const glint::Model& model)
      : backbone_(model.backbone, model.backbone_weights),
        head_(glint::HeadWeights::from_dict(model.method_weights, "model")),
        scale_(glint::to_floats(model.method_weights.at("simplenet.feature_scale"))[0]) {
    backbone_.to(glint::DeviceChoice::kCpu, glint::Precision::kFloat32);
  }
  glint::ScoreMap operator()(const glint::RgbImage& input) const {
    const torch::InferenceMode inference;
    const auto maps =
        backbone_.features(glint::images_to_tensor({input}, glint::kImageNetMean, glint::kImageNetStd));
    const auto d = static_cast<int>(head_.dimension());
    const torch::Tensor z = glint::embed_literal(maps.layer2, maps.layer3, d, d) * scale_;
    const torch::Tensor s = glint::discriminate(head_, glint::adapt(head_, z)).neg().contiguous();
    glint::ScoreMap out(static_cast<int>(maps.layer2.size(3)), static_cast<int>(maps.layer2.size(2)));
    std::copy_n(s.data_ptr<float>(), out.values.size(), out.values.begin());
    return out;
  }

 private:
  glint::Backbone backbone_;
  glint::HeadWeights head_;
  double scale_;
};

/// Another process that computes without pause, from construction to destruction.
class BusyNeighbour {
 public:
  BusyNeighbour() : process_(::fork()) {
    if (process_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (std::atomic<unsigned> i{0};;) ++i;
  }
  ~BusyNeighbour() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  BusyNeighbour(const BusyNeighbour&) = delete;
  BusyNeighbour& operator=(const BusyNeighbour&) = delete;
  bool started() const { return process_ > 0; }

 private:
  pid_t process_;
};

/// Milliseconds from image to verdict, one after the other.
std::vector<double> verdicts(const glint::Inspector& inspector, const glint::Decision& decision,
                             const std::vector<glint::Bytes>& files) {
  constexpr std::size_t kWarmUp = 5, kCount = 300;
  std::vector<double> out;
  for (std::size_t i = 0; i < kWarmUp + kCount; ++i) {
    const auto start = Clock::now();
    glint::inspect_image(inspector, decision, glint::decode_image(files[i % files.size()], "image"), "image");
    if (i >= kWarmUp) out.push_back(1000 * std::chrono::duration<double>(Clock::now() - start).count());
  }
  return out;
}

void print_tail(const glint::Inspector& inspector, const glint::Decision& decision,
                const std::vector<glint::Bytes>& files) {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  std::printf("image to verdict, OMP_WAIT_POLICY %s:\n", policy != nullptr ? policy : "not set");
  const std::vector<double> quiet = verdicts(inspector, decision, files);
  const BusyNeighbour neighbour;
  if (!neighbour.started()) return;
  const std::vector<double> busy = verdicts(inspector, decision, files);
  for (const auto& [name, ms] : {std::pair("machine as it is", &quiet), {"beside a busy neighbour", &busy}}) {
    std::printf("  %-25s p50 %8.2f ms  p99 %8.2f ms\n", name, quantile(*ms, 0.5), quantile(*ms, 0.99));
  }
  std::printf("  p99 beside a busy neighbour is %.1f times the other\n",
              quantile(busy, 0.99) / quantile(quiet, 0.99));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace glint;
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_inspect MODEL IMAGE...\n");
    return 2;
  }
  prepare_runtime();
  const Model model = load_model(argv[1]);
  const Decision decision = make_decision(model);
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kAuto, argv[1]);
  const Inspector float32(model, DeviceChoice::kCpu, Precision::kFloat32, argv[1]);
  const PlainPath plain(model);
  std::vector<Bytes> files;
  for (int i = 2; i < argc; ++i) files.push_back(read_file(argv[i]));
  std::map<std::string, std::vector<double>> times;
  double largest = 0, spread = 0;
  const int rounds = std::max(60, static_cast<int>(files.size()));
  for (int r = -5; r < rounds; ++r) {  // five to warm up
    const Bytes& file = files[static_cast<std::size_t>(r + 5) % files.size()];
    auto last = Clock::now();
    auto lap = [&](const char* name) {
      const auto now = Clock::now();
      if (r >= 0) times[name].push_back(1000 * std::chrono::duration<double>(now - last).count());
      last = now;
    };
    const RgbImage image = decode_image(file, "image");
    lap("1 decode");
    const RgbImage input = prepare_input(image, model.input);
    lap("2 prepare");
    const PatchScores patches = inspector.patch_scores({image})[0];
    lap("3 backbone and head (fast, with prepare)");
    const ScoreMap map = decision.scorer.map(patches);
    const double score = decision.scorer.score(patches, map);
    lap("4 map and score");
    regions_above(map_to_image(map, model.input, image.width, image.height),
                  static_cast<float>(decision.conformal.threshold));
    lap("5 regions at full size");
    float32.patch_scores({image});
    lap("6 the same fused path in float32");
    const PatchScores slow{plain(input), {}};
    lap("7 plain float32 path (literal published procedure)");
    const double slow_score = decision.scorer.score(slow);
    largest = std::max(largest, std::abs(slow_score - score));
    spread = std::max(spread, std::abs(decision.good_scores.back() - decision.good_scores.front()));
    last = Clock::now();
    inspect_image(inspector, decision, decode_image(file, "image"), "image");
    lap("8 image to verdict, all");
  }
  for (const auto& [name, v] : times)
    std::printf("%-55s p50 %8.2f ms  p99 %8.2f ms\n", name.c_str(), quantile(v, 0.5), quantile(v, 0.99));
  const double fast = quantile(times["3 backbone and head (fast, with prepare)"], 0.5);
  const double slow = quantile(times["7 plain float32 path (literal published procedure)"], 0.5);
  std::printf(
      "throughput at batch 1: %.1f images/s; backbone and head %.2f times the plain float32 path's speed\n",
      1000 / quantile(times["8 image to verdict, all"], 0.5), slow / fast);
  std::printf("largest score difference to the plain path: %.5f (good scores span %.3f)\n", largest, spread);
  print_tail(inspector, decision, files);
  return 0;
}
