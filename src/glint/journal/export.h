// A journal as CSV or JSON lines, and overruled good parts as images for the next training.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "glint/journal/journal.h"

namespace glint {

enum class ExportFormat { kCsv, kJsonLines };
template <>
struct EnumNames<ExportFormat> {
  static constexpr std::pair<ExportFormat, std::string_view> table[] = {{ExportFormat::kCsv, "csv"},
                                                                        {ExportFormat::kJsonLines, "jsonl"}};
};

/// One line per inspection, oldest first, with its last review. CSV has a header line and fields as csv.h
/// writes them. Returns the number written.
std::int64_t export_journal(const JournalReader& journal, ExportFormat format, InspectionFilter filter,
                            const std::function<void(const std::string& line)>& write);

/// An inspection with its review as one JSON object; also what the HTTP interface answers.
nlohmann::json to_json(const ReviewedInspection& entry);

/// Copies the kept image of an inspection that an operator overruled to OK into `folder`, as
/// "<id>_<hash>.<ending>". Returns the file, or an empty path when it is there already or no image was kept.
/// What lies there under that name and is not this image is left alone; then the whole hash is in the name.
std::filesystem::path collect_good(const JournalReader& journal, const std::filesystem::path& images,
                                   const ReviewedInspection& entry, const std::filesystem::path& folder);

/// NOK by the detector, good by the operator.
bool is_overruled_good(const ReviewedInspection& entry);

}  // namespace glint
