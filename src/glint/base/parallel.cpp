#include "glint/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace glint {
namespace {

int affinity_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// One parallel_for. Its counters belong to the pool's mutex; `work` lives as long as its caller waits.
struct SharedWork {
  const std::function<void(std::int64_t)>* work = nullptr;
  std::int64_t count = 0;
  std::atomic<std::int64_t> next{0};
  std::mutex error_mutex;
  std::exception_ptr error;
  int running = 0;

  void run() {
    for (std::int64_t i = next++; i < count; i = next++) {
      try {
        (*work)(i);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next = count;
      }
    }
  }
};

/// Threads that wait for work between two calls. Never destroyed: they sleep when the program ends.
class ThreadPool {
 public:
  static ThreadPool& instance() {
    static ThreadPool& pool = *new ThreadPool;
    return pool;
  }

  /// The caller works too, so that a call from a pool's thread cannot wait for itself.
  void run(const std::shared_ptr<SharedWork>& shared, int helpers) {
    {
      const std::lock_guard lock(mutex_);
      for (int i = 0; i < helpers; ++i) waiting_.push_back(shared);
      for (; idle_ < waiting_.size() && threads_ < kMostThreads; ++idle_, ++threads_)
        std::thread([this] { serve(); }).detach();
    }
    wake_.notify_all();
    shared->run();
    std::unique_lock lock(mutex_);
    std::erase(waiting_, shared);
    finished_.wait(lock, [&] { return shared->running == 0; });
  }

 private:
  static constexpr std::size_t kMostThreads = 256;

  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return !waiting_.empty(); });
      const std::shared_ptr<SharedWork> shared = std::move(waiting_.front());
      waiting_.pop_front();
      --idle_;
      ++shared->running;
      lock.unlock();
      shared->run();
      lock.lock();
      ++idle_;
      --shared->running;
      finished_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::deque<std::shared_ptr<SharedWork>> waiting_;  ///< once for each helper that it may have
  std::size_t threads_ = 0, idle_ = 0;
};

}  // namespace

int quota_threads(const std::string& cpu_max) {
  std::int64_t quota = 0, period = 0;
  if (std::sscanf(cpu_max.c_str(), "%ld %ld", &quota, &period) != 2 || quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::max<std::int64_t>(1, quota / period));
}

int available_threads() {
  static const int allowed_by_quota = [] {
    std::ifstream file("/sys/fs/cgroup/cpu.max");
    std::string line;
    return std::getline(file, line) ? quota_threads(line) : 0;
  }();
  const int allowed = affinity_threads();
  return allowed_by_quota > 0 ? std::min(allowed, allowed_by_quota) : allowed;
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
  const auto shared = std::make_shared<SharedWork>();
  shared->work = &work;
  shared->count = n;
  ThreadPool::instance().run(shared, threads - 1);
  if (shared->error) std::rethrow_exception(shared->error);
}

}  // namespace glint
