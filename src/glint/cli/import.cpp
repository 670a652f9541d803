// glint import

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/labels/label_import.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct ImportCommand {
  std::string file, images, out, good, bad, boxes = std::string(enum_name(BoxUse::kRefuse));
  ImportOptions options;
};

int print(const ImportSummary& summary, const std::string& out) {
  for (const std::string& notice : summary.notices) std::printf("notice: %s\n", notice.c_str());
  std::printf("wrote %s: %d good for training, %d good for testing", name_line(out).c_str(),
              summary.train_good, summary.test_good);
  for (const auto& [label, images] : summary.anomalous) std::printf(", %d %s", images, label.c_str());
  std::printf(" (%d regions", summary.regions);
  if (summary.boxes > 0) std::printf(", %d boxes without masks", summary.boxes);
  std::printf(")\nnext: glint audit %s\n", name_line(out).c_str());
  return kExitOk;
}

using Read = LabelFile (*)(const std::string& path);

template <LabelFile (*parse)(std::string_view, const std::string&)>
LabelFile read_whole(const std::string& path) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
  return parse(read_text(path, kMaxBytes), name_line(path));
}

LabelFile read_boxes_of(const std::string& path) {
  return read_voc(path);
}

LabelFile read_class_pictures(const std::string& path) {
  return read_neu_segmentation(path);
}

int from_labels(const ImportCommand& args, Read read) {
  const auto progress = make_terminal_progress();
  ImportOptions options = args.options;
  options.boxes = parse_enum<BoxUse>(args.boxes, "--boxes");
  const std::string images = args.images.empty() ? (fs::path(args.file) / "images").string() : args.images;
  return print(import_labels(read(args.file), images, options, args.out, *progress), args.out);
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
  struct Format {
    const char *name, *purpose, *example, *file;
    Read read;
    bool may_have_boxes;
  };
  for (const Format& format :
       {Format{"label-studio", "JSON export of Label Studio: brush, bitmask, polygon, rectangle, ellipse",
               kLabelStudioExample, "the exported JSON file", read_whole<parse_label_studio>, false},
        Format{"coco", "COCO instance annotations: polygons and run-length codes",
               "coco instances.json --images photographs -o sleeves", "the exported JSON file",
               read_whole<parse_coco>, true},
        Format{"voc", "Pascal VOC boxes (NEU-DET, GC10-DET): classes without masks",
               "voc NEU-DET/ANNOTATIONS --images NEU-DET/IMAGES --boxes class -o neu",
               "an XML file, or a folder of them", read_boxes_of, true},
        Format{"severstal", "Severstal's train.csv: run-length masks of 1600x256 pictures",
               "severstal train.csv --images train_images -o severstal", "train.csv",
               read_whole<parse_severstal>, false},
        Format{"neu-seg", "NEU's form for segmentation: pictures of class numbers", "neu-seg NEU_Seg -o neu",
               "the folder of annotations and images", read_class_pictures, false}}) {
    CLI::App* sub = choose(format.name, format.purpose, format.example,
                           [args, read = format.read] { return from_labels(*args, read); });
    sub->add_option("file", args->file, format.file)->required();
    if (format.read != read_class_pictures) {
      sub->add_option("--images", args->images, "folder of the photographs, searched with its subfolders")
          ->required();
    }
    sub->add_option("--classes", args->options.classes, "the only labels to accept, comma separated")
        ->delimiter(',');
    if (format.may_have_boxes) {
      sub->add_option(
             "--boxes", args->boxes,
             "what to do with boxes that have no outline: refuse; class: the image's class without a "
             "mask, the boxes in boxes.csv")
          ->capture_default_str();
    }
    if (std::string_view(format.name) != "label-studio") continue;
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
