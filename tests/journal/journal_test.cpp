#include "glint/journal/journal.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/journal/export.h"
#include "glint/journal/image_store.h"
#include "glint/journal/verify.h"
#include "golden.h"

namespace glint {
namespace {

namespace fs = std::filesystem;

InspectionRecord record(Verdict verdict, const std::string& part = "") {
  InspectionRecord r;
  r.time_us = 1'700'000'000'000'000;
  r.verdict = verdict;
  r.reason = verdict == Verdict::kNoDecision ? "broken image" : "";
  r.source = "http";
  r.part_id = part;
  r.score = verdict == Verdict::kNoDecision ? kNotMeasured : 1.25;
  r.threshold = verdict == Verdict::kNoDecision ? kNotMeasured : 1.0;
  r.regions = {{3, 4, 5, 6, 20, 1.5F}};
  r.image_sha256 = std::string(64, 'a');
  r.width = r.height = 32;
  return r;
}

class JournalTest : public ::testing::Test {
 protected:
  fs::path file() const { return folder_.path() / "j.db"; }
  std::int64_t add(Journal& journal, InspectionRecord r) {
    InspectionRecord* pointer = &r;
    journal.append(std::span(&pointer, 1));
    return r.id;
  }
  /// Runs SQL behind the journal's back.
  void tamper(const std::string& sql) const {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &handle), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_close(handle);
  }
  std::string message_of(const std::function<void()>& work) const {
    try {
      work();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(JournalTest, KeepsEveryFieldAndGivesIds) {
  Journal journal(file());
  InspectionRecord r = record(Verdict::kNok, "part 7");
  r.view = "top";
  r.idempotency_key = "key";
  r.model = "m";
  r.p_value = 0.02;
  r.brightness = 99.5;
  r.elapsed_ms = 31;
  r.sequence = 12;
  const std::int64_t id = add(journal, r);
  EXPECT_EQ(id, 1);
  const auto found = journal.reader().find(id);
  ASSERT_TRUE(found);
  const InspectionRecord& back = found->inspection;
  EXPECT_EQ(to_json(back), to_json(r));
  EXPECT_EQ(back.regions[0].area_px, 20);
  EXPECT_TRUE(journal.reader().find_by_key("key"));
  EXPECT_FALSE(journal.reader().find_by_key("other"));
  EXPECT_FALSE(journal.reader().find(99));
}

TEST_F(JournalTest, NoDecisionHasNoNumbers) {
  Journal journal(file());
  add(journal, record(Verdict::kNoDecision));
  const auto back = journal.reader().find(1);
  EXPECT_TRUE(std::isnan(back->inspection.score));
  EXPECT_EQ(back->inspection.reason, "broken image");
}

TEST_F(JournalTest, ListsNewestFirstInPagesWithFilters) {
  Journal journal(file());
  for (int i = 0; i < 10; ++i) {
    InspectionRecord r = record(i % 2 ? Verdict::kNok : Verdict::kOk, i < 5 ? "a" : "b");
    r.time_us += i;
    r.model = i < 3 ? "one" : "two";
    add(journal, r);
  }
  InspectionFilter filter;
  filter.limit = 4;
  auto page = journal.reader().list(filter);
  ASSERT_EQ(page.size(), 4U);
  EXPECT_EQ(page.front().inspection.id, 10);
  filter.before_id = page.back().inspection.id;
  EXPECT_EQ(journal.reader().list(filter).front().inspection.id, 6);
  filter = {};
  filter.verdict = Verdict::kNok;
  filter.part_id = "a";
  EXPECT_EQ(journal.reader().list(filter).size(), 2U);
  filter = {};
  filter.since_us = 1'700'000'000'000'002;
  filter.until_us = 1'700'000'000'000'005;
  EXPECT_EQ(journal.reader().list(filter).size(), 3U);
  EXPECT_EQ(journal.reader().first_of_model("two", 2)[0].id, 4);
  EXPECT_EQ(journal.reader().counts_since(0)[Verdict::kOk], 5);
}

TEST_F(JournalTest, TheLastReviewCountsAndAllStay) {
  Journal journal(file());
  add(journal, record(Verdict::kNok));
  journal.append(ReviewRecord{0, 5, 1, Verdict::kOk, "reflection", "eva"});
  journal.append(ReviewRecord{0, 6, 1, Verdict::kNok, "looked again", "eva"});
  const auto entry = journal.reader().find(1);
  EXPECT_EQ(entry->final_verdict(), Verdict::kNok);
  EXPECT_EQ(entry->inspection.verdict, Verdict::kNok);
  EXPECT_EQ(entry->review->reason, "looked again");
  EXPECT_EQ(verify_journal(file(), {}).records, 3);
  EXPECT_NE(message_of([&] {
              journal.append(ReviewRecord{0, 5, 2, Verdict::kOk, "", ""});
            }).find("no inspection 2"),
            std::string::npos);  // record 2 is a review
}

TEST_F(JournalTest, VerifyFindsEveryKindOfEdit) {
  const auto faults_after = [&](const std::string& sql) {
    fs::remove(file());
    {
      Journal journal(file());
      for (int i = 0; i < 5; ++i) add(journal, record(Verdict::kNok));
    }
    EXPECT_TRUE(verify_journal(file(), {}).faults.empty());
    tamper(sql);
    return verify_journal(file(), {}).faults;
  };
  auto faults = faults_after("UPDATE record SET body = replace(body, 'NOK', 'OK') WHERE id = 3");
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].id, 3);
  EXPECT_NE(faults[0].what.find("changed"), std::string::npos);
  faults = faults_after("DELETE FROM record WHERE id = 2");
  EXPECT_NE(faults.at(0).what.find("record 2 is missing"), std::string::npos);
  faults = faults_after("DELETE FROM record WHERE id = 5");
  EXPECT_NE(faults.at(0).what.find("removed from the end"), std::string::npos);
  EXPECT_FALSE(faults_after("UPDATE record SET kind = 'event' WHERE id = 1").empty());
  EXPECT_FALSE(faults_after("UPDATE record SET hash = upper(hash) WHERE id = 4").empty());
  EXPECT_FALSE(faults_after("UPDATE record SET id = 9 WHERE id = 5").empty());
  EXPECT_FALSE(
      faults_after("INSERT INTO record(id, kind, body, previous, hash) SELECT 6, kind, body, hash, hash "
                   "FROM record WHERE id = 5")
          .empty());
}

TEST_F(JournalTest, ARewrittenChainIsFoundAgainstANotedHead) {
  ChainHead noted;
  {
    Journal journal(file());
    add(journal, record(Verdict::kNok));
    noted = journal.reader().head();
    add(journal, record(Verdict::kOk));
  }
  EXPECT_TRUE(verify_journal(file(), {false, noted.hash}).faults.empty());
  fs::remove(file());
  {
    Journal journal(file());  // a forger writes a consistent chain of his own
    add(journal, record(Verdict::kOk));
    add(journal, record(Verdict::kOk));
  }
  EXPECT_TRUE(verify_journal(file(), {}).faults.empty());
  EXPECT_FALSE(verify_journal(file(), {false, noted.hash}).faults.empty());
}

TEST_F(JournalTest, TheChainHashIsAsDocumented) {
  // sha256sum of the text, by another program: printf '%064d\n1\nevent\n{}' 0 | sha256sum
  EXPECT_EQ(chain_hash(chain_origin(), 1, "event", "{}"),
            "d2ee3667325075decd498afc8da162e517afe1b43493f018feff55b9687db68e");
}

TEST_F(JournalTest, ASecondServerIsRefusedWithTheProcess) {
  Journal journal(file());
  const std::string message = message_of([&] { Journal second(file()); });
  EXPECT_NE(message.find(std::to_string(::getpid())), std::string::npos) << message;
  EXPECT_NO_THROW(JournalReader reader(file()));  // reading beside a server is fine
}

TEST_F(JournalTest, AFullDiskLosesNothingThatWasWritten) {
  JournalOptions options;
  options.max_bytes = 96 * 1024;
  Journal journal(file(), options);
  int written = 0;
  std::string message;
  for (int i = 0; i < 10000 && message.empty(); ++i) {
    message = message_of([&] { add(journal, record(Verdict::kOk)); });
    written += message.empty() ? 1 : 0;
  }
  EXPECT_NE(message.find("full"), std::string::npos) << message;
  EXPECT_GT(written, 20);
  const ChainReport report = verify_journal(file(), {});
  EXPECT_EQ(report.records, written);
  EXPECT_TRUE(report.faults.empty());
}

TEST_F(JournalTest, AJournalThatIsTakenAwayWhileInUseIsAnError) {
  Journal journal(file());
  add(journal, record(Verdict::kOk));
  fs::rename(file(), folder_.path() / "moved.db");
  EXPECT_NE(message_of([&] { add(journal, record(Verdict::kOk)); }).find("moved or replaced"),
            std::string::npos);
  fs::rename(folder_.path() / "moved.db", file());
  add(journal, record(Verdict::kOk));
  EXPECT_EQ(verify_journal(file(), {}).records, 2);
}

TEST_F(JournalTest, RefusesWhatIsNoJournal) {
  std::string text(5000, 'x');
  write_file(file(), std::as_bytes(std::span(text)));
  EXPECT_NE(message_of([&] { Journal journal(file()); }).find("not a journal"), std::string::npos);
  fs::remove(file());
  tamper("CREATE TABLE other(x); INSERT INTO other VALUES (1);");
  EXPECT_NE(message_of([&] { Journal journal(file()); }).find("not a journal of glint"), std::string::npos);
  EXPECT_NE(message_of([&] { JournalReader reader(folder_.path() / "absent.db"); }).find("absent.db"),
            std::string::npos);
}

TEST_F(JournalTest, RefusesADamagedJournal) {
  {
    Journal journal(file());
    for (int i = 0; i < 200; ++i) add(journal, record(Verdict::kOk));
  }
  fs::resize_file(file(), fs::file_size(file()) / 2);
  EXPECT_NE(message_of([&] { Journal journal(file()); }), "");
}

TEST_F(JournalTest, AReadOnlyFolderIsAnErrorThatNamesTheFile) {
  if (::geteuid() == 0 && ::seteuid(65534) != 0) GTEST_SKIP() << "SKIPPED: cannot become an ordinary user";
  fs::path place = folder_.path() / "j.db";
  // The folder belongs to root; as an ordinary user it is read-only.
  std::error_code ec;
  if (::geteuid() != 65534)
    fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec, ec);
  const std::string message = message_of([&] { Journal journal(place); });
  if (::geteuid() == 65534) {
    EXPECT_EQ(::seteuid(0), 0);
  } else {
    fs::permissions(folder_.path(), fs::perms::owner_all, ec);
  }
  EXPECT_NE(message.find("j.db"), std::string::npos) << message;
}

TEST_F(JournalTest, ExportsCsvAndJsonLinesOldestFirst) {
  Journal journal(file());
  for (int i = 0; i < 1500; ++i) add(journal, record(i % 3 ? Verdict::kOk : Verdict::kNok, "=cmd|x"));
  journal.append(ReviewRecord{0, 5, 1, Verdict::kOk, "a \"quoted\", reason", "eva"});
  std::vector<std::string> lines;
  const auto keep = [&](const std::string& line) { lines.push_back(line); };
  EXPECT_EQ(export_journal(journal.reader(), ExportFormat::kCsv, {}, keep), 1500);
  ASSERT_EQ(lines.size(), 1501U);
  EXPECT_TRUE(lines[1].starts_with("1,"));
  EXPECT_TRUE(lines[1500].starts_with("1500,"));
  EXPECT_NE(lines[1].find("'=cmd|x"), std::string::npos);
  EXPECT_NE(lines[1].find("\"a \"\"quoted\"\", reason\""), std::string::npos);
  const auto fields = std::count(lines[0].begin(), lines[0].end(), ',');
  EXPECT_EQ(std::count(lines[2].begin(), lines[2].end(), ','), fields);
  lines.clear();
  InspectionFilter nok;
  nok.verdict = Verdict::kNok;
  EXPECT_EQ(export_journal(journal.reader(), ExportFormat::kJsonLines, nok, keep), 500);
  EXPECT_EQ(nlohmann::json::parse(lines[0])["final_verdict"], "OK");
}

TEST_F(JournalTest, KeepsImagesByPolicyAndWithinItsSpace) {
  Journal journal(file());
  ImageStore store(journal, {KeepImages::kNok, 5000});
  EXPECT_TRUE(store.wants(Verdict::kNok) && store.wants(Verdict::kNoDecision) && !store.wants(Verdict::kOk));
  const std::vector<std::byte> image(1000, std::byte{7});
  for (int i = 0; i < 8; ++i) {
    InspectionRecord r = record(Verdict::kNok);
    r.id = add(journal, r);
    store.keep(r, image, ".png");
  }
  EXPECT_EQ(store.bytes(), 5000);
  EXPECT_EQ(journal.reader().kept_image(3), "");
  const std::string file = journal.reader().kept_image(4);
  EXPECT_EQ(file, "000000/000000004.png");
  EXPECT_TRUE(fs::exists(journal.images_folder() / file));
  EXPECT_FALSE(fs::exists(journal.images_folder() / "000000/000000003.png"));
}

TEST_F(JournalTest, VerifyComparesKeptImagesAndCollectsOverruledGoodParts) {
  const std::vector<std::byte> image(100, std::byte{7}), other(100, std::byte{8});
  {
    Journal journal(file());
    ImageStore store(journal, {KeepImages::kAll});
    for (int i = 0; i < 2; ++i) {
      InspectionRecord r = record(Verdict::kNok);
      r.image_sha256 = sha256_hex(image);
      r.id = add(journal, r);
      store.keep(r, i == 0 ? image : other, ".png");
    }
    journal.append(ReviewRecord{0, 5, 1, Verdict::kOk, "", ""});
    const auto entry = journal.reader().find(1);
    EXPECT_TRUE(is_overruled_good(*entry));
    const fs::path copy =
        collect_good(journal.reader(), journal.images_folder(), *entry, folder_.path() / "good");
    EXPECT_EQ(read_file(copy), image);
    EXPECT_TRUE(
        collect_good(journal.reader(), journal.images_folder(), *entry, folder_.path() / "good").empty());
  }
  const ChainReport report = verify_journal(file(), {true, ""});
  EXPECT_EQ(report.images_checked, 2);
  ASSERT_EQ(report.faults.size(), 1U);
  EXPECT_EQ(report.faults[0].id, 2);
  tamper("UPDATE kept_image SET file = '../../etc/passwd' WHERE inspection = 1");
  const JournalReader reader(file());
  EXPECT_THROW(reader.kept_image(1), Error);
}

}  // namespace
}  // namespace glint
