#include "glint/fit/kept_models.h"

#include "glint/base/error.h"
#include "glint/base/memory.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr std::size_t kNameDigits = 16;  // of the run's identity in file names

}  // namespace

KeptTraining kept_training(const fs::path& folder, TrainConfig& config, const Dataset& dataset) {
  KeptTraining kept;
  kept.name = fmt::format("{}_seed{}_{}", config.method_name, config.seed,
                          run_identity(config, dataset).substr(0, kNameDigits));
  kept.model = folder / (kept.name + ".glint");
  kept.state = folder / (kept.name + ".resume");
  return kept;
}

Model train_or_load(const KeptTraining& kept, TrainConfig& config, const Dataset& dataset,
                    FeatureLibrary& library, ProgressSink& progress) {
  if (fs::exists(kept.model) && (kept.epochs.empty() || fs::exists(kept.epochs)))
    return load_model(kept.model);
  FitOptions fit;
  fit.state = kept.state;
  fit.resume = kept.epochs.empty() || fs::exists(kept.epochs);
  fit.epochs = kept.epochs;
  fit.library = &library;
  fit.out = kept.model;
  reset_peak_memory();
  Model model = fit_or_resume(config, dataset, fit, progress);
  model.training.peak_mib = peak_memory_mib();
  save_trained(model, fit);
  return model;
}

Model fit_or_resume(TrainConfig& config, const Dataset& dataset, FitOptions options, ProgressSink& progress) {
  options.resume = options.resume && fs::exists(options.state);
  try {
    return fit_model(config, dataset, options, progress);
  } catch (const Error& e) {
    if (!options.resume || e.code() != ErrorCode::kBadInput) throw;
    progress.message(std::string(e.what()) + "; training from the start");
    options.resume = false;
    return fit_model(config, dataset, options, progress);
  }
}

}  // namespace glint
