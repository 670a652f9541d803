// A stop signal that a thread can wait on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace glint {

/// Thread-safe.
class StopSignal {
 public:
  void stop() {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  bool stopped() const {
    const std::lock_guard guard(mutex_);
    return stopped_;
  }
  /// True as soon as stop() was called, false after `time`.
  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return stopped_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace glint
