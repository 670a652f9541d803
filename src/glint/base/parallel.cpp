#include "glint/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace glint {

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void keep_processors(int index, int count) {
  cpu_set_t all, kept;
  CPU_ZERO(&all);
  CPU_ZERO(&kept);
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
  int seen = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    if (seen++ % std::min(count, CPU_COUNT(&all)) == index % CPU_COUNT(&all)) CPU_SET(cpu, &kept);
  }
  if (CPU_COUNT(&kept) > 0) sched_setaffinity(0, sizeof(kept), &kept);
}

void parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& work, int threads) {
  if (threads <= 0) threads = available_threads();
  threads = static_cast<int>(std::min<std::int64_t>(threads, n));
  if (threads <= 1) {
    for (std::int64_t i = 0; i < n; ++i) work(i);
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  auto loop = [&] {
    for (std::int64_t i = next++; i < n; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next = n;
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    for (int t = 1; t < threads; ++t) pool.emplace_back(loop);
    loop();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace glint
