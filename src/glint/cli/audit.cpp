// glint audit

#include <cstdio>

#include "glint/audit/audit.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/data/quarantine.h"
#include "glint/nn/backbone_store.h"
#include "glint/report/audit_report.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct AuditCommand {
  std::string dataset, out, backbone = "compact", quarantine, undo;
  AuditOptions options;
  bool apply = false;
};

int run(const AuditCommand& args) {
  if (!args.undo.empty()) {
    std::printf("moved %d images back\n", undo_quarantine(args.undo));
    return kExitOk;
  }
  if (args.apply && args.quarantine.empty()) fail(ErrorCode::kConfig, "--apply needs --quarantine DIR");
  const auto progress = make_terminal_progress();
  const Dataset dataset = scan_dataset(
      args.dataset,
      {DatasetUse::kTrain, /*allow_leakage=*/true, FaultHandling::kCollect, LockHandling::kIgnore},
      *progress);
  for (const std::string& warning : dataset.warnings) progress->message("warning: " + warning);
  if (args.apply) {
    const QuarantineResult result = apply_quarantine(dataset, args.quarantine);
    std::printf("moved %d images to %s; glint audit %s --undo %s takes it back\n", result.moved,
                name_line(args.quarantine).c_str(), name_line(args.dataset).c_str(),
                name_line(result.undo_file).c_str());
    return kExitOk;
  }
  Backbone backbone = open_backbone(args.backbone);
  backbone.to(DeviceChoice::kCpu, Precision::kAuto);
  const Audit audit = audit_dataset(dataset, backbone, args.options, *progress);
  std::printf("%s", audit_text(audit).c_str());
  std::string written;
  if (!args.out.empty()) {
    const fs::path out = args.out;
    write_text(out / "audit.json", audit_json(audit, dataset).dump(2) + "\n");
    write_text(out / "audit.html", audit_report(audit, dataset));
    written = name_line(out / "audit.html") + ", audit.json";
  }
  if (!args.quarantine.empty()) {
    const fs::path file = fs::path(args.quarantine) / kProposalFile;
    write_text(file, exclusion_text(audit));
    written += (written.empty() ? "" : ", ") + name_line(file);
  }
  if (!written.empty()) std::printf("wrote %s\n", written.c_str());
  return audit.found() ? kExitFound : kExitOk;
}

}  // namespace

Action add_audit(CLI::App& verb) {
  auto args = std::make_shared<AuditCommand>();
  verb.add_option("dataset", args->dataset, "folder in MVTec layout")->required();
  verb.add_option("-o,--out", args->out, "folder for audit.html and audit.json");
  verb.add_option("--pixel-pitch", args->options.resolution.pixel_pitch_um,
                  "micrometres per pixel of the photographs")
      ->check(CLI::PositiveNumber);
  verb.add_option("--smallest-defect", args->options.resolution.smallest_defect_um,
                  "micrometres, with --pixel-pitch")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--input-size", args->options.resolution.input_size, "side of the detector's input")
      ->capture_default_str()
      ->check(CLI::Range(32, 4096));
  verb.add_option("--backbone", args->backbone, "convolutional network for the comparisons of pictures")
      ->capture_default_str();
  verb.add_option("--quarantine", args->quarantine, "folder for the list of suspicious training images");
  verb.add_flag("--apply", args->apply,
                "move the images of that list into the folder (with an undo file); no audit");
  verb.add_option("--undo", args->undo, "undo file: move the images back");
  verb.footer(
      "Exit code: 0 clean (notices do not count), 1 findings, 2 error.\nExample:\n  glint audit sleeves -o "
      "audit --quarantine suspicious");
  return [args] { return run(*args); };
}

}  // namespace glint
