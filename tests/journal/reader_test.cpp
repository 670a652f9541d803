// Searches in a journal: their plans, their bounds, journals of earlier versions, and places that cannot be
// written.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/journal/export.h"
#include "glint/journal/queries.h"
#include "glint/journal/schema.h"
#include "glint/journal/verify.h"
#include "golden.h"

namespace glint {
namespace {

namespace fs = std::filesystem;

class ReaderTest : public ::testing::Test {
 protected:
  fs::path file() const { return folder_.path() / "j.db"; }
  static InspectionRecord record(int i) {
    InspectionRecord r;
    r.time_us = 1'700'000'000'000'000 + i;
    r.verdict = i % 100 == 7 ? Verdict::kNok : Verdict::kOk;
    r.source = i % 2 ? "camera" : "http";
    r.part_id = "part " + std::to_string(i / 10);
    r.idempotency_key = "key " + std::to_string(i);
    r.model = i < 500 ? "one" : "two";
    r.score = r.threshold = 1;
    r.p_value = 0.5;
    return r;
  }
  static void fill(Journal& journal, int first, int count) {
    std::vector<InspectionRecord> records;
    for (int i = first; i < first + count; ++i) records.push_back(record(i));
    std::vector<InspectionRecord*> pointers;
    for (InspectionRecord& r : records) pointers.push_back(&r);
    journal.append(pointers);
  }

  TemporaryFolder folder_;
};

TEST_F(ReaderTest, NoSearchWalksOverTheTable) {
  Journal journal(file());
  fill(journal, 0, 200);
  Database database(file(), DatabaseAccess::kReadOnly);
  std::vector<Query> queries{find_query(5), key_query("key"), model_query("one", 50), counts_query(5),
                             since_query(5, 100)};
  for (int fields = 0; fields < 256; ++fields) {
    InspectionFilter f;
    if (fields & 1) f.verdict = Verdict::kNok;
    if (fields & 2) f.part_id = std::string("p");
    if (fields & 4) f.source = std::string("s");
    if (fields & 8) f.model = std::string("m");
    if (fields & 16) f.reviewed_only = true;
    if (fields & 32) f.since_us = 5;
    if (fields & 64) f.until_us = 5;
    if (fields & 128) f.after_id = 5;
    queries.push_back(list_query(f, 0, 1000, true));
  }
  queries.push_back({"SELECT id, hash FROM head WHERE one = 1", {}});
  queries.push_back({"SELECT file FROM kept_image WHERE inspection = ?", {std::int64_t{5}}});
  const std::regex walks("SCAN (record|i|r|head|kept_image)\\b.*|USE TEMP B-TREE FOR ORDER BY");
  for (const Query& query : queries) {
    Statement plan(database, Query{"EXPLAIN QUERY PLAN " + query.sql, query.values});
    while (plan.step())
      EXPECT_FALSE(std::regex_match(plan.text(3), walks)) << plan.text(3) << "\n" << query.sql;
  }
}

TEST_F(ReaderTest, AllWaysThroughAJournalGiveTheSame) {
  Journal journal(file());
  fill(journal, 0, 1000);
  journal.append(EventRecord{0, 5, "started", ""});
  for (const int id : {8, 8, 108, 700}) journal.append(ReviewRecord{0, 5, id, Verdict::kOk, "", ""});
  const auto all = journal.searches().list([] {
    InspectionFilter every;
    every.limit = 5000;
    return every;
  }());
  ASSERT_EQ(all.size(), 1000U);
  for (int fields = 0; fields < 256; ++fields) {
    InspectionFilter f;
    f.limit = 7;
    f.most_examined = 50;
    if (fields & 1) f.verdict = Verdict::kNok;
    if (fields & 2) f.part_id = "part 10";
    if (fields & 4) f.source = "camera";
    if (fields & 8) f.model = "one";
    if (fields & 16) f.reviewed_only = true;
    if (fields & 32) f.since_us = 1'700'000'000'000'090;
    if (fields & 64) f.until_us = 1'700'000'000'000'700;
    if (fields & 128) f.after_id = 0;
    std::set<std::int64_t> wanted, found;
    for (const ReviewedInspection& e : all) {
      const InspectionRecord& r = e.inspection;
      if ((!f.verdict || r.verdict == *f.verdict) && (f.part_id.empty() || r.part_id == f.part_id) &&
          (f.source.empty() || r.source == f.source) && (f.model.empty() || r.model == f.model) &&
          (!f.reviewed_only || e.review) && (!f.since_us || r.time_us >= *f.since_us) &&
          (!f.until_us || r.time_us < *f.until_us))
        wanted.insert(r.id);
    }
    std::int64_t last = f.after_id ? 0 : 1'000'000;
    for (int pages = 0; pages < 200; ++pages) {
      const InspectionPage page = journal.searches().page(f);
      for (const ReviewedInspection& e : page.inspections) {
        EXPECT_TRUE(found.insert(e.inspection.id).second);
        EXPECT_TRUE(f.after_id ? e.inspection.id > last : e.inspection.id < last);
        last = e.inspection.id;
      }
      if (!page.next) break;
      (f.after_id ? f.after_id : f.before_id) = page.next;
    }
    EXPECT_EQ(found, wanted) << "fields " << fields;
  }
}

TEST_F(ReaderTest, ASearchThatFindsLittleEndsEarlyAndGoesOn) {
  Journal journal(file());
  fill(journal, 0, 3000);
  InspectionFilter f;
  f.until_us = 1'700'000'000'000'003;  // the first three
  f.most_examined = 1000;
  const InspectionPage first = journal.searches().page(f);
  EXPECT_TRUE(first.inspections.empty());
  EXPECT_EQ(first.next, 2001);
  int pages = 1;
  InspectionPage page = first;
  while (page.inspections.empty() && page.next) {
    f.before_id = page.next;
    page = journal.searches().page(f);
    ++pages;
  }
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(page.inspections.size(), 3U);
  EXPECT_EQ(journal.searches()
                .list([] {
                  InspectionFilter whole;
                  whole.until_us = 1'700'000'000'000'003;
                  return whole;
                }())
                .size(),
            3U);
}

TEST_F(ReaderTest, ALongJournalIsVerifiedListedAndExported) {
  constexpr int kRecords = 12'000;
  {
    Journal journal(file());
    for (int i = 0; i < kRecords; i += 1000) fill(journal, i, 1000);
  }
  const ChainReport report = verify_journal(file(), {});
  EXPECT_EQ(report.records, kRecords);
  EXPECT_TRUE(report.faults.empty());
  const JournalReader reader(file());
  std::int64_t lines = 0;
  EXPECT_EQ(export_journal(reader, ExportFormat::kCsv, {}, [&](const std::string&) { ++lines; }), kRecords);
  EXPECT_EQ(lines, kRecords + 1);
  EXPECT_EQ(reader.find_by_key("key 11000")->id, 11'001);
  InspectionFilter f;
  f.verdict = Verdict::kNok;
  f.limit = kRecords;
  EXPECT_EQ(reader.list(f).size(), kRecords / 100U);
}

TEST_F(ReaderTest, AJournalOfAnEarlierGlintGetsItsIndexesAndContinuesItsChain) {
  ChainHead head;
  {
    Journal journal(file());
    for (int i = 0; i < 30'000; i += 1000) fill(journal, i, 1000);
    head = journal.reader().head();
  }
  {
    Database old(file(), DatabaseAccess::kReadWrite);
    old.execute("DROP INDEX record_source; DROP INDEX record_time;");
  }
  InspectionFilter f;
  f.source = "camera";
  EXPECT_EQ(JournalReader(file()).list(f).size(), 50U);  // before anybody could write it
  std::vector<std::string> notices;
  {
    Journal journal(file(), {0, [&](const std::string& text) { notices.push_back(text); }});
    fill(journal, 30'000, 1);
    EXPECT_EQ(journal.searches().list(f).size(), 50U);
  }
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("30000 records"), std::string::npos) << notices[0];
  const Journal again(file(), {0, [&](const std::string& text) { notices.push_back(text); }});
  EXPECT_EQ(notices.size(), 1U);
  const ChainReport report = verify_journal(file(), {false, head.hash});
  EXPECT_EQ(report.records, 30'001);
  EXPECT_TRUE(report.faults.empty());
}

/// A journal in a folder that may not be written, as an ordinary user sees it: whole, with a write-ahead log
/// left over, and with the log's index too.
TEST_F(ReaderTest, AReadOnlyPlaceIsVerifiedListedAndExported) {
  {
    Journal journal(file());
    fill(journal, 0, 5);
  }
  fs::create_directories(folder_.path() / "whole");
  fs::copy(file(), folder_.path() / "whole/j.db");
  {
    Journal journal(file());
    fill(journal, 5, 3);  // lies in the log as long as the journal is open
    for (const char* place : {"log", "index"}) {
      fs::create_directories(folder_.path() / place);
      for (const char* part : {"j.db", "j.db-wal"})
        fs::copy(folder_.path() / part, folder_.path() / place / part);
    }
    fs::copy(folder_.path() / "j.db-shm", folder_.path() / "index/j.db-shm");
    fs::create_symlink("j.db", folder_.path() / "log/link.db");
  }
  const bool root = ::geteuid() == 0;
  fs::permissions(folder_.path(), static_cast<fs::perms>(0755));
  for (const char* place : {"whole", "log", "index"}) {
    for (const auto& entry : fs::directory_iterator(folder_.path() / place))  // a link: its target
      fs::permissions(entry.path(), static_cast<fs::perms>(0444));
    fs::permissions(folder_.path() / place, static_cast<fs::perms>(0555));
  }
  if (root && ::seteuid(65534) != 0) GTEST_SKIP() << "SKIPPED: cannot become an ordinary user";
  std::map<std::string, std::string> seen;
  for (const char* place : {"whole", "log", "index"}) {
    try {
      const fs::path journal = folder_.path() / place / (std::string(place) == "log" ? "link.db" : "j.db");
      const ChainReport report = verify_journal(journal, {});
      const JournalReader reader(journal);
      std::int64_t lines = 0;
      export_journal(reader, ExportFormat::kCsv, {}, [&](const std::string&) { ++lines; });
      seen[place] = fmt::format("{} records, {} faults, {} exported{}", report.records, report.faults.size(),
                                lines - 1, report.leftover_log ? ", log" : "");
    } catch (const Error& e) {
      seen[place] = e.what();
    }
  }
  if (root) {
    EXPECT_EQ(::seteuid(0), 0);
  }
  for (const char* place : {"whole", "log", "index"})
    fs::permissions(folder_.path() / place, static_cast<fs::perms>(0755));
  EXPECT_EQ(seen["whole"], "5 records, 0 faults, 5 exported");
  EXPECT_EQ(seen["log"], "8 records, 0 faults, 8 exported, log");
  EXPECT_EQ(seen["index"], "8 records, 0 faults, 8 exported");
}

TEST_F(ReaderTest, AFileThatMayNotBeWrittenIsRefusedAtTheStart) {
  { const Journal journal(file()); }
  const bool root = ::geteuid() == 0;
  fs::permissions(folder_.path(), static_cast<fs::perms>(0777));
  fs::permissions(folder_.path() / "j.db.lock", static_cast<fs::perms>(0666));
  fs::permissions(file(), static_cast<fs::perms>(0444));
  if (root && ::seteuid(65534) != 0) GTEST_SKIP() << "SKIPPED: cannot become an ordinary user";
  std::string message;
  try {
    const Journal journal(file());
  } catch (const Error& e) {
    message = e.what();
  }
  if (root) {
    EXPECT_EQ(::seteuid(0), 0);
  }
  EXPECT_NE(message.find("j.db"), std::string::npos) << message;
  EXPECT_NE(message.find("written"), std::string::npos) << message;
}

TEST_F(ReaderTest, NumbersThatAreNoneAreNullEverywhere) {
  Journal journal(file());
  InspectionRecord r = record(1);
  r.score = r.threshold = std::nan("");
  r.p_value = HUGE_VAL;
  r.regions = {{1, 2, 3, 4, 5, static_cast<float>(std::nan(""))}};
  r.reason = "bytes \xff";
  InspectionRecord* pointer = &r;
  journal.append(std::span(&pointer, 1));
  const auto back = journal.searches().find(1);
  EXPECT_TRUE(std::isnan(back->inspection.score) && std::isnan(back->inspection.regions.at(0).peak));
  EXPECT_EQ(back->inspection.reason, "bytes \\xFF");
  const auto json = to_json(*back);
  EXPECT_FALSE(json.contains("score") || json.contains("p_value"));
  EXPECT_TRUE(json["regions"][0]["peak"].is_null());
  std::vector<std::string> lines;
  export_journal(journal.searches(), ExportFormat::kCsv, {},
                 [&](const std::string& line) { lines.push_back(line); });
  EXPECT_NE(lines.at(1).find(",,,,1,5,"), std::string::npos) << lines[1];  // score, threshold, p-value
  Database database(file(), DatabaseAccess::kReadOnly);
  EXPECT_EQ(database.integer("SELECT json_extract(body, '$.score') IS NULL FROM record"), 1);
  EXPECT_TRUE(verify_journal(file(), {}).faults.empty());
}

TEST_F(ReaderTest, CollectNeverWritesOverWhatLiesThere) {
  const std::vector<std::byte> image(100, std::byte{7});
  Journal journal(file());
  InspectionRecord r = record(7);
  r.image_sha256 = sha256_hex(image);
  InspectionRecord* pointer = &r;
  journal.append(std::span(&pointer, 1));
  write_file(journal.images_folder() / "000000/000000001.png", image);
  journal.note_image(1, "000000/000000001.png", 100);
  journal.append(ReviewRecord{0, 5, 1, Verdict::kOk, "", ""});
  const auto entry = *journal.searches().find(1);
  const fs::path good = folder_.path() / "good",
                 taken = good / ("000000001_" + r.image_sha256.substr(0, 12) + ".png");
  const auto collect = [&] { return collect_good(journal.searches(), journal.images_folder(), entry, good); };
  make_folder(good);
  fs::create_symlink(folder_.path() / "elsewhere.png", taken);
  const fs::path copy = collect();
  EXPECT_EQ(copy.filename(), "000000001_" + r.image_sha256 + ".png");
  EXPECT_EQ(read_file(copy), image);
  EXPECT_FALSE(fs::exists(folder_.path() / "elsewhere.png"));
  EXPECT_TRUE(collect().empty());  // it is there
  fs::remove(copy);
  fs::remove(taken);
  write_text(taken, "another journal's image of that number");
  EXPECT_FALSE(collect().empty());
  EXPECT_EQ(read_text(taken), "another journal's image of that number");
  fs::remove_all(good);
  EXPECT_EQ(collect(), taken);
}

}  // namespace
}  // namespace glint
