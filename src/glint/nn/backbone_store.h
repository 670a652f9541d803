// Where backbone weights live: the one embedded in the program, and the user's cache of imported ones.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "glint/nn/backbone.h"
#include "glint/nn/safetensors.h"

namespace glint {

/// $GLINT_CACHE, else $XDG_CACHE_HOME/glint, else ~/.cache/glint.
std::filesystem::path cache_folder();

/// Reads a checkpoint (.pth, .safetensors) of any kind we know: the folded weights and which network it is.
struct ImportedBackbone {
  BackboneIdentity identity;
  std::string file_sha256;
  TensorDict weights;
};
/// `arch` empty = recognise by shapes.
ImportedBackbone import_backbone(const std::filesystem::path& file, const std::string& arch,
                                 const std::string& licence);

/// Writes into the cache under the network's name; returns the path.
std::filesystem::path store_backbone(const ImportedBackbone& backbone);

/// File form of a backbone: metadata "glint_backbone" (JSON: name, sha256, source, licence) beside the
/// tensors.
SafetensorsFile backbone_to_file(const BackboneIdentity& identity, const TensorDict& weights);
Backbone backbone_from_file(const SafetensorsFile& file, const std::string& name);

/// By name ("compact", "resnet18": embedded or cache) or by file path (any importable file).
/// Error(kNotFound) says how to import what is absent, Error(kBadInput) when the weights do not hash to what
/// the file records.
Backbone open_backbone(const std::string& name_or_file);

struct BackboneStatus {
  BackboneSpec spec;
  bool embedded = false;
  std::optional<std::filesystem::path> cached;
  std::optional<BackboneIdentity> identity;
};
std::vector<BackboneStatus> list_backbones();

/// Recomputes the SHA-256 of a stored backbone; Error(kBadInput) when it differs from the record.
BackboneIdentity verify_backbone(const std::string& name_or_file);

}  // namespace glint
