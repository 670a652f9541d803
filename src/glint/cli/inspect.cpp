// glint inspect

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/cli/verbs.h"
#include "glint/eval/decision.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/journal/record.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct Arguments {
  std::string model, out, format = "text", device = "auto";
  std::vector<std::string> paths;
};

std::vector<fs::path> images_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> out;
  for (const std::string& text : paths) {
    if (fs::is_directory(text)) {
      const auto found = list_files(text, is_image_file);
      if (found.empty()) fail(ErrorCode::kNotFound, "{}: no image in this folder", text);
      out.insert(out.end(), found.begin(), found.end());
    } else if (fs::exists(text)) {
      out.emplace_back(text);
    } else {
      fail(ErrorCode::kNotFound, "{}: no such file or folder", text);
    }
  }
  return out;
}

nlohmann::json to_json(const InspectionResult& r) {
  return {{"image", r.path},      {"verdict", r.rejected ? "NOK" : "OK"},
          {"score", r.score},     {"threshold", r.threshold},
          {"p_value", r.p_value}, {"regions", to_json(r.regions)}};
}

void print_text(const InspectionResult& r) {
  std::printf("%-3s  score %8.4f  threshold %8.4f  p %.4f  %s\n", r.rejected ? "NOK" : "OK", r.score,
              r.threshold, r.p_value, r.path.c_str());
  for (const Region& region : r.regions) {
    std::printf("       region at %d,%d size %dx%d  area %lld px  peak %.4f\n", region.x, region.y,
                region.width, region.height, static_cast<long long>(region.area_px), region.peak);
  }
}

int run(const Arguments& args) {
  const Model model = load_model(args.model);
  const Decision decision = make_decision(model);
  const Inspector inspector(model, resolve_device(parse_enum<DeviceChoice>(args.device, "--device")),
                            Precision::kAuto, args.model);
  const std::vector<fs::path> images = images_of(args.paths);
  const ColourScale scale = decision.colour_scale();
  int rejected = 0;
  nlohmann::json all = nlohmann::json::array();
  if (args.format == "csv") std::printf("image,verdict,score,threshold,p_value,regions,largest_region_px\n");
  for (const fs::path& path : images) {
    throw_if_cancelled();
    const RgbImage image = read_image(path);
    const InspectionResult result = inspect_image(inspector, decision, image, path.string());
    rejected += result.rejected ? 1 : 0;
    if (args.format == "json") {
      all.push_back(to_json(result));
    } else if (args.format == "csv") {
      std::int64_t largest = 0;
      for (const Region& region : result.regions) largest = std::max(largest, region.area_px);
      std::printf("%s,%s,%.9g,%.9g,%.6g,%zu,%lld\n", result.path.c_str(), result.rejected ? "NOK" : "OK",
                  result.score, result.threshold, result.p_value, result.regions.size(),
                  static_cast<long long>(largest));
    } else {
      print_text(result);
    }
    if (!args.out.empty()) {
      RgbImage overlay = heat_overlay(image, result.map, scale.low, scale.high);
      draw_boxes(overlay, result.regions);
      write_file(fs::path(args.out) / (path.stem().string() + ".jpg"), encode_jpeg(overlay, 90));
    }
  }
  if (args.format == "json") std::printf("%s\n", all.dump(2).c_str());
  if (args.format == "text") {
    std::printf("%zu inspected, %d NOK%s\n", images.size(), rejected,
                args.out.empty() ? "" : (", wrote " + args.out).c_str());
  }
  return rejected > 0 ? kExitFound : kExitOk;
}

}  // namespace

Action add_inspect(CLI::App& verb) {
  auto args = std::make_shared<Arguments>();
  verb.add_option("model", args->model, "model file")->required();
  verb.add_option("paths", args->paths, "images or folders")->required();
  verb.add_option("-o,--out", args->out, "folder for overlays");
  verb.add_option("--format", args->format, "text, json or csv")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json", "csv"}));
  verb.add_option("--device", args->device, "auto, cpu or cuda")->capture_default_str();
  verb.footer(
      "Exit code: 0 all OK, 1 some NOK, 2 error.\nExample:\n  glint inspect sleeve.glint photos/ -o maps "
      "--format json");
  return [args] { return run(*args); };
}

}  // namespace glint
