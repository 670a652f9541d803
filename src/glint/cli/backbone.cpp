// glint backbone list | import | verify | distill

#include <cstdio>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/cli/verbs.h"
#include "glint/image/codec.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/distill.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct BackboneCommand {
  std::string file, arch, licence, name, teacher, out;
  std::vector<std::string> images;
  DistillOptions distill;
};

int list() {
  for (const BackboneStatus& status : list_backbones()) {
    std::printf("%-16s ", status.spec.name.c_str());
    if (status.identity) {
      std::printf("present   %s\n%17ssha256 %s\n%17sfrom %s, %s\n",
                  status.embedded ? "embedded" : status.cached->string().c_str(), "",
                  status.identity->sha256.c_str(), "", status.identity->source.c_str(),
                  status.identity->licence.c_str());
    } else {
      std::printf("absent    fetch %s%s\n%17sthen: glint backbone import %s\n",
                  status.spec.official_url.c_str(), status.spec.official_file.c_str(), "",
                  status.spec.official_file.c_str());
    }
  }
  return kExitOk;
}

std::vector<fs::path> collect_images(const std::vector<std::string>& paths) {
  std::vector<fs::path> out;
  for (const std::string& text : paths) {
    if (fs::is_directory(text)) {
      for (const auto& entry : fs::recursive_directory_iterator(text)) {
        if (entry.is_regular_file() && is_image_file(entry.path())) out.push_back(entry.path());
      }
    } else if (std::error_code ec; fs::exists(text, ec)) {
      out.emplace_back(text);
    } else {
      fail(ErrorCode::kNotFound, "{}: no such file or folder", name_line(text));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

int distill_student(BackboneCommand& args) {
  constexpr std::uint64_t kRoom =
      64 << 20;  // a student of 6 MB, its state of 36 MB, and new ones beside them
  check_output_file(args.out, kRoom);
  const auto progress = make_terminal_progress();
  Backbone teacher = open_backbone(args.teacher);
  teacher.to(DeviceChoice::kCpu, Precision::kAuto);
  const auto images = collect_images(args.images);
  check_not_read(args.out, {args.teacher});
  check_not_read(args.out, images);
  if (!is_device_or_pipe(args.out)) {
    args.distill.state = args.out + ".resume";
    check_output_file(args.distill.state, kRoom);
  }
  const DistillResult result = distill(teacher, backbone_spec("compact"), images, args.distill, *progress);
  const BackboneSpec& spec = backbone_spec("compact");
  const BackboneIdentity identity{
      spec.name, weights_sha256(result.weights),
      fmt::format("glint backbone distill from {} (sha256 {}) over {} images, {} steps, seed {}",
                  teacher.identity().name, teacher.identity().sha256, result.report.images,
                  args.distill.steps, args.distill.seed),
      spec.licence};
  try {
    write_safetensors(args.out, backbone_to_file(identity, result.weights));
  } catch (const Error& e) {
    if (args.distill.state.empty()) throw;
    fail(e.code(), "{}. The training is kept in {}: the same command writes the student", e.what(),
         name_line(args.distill.state));
  }
  std::error_code ignored;
  if (!args.distill.state.empty()) fs::remove(args.distill.state, ignored);
  std::printf("unexplained variance on %lld held-out images: layer2 %.4f -> %.4f, layer3 %.4f -> %.4f\n",
              static_cast<long long>(result.report.held_out), result.report.start_residual_layer2,
              result.report.residual_layer2, result.report.start_residual_layer3,
              result.report.residual_layer3);
  std::printf("wrote %s (sha256 %s)\n", name_line(args.out).c_str(), identity.sha256.c_str());
  return kExitOk;
}

}  // namespace

Action add_backbone(CLI::App& verb) {
  auto args = std::make_shared<BackboneCommand>();
  verb.require_subcommand(1);
  CLI::App* list_verb =
      verb.add_subcommand("list", "which backbones are present, and where to get the others");
  CLI::App* import_verb = verb.add_subcommand("import", "read a .pth or .safetensors into the cache");
  import_verb->add_option("file", args->file, "checkpoint")->required();
  import_verb->add_option("--arch", args->arch, "network, when the shapes alone do not tell");
  import_verb->add_option("--licence", args->licence, "licence of the weights, recorded with them");
  CLI::App* verify_verb = verb.add_subcommand("verify", "recompute the SHA-256 of a backbone");
  verify_verb->add_option("name", args->name, "name or file; all present ones when left out");
  CLI::App* distill_verb = verb.add_subcommand("distill", "train a compact student of a teacher on images");
  distill_verb->add_option("teacher", args->teacher, "name or weight file of a ResNet-18")->required();
  distill_verb->add_option("images", args->images, "images or folders, searched recursively")->required();
  distill_verb->add_option("-o,--out", args->out, "student file to write")->required();
  distill_verb->add_option("--steps", args->distill.steps, "optimiser steps")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000000));
  distill_verb->add_option("--batch", args->distill.batch, "crops a step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  distill_verb->add_option("--crop", args->distill.crop_px, "side of a crop in pixels")
      ->capture_default_str();
  distill_verb->add_option("--learning-rate", args->distill.learning_rate, "step size")
      ->capture_default_str();
  distill_verb->add_option("--seed", args->distill.seed, "same seed, same images, same machine: same student")
      ->capture_default_str();
  distill_verb->footer(
      "Resumes from FILE.resume when it exists.\nExample:\n  glint backbone distill resnet18 photos/ -o "
      "compact.safetensors");

  return [args, list_verb, import_verb, verify_verb] {
    if (list_verb->parsed()) return list();
    if (import_verb->parsed()) {
      const ImportedBackbone imported = import_backbone(args->file, args->arch, args->licence);
      const fs::path path = store_backbone(imported);
      std::printf("wrote %s (%s, sha256 %s)\n", name_line(path).c_str(), imported.identity.name.c_str(),
                  imported.identity.sha256.c_str());
      return kExitOk;
    }
    if (verify_verb->parsed()) {
      std::vector<std::string> names;
      if (!args->name.empty()) {
        names.push_back(args->name);
      } else {
        for (const BackboneStatus& status : list_backbones()) {
          if (status.identity) names.push_back(status.spec.name);
        }
      }
      for (const std::string& name : names) {
        const BackboneIdentity identity = verify_backbone(name);
        std::printf("%s: weights match sha256 %s\n", name.c_str(), identity.sha256.c_str());
      }
      return kExitOk;
    }
    return distill_student(*args);
  };
}

}  // namespace glint
