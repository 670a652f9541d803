// glint inspect

#include <cstdio>
#include <functional>

#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/parallel.h"
#include "glint/cli/verbs.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/inspect/inspect_inputs.h"
#include "glint/inspect/open_detector.h"
#include "glint/inspect/picture_names.h"
#include "glint/journal/record.h"
#include "glint/nn/openmp_threads.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct InspectCommand {
  std::string model, out, format = "text", device = "auto", precision = "auto";
  std::vector<std::string> paths;
  bool any_size = false;
};

/// One line of the result: a verdict, or why there is none.
struct PrintedLine {
  fs::path path;
  InspectionResult result;
  std::string refusal;  ///< empty when there is a verdict
  std::string problem;  ///< why its overlay could not be written

  const char* verdict() const { return !refusal.empty() ? "NO DECISION" : result.rejected ? "NOK" : "OK"; }
};

nlohmann::json to_json(const PrintedLine& line) {
  nlohmann::json out = {{"image", name_text(line.path)}, {"verdict", line.verdict()}};
  if (!line.refusal.empty()) {
    out.update({{"reason", utf8_text(line.refusal)},
                {"score", nullptr},
                {"threshold", nullptr},
                {"p_value", nullptr},
                {"regions", nlohmann::json::array()}});
    return out;
  }
  const InspectionResult& r = line.result;
  out.update({{"score", r.score},
              {"threshold", r.threshold},
              {"p_value", r.p_value},
              {"regions", to_json(r.regions)}});
  if (!r.notice.empty()) out["notice"] = r.notice;
  return out;
}

std::string csv_row(const PrintedLine& line) {
  const std::string name = csv_field(name_text(line.path));
  if (!line.refusal.empty())
    return fmt::format("{},{},,,,,,{}\n", name, line.verdict(), csv_field(utf8_text(line.refusal)));
  const InspectionResult& r = line.result;
  std::int64_t largest = 0;
  for (const Region& region : r.regions) largest = std::max(largest, region.area_px);
  return fmt::format("{},{},{:.9g},{:.9g},{:.6g},{},{},{}\n", name, line.verdict(), r.score, r.threshold,
                     r.p_value, r.regions.size(), largest, csv_field(r.notice));
}

std::string text_lines(const PrintedLine& line) {
  const std::string name = name_line(line.path);
  if (!line.refusal.empty()) {
    const bool named = line.refusal.starts_with(name);  // errors name their file
    return fmt::format("{}  {}{}\n", line.verdict(), named ? "" : name + ": ", utf8_text(line.refusal));
  }
  const InspectionResult& r = line.result;
  std::string out = fmt::format("{:<3}  score {:8.4f}  threshold {:8.4f}  p {:.4f}  {}\n", line.verdict(),
                                r.score, r.threshold, r.p_value, name);
  for (const Region& region : r.regions) {
    out += fmt::format("       region at {},{} size {}x{}  area {} px  peak {:.4f}\n", region.x, region.y,
                       region.width, region.height, region.area_px, region.peak);
  }
  return out;
}

void tell(const std::string& notice) {
  std::fprintf(stderr, "notice: %s\n", notice.c_str());
}

/// One photograph has all processors; several are judged side by side, each by one processor, and told in
/// their order.
void for_each_in_order(std::size_t count, const std::function<PrintedLine(std::size_t)>& judge,
                       const std::function<void(const PrintedLine&)>& tell_line) {
  constexpr std::size_t kEach = 4;  // photographs a processor between two tellings
  const auto workers = std::min(count, static_cast<std::size_t>(available_threads()));
  if (workers <= 1) {
    for (std::size_t i = 0; i < count; ++i) tell_line(judge(i));
    return;
  }
  for (std::size_t first = 0; first < count; first += kEach * workers) {
    std::vector<PrintedLine> lines(std::min(kEach * workers, count - first));
    parallel_for(
        std::ssize(lines),
        [&](std::int64_t i) {
          const OpenMpThreads one(1);
          lines[static_cast<std::size_t>(i)] = judge(first + static_cast<std::size_t>(i));
        },
        static_cast<int>(workers));
    for (const PrintedLine& line : lines) tell_line(line);
  }
}

int run(const InspectCommand& args) {
  const OpenedDetector detector =
      open_detector(args.model, {parse_enum<DeviceChoice>(args.device, "--device"),
                                 parse_enum<Precision>(args.precision, "--precision"), args.any_size});
  for (const std::string& notice : detector.notices) tell(notice);
  const InspectInputs found = collect_inputs({args.paths.begin(), args.paths.end()});
  for (const std::string& notice : found.notices) tell(notice);

  const fs::path out = args.out;
  std::vector<fs::path> pictures;
  if (!args.out.empty()) {
    std::vector<fs::path> photographs;
    for (const InspectInput& input : found.inputs) photographs.push_back(input.path);
    pictures = overlay_names(photographs);
    check_pictures(out, pictures, photographs);
    for (const fs::path& picture : pictures) check_output_file(out / picture);
  }
  const ColourScale scale = detector.decision.colour_scale();
  const auto inspect = [&](const InspectInput& input, std::size_t index) {
    PrintedLine line{input.path, {}, input.refusal, ""};
    if (!line.refusal.empty()) return line;
    if (cancel_requested()) {
      line.refusal = "interrupted before this one";
      return line;
    }
    RgbImage image;
    try {
      image = read_image(input.path);
      line.result = detector.inspect(image, name_text(input.path), args.out.empty() ? 0 : kPhotographSide);
    } catch (const std::exception& e) {
      const std::string text = e.what();
      line.refusal = text.substr(0, text.find('\n'));  // libtorch's errors go on with a trace
      return line;
    }
    if (!args.out.empty()) {
      RgbImage overlay = heat_overlay(image, line.result.map, scale.low, scale.high);
      draw_boxes(overlay, line.result.regions);
      try {
        write_file(out / pictures[index], encode_jpeg(overlay, 90));
      } catch (const Error& e) {
        line.problem = e.what();
      }
    }
    line.result.map = {};
    return line;
  };

  std::size_t rejected = 0, undecided = 0;
  std::string problem;  // of the first overlay that cannot be written: the verdicts go on
  nlohmann::json all = nlohmann::json::array();
  if (args.format == "csv")
    std::printf("image,verdict,score,threshold,p_value,regions,largest_region_px,reason\n");
  const auto tell_line = [&](const PrintedLine& line) {
    undecided += line.refusal.empty() ? 0 : 1;
    rejected += line.result.rejected ? 1 : 0;
    if (problem.empty()) problem = line.problem;
    if (!line.result.notice.empty()) tell(name_line(line.path) + ": " + line.result.notice);
    if (!line.refusal.empty() && args.format != "text") std::fprintf(stderr, "%s", text_lines(line).c_str());
    if (args.format == "json") {
      all.push_back(to_json(line));
    } else {
      std::fputs((args.format == "csv" ? csv_row(line) : text_lines(line)).c_str(), stdout);
    }
  };
  for_each_in_order(
      found.inputs.size(), [&](std::size_t i) { return inspect(found.inputs[i], i); }, tell_line);
  if (args.format == "json") std::printf("%s\n", all.dump(2).c_str());
  if (args.format == "text") {
    std::printf("%zu inspected, %zu NOK%s%s\n", found.inputs.size() - undecided, rejected,
                undecided == 0 ? "" : fmt::format(", {} without a verdict", undecided).c_str(),
                args.out.empty() ? "" : (", wrote " + name_line(args.out)).c_str());
  }
  if (!problem.empty()) fail(ErrorCode::kIo, "{}", problem);
  return undecided > 0 ? kExitError : rejected > 0 ? kExitFound : kExitOk;
}

}  // namespace

Action add_inspect(CLI::App& verb) {
  auto args = std::make_shared<InspectCommand>();
  verb.add_option("model", args->model, "model file")->required();
  verb.add_option(
          "paths", args->paths,
          "images, or folders (without their sub-folders); names are taken as they are, -- before those "
          "that start with a dash")
      ->required();
  verb.add_option("-o,--out", args->out, "folder for overlays, one for each image");
  verb.add_option("--format", args->format, "text, json or csv")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json", "csv"}));
  verb.add_option("--device", args->device, "auto, cpu or cuda")->capture_default_str();
  verb.add_option("--precision", args->precision,
                  "float32 or bfloat16; auto: the one that the model's threshold was set in")
      ->capture_default_str();
  verb.add_flag("--any-size", args->any_size,
                "judge photographs of another shape than the training photographs too, or much smaller ones");
  verb.footer(
      "A file that cannot be judged is listed with NO DECISION and the reason; the others go on.\n"
      "Exit code: 0 all OK, 1 some NOK, 2 error or an image without a verdict (also when others are NOK).\n"
      "Example:\n  glint inspect sleeve.glint photos/ -o maps --format json");
  return [args] { return run(*args); };
}

}  // namespace glint
