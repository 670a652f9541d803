// SimpleNet's training step: fast path (bfloat16 where the CPU has it, and float32) beside autograd float32,
// same run. usage: bench_train [DIMENSION=384] [ROWS=5184]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "glint/detect/simplenet/head.h"
#include "glint/nn/runtime.h"

int main(int argc, char** argv) {
  using namespace glint;
  prepare_runtime();
  const int d = argc > 1 ? std::atoi(argv[1]) : 384, rows = argc > 2 ? std::atoi(argv[2]) : 4 * 36 * 36;
  torch::manual_seed(1);
  const torch::Tensor z = 0.07 * torch::randn({rows, d}), noise = 0.015 * torch::randn({rows, d});
  auto median = [&](auto step, const torch::Tensor& features, const torch::Tensor& fake) {
    HeadWeights head = HeadWeights::initial(d, 2 * d / 3, 1);
    HeadOptimizer optimizer(SimpleNetOptions{}, head);
    std::vector<double> times;
    for (int i = 0; i < 23; ++i) {
      const auto start = std::chrono::steady_clock::now();
      HeadGradients gradients;
      StepResult result = step(head, features, {fake, {}}, {}, gradients);
      optimizer.step(head, gradients, result);
      if (i >= 3)
        times.push_back(1000 *
                        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + 10, times.end());
    return times[10];
  };
  const double plain = median(plain_gradients, z, noise), fast = median(fast_gradients, z, noise);
  std::printf("rows %d, dimension %d, medians of 20 steps\n", rows, d);
  std::printf("autograd float32   %8.2f ms\nfast float32       %8.2f ms  %.2f times\n", plain, fast,
              plain / fast);
  if (cpu_has_bfloat16()) {
    const double half = median(fast_gradients, z.to(torch::kBFloat16), noise.to(torch::kBFloat16));
    std::printf("fast bfloat16      %8.2f ms  %.2f times\n", half, plain / half);
  }
  return 0;
}
