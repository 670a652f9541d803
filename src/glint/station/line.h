// The way of a trigger through the station: decode, judge, record and answer, keep images. Threads with
// queues between them that are bounded in bytes; several decode and judge, each one image at a time: when the
// journal or the disk is slow, the line takes less in. Every trigger that is taken in ends in OK, NOK or NO
// DECISION, and a verdict is answered only after its record is on disk. Knows nothing of HTTP or cameras.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "glint/base/files.h"
#include "glint/image/image.h"
#include "glint/journal/image_store.h"
#include "glint/journal/journal.h"
#include "glint/station/bounded_queue.h"
#include "glint/station/byte_bound.h"
#include "glint/station/model_shelf.h"

namespace glint {

/// An image to inspect: a file's bytes, or a camera's frame. Texts that are no UTF-8 are recorded by
/// journal_text.
struct Trigger {
  std::string source;
  std::int64_t sequence = 0;
  std::string part_id, view, idempotency_key;
  std::string name;  ///< for messages, e.g. the file's name
  Bytes file;        ///< empty for frames
  RgbImage frame;    ///< empty for files
};

/// What a trigger ended in.
struct Outcome {
  InspectionRecord record;
  bool recorded = true;   ///< false: the journal could not take it, or the time was up; never for OK or NOK
  bool repeated = false;  ///< the answer to an earlier trigger with the same idempotency key
};

/// What a listener gets of each outcome, after it was answered.
struct Inspected {
  const Outcome& outcome;
  const RgbImage& photograph;  ///< empty when there was none
  const RgbImage& map;         ///< in colours, as map_picture makes it; empty without a decision
};

struct LineOptions {
  int queue_length = 16;  ///< triggers waiting to be decoded
  int workers = 1;        ///< images decoded, and judged, at a time; with more than one, records may overtake
  /// To the verdict; then NO DECISION. From the trigger; for sources that wait (submit_waiting) from the
  /// moment that the line begins with the image.
  std::chrono::milliseconds time_limit{10000};
  std::int64_t max_pixels = 50'000'000;  ///< of one image
  /// Images as they came that wait to be decoded; beyond it the line is full.
  std::size_t waiting_bytes = std::size_t{256} << 20;
  /// Judged images that wait for their record or to be kept; beyond it the judge waits.
  std::size_t judged_bytes = std::size_t{64} << 20;
};

/// A pending answer.
class Ticket {
 public:
  /// Waits for the outcome, at most until the line's time limit plus a second; then NO DECISION.
  Outcome wait() const;
  /// The outcome when there is one.
  std::optional<Outcome> poll() const;

 private:
  friend class Line;
  enum class State { kPending, kTaken, kExpired };
  mutable std::atomic<State> state_{State::kPending};
  std::promise<Outcome> promise_;
  std::shared_future<Outcome> future_{promise_.get_future()};
  using Clock = std::chrono::steady_clock;
  Clock::time_point deadline() const { return Clock::time_point(Clock::duration(deadline_)); }
  void set_deadline(Clock::time_point time) { deadline_ = time.time_since_epoch().count(); }
  static constexpr Clock::time_point kNotYet{Clock::duration::max() / 2};  ///< its turn has not come
  Clock::time_point accepted_;
  std::atomic<Clock::rep> deadline_{kNotYet.time_since_epoch().count()};
  InspectionRecord draft_;  ///< what is known at the trigger
};

/// Counters since the start.
struct LineCounters {
  std::int64_t accepted = 0, refused_full = 0, repeated = 0, unrecorded = 0;
  std::int64_t images_not_kept = 0, listener_failures = 0;
  std::size_t waiting = 0;                            ///< triggers to be decoded, now
  std::size_t held_bytes = 0, most_judged_bytes = 0;  ///< of all that waits, now; of judged images, ever
};

/// Thread-safe.
class Line {
 public:
  /// `now` gives wall-clock microseconds; a parameter so that tests can turn it back.
  Line(const ModelShelf& shelf, Journal& journal, const ImageStoreOptions& images, const LineOptions& options,
       std::function<std::int64_t()> now);
  ~Line();  ///< finishes what was taken in
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  /// Called after the answer, from the thread that records. Set before the first trigger. What it throws is
  /// counted.
  void on_inspected(std::function<void(const Inspected&)> listener) { listener_ = std::move(listener); }

  /// Null when the line is full (triggers or bytes) or has stopped. A key seen before gives the earlier
  /// outcome when that was OK or NOK. Error(kBadInput) when the key belongs to another image.
  std::shared_ptr<Ticket> submit(Trigger trigger);
  /// Waits for room instead: for sources that lose nothing by waiting. Null when the line has stopped.
  std::shared_ptr<Ticket> submit_waiting(Trigger trigger);
  /// Records NO DECISION for a trigger that has no image or finds no room. Never waits for the model; waits
  /// for the journal when tens of thousands of refusals wait for it already.
  std::shared_ptr<Ticket> refuse(Trigger trigger, const std::string& reason);

  LineCounters counters() const;
  /// Last failure of the journal; empty when its last write went well.
  std::string journal_fault() const;
  /// What the listener threw last; empty when its last call went well.
  std::string listener_fault() const;
  /// Waits until the image of a recorded inspection is kept, or is not going to be; false when the time is
  /// up.
  bool wait_kept(std::int64_t inspection, std::chrono::milliseconds time) const;
  /// Takes nothing more in, finishes the rest. Called by the destructor too.
  void stop();

 private:
  struct Job;
  using JobPointer = std::unique_ptr<Job>;

  std::shared_ptr<Ticket> find_earlier(const Trigger& trigger, const std::string& hash);
  std::shared_ptr<Ticket> submit(Trigger trigger, bool wait);
  JobPointer make_job(Trigger trigger);
  void decode_loop();
  void judge_loop();
  void record_loop();
  void keep_loop();
  void decode(Job& job);
  void judge(Job& job);
  void record(std::vector<JobPointer>& jobs);
  void answer(Job& job, bool recorded);
  void tell(Job& job);
  void keep(Job& job);
  void note_clock();

  const ModelShelf& shelf_;
  Journal& journal_;
  ImageStore images_;
  LineOptions options_;
  std::function<std::int64_t()> now_;
  std::function<void(const Inspected&)> listener_;
  ByteBound waiting_, judged_, refused_;  ///< before the queues: jobs in them hold shares
  BoundedQueue<JobPointer> to_decode_, to_judge_, to_record_, to_keep_;
  mutable std::mutex mutex_;
  struct InFlight {
    std::shared_ptr<Ticket> ticket;
    std::string image_hash;
  };
  std::map<std::string, InFlight> in_flight_;  ///< by idempotency key
  LineCounters counters_;
  std::string journal_fault_, listener_fault_;
  std::set<std::int64_t> keeping_;  ///< recorded inspections whose image is still to be kept
  mutable std::condition_variable kept_;
  std::int64_t clock_offset_us_ = 0;  ///< wall clock minus steady clock, as last seen
  std::once_flag stopped_;
  std::vector<std::thread> decoders_, judges_;
  std::thread recorder_, keeper_;
};

}  // namespace glint
