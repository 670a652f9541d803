#include "glint/station/line.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fake_judge.h"
#include "glint/base/clock.h"
#include "glint/journal/verify.h"
#include "glint/station/reasons.h"
#include "golden.h"

namespace glint {
namespace {

class LineTest : public ::testing::Test {
 protected:
  LineTest() { write_text(folder_.path() / "m.glint", "0.5"); }
  void start(LineOptions options = {}, JournalOptions limits = {}, KeepImages keep = KeepImages::kNone) {
    shelf_ = std::make_unique<ModelShelf>(std::vector<std::filesystem::path>{folder_.path() / "m.glint"},
                                          fake_loader(behaviour_));
    journal_ = std::make_unique<Journal>(folder_.path() / "j.db", limits);
    line_ = std::make_unique<Line>(*shelf_, *journal_, ImageStoreOptions{keep}, options,
                                   [this] { return now_us_ == 0 ? unix_micros() : now_us_.load(); });
  }
  static Trigger trigger(int level, const std::string& key = "") {
    Trigger t;
    t.source = "test";
    t.name = "image";
    t.idempotency_key = key;
    t.file = grey_png(level);
    return t;
  }

  TemporaryFolder folder_;
  std::shared_ptr<FakeBehaviour> behaviour_ = std::make_shared<FakeBehaviour>();
  std::atomic<std::int64_t> now_us_{0};
  std::unique_ptr<ModelShelf> shelf_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Line> line_;
};

TEST_F(LineTest, DecidesAndRecordsBeforeItAnswers) {
  start();
  const Outcome good = line_->submit(trigger(20))->wait();
  EXPECT_EQ(good.record.verdict, Verdict::kOk);
  EXPECT_TRUE(good.recorded);
  EXPECT_TRUE(journal_->reader().find(good.record.id));
  const Outcome bad = line_->submit(trigger(200))->wait();
  EXPECT_EQ(bad.record.verdict, Verdict::kNok);
  EXPECT_EQ(bad.record.regions.size(), 1U);
  EXPECT_NEAR(bad.record.brightness, 200, 0.5);
  EXPECT_EQ(bad.record.image_sha256, sha256_hex(grey_png(200)));
}

TEST_F(LineTest, FramesAreInspectedAndKeptLosslessly) {
  start({}, {}, KeepImages::kAll);
  Trigger t;
  t.source = "camera";
  t.frame = grey_image(77);
  const Outcome outcome = line_->submit(std::move(t))->wait();
  EXPECT_EQ(outcome.record.verdict, Verdict::kOk);
  line_->stop();
  const auto kept = read_file(journal_->images_folder() / journal_->reader().kept_image(outcome.record.id));
  EXPECT_EQ(frame_sha256(decode_image(kept, "kept")), outcome.record.image_sha256);
  line_.reset();
  journal_.reset();
  const ChainReport report = verify_journal(folder_.path() / "j.db", {true, ""});
  EXPECT_EQ(report.images_checked, 1);
  EXPECT_TRUE(report.faults.empty());
}

TEST_F(LineTest, BrokenImagesAndBrokenModelsAreNoDecision) {
  start();
  Trigger t = trigger(20);
  t.file.resize(t.file.size() / 2);
  const Outcome cut = line_->submit(std::move(t))->wait();
  EXPECT_EQ(cut.record.verdict, Verdict::kNoDecision);
  EXPECT_NE(cut.record.reason.find("image"), std::string::npos);
  EXPECT_TRUE(cut.recorded);
  EXPECT_FALSE(cut.record.image_sha256.empty());
  behaviour_->broken = true;
  const Outcome broken = line_->submit(trigger(20))->wait();
  EXPECT_EQ(broken.record.verdict, Verdict::kNoDecision);
  EXPECT_NE(broken.record.reason.find("the fake is broken"), std::string::npos);
  behaviour_->broken = false;
  EXPECT_EQ(line_->submit(trigger(20))->wait().record.verdict, Verdict::kOk);
}

TEST_F(LineTest, AnImageWithTooManyPixelsIsNoDecision) {
  LineOptions options;
  options.max_pixels = 100;
  start(options);
  EXPECT_EQ(line_->submit(trigger(20))->wait().record.verdict, Verdict::kNoDecision);
}

TEST_F(LineTest, AFullLineRefusesAtOnceAndEveryAcceptedTriggerEnds) {
  LineOptions options;
  options.queue_length = 3;
  start(options);
  behaviour_->delay_ms = 30;
  std::vector<std::shared_ptr<Ticket>> tickets;
  int refused = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 40; ++i) {
    if (auto ticket = line_->submit(trigger(20))) {
      tickets.push_back(std::move(ticket));
    } else {
      ++refused;
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_GT(refused, 0);
  for (const auto& ticket : tickets) EXPECT_TRUE(ticket->wait().recorded);
  EXPECT_EQ(line_->counters().refused_full, refused);
  EXPECT_EQ(journal_->reader().head().id, std::ssize(tickets));
}

TEST_F(LineTest, ARefusalIsRecordedWithItsReasonWhileTheModelIsBusy) {
  start();
  behaviour_->delay_ms = 300;
  const auto slow = line_->submit(trigger(20));
  Trigger t = trigger(20);
  const Outcome refused = line_->refuse(std::move(t), "camera gone")->wait();
  EXPECT_EQ(refused.record.verdict, Verdict::kNoDecision);
  EXPECT_EQ(refused.record.reason, "camera gone");
  EXPECT_TRUE(refused.recorded);
  EXPECT_EQ(slow->wait().record.verdict, Verdict::kOk);
}

TEST_F(LineTest, TooLateIsNoDecisionAndTheRecordSaysTheSame) {
  LineOptions options;
  options.time_limit = std::chrono::milliseconds(100);
  start(options);
  behaviour_->delay_ms = 2500;
  const Outcome late = line_->submit(trigger(20))->wait();
  EXPECT_EQ(late.record.verdict, Verdict::kNoDecision);
  EXPECT_FALSE(late.recorded);
  line_->stop();
  const auto written = journal_->reader().list({});
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0].inspection.verdict, Verdict::kNoDecision);  // though the model said OK in the end
}

TEST_F(LineTest, AKeptImageOfATriggerThatCameTooLateHasItsHashOnRecord) {
  LineOptions options;
  options.time_limit = std::chrono::milliseconds(100);
  start(options, {}, KeepImages::kAll);
  behaviour_->delay_ms = 300;
  for (int i = 0; i < 6; ++i) line_->submit(trigger(20 + i));
  line_.reset();
  journal_.reset();
  const ChainReport report = verify_journal(folder_.path() / "j.db", {true, ""});
  EXPECT_EQ(report.images_checked, 6);
  EXPECT_TRUE(report.faults.empty()) << report.faults[0].what;
}

TEST_F(LineTest, AnIdempotencyKeyGivesTheSameVerdictOnce) {
  start();
  const Outcome first = line_->submit(trigger(20, "k"))->wait();
  const Outcome again = line_->submit(trigger(20, "k"))->wait();
  EXPECT_EQ(again.record.id, first.record.id);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(behaviour_->judged, 1);
  EXPECT_THROW(line_->submit(trigger(21, "k")), Error);
  behaviour_->delay_ms = 200;  // both at once
  const auto a = line_->submit(trigger(22, "k2")), b = line_->submit(trigger(22, "k2"));
  EXPECT_EQ(a->wait().record.id, b->wait().record.id);
  EXPECT_EQ(behaviour_->judged, 2);
}

TEST_F(LineTest, ANoDecisionMayBeTriedAgainUnderItsKey) {
  start();
  behaviour_->broken = true;
  EXPECT_EQ(line_->submit(trigger(20, "k"))->wait().record.verdict, Verdict::kNoDecision);
  behaviour_->broken = false;
  EXPECT_EQ(line_->submit(trigger(20, "k"))->wait().record.verdict, Verdict::kOk);
}

TEST_F(LineTest, AFullDiskTurnsVerdictsIntoNoDecision) {
  JournalOptions limits;
  limits.max_bytes = 96 * 1024;
  start({}, limits);
  Outcome outcome;
  int written = 0;
  for (int i = 0; i < 5000; ++i) {
    outcome = line_->submit(trigger(20))->wait();
    if (!outcome.recorded) break;
    ++written;
  }
  EXPECT_FALSE(outcome.recorded);
  EXPECT_EQ(outcome.record.verdict, Verdict::kNoDecision);
  EXPECT_EQ(outcome.record.id, 0);
  EXPECT_NE(outcome.record.reason.find("full"), std::string::npos) << outcome.record.reason;
  EXPECT_NE(line_->journal_fault(), "");
  line_.reset();
  journal_.reset();
  EXPECT_EQ(verify_journal(folder_.path() / "j.db", {}).records, written);
}

TEST_F(LineTest, AClockThatJumpsBackIsNotedAndNothingIsLost) {
  start();
  now_us_ = 1'800'000'000'000'000;
  line_->submit(trigger(20))->wait();
  now_us_ = 1'700'000'000'000'000;
  const Outcome after = line_->submit(trigger(20))->wait();
  EXPECT_EQ(after.record.time_us, 1'700'000'000'000'000);
  line_->stop();
  int notes = 0;
  journal_->reader().for_each([&](const nlohmann::json& row) {
    notes += row["body"].get<std::string>().find("clock went back") != std::string::npos ? 1 : 0;
  });
  EXPECT_EQ(notes, 1);
  EXPECT_TRUE(verify_journal(folder_.path() / "j.db", {}).faults.empty());
}

TEST_F(LineTest, StoppingFinishesWhatWasTakenIn) {
  start();
  behaviour_->delay_ms = 20;
  std::vector<std::shared_ptr<Ticket>> tickets;
  for (int i = 0; i < 8; ++i) tickets.push_back(line_->submit(trigger(20)));
  line_->stop();
  for (const auto& ticket : tickets) EXPECT_TRUE(ticket->wait().recorded);
  EXPECT_EQ(line_->submit(trigger(20)), nullptr);
}

TEST_F(LineTest, AReplacedModelFileChangesNothingUntilItIsLoaded) {
  start();
  EXPECT_EQ(line_->submit(trigger(100))->wait().record.verdict, Verdict::kOk);
  write_text(folder_.path() / "m.glint", "0.10");
  EXPECT_EQ(line_->submit(trigger(100))->wait().record.verdict, Verdict::kOk);
  EXPECT_TRUE(shelf_->list()[0].file_changed);
  write_text(folder_.path() / "m.glint", "garbage");
  EXPECT_THROW(shelf_->load("m"), Error);
  EXPECT_EQ(line_->submit(trigger(100))->wait().record.verdict, Verdict::kOk);
  write_text(folder_.path() / "m.glint", "0.10");
  shelf_->load("m");
  const Outcome after = line_->submit(trigger(100))->wait();
  EXPECT_EQ(after.record.verdict, Verdict::kNok);
  shelf_->roll_back();
  EXPECT_EQ(line_->submit(trigger(100))->wait().record.verdict, Verdict::kOk);
}

TEST_F(LineTest, AResultThatIsNotANumberIsNoDecision) {
  start();
  for (const double odd : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    behaviour_->odd = odd;
    for (int field = 1; field <= 4; ++field) {
      behaviour_->odd_field = field;
      const Outcome outcome = line_->submit(trigger(20))->wait();
      EXPECT_EQ(outcome.record.verdict, Verdict::kNoDecision) << odd << " " << field;
      EXPECT_EQ(outcome.record.reason, kNotANumber);
      EXPECT_TRUE(outcome.recorded);
      const auto body = to_json(journal_->reader().find(outcome.record.id)->inspection);
      for (const char* number : {"score", "threshold", "p_value"}) EXPECT_FALSE(body.contains(number));
    }
  }
  behaviour_->odd_field = 0;
  EXPECT_EQ(line_->submit(trigger(20))->wait().record.verdict, Verdict::kOk);
}

TEST_F(LineTest, WhatWaitsForASlowJournalIsBoundedInBytes) {
  LineOptions options;
  options.queue_length = 4;
  options.judged_bytes = 500'000;
  start(options, {}, KeepImages::kAll);
  std::vector<std::shared_ptr<Ticket>> tickets;
  std::int64_t refused = 0;
  {
    Database other(folder_.path() / "j.db", DatabaseAccess::kReadWrite);
    const Transaction held(other);  // the journal waits for it
    const auto full = [&] {
      Trigger t;
      t.source = "camera";
      t.frame = grey_image(static_cast<int>(tickets.size()), 200, 200);  // 120 kB
      auto ticket = line_->submit(std::move(t));
      if (!ticket) return ++refused > 20;
      tickets.push_back(std::move(ticket));
      return false;
    };
    ASSERT_TRUE(soon(full));
  }
  // Four judged ones in 500 kB, one more with the judge, two decoded, one with the decoder, four in the
  // queue.
  EXPECT_LE(tickets.size(), 12U);
  EXPECT_GE(tickets.size(), 8U);
  EXPECT_LE(line_->counters().most_judged_bytes, options.judged_bytes);
  for (const auto& ticket : tickets) EXPECT_TRUE(ticket->wait().recorded);
  line_->stop();
  EXPECT_EQ(line_->counters().held_bytes, 0U);
  EXPECT_EQ(line_->counters().refused_full, refused);
  EXPECT_EQ(journal_->reader().head().id, std::ssize(tickets));  // one record each
}

TEST(ByteBound, HoldsNoMoreThanItsLimitButAlwaysOneItem) {
  ByteBound bound(100);
  {
    const ByteBound::Share large = bound.try_take(1000);
    EXPECT_TRUE(large);
    EXPECT_FALSE(bound.try_take(1));
  }
  ByteBound::Share a = bound.try_take(60);
  EXPECT_FALSE(bound.try_take(41));
  const ByteBound::Share b = bound.try_take(40);
  EXPECT_TRUE(a && b);
  a.release();
  a = bound.take(50);
  EXPECT_EQ(bound.held(), 90U);
  bound.close();
  EXPECT_FALSE(bound.take(1));
}

TEST_F(LineTest, AListenerThatThrowsIsCountedAndTheLineGoesOn) {
  start();
  std::atomic<int> how{0};
  line_->on_inspected([&](const Inspected&) {
    if (how == 1) throw std::runtime_error("no room for pictures");
    if (how == 2) throw 7;  // NOLINT: not every exception is one of ours
  });
  how = 1;
  EXPECT_EQ(line_->submit(trigger(20))->wait().record.verdict, Verdict::kOk);
  ASSERT_TRUE(soon([&] { return line_->counters().listener_failures == 1; }));
  EXPECT_EQ(line_->listener_fault(), "no room for pictures");
  how = 2;
  EXPECT_EQ(line_->submit(trigger(200))->wait().record.verdict, Verdict::kNok);
  ASSERT_TRUE(soon([&] { return line_->counters().listener_failures == 2; }));
  how = 0;
  EXPECT_TRUE(line_->submit(trigger(20))->wait().recorded);
  EXPECT_TRUE(soon([&] { return line_->listener_fault().empty(); }));
}

TEST_F(LineTest, ATriggerThatMayWaitHasItsTimeFromItsTurn) {
  LineOptions options;
  options.time_limit = std::chrono::milliseconds(1000);
  options.queue_length = 64;
  start(options);
  behaviour_->delay_ms = 60;
  std::vector<std::shared_ptr<Ticket>> tickets;
  for (int i = 0; i < 40; ++i) tickets.push_back(line_->submit_waiting(trigger(20)));
  for (const auto& ticket : tickets) EXPECT_EQ(ticket->wait().record.verdict, Verdict::kOk);
}

TEST_F(LineTest, ASearchInTheJournalNeverMakesTheLineWait) {
  start();
  line_->submit(trigger(20, "first"))->wait();
  std::promise<void> inside, leave;
  std::thread search([&] {
    bool once = false;
    journal_->searches().for_each([&](const nlohmann::json&) {
      if (std::exchange(once, true)) return;
      inside.set_value();
      leave.get_future().wait();  // as a search that takes long
    });
  });
  inside.get_future().wait();
  EXPECT_TRUE(line_->submit(trigger(20, "first"))->wait().repeated);
  EXPECT_EQ(line_->submit(trigger(200, "second"))->wait().record.verdict, Verdict::kNok);
  leave.set_value();
  search.join();
}

TEST_F(LineTest, IdsThatAreNoUtf8AreWrittenByOneRuleAndFoundAgain) {
  start();
  Trigger t = trigger(20, "key \xfc");
  t.part_id = "M\xfcller";
  EXPECT_EQ(line_->submit(std::move(t))->wait().record.part_id, "M\\xFCller");
  EXPECT_TRUE(line_->submit(trigger(20, "key \xfc"))->wait().repeated);
  InspectionFilter filter;
  for (const char* asked : {"M\xfcller", "M\\xFCller"}) {
    filter.part_id = asked;
    EXPECT_EQ(journal_->searches().list(filter).size(), 1U);
  }
  filter.part_id = "M\xf6ller";
  EXPECT_TRUE(journal_->searches().list(filter).empty());
}

}  // namespace
}  // namespace glint
