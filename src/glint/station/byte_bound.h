// How many bytes may wait between two stages of the line. Counts what it is told; allocates nothing.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

namespace glint {

/// Thread-safe. One item always fits when nothing is held, however large it is. Outlives its shares.
class ByteBound {
 public:
  explicit ByteBound(std::size_t limit) : limit_(limit) {}
  ByteBound(const ByteBound&) = delete;
  ByteBound& operator=(const ByteBound&) = delete;

  /// Bytes that are held until the share ends.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : bound_(std::exchange(other.bound_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(bound_, other.bound_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() { release(); }
    void release() {
      if (bound_ != nullptr) bound_->give_back(bytes_);
      bound_ = nullptr;
    }
    explicit operator bool() const { return bound_ != nullptr; }

   private:
    friend class ByteBound;
    Share(ByteBound* bound, std::size_t bytes) : bound_(bound), bytes_(bytes) {}
    ByteBound* bound_ = nullptr;
    std::size_t bytes_ = 0;
  };

  /// An empty share when the bytes do not fit or the bound is closed.
  Share try_take(std::size_t bytes) {
    const std::lock_guard guard(mutex_);
    return !closed_ && fits(bytes) ? taken(bytes) : Share();
  }
  /// Waits for room. An empty share when closed.
  Share take(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || fits(bytes); });
    return closed_ ? Share() : taken(bytes);
  }
  void close() {
    const std::lock_guard guard(mutex_);
    closed_ = true;
    room_.notify_all();
  }

  std::size_t held() const {
    const std::lock_guard guard(mutex_);
    return held_;
  }
  std::size_t most_held() const {
    const std::lock_guard guard(mutex_);
    return most_held_;
  }

 private:
  bool fits(std::size_t bytes) const { return held_ == 0 || held_ + bytes <= limit_; }
  Share taken(std::size_t bytes) {
    held_ += bytes;
    most_held_ = std::max(most_held_, held_);
    return {this, bytes};
  }
  void give_back(std::size_t bytes) {
    const std::lock_guard guard(mutex_);
    held_ -= bytes;
    room_.notify_all();
  }

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::size_t held_ = 0, most_held_ = 0;
  bool closed_ = false;
};

}  // namespace glint
