#include "glint/station/source.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <opencv2/videoio.hpp>
#include <set>

#include "fake_judge.h"
#include "glint/base/clock.h"
#include "golden.h"

namespace glint {
namespace {

class SourceTest : public ::testing::Test {
 protected:
  SourceTest() {
    make_folder(watched());
    options_.settle = std::chrono::milliseconds(400);
    options_.first_retry = std::chrono::milliseconds(20);
    options_.interval = std::chrono::milliseconds(30);
    start();
  }
  std::filesystem::path watched() const { return folder_.path() / "in"; }
  void start() {
    line_.reset();
    journal_.reset();
    journal_ = std::make_unique<Journal>(folder_.path() / "j.db");
    line_ = std::make_unique<Line>(shelf_, *journal_, ImageStoreOptions{KeepImages::kNone}, LineOptions{},
                                   unix_micros);
  }
  std::unique_ptr<Source> open(const std::string& text) {
    return make_source(parse_source(text), options_, *line_, journal_->reader(),
                       [this](const SourceStatus& s) {
                         const std::lock_guard guard(mutex_);
                         states_.push_back(s.state);
                       });
  }
  std::int64_t records() const { return journal_->reader().head().id; }

  TemporaryFolder folder_;
  std::shared_ptr<FakeBehaviour> behaviour_ = std::make_shared<FakeBehaviour>();
  ModelShelf shelf_{{[this] {
                      write_text(folder_.path() / "m.glint", "0.5");
                      return folder_.path() / "m.glint";
                    }()},
                    fake_loader(behaviour_)};
  SourceOptions options_;
  std::mutex mutex_;
  std::vector<SourceState> states_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Line> line_;
};

TEST(ParseSource, NamesKindsAndAddresses) {
  const SourceSpec named = parse_source("top=v4l2:/dev/video0");
  EXPECT_EQ(named.name, "top");
  EXPECT_EQ(named.kind, "v4l2");
  EXPECT_EQ(named.address, "/dev/video0");
  const SourceSpec stream = parse_source("rtsp://user@host:554/a=b");
  EXPECT_EQ(stream.name, "rtsp");
  EXPECT_EQ(stream.address, "rtsp://user@host:554/a=b");
  EXPECT_EQ(parse_source("folder:a\nb\xff").address, "a\nb\xff");  // names are bytes
  for (const char* bad : {"", "folder", "folder:", "http://x", "a b=folder:x", "/tmp"})
    EXPECT_THROW(parse_source(bad), Error) << bad;
}

TEST_F(SourceTest, AFolderGivesCompleteImagesOnly) {
  const auto source = open("folder:" + watched().string());
  write_text(watched() / "notes.txt", "no image");
  write_file(watched() / "a.png", grey_png(20));
  ASSERT_TRUE(soon([&] { return records() == 1; }));
  // A writer that takes its time: nothing is inspected before the last byte.
  const Bytes whole = grey_png(200);
  std::ofstream slow(watched() / "slow.png", std::ios::binary);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    slow.put(static_cast<char>(whole[i]));
    slow.flush();
    if (i % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_EQ(records(), 1);
  }
  slow.close();
  ASSERT_TRUE(soon([&] { return records() == 2; }));
  const auto entry = journal_->reader().list({})[0].inspection;
  EXPECT_EQ(entry.verdict, Verdict::kNok);
  EXPECT_EQ(entry.part_id, "slow");
  EXPECT_EQ(entry.sequence, 2);
}

TEST_F(SourceTest, ARestartInspectsWhatCameMeanwhileAndNothingTwice) {
  {
    const auto source = open("folder:" + watched().string());
    write_file(watched() / "a.png", grey_png(20));
    ASSERT_TRUE(soon([&] { return records() == 1; }));
  }
  start();
  write_file(watched() / "b.png", grey_png(30));
  const auto source = open("folder:" + watched().string());
  ASSERT_TRUE(soon([&] { return records() == 2; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(900));
  EXPECT_EQ(records(), 2);
}

TEST_F(SourceTest, AFolderThatVanishesIsSaidAndComesBack) {
  const auto source = open("folder:" + watched().string());
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kRunning; }));
  std::filesystem::remove_all(watched());
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kGone; }));
  write_file(watched() / "a.png", grey_png(20));
  ASSERT_TRUE(soon([&] { return records() == 1; }));
  EXPECT_THROW(open("folder:" + (folder_.path() / "absent").string()), Error);
}

TEST_F(SourceTest, AVideoGivesEveryFrameHoweverSlowTheModel) {
  const std::string file = (folder_.path() / "v.avi").string();
  cv::VideoWriter writer(file, cv::CAP_OPENCV_MJPEG, cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 25,
                         {64, 48});
  ASSERT_TRUE(writer.isOpened());
  for (int i = 0; i < 30; ++i) writer.write(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(i < 20 ? 30 : 220)));
  writer.release();
  behaviour_->delay_ms = 10;
  const auto source = open("clip=video:" + file);
  ASSERT_TRUE(soon([&] { return records() == 30; }));
  EXPECT_TRUE(soon([&] { return source->status().state == SourceState::kFinished; }));
  const auto counts = journal_->reader().counts_since(0);
  EXPECT_EQ(counts.at(Verdict::kNok), 10);
  EXPECT_EQ(source->request("x"), nullptr);  // a recording takes no triggers
}

/// Gives frames until told to vanish.
class TestCamera : public Camera {
 public:
  explicit TestCamera(std::shared_ptr<std::atomic<bool>> present) : present_(std::move(present)) {}
  void open() override {
    if (!*present_) fail(ErrorCode::kIo, "test camera: not there");
  }
  std::optional<RgbImage> next() override {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (!*present_) fail(ErrorCode::kIo, "test camera: unplugged");
    return grey_image(static_cast<int>(++frames_ % 100));
  }
  void close() override {}

 private:
  std::shared_ptr<std::atomic<bool>> present_;
  std::int64_t frames_ = 0;
};

TEST_F(SourceTest, ACameraTriggersByTimeAndASlowModelNeverBlocksCapture) {
  auto present = std::make_shared<std::atomic<bool>>(true);
  behaviour_->delay_ms = 150;
  options_.interval = std::chrono::milliseconds(5);
  const auto source = make_camera_source({"cam", "test", ""}, options_, *line_,
                                         std::make_unique<TestCamera>(present), [](const SourceStatus&) {});
  ASSERT_TRUE(soon([&] { return source->status().frames > 300; }));
  EXPECT_LT(10 * behaviour_->judged, source->status().frames);
  *present = false;
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kGone; }));
  behaviour_->delay_ms = 0;
  const std::int64_t triggers = source->status().triggers;
  ASSERT_TRUE(soon([&] { return records() == triggers; })) << records() << " of " << triggers;
  // Every trigger has its own record; those that found no room say so.
  const auto counts = journal_->reader().counts_since(0);
  EXPECT_GT(counts.at(Verdict::kNoDecision), 0);
  EXPECT_GT(counts.at(Verdict::kOk), 0);
  InspectionFilter filter;
  filter.verdict = Verdict::kNoDecision;
  EXPECT_NE(journal_->reader().list(filter)[0].inspection.reason.find("overloaded"), std::string::npos);
}

TEST_F(SourceTest, ACameraThatVanishesIsTriedAgainAndTriggersMeanwhileAreNoDecision) {
  auto present = std::make_shared<std::atomic<bool>>(true);
  options_.trigger = CameraTrigger::kRequest;
  const auto source = make_camera_source({"cam", "test", ""}, options_, *line_,
                                         std::make_unique<TestCamera>(present), [](const SourceStatus&) {});
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kRunning; }));
  const Outcome good = source->request("p1")->wait();
  EXPECT_EQ(good.record.verdict, Verdict::kOk);
  EXPECT_EQ(good.record.part_id, "p1");
  EXPECT_EQ(good.record.view, "cam");
  *present = false;
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kGone; }));
  EXPECT_NE(source->status().message.find("tried again"), std::string::npos);
  const Outcome gone = source->request("p2")->wait();
  EXPECT_EQ(gone.record.verdict, Verdict::kNoDecision);
  EXPECT_NE(gone.record.reason.find("gone"), std::string::npos);
  EXPECT_TRUE(gone.recorded);
  *present = true;
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kRunning; }));
  EXPECT_EQ(source->request("p3")->wait().record.verdict, Verdict::kOk);
}

TEST_F(SourceTest, AnAbsentDeviceAndAnAbsentStreamAreSaidNotFatal) {
  const auto device = open("v4l2:/dev/video99");
  ASSERT_TRUE(soon([&] { return device->status().state == SourceState::kGone; }));
  EXPECT_NE(device->status().message.find("/dev/video99"), std::string::npos);
  const auto stream = open("rtsp://127.0.0.1:9/none");
  ASSERT_TRUE(soon([&] { return stream->status().state == SourceState::kGone; }));
}

TEST_F(SourceTest, AravisFakeCameraIsInspected) {
#ifdef GLINT_WITH_ARAVIS
  const auto source = open("aravis:Fake_1");
  ASSERT_TRUE(soon([&] { return records() >= 2; })) << source->status().message;
  const auto entry = journal_->reader().list({})[0].inspection;
  EXPECT_NE(entry.verdict, Verdict::kNoDecision) << entry.reason;
  EXPECT_GT(entry.width, 0);
#else
  EXPECT_THROW(open("aravis:Fake_1"), Error);
  GTEST_SKIP() << "SKIPPED: this build has no Aravis";
#endif
}

TEST_F(SourceTest, NamesAreBytesAndEachFileIsOnePartInspectedOnce) {
  options_.settle = std::chrono::milliseconds(50);
  const std::set<std::string> ids{"M\\xFCller", "M\\xF6ller", "M\\x5CxFCller", "plain", "two.png", "two.bmp"};
  int level = 10;
  for (const char* name :
       {"M\xfcller.png", "M\xf6ller.png", "M\\xFCller.png", "plain.png", "two.png", "two.bmp"})
    write_file(watched() / name, grey_png(level++));
  for (int run = 0; run < 3; ++run) {
    const auto source = open("folder:" + watched().string());
    ASSERT_TRUE(soon([&] { return records() == std::ssize(ids); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(records(), std::ssize(ids)) << "run " << run;
    line_->stop();
    if (run < 2) start();
  }
  std::set<std::string> found;
  for (const auto& entry : journal_->reader().list({})) found.insert(entry.inspection.part_id);
  EXPECT_EQ(found, ids);
}

TEST_F(SourceTest, WhatLiesInAFolderAndIsNotInspectedIsNamed) {
  options_.settle = std::chrono::milliseconds(50);
  make_folder(watched() / "sub");
  write_file(watched() / "sub/inner.png", grey_png(20));
  write_text(watched() / "notes.txt", "no image");
  write_text(watched() / "picture.webp", "RIFF");
  write_file(watched() / "._part.png", grey_png(20));
  std::filesystem::create_symlink(folder_.path() / "nothing.png", watched() / "link.png");
  const auto source = open("folder:" + watched().string());
  ASSERT_TRUE(soon(
      [&] { return source->status().notice.find("link.png (a link to nothing)") != std::string::npos; }));
  for (const char* text :
       {"sub (a folder)", "notes.txt (no PNG", "picture.webp (no PNG", "._part.png (a hidden file)"})
    EXPECT_NE(source->status().notice.find(text), std::string::npos) << source->status().notice;
  EXPECT_EQ(records(), 0);
  write_file(folder_.path() / "nothing.png", grey_png(20));  // now the link leads somewhere
  ASSERT_TRUE(soon([&] { return records() == 1; }));
  for (const char* name : {"sub", "notes.txt", "picture.webp", "._part.png"})
    std::filesystem::remove_all(watched() / name);
  EXPECT_TRUE(soon([&] { return source->status().notice.empty(); })) << source->status().notice;
}

TEST_F(SourceTest, AFolderThatMayNotBeListedIsRefusedOrGoneWithItsReason) {
  const bool root = ::geteuid() == 0;
  const auto source = open("folder:" + watched().string());
  ASSERT_TRUE(soon([&] { return source->status().state == SourceState::kRunning; }));
  std::filesystem::permissions(folder_.path(), static_cast<std::filesystem::perms>(0755));
  std::filesystem::permissions(watched(), static_cast<std::filesystem::perms>(0311));
  if (root && ::seteuid(65534) != 0) GTEST_SKIP() << "SKIPPED: cannot become an ordinary user";
  const bool gone = soon([&] { return source->status().state == SourceState::kGone; });
  const std::string message = source->status().message;
  std::string refusal;
  try {
    open("second=folder:" + watched().string());
  } catch (const Error& e) {
    refusal = e.what();
  }
  if (root) {
    EXPECT_EQ(::seteuid(0), 0);
  }
  std::filesystem::permissions(watched(), static_cast<std::filesystem::perms>(0755));
  EXPECT_TRUE(gone);
  EXPECT_NE(message.find(watched().string()), std::string::npos) << message;
  EXPECT_NE(refusal.find(watched().string()), std::string::npos) << refusal;
  EXPECT_TRUE(soon([&] { return source->status().state == SourceState::kRunning; }));
}

TEST_F(SourceTest, AFileThatWasTooLateIsInspectedAgain) {
  options_.settle = std::chrono::milliseconds(50);
  options_.try_again = std::chrono::milliseconds(50);
  LineOptions impatient;
  impatient.time_limit = std::chrono::milliseconds(100);
  line_ =
      std::make_unique<Line>(shelf_, *journal_, ImageStoreOptions{KeepImages::kNone}, impatient, unix_micros);
  behaviour_->delay_ms = 500;
  for (const char* name : {"a.png", "b.png", "c.png"}) write_file(watched() / name, grey_png(20));
  const auto source = open("folder:" + watched().string());
  ASSERT_TRUE(soon([&] { return journal_->reader().counts_since(0)[Verdict::kNoDecision] > 0; }));
  behaviour_->delay_ms = 0;
  EXPECT_TRUE(soon([&] { return journal_->reader().counts_since(0)[Verdict::kOk] == 3; }));
}

TEST_F(SourceTest, AFileIsTriedABoundedNumberOfTimesOverRestarts) {
  options_.settle = std::chrono::milliseconds(20);
  options_.try_again = std::chrono::milliseconds(10);
  behaviour_->out_of_memory = true;
  write_file(watched() / "a.png", grey_png(20));
  {
    const auto source = open("folder:" + watched().string());
    ASSERT_TRUE(soon([&] { return records() >= 1; }));
  }
  start();
  {
    const auto source = open("folder:" + watched().string());
    ASSERT_TRUE(soon([&] { return records() == kFolderTries; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
  }
  start();
  const auto source = open("folder:" + watched().string());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_EQ(records(), kFolderTries);
  behaviour_->out_of_memory = false;
  write_file(watched() / "a.png", grey_png(30));  // another file, though of the same name
  EXPECT_TRUE(soon([&] { return records() == kFolderTries + 1; }));
}

TEST_F(SourceTest, ARefusedFileKeepsItsPlaceInTheRecord) {
  options_.settle = std::chrono::milliseconds(300);
  const auto file = watched() / "a.png";
  write_file(file, grey_png(20));
  // Somebody inspects another image under the key that this file will have.
  Trigger other;
  other.source = "http";
  other.file = grey_png(40);
  other.idempotency_key = fmt::format("in:a.png:{}:{}", std::filesystem::file_size(file),
                                      std::filesystem::last_write_time(file).time_since_epoch().count());
  behaviour_->delay_ms = 1500;
  const auto source = open("in=folder:" + watched().string());
  std::this_thread::sleep_for(
      std::chrono::milliseconds(150));  // the source has seen the file, the journal has not
  const auto ticket = line_->submit(std::move(other));
  ASSERT_TRUE(soon([&] { return records() == 2; }));
  InspectionFilter refused;
  refused.verdict = Verdict::kNoDecision;
  const auto entry = journal_->reader().list(refused).at(0).inspection;
  EXPECT_EQ(entry.source, "in");
  EXPECT_EQ(entry.part_id, "a");
  EXPECT_NE(entry.reason.find("another image"), std::string::npos) << entry.reason;
}

TEST_F(SourceTest, AListenerThatThrowsDoesNotEndTheSource) {
  const auto source =
      make_source(parse_source("folder:" + watched().string()), options_, *line_, journal_->reader(),
                  [](const SourceStatus&) { throw std::runtime_error("listener"); });
  write_file(watched() / "a.png", grey_png(20));
  ASSERT_TRUE(soon([&] { return records() == 1; }));
  EXPECT_GE(source->status().listener_failures, 1);
  EXPECT_EQ(source->status().state, SourceState::kRunning);
}

}  // namespace
}  // namespace glint
