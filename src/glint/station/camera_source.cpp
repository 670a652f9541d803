// A camera or a recording as a source. One thread captures without pause, so that the newest frame is never
// old; a trigger takes it. A camera that is gone is opened again with growing pauses, and a trigger asked for
// meanwhile ends in NO DECISION.

#include <algorithm>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/station/reasons.h"
#include "glint/station/threaded_source.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

class CameraSource : public ThreadedSource {
 public:
  CameraSource(const SourceSpec& spec, const SourceOptions& options, Line& line,
               std::unique_ptr<Camera> camera, SourceListener listener)
      : ThreadedSource(spec, std::move(listener)),
        options_(options),
        line_(line),
        camera_(std::move(camera)) {
    status_.camera = !camera_->is_recording();
    start([this] { run(); });
  }
  ~CameraSource() override { finish(); }

  std::shared_ptr<Ticket> request(const std::string& part_id) override {
    if (camera_->is_recording()) return nullptr;
    std::unique_lock lock(mutex_);
    if (status_.state != SourceState::kRunning) {
      const std::string reason = fmt::format("camera {} is {}: {}", status_.name, enum_name(status_.state),
                                             status_.message.empty() ? "no frame yet" : status_.message);
      Trigger trigger = next_trigger(part_id);
      lock.unlock();
      return line_.refuse(std::move(trigger), reason);
    }
    // The next frame, not the last one: what the part looks like now.
    const std::int64_t seen = status_.frames;
    const bool fresh = changed_.wait_for(
        lock, kFrameWait, [&] { return status_.frames > seen || status_.state != SourceState::kRunning; });
    Trigger trigger = next_trigger(part_id);
    if (!fresh || status_.frames == seen) {
      lock.unlock();
      return line_.refuse(std::move(trigger), "the camera gave no frame");
    }
    trigger.frame = newest_;
    lock.unlock();
    return submit(std::move(trigger));
  }

 private:
  static constexpr std::chrono::milliseconds kFrameWait{3000};

  /// Called with mutex_ held.
  Trigger next_trigger(const std::string& part_id) {
    Trigger trigger;
    trigger.source = trigger.view = trigger.name = status_.name;
    trigger.sequence = ++status_.triggers;
    trigger.part_id = part_id;
    return trigger;
  }

  /// A camera's part will be gone: without room its trigger becomes NO DECISION at once.
  std::shared_ptr<Ticket> submit(Trigger trigger) {
    Trigger copy = trigger;
    copy.frame = {};
    if (auto ticket = line_.submit(std::move(trigger))) return ticket;
    return line_.refuse(std::move(copy), kFull);
  }

  void take(RgbImage frame) {
    std::optional<Trigger> due;
    {
      const std::lock_guard guard(mutex_);
      ++status_.frames;
      status_.last_frame_us = unix_micros();
      const bool timed = options_.trigger == CameraTrigger::kTimed && Clock::now() >= next_due_;
      if (camera_->is_recording() || timed) {
        next_due_ = Clock::now() + options_.interval;
        due = next_trigger("");
        due->frame = frame;
      }
      newest_ = std::move(frame);
      changed_.notify_all();
    }
    if (!due) return;
    if (camera_->is_recording()) {
      line_.submit_waiting(std::move(*due));
    } else {
      submit(std::move(*due));
    }
  }

  /// Captures until the camera is gone (throws), the recording ends (true) or the station stops (true).
  bool capture() {
    camera_->open();
    change_state(SourceState::kRunning, "");
    while (!stop_.stopped()) {
      auto frame = camera_->next();
      if (!frame) {
        change_state(SourceState::kFinished, "");
        return true;
      }
      retry_ = options_.first_retry;
      take(std::move(*frame));
    }
    return true;
  }

  void run() {
    retry_ = options_.first_retry;
    while (!stop_.stopped()) {
      try {
        if (capture()) break;
      } catch (const std::exception& e) {
        change_state(SourceState::kGone, fmt::format("{}; tried again in {:.1f} s", e.what(),
                                                     std::chrono::duration<double>(retry_).count()));
      }
      camera_->close();
      if (stop_.wait_for(retry_)) break;
      retry_ = std::min(2 * retry_, options_.longest_retry);
    }
    camera_->close();
  }

  SourceOptions options_;
  Line& line_;
  std::unique_ptr<Camera> camera_;
  RgbImage newest_;
  Clock::time_point next_due_{};
  std::chrono::milliseconds retry_{};
};

}  // namespace

std::unique_ptr<Source> make_camera_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                           std::unique_ptr<Camera> camera, SourceListener listener) {
  return std::make_unique<CameraSource>(spec, options, line, std::move(camera), std::move(listener));
}

}  // namespace glint
