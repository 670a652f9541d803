#include "glint/journal/export.h"

#include <algorithm>

#include "glint/base/clock.h"
#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr const char* kCsvHeader =
    "id,time,verdict,final_verdict,reason,source,sequence,part_id,view,score,threshold,p_value,regions,"
    "largest_region_px,brightness,elapsed_ms,width,height,image_sha256,model,review_verdict,review_reason,"
    "review_by,review_time";

std::string csv_line(const ReviewedInspection& e) {
  const InspectionRecord& r = e.inspection;
  std::int64_t largest = 0;
  for (const Region& region : r.regions) largest = std::max(largest, region.area_px);
  std::string out = fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.3f},{},{},{},{}", r.id,
                                iso_time(r.time_us), enum_name(r.verdict), enum_name(e.final_verdict()),
                                csv_field(r.reason), csv_field(r.source), r.sequence, csv_field(r.part_id),
                                csv_field(r.view), csv_number(r.score), csv_number(r.threshold),
                                csv_number(r.p_value), r.regions.size(), largest, csv_number(r.brightness),
                                r.elapsed_ms, r.width, r.height, r.image_sha256, r.model);
  if (!e.review) return out + ",,,,";
  return out + fmt::format(",{},{},{},{}", enum_name(e.review->verdict), csv_field(e.review->reason),
                           csv_field(e.review->by), iso_time(e.review->time_us));
}

}  // namespace

nlohmann::json to_json(const ReviewedInspection& entry) {
  nlohmann::json out = to_json(entry.inspection);
  out["id"] = entry.inspection.id;
  out["final_verdict"] = enum_name(entry.final_verdict());
  if (entry.review) {
    out["review"] = to_json(*entry.review);
    out["review"]["id"] = entry.review->id;
  }
  return out;
}

std::int64_t export_journal(const JournalReader& journal, ExportFormat format, InspectionFilter filter,
                            const std::function<void(const std::string& line)>& write) {
  if (format == ExportFormat::kCsv) write(kCsvHeader);
  filter.limit = 1000;
  filter.after_id = 0;
  std::int64_t written = 0;
  for (auto page = journal.list(filter); !page.empty(); page = journal.list(filter)) {
    for (const ReviewedInspection& entry : page) {
      write(format == ExportFormat::kCsv ? csv_line(entry) : json_line(to_json(entry)));
      ++written;
    }
    filter.after_id = page.back().inspection.id;
  }
  return written;
}

bool is_overruled_good(const ReviewedInspection& entry) {
  return entry.inspection.verdict == Verdict::kNok && entry.review && entry.review->verdict == Verdict::kOk;
}

fs::path collect_good(const JournalReader& journal, const fs::path& images, const ReviewedInspection& entry,
                      const fs::path& folder) {
  const std::string file = journal.kept_image(entry.inspection.id);
  if (file.empty()) return {};
  const Bytes image = read_file(images / file);
  const std::string hash = sha256_hex(image), ending = fs::path(file).extension().string();
  // A name that is taken by something else (another journal's image, a link, a folder) is never written to.
  for (const std::string& name : {entry.inspection.image_sha256.substr(0, 12), hash}) {
    fs::path target = folder / fmt::format("{:09}_{}{}", entry.inspection.id, name, ending);
    const fs::file_status there = fs::symlink_status(target);
    if (!fs::exists(there)) {
      write_file(target, image);
      return target;
    }
    if (fs::is_regular_file(there) && sha256_hex(read_file(target)) == hash) return {};
  }
  fail(ErrorCode::kIo, "{}: both names for the image of inspection {} are taken there by something else",
       name_line(folder), entry.inspection.id);
}

}  // namespace glint
