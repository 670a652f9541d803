// Walks a journal's chain and says what does not hold.
#pragma once

#include <string>
#include <vector>

#include "glint/journal/journal.h"

namespace glint {

struct ChainFault {
  std::int64_t id = 0;  ///< of the record; 0 for the journal as a whole
  std::string what;
};

struct ChainReport {
  std::int64_t records = 0;
  ChainHead head;  ///< as recomputed: note it elsewhere to prove later that nothing was removed
  std::vector<ChainFault> faults;
  std::int64_t images_checked = 0;
  bool leftover_log = false;  ///< the newest records lie in FILE-wal, in a place that cannot be written
};

struct VerifyOptions {
  bool images = false;           ///< compare the kept images with the records' hashes too
  std::string expected_hash;     ///< a head noted earlier, which must still be in the chain; empty = none
  std::size_t most_faults = 20;  ///< stop listing after so many
};

/// Error when the file is no journal or cannot be read to its end.
ChainReport verify_journal(const std::filesystem::path& path, const VerifyOptions& options);

}  // namespace glint
