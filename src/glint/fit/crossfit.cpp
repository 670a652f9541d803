#include "glint/fit/crossfit.h"

#include "glint/base/error.h"
#include "glint/detect/model_file.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr const char* kPrefix = "crossfit.";
constexpr const char* kRunning = "crossfit.running.";

std::string fold_prefix(std::size_t fold) {
  return fmt::format("crossfit.{:03}.", fold);
}

[[noreturn]] void damaged() {
  fail(ErrorCode::kBadInput, "the resume file's folds are damaged; remove it or train without --resume");
}

}  // namespace

json pack_crossfit(const CrossfitState& folds, TensorDict& tensors) {
  for (std::size_t f = 0; f < folds.finished.size(); ++f)
    add_prefixed(tensors, fold_prefix(f), pack_scores(folds.finished[f]));
  json record = {{"finished", folds.finished.size()}};
  if (folds.running) {
    add_prefixed(tensors, kRunning, folds.running->tensors);
    record["running"] = {{"meta_epoch", folds.running->meta_epoch},
                         {"record", folds.running->record.to_json()}};
  }
  return record;
}

CrossfitState unpack_crossfit(const json& record, TensorDict& tensors) {
  CrossfitState out;
  if (!record.is_object() || !record.contains("finished") || !record["finished"].is_number_unsigned())
    damaged();
  for (std::size_t f = 0; f < record["finished"].get<std::size_t>(); ++f) {
    Model scores;
    scores.calibration_patches = take_prefixed(tensors, fold_prefix(f));
    out.finished.push_back(calibration_scores(scores));
    if (out.finished.back().empty()) damaged();
  }
  if (record.contains("running")) {
    const json& running = record["running"];
    if (!running.is_object() || !running.contains("record") || !running.contains("meta_epoch") ||
        !running["meta_epoch"].is_number_integer())
      damaged();
    out.running = TrainingState{running["meta_epoch"].get<int>(), take_prefixed(tensors, kRunning),
                                TrainingRecord::from_json(running["record"], "crossfit.running")};
  }
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with(kPrefix); });
  return out;
}

std::vector<PatchScores> crossfit_scores(const std::vector<Split>& folds, CrossfitState state,
                                         const CrossfitSteps& steps) {
  if (state.finished.size() > folds.size()) damaged();
  for (std::size_t f = 0; f < state.finished.size(); ++f) {
    if (state.finished[f].size() != folds[f].held_out.size()) damaged();
  }
  auto changed = [&] {
    if (steps.on_state) steps.on_state(state);
  };
  while (state.finished.size() < folds.size()) {
    const std::size_t fold = state.finished.size();
    const TensorDict weights = steps.train(fold, state.running, [&](const TrainingState& training) {
      state.running = training;
      changed();
    });
    state.finished.push_back(steps.score(weights, fold));
    state.running.reset();
    changed();
  }
  std::vector<PatchScores> out;
  for (std::vector<PatchScores>& scores : state.finished)
    std::move(scores.begin(), scores.end(), std::back_inserter(out));
  return out;
}

}  // namespace glint
