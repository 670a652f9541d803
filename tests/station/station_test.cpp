#include "glint/station/station.h"

#include <gtest/gtest.h>

#include "fake_judge.h"
#include "golden.h"

namespace glint {
namespace {

class StationTest : public ::testing::Test {
 protected:
  StationTest() {
    write_text(folder_.path() / "m.glint", "0.5");
    options_.journal = folder_.path() / "j.db";
    options_.source.settle = std::chrono::milliseconds(50);
    options_.log = [this](const std::string& line) {
      const std::lock_guard guard(mutex_);
      log_ += line + "\n";
    };
  }
  void start() {
    station_ = std::make_unique<Station>(std::vector<std::filesystem::path>{folder_.path() / "m.glint"},
                                         fake_loader(), options_);
  }
  std::string log() {
    const std::lock_guard guard(mutex_);
    return log_;
  }
  Outcome inspect(int level) {
    Trigger trigger;
    trigger.source = "test";
    trigger.name = "image";
    trigger.file = grey_png(level);
    return station_->line().submit(std::move(trigger))->wait();
  }

  TemporaryFolder folder_;
  StationOptions options_;
  std::mutex mutex_;
  std::string log_;
  std::unique_ptr<Station> station_;
};

TEST_F(StationTest, NamesWhatAFolderHoldsBesideImagesInStatusAndLog) {
  make_folder(folder_.path() / "in/.ipynb_checkpoints");
  write_text(folder_.path() / "in/part.webp", "RIFF");
  options_.sources = {"in=folder:" + (folder_.path() / "in").string()};
  start();
  const auto notice = [&] { return station_->status()["sources"][0]["notice"].get<std::string>(); };
  ASSERT_TRUE(soon([&] { return notice().find("part.webp") != std::string::npos; })) << notice();
  EXPECT_NE(notice().find(".ipynb_checkpoints (a folder)"), std::string::npos) << notice();
  EXPECT_TRUE(soon([&] { return log().find("part.webp") != std::string::npos; })) << log();
  EXPECT_TRUE(station_->not_ready().empty());  // a note, no fault
}

TEST_F(StationTest, AReviewStandsWhenItsImageCannotBeCollected) {
  write_text(folder_.path() / "taken", "a file where the folder should be");
  options_.collect = folder_.path() / "taken";
  start();
  const Outcome bad = inspect(200);
  ASSERT_EQ(bad.record.verdict, Verdict::kNok);
  ASSERT_TRUE(soon([&] { return !station_->journal().kept_image(bad.record.id).empty(); }));
  EXPECT_EQ(station_->review(bad.record.id, Verdict::kOk, "reflection", "eva").final_verdict(), Verdict::kOk);
  EXPECT_NE(station_->status()["warnings"].dump().find("taken"), std::string::npos)
      << station_->status()["warnings"].dump();
}

TEST(EventHub, ASlowReaderHoldsABoundedNumberOfBytes) {
  EventHub hub;
  const auto reader = hub.subscribe(1);
  const std::string large(300'000, 'x');
  for (int i = 0; i < 50; ++i) hub.publish("part", large + std::to_string(i));
  const std::string got = *reader->next(std::chrono::milliseconds(0));
  EXPECT_LT(got.size(), 1'100'000U);
  EXPECT_NE(got.find("x49\n"), std::string::npos);  // the newest
  EXPECT_EQ(got.find("x0\n"), std::string::npos);
  hub.publish("part", std::string(3'000'000, 'y'));  // one always fits
  EXPECT_GT(reader->next(std::chrono::milliseconds(0))->size(), 3'000'000U);
}

}  // namespace
}  // namespace glint
