#include "glint/journal/queries.h"

#include "glint/journal/journal.h"

namespace glint {
namespace {

constexpr const char* kSource = "json_extract(i.body, '$.source')";

/// Conditions and their values, joined by AND.
class Conditions {
 public:
  template <class T>
  void add(const std::string& condition, T value) {
    text_ += (text_.empty() ? "" : " AND ") + condition;
    values_.emplace_back(std::move(value));
  }
  void add(const std::string& condition) { text_ += (text_.empty() ? "" : " AND ") + condition; }
  std::string text() const { return text_.empty() ? "1" : text_; }
  void append_to(Query& query) const {
    query.values.insert(query.values.end(), values_.begin(), values_.end());
  }

 private:
  std::string text_;
  decltype(Query::values) values_;
};

}  // namespace

Query list_query(const InspectionFilter& f, std::int64_t low, std::int64_t high, bool source_index) {
  enum class Along { kId, kPart, kReview, kSource, kModel, kVerdict };
  const Along along = !f.part_id.empty()                  ? Along::kPart
                      : f.reviewed_only                   ? Along::kReview
                      : !f.source.empty() && source_index ? Along::kSource
                      : !f.model.empty()                  ? Along::kModel
                      : f.verdict                         ? Along::kVerdict
                                                          : Along::kId;
  Conditions walked, rest;
  std::string from = "record i NOT INDEXED", id = "i.id";
  const auto put = [&](Along field, const char* index, const std::string& condition, auto value) {
    if (along == field) from = std::string("record i INDEXED BY ") + index;
    (along == field ? walked : rest).add(condition, value);
  };
  if (!f.part_id.empty()) put(Along::kPart, "record_part", "i.part_id = ?", f.part_id);
  if (!f.source.empty()) put(Along::kSource, "record_source", std::string(kSource) + " = ?", f.source);
  if (!f.model.empty()) put(Along::kModel, "record_model", "i.model = ?", f.model);
  if (f.verdict) put(Along::kVerdict, "record_verdict", "i.verdict = ?", std::string(enum_name(*f.verdict)));
  // These two indexes start with the kind, or hold no other.
  (along == Along::kVerdict || along == Along::kSource ? walked : rest).add("i.kind = 'inspection'");
  if (f.since_us) rest.add("i.time_us >= ?", *f.since_us);
  if (f.until_us) rest.add("i.time_us < ?", *f.until_us);
  if (along == Along::kReview) {
    from = "record r INDEXED BY record_inspection CROSS JOIN record i ON i.id = r.inspection";
    id = "r.inspection";
  } else if (f.reviewed_only) {
    rest.add("EXISTS (SELECT 1 FROM record r WHERE r.inspection = i.id)");
  }
  walked.add(id + " > ?", low);
  walked.add(id + " < ?", high);
  Query out;
  out.sql = "SELECT " + id + ", coalesce(" + rest.text() + ", 0) FROM " + from + " WHERE " + walked.text() +
            " ORDER BY " + id + (f.after_id ? " ASC" : " DESC");
  rest.append_to(out);
  walked.append_to(out);
  return out;
}

Query since_query(std::int64_t since_us, std::int64_t most) {
  return {
      "SELECT min(id), count(*) FROM (SELECT id FROM record INDEXED BY record_time WHERE kind = "
      "'inspection' AND time_us >= ? ORDER BY time_us DESC LIMIT ?)",
      {since_us, most}};
}

Query find_query(std::int64_t id) {
  return {
      "SELECT i.id, i.body, r.id, r.body FROM record i LEFT JOIN record r ON r.id = "
      "(SELECT max(id) FROM record WHERE inspection = i.id) WHERE i.kind = 'inspection' AND i.id = ?",
      {id}};
}

Query key_query(const std::string& key) {
  return {"SELECT id, body FROM record WHERE idempotency_key = ? ORDER BY id DESC", {key}};
}

Query model_query(const std::string& model, std::int64_t limit) {
  return {"SELECT id, body FROM record WHERE model = ? ORDER BY id LIMIT ?", {model, limit}};
}

Query counts_query(std::int64_t since_us) {
  return {
      "SELECT verdict, count(*) FROM record INDEXED BY record_time WHERE kind = 'inspection' AND time_us >= "
      "? GROUP BY verdict",
      {since_us}};
}

}  // namespace glint
