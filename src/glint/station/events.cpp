#include "glint/station/events.h"

#include <algorithm>

namespace glint {
namespace {

constexpr std::size_t kMostWaiting = 100;
constexpr std::size_t kMostWaitingBytes = std::size_t{1}
                                          << 20;  ///< a part with many regions makes a long event

}  // namespace

std::shared_ptr<EventHub::Reader> EventHub::subscribe(std::size_t most) {
  const std::lock_guard guard(mutex_);
  std::erase_if(readers_, [](const auto& reader) { return reader.expired(); });
  if (closed_ || readers_.size() >= most) return nullptr;
  std::shared_ptr<Reader> reader(new Reader(*this));
  readers_.push_back(reader);
  return reader;
}

void EventHub::publish(const std::string& name, const std::string& data) {
  const std::string text = "event: " + name + "\ndata: " + data + "\n\n";
  const std::lock_guard guard(mutex_);
  for (const auto& weak : readers_) {
    const auto reader = weak.lock();
    if (!reader) continue;
    reader->waiting_.push_back(text);
    reader->bytes_ += text.size();
    while (reader->waiting_.size() > 1 &&
           (reader->waiting_.size() > kMostWaiting || reader->bytes_ > kMostWaitingBytes)) {
      reader->bytes_ -= reader->waiting_.front().size();
      reader->waiting_.pop_front();
    }
  }
  changed_.notify_all();
}

void EventHub::close() {
  const std::lock_guard guard(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::size_t EventHub::readers() const {
  const std::lock_guard guard(mutex_);
  return static_cast<std::size_t>(
      std::count_if(readers_.begin(), readers_.end(), [](const auto& reader) { return !reader.expired(); }));
}

std::optional<std::string> EventHub::Reader::next(std::chrono::milliseconds wait) {
  std::unique_lock lock(hub_.mutex_);
  hub_.changed_.wait_for(lock, wait, [&] { return hub_.closed_ || !waiting_.empty(); });
  if (hub_.closed_) return std::nullopt;
  if (waiting_.empty()) return "event: beat\ndata: 1\n\n";
  std::string out;
  for (const std::string& text : waiting_) out += text;
  waiting_.clear();
  bytes_ = 0;
  return out;
}

}  // namespace glint
