// evaluate --oracle-epochs: what choosing the meta-epoch on the test set would have shown. Not a result.
#include <map>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/evaluate/evaluate.h"
#include "glint/image/codec.h"
#include "glint/metrics/ranking.h"
#include "glint/nn/safetensors.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

/// The files of the training that made `model`, by meta-epoch; others in the folder belong to earlier ones.
std::map<int, fs::path> kept_epochs(const fs::path& folder, const Model& model) {
  const std::string identity = model.record.value("run_identity", "");
  std::map<int, fs::path> out;
  for (const fs::path& path :
       list_files(folder, [](const fs::path& p) { return p.extension() == ".safetensors"; })) {
    const SafetensorsFile file = read_safetensors(path);
    if (!verify_checksum(file, name_line(path)) || !file.metadata.count("identity") ||
        !file.metadata.count("meta_epoch"))
      fail(ErrorCode::kBadInput, "{}: not a file of train --keep-epochs", name_line(path));
    if (file.metadata.at("identity") != identity) continue;
    const json epoch = parse_bounded_json(file.metadata.at("meta_epoch"));
    if (!epoch.is_number_unsigned())
      fail(ErrorCode::kBadInput, "{}: not a file of train --keep-epochs", name_line(path));
    out[epoch.get<int>()] = path;
  }
  if (out.empty()) {
    fail(ErrorCode::kNotFound, "{}: no meta-epoch of this model's training; train it with --keep-epochs",
         name_line(folder));
  }
  return out;
}

}  // namespace

std::vector<OracleEpoch> oracle_epochs(const Model& model, const std::filesystem::path& epochs_folder,
                                       const Dataset& dataset, const ScoringOptions& scoring,
                                       ProgressSink& progress) {
  const std::map<int, fs::path> epochs = kept_epochs(epochs_folder, model);
  std::vector<RgbImage> photographs;
  std::vector<int> labels;
  // Prepared once where one input is all that becomes of a photograph.
  const bool once = model.input.tiles == 1 && model.input.align == Align::kNone;
  for (const Sample& sample : dataset.test) {
    photographs.push_back(read_image(sample.path));
    if (once) photographs.back() = prepare_input(photographs.back(), model.input);
    labels.push_back(sample.anomalous() ? 1 : 0);
  }
  Model copy = model;
  if (once) copy.input.framing = Framing::kWhole;
  std::vector<OracleEpoch> out;
  const Scorer scorer(scoring, model.input.canvas(), calibration_scores(model));
  progress.begin("oracle epochs", static_cast<std::int64_t>(epochs.size()));
  for (const auto& [epoch, file] : epochs) {
    throw_if_cancelled();
    copy.method_weights = read_safetensors(file).tensors;
    const Inspector inspector(copy, DeviceChoice::kCpu, Precision::kAuto, name_line(file));
    std::vector<double> scores;
    for (std::size_t first = 0; first < photographs.size(); first += kScoreBatch) {
      const auto begin = photographs.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = photographs.begin() +
                       static_cast<std::ptrdiff_t>(std::min(photographs.size(), first + kScoreBatch));
      for (const PatchScores& patches : inspector.patch_scores({begin, end}))
        scores.push_back(scorer.score(patches));
    }
    out.push_back({epoch, auroc(scores, labels)});
    progress.advance(std::ssize(out), "");
  }
  progress.end();
  return out;
}

}  // namespace glint
