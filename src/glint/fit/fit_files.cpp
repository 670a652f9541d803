#include "glint/fit/fit_files.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/nn/safetensors.h"

namespace fs = std::filesystem;

namespace glint {

using nlohmann::json;

void save_state(const fs::path& path, const SavedTraining& saved, const std::string& identity) {
  SafetensorsFile file{saved.training.tensors, {}};
  file.metadata["identity"] = identity;
  file.metadata["meta_epoch"] = std::to_string(saved.training.meta_epoch);
  file.metadata["record"] = saved.training.record.to_json().dump();
  file.metadata["crossfit"] = pack_crossfit(saved.folds, file.tensors).dump();
  add_checksum(file);
  write_safetensors(path, file);
}

SavedTraining load_state(const fs::path& path, const std::string& identity) {
  SafetensorsFile file = read_safetensors(path);
  const std::string name = name_line(path);
  const bool sealed = verify_checksum(file, name);
  for (const char* key : {"identity", "meta_epoch", "record", "crossfit"}) {
    if (!sealed || !file.metadata.count(key))
      fail(ErrorCode::kBadInput, "{}: not a resume file; remove it", name);
  }
  if (file.metadata.at("identity") != identity) {
    fail(ErrorCode::kBadInput,
         "{}: belongs to another dataset, backbone, configuration or version of glint; remove it or train "
         "without --resume",
         name);
  }
  const json meta_epoch = parse_bounded_json(file.metadata.at("meta_epoch"));
  if (!meta_epoch.is_number_unsigned()) fail(ErrorCode::kBadInput, "{}: not a resume file; remove it", name);
  SavedTraining saved;
  try {
    saved.training.record =
        TrainingRecord::from_json(parse_bounded_json(file.metadata.at("record")), "record");
    saved.folds = unpack_crossfit(parse_bounded_json(file.metadata.at("crossfit")), file.tensors);
  } catch (const Error& e) {
    fail(e.code(), "{}: not a resume file ({}); remove it", name, e.what());
  }
  saved.training.meta_epoch = meta_epoch.get<int>();
  saved.training.tensors = std::move(file.tensors);
  return saved;
}

/// The weights of one meta-epoch, for `evaluate --oracle-epochs`.
void save_epoch(const fs::path& folder, const TrainingState& state, const Method& method,
                const std::string& identity) {
  SafetensorsFile file{method.weights_of(state.tensors), {}};
  file.metadata = {{"identity", identity}, {"meta_epoch", std::to_string(state.meta_epoch)}};
  add_checksum(file);
  write_safetensors(epoch_file(folder, state.meta_epoch), file);
}

/// Everything that could fail when the training has ended, while nothing is lost yet.
void check_outputs(const TrainConfig& config, const Dataset& dataset, std::vector<fs::path> read,
                   const FitOptions& options, const BackboneSpec& backbone,
                   const TensorDict& backbone_weights, int calibration_images) {
  std::int64_t backbone_bytes = 0;
  if (options.include_backbone) {
    for (const auto& [name, tensor] : backbone_weights)
      backbone_bytes += static_cast<std::int64_t>(tensor.data.size());
  }
  const bool drawn = config.augment == AugmentRegime::kMild || config.augment == AugmentRegime::kStrong;
  const FitSize size = config.method->fit_size(backbone,
                                               std::ssize(dataset.train) * config.input.tiles *
                                                   config.input.tiles * (drawn ? config.augment_draws : 1),
                                               config.input.size);
  // Patch scores lie on layer2's grid at most: an eighth of the canvas; one float for map and decision.
  const ImageSize canvas = config.input.canvas();
  const std::int64_t cells = static_cast<std::int64_t>(canvas.width / 8 + 1) * (canvas.height / 8 + 1);
  constexpr std::int64_t kRecord = 1 << 16, kRecordPerImage = 256;
  const std::int64_t images = std::ssize(dataset.train) + std::ssize(dataset.calibration);
  const std::int64_t model =
      backbone_bytes + size.weights + 8 * cells * calibration_images + kRecord + kRecordPerImage * images;
  // Of the final detector and of a fold of cross-fitting, with the scores of finished folds; the new one is
  // written beside the old one.
  const std::int64_t state =
      options.state.empty() ? 0 : 2 * (2 * size.state + 8 * cells * calibration_images);
  const std::int64_t epochs = options.epochs.empty() ? 0 : size.meta_epochs * size.weights;
  const auto needed = static_cast<std::uint64_t>(model + state + epochs);
  for (const auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (const Sample& sample : *part) {
      read.push_back(sample.path);
      if (sample.mask) read.push_back(*sample.mask);
    }
  }
  for (const fs::path& file : {options.out, options.state}) {
    if (file.empty()) continue;
    check_output_file(file, needed);
    check_not_read(file, read);
  }
  std::error_code ec;
  if (options.epochs.empty()) return;
  if (fs::exists(options.epochs, ec) && !fs::is_directory(options.epochs, ec))
    fail(ErrorCode::kBadInput, "{}: is no folder; remove it", name_line(options.epochs));
  check_output_file(epoch_file(options.epochs, 1), needed);
}

void save_trained(const Model& model, const FitOptions& options) {
  try {
    save_model(model, options.out);
  } catch (const Error& e) {
    if (options.state.empty()) throw;
    fail(e.code(), "{}. The training is kept in {}: the same command with --resume writes the model",
         e.what(), name_line(options.state));
  }
  std::error_code ignored;
  if (!options.state.empty()) fs::remove(options.state, ignored);
}

fs::path epoch_file(const fs::path& folder, int meta_epoch) {
  return folder / fmt::format("{:05}.safetensors", meta_epoch);
}

}  // namespace glint
