#include "glint/journal/schema.h"

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::int64_t kApplicationId = 0x676c6e74;  // "glnt"
constexpr std::int64_t kVersion = 1;

/// The columns after `hash` are read out of the body, so that there is one truth and it is the hashed one.
constexpr const char* kSchema = R"(
CREATE TABLE record(
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL,
  time_us INTEGER GENERATED ALWAYS AS (json_extract(body, '$.time_us')) VIRTUAL,
  verdict TEXT GENERATED ALWAYS AS (json_extract(body, '$.verdict')) VIRTUAL,
  part_id TEXT GENERATED ALWAYS AS (json_extract(body, '$.part_id')) VIRTUAL,
  idempotency_key TEXT GENERATED ALWAYS AS (json_extract(body, '$.idempotency_key')) VIRTUAL,
  model TEXT GENERATED ALWAYS AS (json_extract(body, '$.model')) VIRTUAL,
  inspection INTEGER GENERATED ALWAYS AS (json_extract(body, '$.inspection')) VIRTUAL);
CREATE TABLE head(one INTEGER PRIMARY KEY CHECK (one = 1), id INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE kept_image(inspection INTEGER PRIMARY KEY, file TEXT NOT NULL, bytes INTEGER NOT NULL);
)";

bool has_index(Database& database, const char* name) {
  Statement query(database, "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?");
  return query.bind(name).step();
}

void add_indexes(Database& database, const fs::path& path,
                 const std::function<void(const std::string&)>& notice) {
  constexpr std::int64_t kQuick = 20'000;  // records that are indexed in well under a second
  Transaction transaction(database);  // also shows now, not at the first part, that the file can be written
  bool told = false;
  for (const JournalIndex& index : journal_indexes()) {
    if (has_index(database, index.name)) continue;
    if (const auto records = read_head(database).id; records > kQuick && !told && notice) {
      notice(fmt::format("{}: made by an earlier glint; its {} records are indexed once, which takes a while",
                         name_line(path), records));
      told = true;
    }
    database.execute(fmt::format("CREATE INDEX IF NOT EXISTS {} ON record{}", index.name, index.columns));
  }
  transaction.commit();
}

}  // namespace

const std::vector<JournalIndex>& journal_indexes() {
  static const std::vector<JournalIndex> indexes{
      {"record_time", "(kind, time_us, verdict)"},
      {"record_verdict", "(kind, verdict, id)"},
      {"record_part", "(part_id, id) WHERE part_id IS NOT NULL"},
      {"record_key", "(idempotency_key) WHERE idempotency_key IS NOT NULL"},
      {"record_model", "(model, id) WHERE model IS NOT NULL"},
      {"record_inspection", "(inspection, id) WHERE inspection IS NOT NULL"},
      {"record_source", "(json_extract(body, '$.source'), id) WHERE kind = 'inspection'"}};
  return indexes;
}

const fs::path& prepare_journal(const fs::path& path, const std::function<void(const std::string&)>& notice) {
  Database database(path, DatabaseAccess::kReadWrite);
  database.execute("PRAGMA journal_mode = WAL");
  if (database.integer("SELECT count(*) FROM sqlite_schema") == 0) {
    Transaction transaction(database);
    database.execute(fmt::format("{} PRAGMA application_id = {}; PRAGMA user_version = {};", kSchema,
                                 kApplicationId, kVersion));
    transaction.commit();
  }
  check_journal(database, path);
  {
    Statement check(database, "PRAGMA quick_check(1)");
    if (check.step() && check.text(0) != "ok") {
      fail(ErrorCode::kBadInput, "{}: the journal is damaged ({}); move it away and start a new one",
           name_line(path), check.text(0));
    }
  }
  add_indexes(database, path, notice);
  return path;
}

void check_journal(Database& database, const fs::path& path) {
  if (database.integer("PRAGMA application_id") != kApplicationId) {
    fail(ErrorCode::kBadInput, "{}: a database, but not a journal of glint; name another file",
         name_line(path));
  }
  if (const std::int64_t version = database.integer("PRAGMA user_version"); version != kVersion) {
    fail(ErrorCode::kBadInput, "{}: a journal of version {}, this glint reads version {}", name_line(path),
         version, kVersion);
  }
}

ChainHead read_head(Database& database) {
  Statement query(database, "SELECT id, hash FROM head WHERE one = 1");
  return query.step() ? ChainHead{query.integer(0), query.text(1)} : ChainHead{0, chain_origin()};
}

}  // namespace glint
