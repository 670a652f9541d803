// Reading a journal: pages of inspections, look-ups of one, and the chain in order.

#include <algorithm>
#include <limits>
#include <regex>

#include "glint/base/error.h"
#include "glint/journal/journal.h"
#include "glint/journal/queries.h"
#include "glint/journal/schema.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

json parse_body(std::int64_t id, const std::string& text) {
  json body = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) fail(ErrorCode::kBadInput, "journal record {}: its text is not JSON", id);
  return body;
}

ReviewedInspection reviewed_row(const Statement& row) {
  const std::int64_t id = row.integer(0);
  ReviewedInspection out{inspection_from_json(id, parse_body(id, row.text(1))), std::nullopt};
  if (!row.is_null(2)) out.review = review_from_json(row.integer(2), parse_body(row.integer(2), row.text(3)));
  return out;
}

InspectionRecord inspection_row(const Statement& row) {
  return inspection_from_json(row.integer(0), parse_body(row.integer(0), row.text(1)));
}

std::vector<InspectionRecord> inspection_rows(Statement& query) {
  std::vector<InspectionRecord> out;
  while (query.step()) out.push_back(inspection_row(query));
  return out;
}

}  // namespace

JournalReader::JournalReader(const fs::path& path) : JournalReader(path, DatabaseAccess::kReadOnly) {
  check_journal(database_, path);
  Statement index(database_, "SELECT 1 FROM sqlite_schema WHERE name = 'record_source'");
  source_index_ = index.step();
}

JournalReader::JournalReader(const fs::path& path, DatabaseAccess access) : database_(path, access) {}

InspectionPage JournalReader::page(const InspectionFilter& filter) const {
  InspectionFilter f = filter;
  for (std::string* text : {&f.part_id, &f.source, &f.model}) *text = journal_text(*text);
  constexpr std::int64_t kNewest = 100'000;
  std::int64_t low = f.after_id.value_or(0);
  const std::int64_t high = f.before_id.value_or(std::numeric_limits<std::int64_t>::max());
  const std::lock_guard guard(mutex_);
  if (f.since_us) {  // where the newest records begin, so that the search ends there
    Statement since(database_, since_query(*f.since_us, kNewest + 1));
    if (since.step()) {
      if (since.integer(1) == 0) return {};
      if (since.integer(1) <= kNewest) low = std::max(low, since.integer(0) - 1);
    }
  }
  InspectionPage out;
  Statement candidates(database_, list_query(f, low, high, source_index_));
  Statement find(database_, find_query(0));
  std::int64_t examined = 0, last = 0;
  while (candidates.step()) {
    const std::int64_t id = candidates.integer(0);
    if (id == last) continue;
    last = id;
    if (candidates.integer(1) == 1) {
      find.reset();
      if (find.bind(id).step()) out.inspections.push_back(reviewed_row(find));
    }
    ++examined;
    if (std::ssize(out.inspections) >= f.limit || examined >= f.most_examined) {
      out.next = id;
      break;
    }
  }
  return out;
}

std::vector<ReviewedInspection> JournalReader::list(InspectionFilter filter) const {
  filter.most_examined = std::numeric_limits<std::int64_t>::max();
  return page(filter).inspections;
}

std::optional<ReviewedInspection> JournalReader::find(std::int64_t id) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, find_query(id));
  return query.step() ? std::optional(reviewed_row(query)) : std::nullopt;
}

std::optional<InspectionRecord> JournalReader::find_by_key(const std::string& key) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, key_query(journal_text(key)));
  return query.step() ? std::optional(inspection_row(query)) : std::nullopt;
}

std::vector<InspectionRecord> JournalReader::all_with_key(const std::string& key) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, key_query(journal_text(key)));
  return inspection_rows(query);
}

std::vector<InspectionRecord> JournalReader::first_of_model(const std::string& model, int limit) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, model_query(model, limit));
  return inspection_rows(query);
}

std::map<Verdict, std::int64_t> JournalReader::counts_since(std::int64_t time_us) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, counts_query(time_us));
  std::map<Verdict, std::int64_t> out;
  while (query.step()) out[parse_enum<Verdict>(query.text(0), "verdict")] = query.integer(1);
  return out;
}

std::int64_t JournalReader::last_time_us() const {
  const std::lock_guard guard(mutex_);
  return database_.integer("SELECT time_us FROM record ORDER BY id DESC LIMIT 1");
}

ChainHead JournalReader::head() const {
  const std::lock_guard guard(mutex_);
  return read_head(database_);
}

void JournalReader::for_each(const std::function<void(const json&)>& visit) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, "SELECT id, kind, body, previous, hash FROM record ORDER BY id");
  while (query.step()) {
    visit({{"id", query.integer(0)},
           {"kind", query.text(1)},
           {"body", query.text(2)},
           {"previous", query.text(3)},
           {"hash", query.text(4)}});
  }
}

std::string JournalReader::kept_image(std::int64_t inspection) const {
  const std::lock_guard guard(mutex_);
  Statement query(database_, "SELECT file FROM kept_image WHERE inspection = ?");
  query.bind(inspection);
  if (!query.step()) return "";
  // The name becomes a path, and a journal may come from a stranger.
  static const std::regex kName("[0-9]{6,13}/[0-9]{9,16}[.][a-z]{3,4}");
  std::string name = query.text(0);
  if (!std::regex_match(name, kName))
    fail(ErrorCode::kBadInput, "{}: the journal names an odd image file for inspection {}", name, inspection);
  return name;
}

}  // namespace glint
