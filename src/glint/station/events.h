// Server-sent events: one publisher, many readers. A slow reader loses its oldest events, never the others'.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace glint {

/// Thread-safe.
class EventHub {
 public:
  class Reader;

  /// Null when there are already `most` readers.
  std::shared_ptr<Reader> subscribe(std::size_t most);
  void publish(const std::string& name, const std::string& data);
  /// Wakes all readers for good.
  void close();
  std::size_t readers() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<Reader>> readers_;
  bool closed_ = false;
};

class EventHub::Reader {
 public:
  /// The next events as event-stream text; a `beat` event when none came within `wait`; nothing when closed.
  std::optional<std::string> next(std::chrono::milliseconds wait);

 private:
  friend class EventHub;
  explicit Reader(EventHub& hub) : hub_(hub) {}
  EventHub& hub_;
  std::deque<std::string> waiting_;
  std::size_t bytes_ = 0;  ///< of waiting_
};

}  // namespace glint
