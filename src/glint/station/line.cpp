#include "glint/station/line.h"

#include <algorithm>
#include <cmath>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/image/codec.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

/// A waiter gives the line this much longer than the line gives itself.
constexpr std::chrono::milliseconds kGrace{1000};
/// Records of one transaction at most.
constexpr std::size_t kBatch = 64;
/// Decoded images between decoder and judge: enough that neither waits for the other.
constexpr std::size_t kDecoded = 2;
/// Refusals have no image and are small; an hour of a fast camera fits.
constexpr std::size_t kRecords = 100'000;

std::int64_t steady_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

double mean_luma(const RgbImage& image) {  // ITU-R BT.601
  double sum = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    sum += 0.299 * image.pixels[i] + 0.587 * image.pixels[i + 1] + 0.114 * image.pixels[i + 2];
  }
  return image.pixels.empty() ? kNotMeasured : sum / (static_cast<double>(image.pixels.size()) / 3);
}

std::string image_hash(const Trigger& trigger) {
  return trigger.file.empty() ? frame_sha256(trigger.frame) : sha256_hex(trigger.file);
}

/// What went wrong, whoever threw it.
std::string reason_of(const std::exception& e) {
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ? "not enough memory for this image" : e.what();
}

}  // namespace

struct Line::Job {
  std::shared_ptr<Ticket> ticket;
  Trigger trigger;
  InspectionRecord record;
  RgbImage photograph;
  ScoreMap map;
  std::shared_ptr<const Judge> judge;

  bool late() const { return Clock::now() > ticket->deadline_; }
  void no_decision(std::string reason) {
    record.verdict = Verdict::kNoDecision;
    record.reason = std::move(reason);
    record.score = record.threshold = record.p_value = kNotMeasured;
    record.regions.clear();
  }
};

Outcome Ticket::wait() const {
  if (future_.wait_until(deadline_ + kGrace) == std::future_status::ready) return future_.get();
  State pending = State::kPending;
  if (!state_.compare_exchange_strong(pending, State::kExpired)) {
    if (pending == State::kTaken) return future_.get();  // being written just now
  }
  Outcome late{draft_, /*recorded=*/false};
  late.record.verdict = Verdict::kNoDecision;
  late.record.reason = "no decision in time";
  return late;
}

Line::Line(const ModelShelf& shelf, Journal& journal, const ImageStoreOptions& images,
           const LineOptions& options, std::function<std::int64_t()> now)
    : shelf_(shelf),
      journal_(journal),
      images_(journal, images),
      options_(options),
      now_(std::move(now)),
      to_decode_(static_cast<std::size_t>(options.queue_length)),
      to_judge_(kDecoded),
      to_record_(kRecords) {
  // A clock that went back while the station was down shows against the newest record.
  clock_offset_us_ = std::max(journal.reader().last_time_us(), now_()) - steady_micros();
  decoder_ = std::thread([this] { decode_loop(); });
  judge_thread_ = std::thread([this] { judge_loop(); });
  recorder_ = std::thread([this] { record_loop(); });
}

Line::~Line() {
  stop();
}

void Line::stop() {
  std::call_once(stopped_, [this] {
    to_decode_.close();
    decoder_.join();
    to_judge_.close();
    judge_thread_.join();
    to_record_.close();
    recorder_.join();
  });
}

LineCounters Line::counters() const {
  const std::lock_guard guard(mutex_);
  LineCounters out = counters_;
  out.waiting = to_decode_.size();
  return out;
}

std::string Line::journal_fault() const {
  const std::lock_guard guard(mutex_);
  return journal_fault_;
}

Line::JobPointer Line::make_job(Trigger trigger) {
  auto job = std::make_unique<Job>();
  job->ticket = std::make_shared<Ticket>();
  job->ticket->accepted_ = Clock::now();
  job->ticket->deadline_ = job->ticket->accepted_ + options_.time_limit;
  InspectionRecord& record = job->record;
  record.time_us = now_();
  record.source = trigger.source;
  record.sequence = trigger.sequence;
  record.part_id = trigger.part_id;
  record.view = trigger.view;
  record.idempotency_key = trigger.idempotency_key;
  job->ticket->draft_ = record;
  job->trigger = std::move(trigger);
  return job;
}

std::shared_ptr<Ticket> Line::find_earlier(const Trigger& trigger, const std::string& hash) {
  const auto refuse_other_image = [&](const std::string& earlier) {
    if (earlier != hash) {
      fail(ErrorCode::kBadInput, "idempotency key '{}' belongs to another image; give each image its own",
           trigger.idempotency_key);
    }
  };
  if (const auto found = in_flight_.find(trigger.idempotency_key); found != in_flight_.end()) {
    refuse_other_image(found->second.image_hash);
    ++counters_.repeated;
    return found->second.ticket;
  }
  auto record = journal_.reader().find_by_key(trigger.idempotency_key);
  if (!record || record->verdict == Verdict::kNoDecision) return nullptr;
  refuse_other_image(record->image_sha256);
  ++counters_.repeated;
  auto ticket = std::make_shared<Ticket>();
  ticket->deadline_ = Clock::now();
  ticket->promise_.set_value({std::move(*record), true, true});
  return ticket;
}

std::shared_ptr<Ticket> Line::submit(Trigger trigger, bool wait) {
  const std::string key = trigger.idempotency_key;
  JobPointer job;
  if (!key.empty()) {
    const std::string hash = image_hash(trigger);
    const std::lock_guard guard(mutex_);
    if (auto earlier = find_earlier(trigger, hash)) return earlier;
    job = make_job(std::move(trigger));
    job->record.image_sha256 = hash;
    in_flight_[key] = {job->ticket, hash};
  } else {
    job = make_job(std::move(trigger));
  }
  std::shared_ptr<Ticket> ticket = job->ticket;
  const bool taken = wait ? to_decode_.push(job) : to_decode_.try_push(job);
  const std::lock_guard guard(mutex_);
  ++(taken ? counters_.accepted : counters_.refused_full);
  if (taken) return ticket;
  if (!key.empty()) {
    in_flight_.erase(key);
    // Somebody may have come with the same key in between and wait for this ticket.
    Outcome refused{ticket->draft_, /*recorded=*/false};
    refused.record.reason = "the line is full";
    ticket->promise_.set_value(std::move(refused));
  }
  return nullptr;
}

std::shared_ptr<Ticket> Line::submit(Trigger trigger) {
  return submit(std::move(trigger), /*wait=*/false);
}

std::shared_ptr<Ticket> Line::submit_waiting(Trigger trigger) {
  return submit(std::move(trigger), /*wait=*/true);
}

std::shared_ptr<Ticket> Line::refuse(Trigger trigger, const std::string& reason) {
  trigger.file.clear();
  trigger.frame = {};
  JobPointer job = make_job(std::move(trigger));
  job->no_decision(reason);
  std::shared_ptr<Ticket> ticket = job->ticket;
  return to_record_.push(job) ? ticket : nullptr;
}

void Line::decode_loop() {
  while (auto job = to_decode_.pop()) {
    decode(**job);
    to_judge_.push(*job);
  }
}

void Line::judge_loop() {
  while (auto job = to_judge_.pop()) {
    judge(**job);
    to_record_.push(*job);
  }
}

void Line::record_loop() {
  while (true) {
    std::vector<JobPointer> jobs = to_record_.pop_some(kBatch);
    if (jobs.empty()) return;
    record(jobs);
  }
}

void Line::decode(Job& job) {
  if (job.record.image_sha256.empty()) job.record.image_sha256 = image_hash(job.trigger);
  if (job.late()) return job.no_decision("overloaded: it waited longer than the time limit");
  try {
    if (job.trigger.file.empty()) {
      job.photograph = std::move(job.trigger.frame);
    } else {
      job.photograph = decode_image(job.trigger.file, job.trigger.name, options_.max_pixels);
    }
    job.record.width = job.photograph.width;
    job.record.height = job.photograph.height;
    job.record.brightness = mean_luma(job.photograph);
    if (job.photograph.width < 8 || job.photograph.height < 8)
      job.no_decision("the image is smaller than 8x8");
  } catch (const std::exception& e) {
    job.photograph = {};
    job.no_decision(reason_of(e));
  }
}

void Line::judge(Job& job) {
  if (!job.record.reason.empty()) return;
  if (job.late()) return job.no_decision("overloaded: it waited longer than the time limit");
  try {
    job.judge = shelf_.active();
    InspectionResult result = job.judge->judge(job.photograph);
    if (!std::isfinite(result.score)) fail(ErrorCode::kBadInput, "the model's score is not a number");
    job.record.model = job.judge->facts().file_sha256;
    job.record.verdict = result.rejected ? Verdict::kNok : Verdict::kOk;
    job.record.score = result.score;
    job.record.threshold = result.threshold;
    job.record.p_value = result.p_value;
    job.record.regions = std::move(result.regions);
    job.map = std::move(result.map);
  } catch (const std::exception& e) {
    job.judge = nullptr;
    job.no_decision(reason_of(e));
  }
}

void Line::note_clock() {
  constexpr std::int64_t kTolerance = 1'000'000;
  const std::int64_t offset = now_() - steady_micros();
  if (offset < clock_offset_us_ - kTolerance) {
    journal_.append(
        EventRecord{0, now_(), "clock went back",
                    fmt::format("by {:.3f} s", static_cast<double>(clock_offset_us_ - offset) / 1e6)});
  }
  clock_offset_us_ = offset;
}

void Line::record(std::vector<JobPointer>& jobs) {
  std::vector<InspectionRecord*> records;
  for (const JobPointer& job : jobs) {
    Ticket::State pending = Ticket::State::kPending;
    if (!job->ticket->state_.compare_exchange_strong(pending, Ticket::State::kTaken)) {
      job->judge = nullptr;
      job->no_decision("no decision in time");  // as its waiter was told
    }
    job->record.elapsed_ms =
        std::chrono::duration<double, std::milli>(Clock::now() - job->ticket->accepted_).count();
    records.push_back(&job->record);
  }
  std::string fault;
  try {
    note_clock();
    journal_.append(records);
  } catch (const std::exception& e) {
    fault = e.what();
  }
  {
    const std::lock_guard guard(mutex_);
    journal_fault_ = fault;
  }
  for (const JobPointer& job : jobs) {
    if (!fault.empty()) job->no_decision("not recorded: " + fault);
    finish(*job, fault.empty());
  }
}

void Line::finish(Job& job, bool recorded) {
  const Outcome outcome{job.record, recorded};
  {
    const std::lock_guard guard(mutex_);
    counters_.unrecorded += recorded ? 0 : 1;
    in_flight_.erase(job.record.idempotency_key);
  }
  job.ticket->promise_.set_value(outcome);
  if (recorded && images_.wants(job.record.verdict) &&
      (job.photograph.width > 0 || !job.trigger.file.empty())) {
    try {
      if (job.trigger.file.empty()) {
        images_.keep(job.record, encode_png(job.photograph), ".png");
      } else {
        images_.keep(job.record, job.trigger.file, image_ending(job.trigger.file));
      }
    } catch (const std::exception&) {
      const std::lock_guard guard(mutex_);
      ++counters_.images_not_kept;
    }
  }
  if (listener_) listener_({outcome, job.photograph, job.map, job.judge});
}

}  // namespace glint
