// What every source with a thread of its own shares: its status, its state and how it stops.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "glint/station/source.h"
#include "glint/station/waiting.h"

namespace glint {

/// A derived class calls start() at the end of its constructor and finish() in its destructor.
class ThreadedSource : public Source {
 public:
  SourceStatus status() const override {
    const std::lock_guard guard(mutex_);
    return status_;
  }

 protected:
  ThreadedSource(const SourceSpec& spec, SourceListener listener) : listener_(std::move(listener)) {
    status_.name = spec.name;
    status_.kind = spec.kind;
  }

  void start(std::function<void()> run) { thread_ = std::thread(std::move(run)); }
  void finish() {
    stop_.stop();
    thread_.join();
  }

  /// Tells the listener when something changed; a listener that throws does no harm to the source. Not to be
  /// called with mutex_ held.
  void change_state(SourceState state, const std::string& message) {
    SourceStatus changed;
    {
      const std::lock_guard guard(mutex_);
      if (status_.state == state && status_.message == message) return;
      status_.state = state;
      status_.message = message;
      changed = status_;
      changed_.notify_all();
    }
    tell(changed);
  }

  /// What is left out; "" for nothing. Tells the listener when it changed.
  void change_notice(const std::string& notice) {
    SourceStatus changed;
    {
      const std::lock_guard guard(mutex_);
      if (status_.notice == notice) return;
      status_.notice = notice;
      changed = status_;
    }
    tell(changed);
  }

  mutable std::mutex mutex_;         ///< guards status_
  std::condition_variable changed_;  ///< status_ changed
  SourceStatus status_;
  StopSignal stop_;

 private:
  void tell(const SourceStatus& changed) {
    try {
      listener_(changed);
    } catch (...) {
      const std::lock_guard guard(mutex_);
      ++status_.listener_failures;
    }
  }

  SourceListener listener_;
  std::thread thread_;
};

}  // namespace glint
