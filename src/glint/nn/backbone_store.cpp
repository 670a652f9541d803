#include "glint/nn/backbone_store.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/nn/no_backbone.h"
#include "glint/nn/torch_checkpoint.h"

namespace fs = std::filesystem;

#ifdef GLINT_EMBEDDED_BACKBONE
// The compact backbone, copied into the program by the assembler.
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    ".global glint_embedded_begin\nglint_embedded_begin:\n"
    ".incbin \"" GLINT_EMBEDDED_BACKBONE
    "\"\n"
    ".global glint_embedded_end\nglint_embedded_end:\n"
    ".byte 0\n"
    ".text\n");
extern "C" const std::byte glint_embedded_begin[];
extern "C" const std::byte glint_embedded_end[];
#endif

namespace glint {
namespace {

constexpr const char* kMetadataKey = "glint_backbone";
constexpr const char* kEmbeddedName = "compact";

std::optional<SafetensorsFile> embedded_file() {
#ifdef GLINT_EMBEDDED_BACKBONE
  const auto size = static_cast<std::size_t>(glint_embedded_end - glint_embedded_begin);
  return parse_safetensors({glint_embedded_begin, size}, "embedded backbone");
#else
  return std::nullopt;
#endif
}

fs::path cached_path(const std::string& name) {
  return cache_folder() / "backbones" / (name + ".safetensors");
}

BackboneIdentity identity_of(const SafetensorsFile& file, const std::string& name) {
  const auto it = file.metadata.find(kMetadataKey);
  const nlohmann::json record = it == file.metadata.end() ? nlohmann::json() : parse_bounded_json(it->second);
  if (!record.is_object()) fail(ErrorCode::kBadInput, "{}: no glint backbone record; import it first", name);
  BackboneIdentity identity;
  for (auto [key, field] : {std::pair("name", &identity.name), std::pair("sha256", &identity.sha256),
                            std::pair("source", &identity.source), std::pair("licence", &identity.licence)}) {
    if (!record.contains(key) || !record[key].is_string()) {
      fail(ErrorCode::kBadInput, "{}: the backbone record lacks '{}'; import it again", name, key);
    }
    *field = record[key].get<std::string>();
  }
  return identity;
}

bool looks_like_path(const std::string& text) {
  const std::string ending = lower_extension(text);
  return text.find('/') != std::string::npos || ending == ".pth" || ending == ".pt" ||
         ending == ".safetensors";
}

/// Also false where nobody may look, such as another user's home.
bool is_cached(const std::string& name) {
  std::error_code cannot_look;
  return fs::exists(cached_path(name), cannot_look);
}

/// The stored form that a name or file stands for; foreign files are imported on the fly.
SafetensorsFile open_file(const std::string& name_or_file) {
  if (looks_like_path(name_or_file)) {
    if (lower_extension(name_or_file) == ".safetensors") {
      SafetensorsFile file = read_safetensors(name_or_file);
      if (file.metadata.count(kMetadataKey)) return file;
    }
    const ImportedBackbone imported = import_backbone(name_or_file, "", "");
    return backbone_to_file(imported.identity, imported.weights);
  }
  const BackboneSpec& spec = backbone_spec(name_or_file);
  if (is_cached(spec.name)) return read_safetensors(cached_path(spec.name));
  if (spec.name == kEmbeddedName) {
    if (auto file = embedded_file()) return *file;
    fail(ErrorCode::kNotFound, "this build has no embedded backbone; make one with `glint backbone distill`");
  }
  fail(ErrorCode::kNotFound, "backbone '{}' is not in {}: fetch {}{} and run `glint backbone import {}`",
       spec.name, name_line(cached_path(spec.name).parent_path()), spec.official_url, spec.official_file,
       spec.official_file);
}

}  // namespace

fs::path cache_folder() {
  for (const auto& [variable, below] : {std::pair("GLINT_CACHE", ""), std::pair("XDG_CACHE_HOME", "glint"),
                                        std::pair("HOME", ".cache/glint")}) {
    const char* value = std::getenv(variable);
    if (value && *value) return fs::path(value) / below;
  }
  std::error_code ec;
  const fs::path temporary = fs::temp_directory_path(ec);
  return (ec ? fs::path("/tmp") : temporary) / "glint-cache";
}

ImportedBackbone import_backbone(const fs::path& path, const std::string& arch, const std::string& licence) {
  const Bytes bytes = read_file(path);
  const std::string name = name_line(path);
  const TensorDict tensors = lower_extension(path) == ".safetensors" ? parse_safetensors(bytes, name).tensors
                                                                     : parse_torch_checkpoint(bytes, name);
  const BackboneSpec& spec = arch.empty() ? recognise_backbone(tensors, name) : backbone_spec(arch);
  ImportedBackbone out;
  out.weights = fold_backbone(tensors, spec, name);
  out.file_sha256 = sha256_hex(bytes);
  out.identity = {spec.name, weights_sha256(out.weights),
                  fmt::format("{} (SHA-256 {})", name_text(path.filename()), out.file_sha256),
                  licence.empty() ? spec.licence : name_text(licence)};
  return out;
}

fs::path store_backbone(const ImportedBackbone& backbone) {
  const fs::path path = cached_path(backbone.identity.name);
  write_safetensors(path, backbone_to_file(backbone.identity, backbone.weights));
  return path;
}

SafetensorsFile backbone_to_file(const BackboneIdentity& identity, const TensorDict& weights) {
  const nlohmann::json record = {{"name", identity.name},
                                 {"sha256", identity.sha256},
                                 {"source", identity.source},
                                 {"licence", identity.licence}};
  return {weights, {{kMetadataKey, record.dump()}}};
}

Backbone backbone_from_file(const SafetensorsFile& file, const std::string& name) {
  const BackboneIdentity identity = identity_of(file, name);
  for (const auto& [tensor_name, tensor] : file.tensors) {
    if (!is_floating(tensor.dtype) || !all_finite(tensor))
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite", name, tensor_name);
  }
  const std::string actual = weights_sha256(file.tensors);
  if (actual != identity.sha256) {
    fail(ErrorCode::kBadInput, "{}: weights hash to {}, the record says {}; import it again", name, actual,
         identity.sha256);
  }
  return {identity, file.tensors};
}

Backbone open_backbone(const std::string& name_or_file) {
  if (name_or_file == kNoBackbone) return {{kNoBackbone, weights_sha256({}), "", ""}, {}};
  return backbone_from_file(open_file(name_or_file), name_line(name_or_file));
}

const BackboneSpec& backbone_architecture(const std::string& name_or_file) {
  if (!looks_like_path(name_or_file)) return backbone_spec(name_or_file);
  return backbone_spec(identity_of(open_file(name_or_file), name_line(name_or_file)).name);
}

std::vector<BackboneStatus> list_backbones() {
  std::vector<BackboneStatus> out;
  for (const BackboneSpec& spec : backbone_specs()) {
    BackboneStatus status{spec, false, std::nullopt, std::nullopt};
    if (is_cached(spec.name)) {
      status.cached = cached_path(spec.name);
      status.identity = identity_of(read_safetensors(*status.cached), name_line(*status.cached));
    } else if (spec.name == kEmbeddedName) {
      if (const auto file = embedded_file()) {
        status.embedded = true;
        status.identity = identity_of(*file, "embedded backbone");
      }
    }
    out.push_back(std::move(status));
  }
  return out;
}

BackboneIdentity verify_backbone(const std::string& name_or_file) {
  return open_backbone(name_or_file).identity();
}

}  // namespace glint
