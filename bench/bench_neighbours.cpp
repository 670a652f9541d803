// Nearest row of a memory bank for one image's patches: our search in float32 and bfloat16 and, where it was
// there at the build, FAISS (exact and inverted lists), on the same rows in the same run. usage:
// bench_neighbours [ROWS...] (default 5000 41472 100000); prints medians, the share of queries whose nearest
// distance is right to 1e-4, and the memory of the bank.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "glint/base/order_statistics.h"
#include "glint/base/random.h"
#include "glint/nn/nearest.h"

#ifdef GLINT_WITH_FAISS
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#endif

namespace {

constexpr std::int64_t kWidth = 384, kQueries = 36 * 36, kPatterns = 400;
constexpr int kRounds = 15;

/// Rows around common patterns, as patches of similar parts are: [n, kWidth].
torch::Tensor patches(std::int64_t n, std::uint64_t seed) {
  glint::Rng pattern_rng(7, "bench.patterns"), rng(seed, "bench.patches");
  std::vector<float> patterns(kPatterns * kWidth);
  for (float& v : patterns) v = static_cast<float>(pattern_rng.normal());
  torch::Tensor out = torch::empty({n, kWidth});
  float* at = out.data_ptr<float>();
  for (std::int64_t i = 0; i < n; ++i) {
    const float* pattern = patterns.data() + static_cast<std::int64_t>(rng.below(kPatterns)) * kWidth;
    for (std::int64_t j = 0; j < kWidth; ++j) *at++ = pattern[j] + 0.5F * static_cast<float>(rng.normal());
  }
  return out;
}

double median_ms(const std::function<void()>& work) {
  work();
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return glint::median(std::move(times));
}

double share_right(const std::vector<float>& distances, const std::vector<float>& exact) {
  int right = 0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    right += std::abs(distances[i] - exact[i]) <= 1e-4F * exact[i];
  return static_cast<double>(right) / static_cast<double>(exact.size());
}

void line(const char* what, std::int64_t rows, double ms, double right, double bytes) {
  std::printf("%-28s %8lld rows %9.1f ms   right %.4f   %6.0f MiB\n", what, static_cast<long long>(rows), ms,
              right, bytes / (1 << 20));
}

void measure(std::int64_t n) {
  const torch::Tensor rows = patches(n, 1), queries = patches(kQueries, 2);
  std::vector<float> exact;
  for (const glint::Precision precision : {glint::Precision::kFloat32, glint::Precision::kBFloat16}) {
    const bool full = precision == glint::Precision::kFloat32;
    const glint::NearestRows bank(rows, precision);
    glint::NearestResult found;
    const double ms = median_ms([&] { found = bank.search(queries); });
    const std::vector<float> distances(found.distance.data_ptr<float>(),
                                       found.distance.data_ptr<float>() + kQueries);
    if (full) exact = distances;
    line(full ? "ours, float32" : "ours, bfloat16", n, ms, share_right(distances, exact),
         static_cast<double>(n) * kWidth * (full ? 8 : 6));
  }
#ifdef GLINT_WITH_FAISS
  const float *x = rows.data_ptr<float>(), *q = queries.data_ptr<float>();
  std::vector<float> squares(kQueries), distances(kQueries);
  std::vector<faiss::Index::idx_t> index(kQueries);
  const auto report = [&](const char* what, const faiss::Index& searched) {
    const double ms = median_ms([&] { searched.search(kQueries, q, 1, squares.data(), index.data()); });
    std::transform(squares.begin(), squares.end(), distances.begin(), [](float s) { return std::sqrt(s); });
    line(what, n, ms, share_right(distances, exact), static_cast<double>(n) * kWidth * 4);
  };
  faiss::IndexFlatL2 flat(kWidth);
  flat.add(n, x);
  report("FAISS IndexFlatL2 (exact)", flat);
  const auto lists = static_cast<std::size_t>(4 * std::sqrt(static_cast<double>(n)));
  faiss::IndexFlatL2 coarse(kWidth);
  faiss::IndexIVFFlat inverted(&coarse, kWidth, lists);
  inverted.train(n, x);
  inverted.add(n, x);
  inverted.nprobe = std::max<std::size_t>(1, lists / 20);
  report("FAISS IndexIVFFlat, 1 in 20", inverted);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("%lld queries of %lld values, median of %d searches\n", static_cast<long long>(kQueries),
              static_cast<long long>(kWidth), kRounds);
  if (argc < 2) {
    for (const std::int64_t n : {5000, 41472, 100000}) measure(n);
  }
  for (int i = 1; i < argc; ++i) measure(std::max(1L, std::atol(argv[i])));
#ifndef GLINT_WITH_FAISS
  std::printf("FAISS was not there when this was built (Debian: libfaiss-dev)\n");
#endif
}
