// The tables and indexes of a journal file: made, recognised and brought up to date.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "glint/journal/journal.h"

namespace glint {

/// Indexes of the table of records. All are made by CREATE INDEX IF NOT EXISTS: also in a journal of an
/// earlier glint.
struct JournalIndex {
  const char* name;
  const char* columns;  ///< with the condition of a partial index
};
const std::vector<JournalIndex>& journal_indexes();

/// Makes the file a journal when it is new and adds the indexes that it lacks; `notice` (may be empty) is
/// told when that takes long. Returns `path`. Error(kBadInput) when it is something else or damaged,
/// Error(kIo) when it cannot be written.
const std::filesystem::path& prepare_journal(const std::filesystem::path& path,
                                             const std::function<void(const std::string&)>& notice);

/// Error(kBadInput) when the file is no journal of this version.
void check_journal(Database& database, const std::filesystem::path& path);

ChainHead read_head(Database& database);

}  // namespace glint
