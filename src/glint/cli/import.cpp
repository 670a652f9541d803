// glint import

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/labels/label_import.h"

namespace glint {
namespace {

struct ImportCommand {
  std::string file, images, out, good, bad;
  ImportOptions options;
};

int print(const ImportSummary& summary, const std::string& out) {
  for (const std::string& notice : summary.notices) std::printf("notice: %s\n", notice.c_str());
  std::printf("wrote %s: %d good for training, %d good for testing", name_line(out).c_str(),
              summary.train_good, summary.test_good);
  for (const auto& [label, images] : summary.anomalous) std::printf(", %d %s", images, label.c_str());
  std::printf(" (%d regions)\nnext: glint audit %s\n", summary.regions, name_line(out).c_str());
  return kExitOk;
}

using Parse = LabelFile (*)(std::string_view, const std::string&);

int from_file(const ImportCommand& args, Parse parse) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
  const auto progress = make_terminal_progress();
  const LabelFile labels = parse(read_text(args.file, kMaxBytes), name_line(args.file));
  return print(import_labels(labels, args.images, args.options, args.out, *progress), args.out);
}

int from_folders(const ImportCommand& args) {
  const auto progress = make_terminal_progress();
  return print(import_folders(args.good, args.bad, args.options, args.out, *progress), args.out);
}

}  // namespace

Action add_import(CLI::App& verb) {
  auto args = std::make_shared<ImportCommand>();
  auto chosen = std::make_shared<Action>();
  verb.require_subcommand(1);
  auto choose = [&](const char* name, const char* purpose, const char* example, const Action& action) {
    CLI::App* sub = verb.add_subcommand(name, purpose);
    sub->footer(std::string("Example:\n  glint import ") + example);
    sub->callback([chosen, action] { *chosen = action; });
    sub->add_option("-o,--out", args->out, "new folder for the dataset (MVTec layout)")->required();
    sub->add_option("--test-good", args->options.test_good_share, "share of the good images that test")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 0.9));
    sub->add_option("--seed", args->options.seed, "which of them")->capture_default_str();
    return sub;
  };
  constexpr const char* kLabelStudioExample =
      "label-studio export.json --images photographs -o sleeves --classes scratch,dent";
  constexpr const char* kFolderExample = "folder --good ok --bad nok -o sleeves";
  for (const auto& [name, purpose, example, parse] :
       {std::tuple("label-studio", "JSON export of Label Studio: brush, bitmask, polygon, rectangle, ellipse",
                   kLabelStudioExample, Parse{parse_label_studio}),
        std::tuple("coco", "COCO instance annotations: polygons and run-length codes",
                   "coco instances.json --images photographs -o sleeves", Parse{parse_coco})}) {
    CLI::App* sub = choose(name, purpose, example, [args, parse] { return from_file(*args, parse); });
    sub->add_option("file", args->file, "the exported JSON file")->required();
    sub->add_option("--images", args->images, "folder of the photographs, searched with its subfolders")
        ->required();
    sub->add_option("--classes", args->options.classes, "the only labels to accept, comma separated")
        ->delimiter(',');
    if (std::string_view(name) != "label-studio") continue;
    sub->add_option("--good-choices", args->options.good,
                    "choices for the whole image that mean a good part, comma separated (all others are then "
                    "defect classes without masks)")
        ->delimiter(',');
    sub->add_option(
           "--ignore", args->options.ignored,
           "types of results that say nothing of defects (textarea, rating, keypointlabels, ...), comma "
           "separated")
        ->delimiter(',');
  }
  CLI::App* folder = choose("folder", "folders of good and bad photographs, without masks", kFolderExample,
                            [args] { return from_folders(*args); });
  folder->add_option("--good", args->good, "folder of good photographs")->required();
  folder->add_option("--bad", args->bad, "folder of bad ones; folders in it are defect classes");
  verb.footer(fmt::format(
      "An annotated image on which nothing is marked counts as good; what cannot become a region is\n"
      "refused by name, never taken for good. Nothing is written unless everything fits.\n"
      "Example:\n  glint import {}\n  glint import {}",
      kLabelStudioExample, kFolderExample));
  return [chosen] { return (*chosen)(); };
}

}  // namespace glint
