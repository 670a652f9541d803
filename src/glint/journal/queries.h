// The SQL of the journal's look-ups, apart from where it runs, so that a test can ask SQLite for the plan of
// each: none may walk over the table of records, because the line and the pages wait for them.
#pragma once

#include <cstdint>
#include <string>

#include "glint/journal/database.h"

namespace glint {

struct InspectionFilter;

/// Candidates of a listing in the order of the listing: columns id, and 1 where the whole filter holds. The
/// most selective field of the filter chooses the index that is walked along; the others are the condition.
/// Ids lie strictly between `low` and `high`. An id may come more than once in a row. Without `source_index`
/// (a journal that cannot be written and was made before that index) a source is looked for in all records.
Query list_query(const InspectionFilter& filter, std::int64_t low, std::int64_t high, bool source_index);

/// Columns: lowest id and number of the inspections since a time; of the newest `most` of them.
Query since_query(std::int64_t since_us, std::int64_t most);
/// Columns: id, body, id and body of the last review.
Query find_query(std::int64_t id);
/// Columns: id, body; newest first.
Query key_query(const std::string& idempotency_key);
/// Columns: id, body; oldest first.
Query model_query(const std::string& model, std::int64_t limit);
/// Columns: verdict, number.
Query counts_query(std::int64_t since_us);

}  // namespace glint
