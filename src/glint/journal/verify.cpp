#include "glint/journal/verify.h"

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"
#include "glint/journal/image_store.h"

namespace glint {
namespace {

using nlohmann::json;

struct Imaged {
  std::int64_t id = 0;
  std::string sha256;
};

std::string image_fault(const JournalReader& journal, const std::filesystem::path& images,
                        const Imaged& record, ChainReport& report) {
  const std::string file = journal.kept_image(record.id);
  if (file.empty()) return "";
  ++report.images_checked;
  try {
    const Bytes kept = read_file(images / file);
    if (sha256_hex(kept) != record.sha256 && frame_sha256(decode_image(kept, file)) != record.sha256)
      return fmt::format("its kept image {} is not the one that was inspected", file);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

ChainReport verify_journal(const std::filesystem::path& path, const VerifyOptions& options) {
  const JournalReader journal(path);
  const std::filesystem::path images = images_folder_of(path);
  ChainReport report;
  report.head = {0, chain_origin()};
  report.leftover_log = journal.reads_leftover_log();
  bool expected_seen = options.expected_hash.empty();
  std::vector<Imaged> with_images;
  const auto fault = [&](std::int64_t id, std::string what) {
    if (report.faults.size() < options.most_faults) report.faults.push_back({id, std::move(what)});
  };
  journal.for_each([&](const json& row) {
    const auto id = row["id"].get<std::int64_t>();
    const auto body = row["body"].get<std::string>();
    const auto hash = row["hash"].get<std::string>();
    if (id != report.head.id + 1) {
      fault(id, id == report.head.id + 2
                    ? fmt::format("record {} is missing", id - 1)
                    : fmt::format("records {} to {} are missing", report.head.id + 1, id - 1));
    }
    if (row["previous"] != report.head.hash) fault(id, "does not follow from the record before it");
    if (chain_hash(row["previous"], id, row["kind"].get<std::string>(), body) != hash)
      fault(id, "was changed after it was written");
    const json parsed = json::parse(body, nullptr, false);
    if (!parsed.is_object()) {
      fault(id, "its text is not JSON");
    } else if (options.images && row["kind"] == "inspection") {
      const json image = parsed.value("image_sha256", json());
      with_images.push_back({id, image.is_string() ? image.get<std::string>() : ""});
    }
    expected_seen = expected_seen || hash == options.expected_hash;
    report.head = {id, hash};
    ++report.records;
  });
  const ChainHead noted = journal.head();
  if (noted.id != report.head.id || noted.hash != report.head.hash) {
    fault(0, fmt::format("the chain ends at record {}, the journal's head says {}: records were removed from "
                         "the end, or the head was changed",
                         report.head.id, noted.id));
  }
  if (!expected_seen) fault(0, "the expected hash is not in the chain: it was rewritten or cut");
  for (const Imaged& record : with_images) {
    if (std::string what = image_fault(journal, images, record, report); !what.empty())
      fault(record.id, what);
  }
  return report;
}

}  // namespace glint
