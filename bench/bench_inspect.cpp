// Image to verdict, of any method: load time, stages, tail on the machine as it is and beside one other
// process that keeps a processor busy, images per second with one image per processor, memory. SimpleNet:
// also beside the plain float32 path in the same run. usage: bench_inspect [--seconds S] [--only-verdicts]
// MODEL IMAGE... S (default 8): most seconds of each measurement, 300 images at most. The last line is JSON:
// what bench/peers/run.py reads.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>

#include "busy_neighbour.h"
#include "glint/base/files.h"
#include "glint/base/parallel.h"
#include "glint/detect/simplenet/embedding.h"
#include "glint/detect/simplenet/head.h"
#include "glint/image/codec.h"
#include "glint/inspect/open_detector.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/tensors.h"

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

constexpr int kWarmUp = 5, kMost = 300;

double milliseconds_since(Clock::time_point start) {
  return 1000 * std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1))];
}

/// MiB, of a field of /proc/self/status; 0 when it is absent.
double memory(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field + ":")) return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
  }
  return 0;
}

struct Bench {
  const glint::OpenedDetector& detector;
  const std::vector<glint::Bytes>& files;
  double seconds;

  const glint::Bytes& file(int i) const { return files[static_cast<std::size_t>(i) % files.size()]; }
  void verdict(int i) const { detector.inspect(glint::decode_image(file(i), "image"), "image"); }

  /// Calls round(i, counted) until time or images run out; `counted` is false for the first few.
  void repeat(const std::function<void(int, bool)>& round) const {
    for (int i = 0; i < kWarmUp; ++i) round(i, false);
    const auto start = Clock::now();
    for (int i = 0; i < kMost && (i < 2 || milliseconds_since(start) < 1000 * seconds); ++i) round(i, true);
  }
};

using Times = std::map<std::string, std::vector<double>>;

void print(const Times& times) {
  for (const auto& [name, v] : times)
    std::printf("%-55s p50 %8.2f ms  p99 %8.2f ms\n", name.c_str(), quantile(v, 0.5), quantile(v, 0.99));
}

/// Stages of one image, one after the other.
Times stages(const Bench& bench) {
  const auto& [model, decision, inspector, notices] = bench.detector;
  Times times;
  bench.repeat([&](int i, bool counted) {
    auto last = Clock::now();
    auto lap = [&](const char* name) {
      if (counted) times[name].push_back(milliseconds_since(last));
      last = Clock::now();
    };
    const glint::RgbImage image = glint::decode_image(bench.file(i), "image");
    lap("1 decode");
    const glint::Views views = inspector.views().make(image);
    lap("2 prepare");
    const glint::PhotographScores patches =
        glint::score_views(inspector.detector(), inspector.views(), {&views})[0];
    lap("3 backbone and method");
    const glint::ScoreMap map = decision.scorer.map(patches);
    decision.scorer.score(patches, map);
    lap("4 map and score");
    const glint::ScoreMap large = inspector.views().to_photograph(map, patches.placement);
    lap("5 map at the photograph's size");
    regions_above(large, static_cast<float>(decision.map_threshold));
    lap("6 regions");
  });
  return times;
}

/// Milliseconds from image to verdict, one image after the other on all processors.
std::vector<double> verdicts(const Bench& bench) {
  std::vector<double> out;
  bench.repeat([&](int i, bool counted) {
    const auto start = Clock::now();
    bench.verdict(i);
    if (counted) out.push_back(milliseconds_since(start));
  });
  return out;
}

/// Images per second, one image per processor.
double throughput(const Bench& bench) {
  const int threads = glint::available_threads();
  std::atomic<int> next{0}, warm{0}, done{0};
  std::atomic<bool> start{false};
  Clock::time_point begin;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      at::set_num_threads(1);  // of this thread's OpenMP regions too
      for (int i = 0; i < kWarmUp; ++i) bench.verdict(i);
      ++warm;
      while (!start) std::this_thread::yield();
      for (int i = next++; i < kMost && milliseconds_since(begin) < 1000 * bench.seconds; i = next++) {
        bench.verdict(i);
        ++done;
      }
    });
  }
  while (warm < threads) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  begin = Clock::now();
  start = true;
  for (std::thread& worker : workers) worker.join();
  const double ms = milliseconds_since(begin);
  at::set_num_threads(threads);
  return 1000 * done / ms;
}

/// SimpleNet's literal published procedure in float32: unfold, average, adapter, discriminator, one after the
/// other.
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

void compare_with_plain_path(const Bench& bench, const std::string& name) {
  const auto& [model, decision, inspector, notices] = bench.detector;
  const glint::Inspector float32(model, glint::DeviceChoice::kCpu, glint::Precision::kFloat32, name);
  const PlainPath plain(model);
  Times times;
  double largest = 0;
  bench.repeat([&](int i, bool counted) {
    const glint::RgbImage image = glint::decode_image(bench.file(i), "image");
    const glint::RgbImage input = glint::prepare_input(image, model.input);
    auto last = Clock::now();
    const double score = decision.scorer.score(inspector.patch_scores({image})[0]);
    if (counted) times["7 prepare, backbone, head and score"].push_back(milliseconds_since(last));
    last = Clock::now();
    float32.patch_scores({image});
    if (counted) times["8 the same fused path in float32"].push_back(milliseconds_since(last));
    last = Clock::now();
    const glint::PatchScores slow{plain(input), {}};
    if (counted)
      times["9 plain float32 path (literal published procedure)"].push_back(milliseconds_since(last));
    largest = std::max(largest, std::abs(decision.scorer.score(slow) - score));
  });
  print(times);
  std::printf("largest score difference to the plain path: %.5f (good scores span %.3f)\n", largest,
              decision.good_scores.back() - decision.good_scores.front());
}

Json summary(const std::vector<double>& ms) {
  return {{"p50", quantile(ms, 0.5)}, {"p99", quantile(ms, 0.99)}, {"images", ms.size()}};
}

int run(double seconds, bool only_verdicts, const std::string& path, const std::vector<glint::Bytes>& files) {
  using namespace glint;
  prepare_runtime();
  const double before = memory("VmRSS");
  const auto start = Clock::now();
  const OpenedDetector detector = open_detector(path, {.device = DeviceChoice::kCpu});
  Json out = {{"method", detector.model.method},
              {"precision", enum_name(detector.inspector.precision())},
              {"engine", enum_name(detector.model.engine)},
              {"threads", available_threads()},
              {"load_ms", milliseconds_since(start)}};
  for (const std::string& notice : detector.notices) std::printf("%s\n", notice.c_str());
  const Bench bench{detector, files, seconds};
  bench.verdict(0);
  out["first_verdict_ms"] = milliseconds_since(start);

  const char* policy = std::getenv("OMP_WAIT_POLICY");
  std::printf("%s, image to verdict, OMP_WAIT_POLICY %s:\n", detector.model.method.c_str(),
              policy != nullptr ? policy : "not set");
  const std::vector<double> quiet = verdicts(bench);
  out["quiet"] = summary(quiet);
  out["rss_mib"] = memory("VmRSS");
  out["rss_before_mib"] = before;
  std::printf("  %-25s p50 %8.2f ms  p99 %8.2f ms\n", "machine as it is", quantile(quiet, 0.5),
              quantile(quiet, 0.99));
  if (const BusyNeighbour neighbour; neighbour.started()) {
    const std::vector<double> busy = verdicts(bench);
    out["busy"] = summary(busy);
    std::printf("  %-25s p50 %8.2f ms  p99 %8.2f ms, %.1f times the p99 without\n", "beside a busy neighbour",
                quantile(busy, 0.5), quantile(busy, 0.99), quantile(busy, 0.99) / quantile(quiet, 0.99));
  }
  out["images_per_second"] = throughput(bench);
  out["peak_mib"] = memory("VmHWM");
  std::printf("  one image per processor   %.1f images/s\n", out["images_per_second"].get<double>());
  std::printf("  load %.0f ms; memory %.0f MiB, of it before the model %.0f MiB; at most %.0f MiB\n",
              out["load_ms"].get<double>(), out["rss_mib"].get<double>(), before,
              out["peak_mib"].get<double>());
  if (!only_verdicts) {
    const Times times = stages(bench);
    print(times);
    for (const auto& [name, v] : times) out["stages"][name] = quantile(v, 0.5);
    if (detector.model.method == "simplenet") compare_with_plain_path(bench, path);
  }
  std::printf("%s\n", out.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 8;
  bool only_verdicts = false;
  int at = 1;
  for (; at < argc && std::strncmp(argv[at], "--", 2) == 0; ++at) {
    if (std::strcmp(argv[at], "--only-verdicts") == 0) only_verdicts = true;
    if (std::strcmp(argv[at], "--seconds") == 0 && at + 1 < argc) seconds = std::atof(argv[++at]);
  }
  if (argc < at + 2 || seconds <= 0) {
    std::fprintf(stderr, "usage: bench_inspect [--seconds S] [--only-verdicts] MODEL IMAGE...\n");
    return 2;
  }
  std::vector<glint::Bytes> files;
  for (int i = at + 1; i < argc; ++i) files.push_back(glint::read_file(argv[i]));
  try {
    return run(seconds, only_verdicts, argv[at], files);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_inspect: %s\n", e.what());
    return 1;
  }
}
