// glint journal

#include <cstdio>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/journal/export.h"
#include "glint/journal/verify.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct JournalCommand {
  std::string file, out, format = std::string(enum_name(ExportFormat::kCsv)), verdict, since, until, expect;
  bool images = false;
};

/// On the standard error: what was read is complete, but lies in two files.
void note_leftover_log(const JournalCommand& args, bool leftover) {
  if (!leftover) return;
  std::fprintf(stderr,
               "note: the newest records are in %s-wal and were read from there; keep both files together\n",
               name_line(args.file).c_str());
}

int verify(const JournalCommand& args) {
  const ChainReport report = verify_journal(args.file, {args.images, args.expect});
  for (const ChainFault& fault : report.faults) {
    if (fault.id > 0) {
      std::printf("record %lld: %s\n", static_cast<long long>(fault.id), fault.what.c_str());
    } else {
      std::printf("%s\n", fault.what.c_str());
    }
  }
  std::printf("%s: %lld records%s, head %s: %s\n", name_line(args.file).c_str(),
              static_cast<long long>(report.records),
              args.images ? fmt::format(", {} images", report.images_checked).c_str() : "",
              report.head.hash.c_str(), report.faults.empty() ? "intact" : "NOT intact");
  note_leftover_log(args, report.leftover_log);
  return report.faults.empty() ? kExitOk : kExitFound;
}

std::optional<std::int64_t> time_of(const char* option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto time = parse_iso_time(text);
  if (!time) fail(ErrorCode::kConfig, "{} {}: give a time as 2026-11-24T21:00:00Z", option, text);
  return time;
}

int write_export(const JournalCommand& args) {
  const JournalReader journal(args.file);
  note_leftover_log(args, journal.reads_leftover_log());
  InspectionFilter filter;
  filter.since_us = time_of("--since", args.since);
  filter.until_us = time_of("--until", args.until);
  if (!args.verdict.empty()) filter.verdict = parse_enum<Verdict>(args.verdict, "--verdict");
  const auto format = parse_enum<ExportFormat>(args.format, "--format");
  if (args.out.empty()) {
    export_journal(journal, format, filter,
                   [](const std::string& line) { std::printf("%s\n", line.c_str()); });
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      fail(ErrorCode::kIo, "standard output: not all of the export could be written");
    return kExitOk;
  }
  std::string text;
  const auto written =
      export_journal(journal, format, filter, [&](const std::string& line) { text += line + "\n"; });
  write_text(args.out, text);
  std::printf("wrote %s (%lld inspections)\n", name_line(args.out).c_str(), static_cast<long long>(written));
  return kExitOk;
}

int collect(const JournalCommand& args) {
  const JournalReader journal(args.file);
  note_leftover_log(args, journal.reads_leftover_log());
  InspectionFilter filter;
  filter.reviewed_only = true;
  filter.verdict = Verdict::kNok;
  filter.limit = 1000;
  int copied = 0, without_image = 0;
  for (auto page = journal.list(filter); !page.empty(); page = journal.list(filter)) {
    for (const ReviewedInspection& entry : page) {
      if (!is_overruled_good(entry)) continue;
      copied += collect_good(journal, images_folder_of(args.file), entry, args.out).empty() ? 0 : 1;
      without_image += journal.kept_image(entry.inspection.id).empty() ? 1 : 0;
    }
    filter.before_id = page.back().inspection.id;
  }
  std::printf("wrote %d images of overruled good parts to %s%s\n", copied, name_line(args.out).c_str(),
              without_image > 0 ? fmt::format(" ({} have no kept image)", without_image).c_str() : "");
  return kExitOk;
}

}  // namespace

Action add_journal(CLI::App& verb) {
  auto args = std::make_shared<JournalCommand>();
  auto action = std::make_shared<Action>();
  verb.require_subcommand(1);
  const auto add = [&](const char* name, const char* purpose, int (*run)(const JournalCommand&)) {
    CLI::App* sub = verb.add_subcommand(name, purpose);
    sub->add_option("journal", args->file, "journal of glint serve")->required();
    sub->callback([args, action, run] { *action = [args, run] { return run(*args); }; });
    return sub;
  };
  CLI::App* check = add("verify", "find any edit: exit 0 intact, 1 not intact", verify);
  check->add_flag("--images", args->images, "compare the kept images with their hashes too");
  check->add_option("--expect", args->expect, "a head noted earlier, which must still be in the chain");
  CLI::App* write = add("export", "inspections as CSV or JSON lines", write_export);
  write->add_option("-o,--out", args->out, "file (default: standard output)");
  write->add_option("--format", args->format, "csv or jsonl")->capture_default_str();
  write->add_option("--verdict", args->verdict, "OK, NOK or \"NO DECISION\"");
  write->add_option("--since", args->since, "UTC time, e.g. 2026-11-24T06:00");
  write->add_option("--until", args->until, "UTC time");
  CLI::App* gather = add("collect", "copy the images of good parts that operators overruled to OK", collect);
  gather->add_option("-o,--out", args->out, "folder, e.g. the next training/train/good")->required();
  verb.footer(
      "Example:\n  glint journal verify line1.db --images\n  glint journal export line1.db --format csv -o "
      "november.csv --since 2026-11-01\n  glint journal collect line1.db -o next/train/good");
  return [action] { return (*action)(); };
}

}  // namespace glint
