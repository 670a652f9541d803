#include "glint/station/line.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/image/grey.h"
#include "glint/station/pictures.h"
#include "glint/station/reasons.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

/// Records of one transaction at most.
constexpr std::size_t kBatch = 64;
/// Decoded images between decoders and judges beside those at work: enough that neither waits for the other.
constexpr std::size_t kDecoded = 1;
/// Refusals have no image and are small: tens of thousands, an hour of a fast camera.
constexpr std::size_t kRefusedBytes = std::size_t{32} << 20;
/// Queues that the bytes bound, not the number.
constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

std::int64_t steady_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

double mean_luma(const RgbImage& image) {
  double sum = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) sum += luma_of(&image.pixels[i]);
  return image.pixels.empty() ? kNotMeasured : sum / (static_cast<double>(image.pixels.size()) / 3);
}

std::string image_hash(const Trigger& trigger) {
  return trigger.file.empty() ? frame_sha256(trigger.frame) : sha256_hex(trigger.file);
}

/// What went wrong, whoever threw it.
std::string reason_of(const std::exception& e) {
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ? kNoMemory : e.what();
}

/// A comparison with a number that is none is false, whatever it decides.
bool is_finite(const InspectionResult& result) {
  return std::isfinite(result.score) && std::isfinite(result.threshold) && std::isfinite(result.p_value) &&
         std::all_of(result.regions.begin(), result.regions.end(),
                     [](const Region& region) { return std::isfinite(region.peak); });
}

/// Texts from outside as the journal holds them, so that what is looked for later is what was written.
void as_journal_text(Trigger& trigger) {
  for (std::string* text : {&trigger.source, &trigger.part_id, &trigger.view, &trigger.idempotency_key})
    *text = journal_text(*text);
}

}  // namespace

struct Line::Job {
  ByteBound::Share share;
  std::shared_ptr<Ticket> ticket;
  Trigger trigger;
  InspectionRecord record;
  RgbImage photograph, map;
  bool recorded = false;

  std::size_t bytes() const {
    constexpr std::size_t kItself = 2000;  // with its texts, ticket and what the heap adds
    return kItself + trigger.file.size() + trigger.frame.pixels.size() + photograph.pixels.size() +
           map.pixels.size() + record.regions.size() * sizeof(Region);
  }
  bool late() const { return Clock::now() > ticket->deadline(); }
  void no_decision(std::string reason) {
    record.verdict = Verdict::kNoDecision;
    record.reason = std::move(reason);
    record.score = record.threshold = record.p_value = kNotMeasured;
    record.regions.clear();
    map = {};
  }
};

Line::Line(const ModelShelf& shelf, Journal& journal, const ImageStoreOptions& images,
           const LineOptions& options, std::function<std::int64_t()> now)
    : shelf_(shelf),
      journal_(journal),
      images_(journal, images),
      options_(options),
      now_(std::move(now)),
      waiting_(options.waiting_bytes),
      judged_(options.judged_bytes),
      refused_(kRefusedBytes),
      to_decode_(static_cast<std::size_t>(options.queue_length)),
      to_judge_(kDecoded + static_cast<std::size_t>(options.workers)),
      to_record_(kAny),
      to_keep_(kAny) {
  // A clock that went back while the station was down shows against the newest record.
  clock_offset_us_ = std::max(journal.reader().last_time_us(), now_()) - steady_micros();
  for (int i = 0; i < options.workers; ++i) {
    decoders_.emplace_back([this] { decode_loop(); });
    judges_.emplace_back([this] { judge_loop(); });
  }
  recorder_ = std::thread([this] { record_loop(); });
  keeper_ = std::thread([this] { keep_loop(); });
}

Line::~Line() {
  stop();
}

void Line::stop() {
  std::call_once(stopped_, [this] {
    waiting_.close();
    refused_.close();
    to_decode_.close();
    for (std::thread& decoder : decoders_) decoder.join();
    to_judge_.close();
    for (std::thread& judge : judges_) judge.join();
    to_record_.close();
    recorder_.join();
    to_keep_.close();
    keeper_.join();
  });
}

LineCounters Line::counters() const {
  const std::lock_guard guard(mutex_);
  LineCounters out = counters_;
  out.waiting = to_decode_.size();
  out.held_bytes = waiting_.held() + judged_.held() + refused_.held();
  out.most_judged_bytes = judged_.most_held();
  return out;
}

std::string Line::journal_fault() const {
  const std::lock_guard guard(mutex_);
  return journal_fault_;
}

std::string Line::listener_fault() const {
  const std::lock_guard guard(mutex_);
  return listener_fault_;
}

Line::JobPointer Line::make_job(Trigger trigger) {
  auto job = std::make_unique<Job>();
  job->ticket = std::make_shared<Ticket>();
  job->ticket->accepted_ = Clock::now();
  job->ticket->set_deadline(job->ticket->accepted_ + options_.time_limit);
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
  ticket->set_deadline(Clock::now());
  ticket->promise_.set_value({std::move(*record), true, true});
  return ticket;
}

std::shared_ptr<Ticket> Line::submit(Trigger trigger, bool wait) {
  as_journal_text(trigger);
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
  if (wait) ticket->set_deadline(Ticket::kNotYet);  // set again when its turn comes
  job->share = wait ? waiting_.take(job->bytes()) : waiting_.try_take(job->bytes());
  const bool taken = job->share && (wait ? to_decode_.push(job) : to_decode_.try_push(job));
  const std::lock_guard guard(mutex_);
  ++(taken ? counters_.accepted : counters_.refused_full);
  if (taken) return ticket;
  if (!key.empty()) {
    in_flight_.erase(key);
    // Somebody may have come with the same key in between and wait for this ticket.
    Outcome refused{ticket->draft_, /*recorded=*/false};
    refused.record.reason = kFull;
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
  as_journal_text(trigger);
  trigger.file = {};
  trigger.frame = {};
  JobPointer job = make_job(std::move(trigger));
  job->no_decision(reason);
  std::shared_ptr<Ticket> ticket = job->ticket;
  job->share = refused_.take(job->bytes());
  return job->share && to_record_.push(job) ? ticket : nullptr;
}

void Line::decode_loop() {
  while (auto job = to_decode_.pop()) {
    Ticket& ticket = *(*job)->ticket;
    if (ticket.deadline() == Ticket::kNotYet) ticket.set_deadline(Clock::now() + options_.time_limit);
    decode(**job);
    (*job)->share.release();
    to_judge_.push(*job);
  }
}

void Line::judge_loop() {
  while (auto job = to_judge_.pop()) {
    judge(**job);
    // What keeps anything keeps NO DECISION, and a verdict can still become one.
    if (!images_.wants(Verdict::kNoDecision)) (*job)->trigger.file = {};
    (*job)->share = judged_.take((*job)->bytes());
    to_record_.push(*job);
  }
}

void Line::record_loop() {
  while (true) {
    std::vector<JobPointer> jobs = to_record_.pop_some(kBatch);
    if (jobs.empty()) return;
    record(jobs);
    for (JobPointer& job : jobs) {
      tell(*job);
      job->map = {};
      if (!job->trigger.file.empty()) job->photograph = {};  // the file is what is kept
      if (job->recorded && images_.wants(job->record.verdict)) to_keep_.push(job);  // as answer() said
      job = nullptr;
    }
  }
}

void Line::keep_loop() {
  while (auto job = to_keep_.pop()) {
    keep(**job);
    const std::lock_guard guard(mutex_);
    keeping_.erase((*job)->record.id);
    kept_.notify_all();
  }
}

bool Line::wait_kept(std::int64_t inspection, std::chrono::milliseconds time) const {
  std::unique_lock guard(mutex_);
  return kept_.wait_for(guard, time, [&] { return keeping_.count(inspection) == 0; });
}

void Line::decode(Job& job) {
  try {
    if (job.record.image_sha256.empty()) job.record.image_sha256 = image_hash(job.trigger);
    if (job.late()) return job.no_decision(kLate);
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
  if (job.late()) return job.no_decision(kLate);
  try {
    const std::shared_ptr<const Judge> judge = shelf_.active();
    InspectionResult result = judge->judge(job.photograph);
    if (!is_finite(result)) fail(ErrorCode::kBadInput, kNotANumber);
    if (result.map.width > 0) job.map = map_picture(result.map, judge->facts().colours, kMapSide);
    job.record.model = judge->facts().file_sha256;
    job.record.verdict = result.rejected ? Verdict::kNok : Verdict::kOk;
    job.record.score = result.score;
    job.record.threshold = result.threshold;
    job.record.p_value = result.p_value;
    job.record.regions = std::move(result.regions);
  } catch (const std::exception& e) {
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
      job->no_decision(kNoDecisionInTime);  // as its waiter was told
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
    if (!fault.empty()) job->no_decision(kNotRecorded + fault);
    answer(*job, fault.empty());
  }
}

void Line::answer(Job& job, bool recorded) {
  job.recorded = recorded;
  {
    const std::lock_guard guard(mutex_);
    counters_.unrecorded += recorded ? 0 : 1;
    if (recorded && images_.wants(job.record.verdict)) keeping_.insert(job.record.id);
    const auto found = in_flight_.find(job.record.idempotency_key);
    if (found != in_flight_.end() && found->second.ticket == job.ticket) in_flight_.erase(found);
  }
  job.ticket->promise_.set_value({job.record, recorded});
}

void Line::tell(Job& job) {
  if (!listener_) return;
  std::string fault;
  try {
    const Outcome outcome{job.record, job.recorded};
    listener_({outcome, job.photograph, job.map});
  } catch (const std::exception& e) {
    fault = e.what();
  } catch (...) {
    fault = "an error of unknown kind";
  }
  const std::lock_guard guard(mutex_);
  counters_.listener_failures += fault.empty() ? 0 : 1;
  listener_fault_ = fault;
}

void Line::keep(Job& job) {
  if (job.photograph.width == 0 && job.trigger.file.empty()) return;
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

}  // namespace glint
