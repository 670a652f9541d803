#include "glint/choose/choose.h"

#include <algorithm>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/feature_library.h"
#include "glint/fit/kept_models.h"
#include "glint/inspect/decision.h"
#include "glint/metrics/detection_limit.h"
#include "glint/metrics/estimate_json.h"
#include "glint/nn/backbone_spec.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr int kSchemaVersion = 1;

/// The user's settings, then the candidate's.
std::unique_ptr<TrainConfig> configured(const ChooseOptions& options, const Candidate& candidate,
                                        double rate) {
  auto config = options.configure(candidate.method);
  apply_candidate(candidate, *config);
  config->false_reject = rate;
  return config;
}

std::vector<CandidateResult> read_results(const fs::path& file) {
  std::vector<CandidateResult> out;
  if (!fs::exists(file)) return out;
  const json state = json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || state.value("schema_version", 0) != kSchemaVersion ||
      !state.contains("candidates") || !state["candidates"].is_array()) {
    fail(ErrorCode::kBadInput, "{}: not a file of `glint choose`; remove it or name another folder",
         name_line(file));
  }
  try {
    for (const json& entry : state["candidates"]) out.push_back(CandidateResult::from_json(entry));
  } catch (const Error& e) {
    fail(e.code(), "{}: {}; remove it or name another folder", name_line(file), e.what());
  }
  return out;
}

json candidates_json(const std::vector<CandidateResult>& results) {
  json out = json::array();
  for (const CandidateResult& result : results) out.push_back(result.to_json());
  return out;
}

std::string result_line(const CandidateResult& result, const std::vector<int>& carrier_of_trial) {
  if (result.status != CandidateStatus::kMeasured)
    return fmt::format("{}: {}, {}", result.candidate.name(), enum_name(result.status), result.reason);
  const JudgedScore& own = result.scores.at(0);
  const Estimate found = clustered_rate(by_carrier(own, carrier_of_trial));
  return fmt::format(
      "{}: finds {} of the synthetic defects, rejects {} of {} good parts, {:.1f} ms "
      "an "
      "image, {:.0f} s",
      result.candidate.name(), found_text(found), own.rejected_good, result.judged_good,
      result.milliseconds_image, result.wall_seconds);
}

/// Seconds of a training in meta-epochs, from what features took a finished candidate: every augmentation
/// draw and every meta-epoch costs about one pass of the network over the images. 0 for one-pass methods, or
/// while nothing is finished.
double expected_seconds(const TrainConfig& config, std::int64_t images,
                        const std::vector<CandidateResult>& results) {
  if (config.method->needs().training == TrainingKind::kOnePass) return 0;
  for (const CandidateResult& done : results) {
    if (done.status != CandidateStatus::kMeasured || done.feature_seconds <= 0) continue;
    const double sides = static_cast<double>(config.input.size) / done.candidate.input_size;
    const FitSize size =
        config.method->fit_size(backbone_architecture(config.backbone), images, config.input.size);
    const int draws = config.augment == AugmentRegime::kNone ? 1 : config.augment_draws;
    return done.feature_seconds * sides * sides * (draws + size.meta_epochs) /
           (done.candidate.tiles * done.candidate.tiles);
  }
  return 0;
}

/// The model of `file` where this very training made it.
std::optional<Model> trained_before(const fs::path& file, TrainConfig& config, const Dataset& dataset) {
  if (!fs::exists(file)) return std::nullopt;
  try {
    Model model = load_model(file);
    if (model.record.value("run_identity", "") == run_identity(config, dataset)) return model;
  } catch (const Error&) {
    // it will be written anew
  }
  return std::nullopt;
}

}  // namespace

Measured measure_candidates(const Dataset& dataset, const ChooseOptions& options, ProgressSink& progress) {
  Measured out;
  out.roles = assign_roles(dataset, options.false_reject, options.seed);
  out.ladder = options.ladder;
  out.ladder.seed = options.seed;
  progress.message(fmt::format(
      "{} good images train the candidates, {} set their thresholds for {} false rejects, {} judge them with "
      "synthetic defects; {} others calibrate the winner for {}",
      out.roles.train.size(), out.roles.calibration.size(), out.roles.judged_rate, out.roles.judging.size(),
      out.roles.final_calibration.size(), out.roles.false_reject));
  const Dataset training = candidate_dataset(dataset, out.roles);
  out.judges = make_judges(out.roles.judging, out.ladder);
  const std::vector<int> carrier_of_trial = out.judges.carrier_of_trial();
  const fs::path state = options.out / "choose.json", models = options.out / "models";
  const std::vector<CandidateResult> known = read_results(state);
  const std::string judged_by = out.ladder.to_json().dump() + out.roles.to_json()["judging"].dump();
  FeatureLibrary library;

  CandidateSteps steps;
  steps.identity = [&](const Candidate& candidate) {
    const auto config = configured(options, candidate, out.roles.judged_rate);
    return sha256_hex(run_identity(*config, training) + judged_by);
  };
  steps.run = [&](const Candidate& candidate) {
    progress.message("candidate " + candidate.name());
    const auto config = configured(options, candidate, out.roles.judged_rate);
    const KeptTraining kept = kept_training(models, *config, training);
    CandidateResult result;
    result.candidate = candidate;
    const Model model = train_or_load(kept, *config, training, library, progress);
    const TrainingTimes times = model.training.times.value_or(TrainingTimes{});
    result.feature_seconds = times.features;
    result.training_seconds = times.features + times.training;
    const Inspector inspector(model, config->device, config->precision, kept.model.string());
    judge_candidate(model, inspector, out.judges, out.roles.judged_rate, options.budget.latency_ms,
                    options.seed, result, progress);
    return result;
  };
  steps.expected_seconds = [&](const Candidate& candidate, const std::vector<CandidateResult>& results) {
    const auto config = configured(options, candidate, out.roles.judged_rate);
    return expected_seconds(*config, std::ssize(training.train), results);
  };
  std::size_t told = 0;
  out.results = spend_budget(options.candidates, options.budget, known, steps,
                             [&](const std::vector<CandidateResult>& results) {
                               write_text(state, json{{"schema_version", kSchemaVersion},
                                                      {"finished", false},
                                                      {"candidates", candidates_json(results)}}
                                                         .dump(2) +
                                                     "\n");
                               for (; told < results.size(); ++told) {
                                 const CandidateResult& r = results[told];
                                 if (r.status == CandidateStatus::kNoBudget && r.reason.empty()) break;
                                 progress.message(result_line(r, carrier_of_trial));
                               }
                             });
  for (DefectCarrier& carrier : out.judges.carriers) carrier = {};
  return out;
}

ChooseOutcome choose_model(const Dataset& dataset, const ChooseOptions& options, ProgressSink& progress) {
  ChooseOutcome out;
  const fs::path file = options.out / "model.glint";
  check_output_file(file);
  out.budget = options.budget;
  out.measured = measure_candidates(dataset, options, progress);
  const std::vector<CandidateResult>& results = out.measured.results;
  out.choice = rank_candidates(results, out.measured.judges.carrier_of_trial());
  const RankedScore& ranked = out.choice.ranking[out.choice.winner];
  const CandidateResult& winner = results[ranked.candidate];
  out.winner = ranked_name(results, ranked);
  progress.message(fmt::format("{} wins and is trained for good", out.winner));

  const GoodRoles& roles = out.measured.roles;
  const Dataset finally = final_dataset(dataset, roles);
  const auto config = configured(options, winner.candidate, roles.false_reject);
  config->scoring = winner.scores[ranked.score].scoring;
  FitOptions fit;
  fit.out = file;
  fit.state = options.out / "model.glint.resume";
  fit.resume = true;
  out.file = file.string();
  std::optional<Model> model = trained_before(file, *config, finally);
  if (!model) {
    const Stopwatch watch;
    model = fit_or_resume(*config, finally, fit, progress);
    model->record["choice"] = {
        {"candidate", out.winner}, {"reason", out.choice.reason}, {"roles", roles.to_json()}};
    save_trained(*model, fit);
    out.final_seconds = watch.seconds();
  }
  out.guarantee = model->record.at("decision").at("guarantee").get<std::string>();
  write_text(options.out / "choose.json", choose_json(out, dataset).dump(2) + "\n");
  return out;
}

std::vector<LadderPart> ladder_parts(const Measured& measured, const JudgedScore& score) {
  std::vector<LadderPart> out;
  const std::vector<DefectSeries>& series = measured.judges.series;
  const std::vector<int> carrier_of_trial = measured.judges.carrier_of_trial();
  for (std::size_t first = 0; first < series.size();) {
    LadderPart part{series[first].kind, series[first].contrast, {}, {}};
    std::vector<bool> use(score.found.size(), false);
    std::vector<SizeTrials> sizes;
    std::size_t trial = 0;
    for (std::size_t s = 0; s < series.size(); ++s) {
      const bool mine = series[s].kind == part.kind && series[s].contrast == part.contrast;
      std::vector<SizeTrials> here(measured.judges.carriers.size(), SizeTrials{series[s].size_px, 0, 0, 0});
      for (int t = 0; t < series[s].trials; ++t, ++trial) {
        if (!mine) continue;
        use[trial] = true;
        const int carrier = carrier_of_trial[trial];
        SizeTrials& of_carrier = here[static_cast<std::size_t>(carrier)];
        of_carrier.carrier = carrier;
        ++of_carrier.trials;
        of_carrier.hits += score.found[trial] ? 1 : 0;
      }
      std::copy_if(here.begin(), here.end(), std::back_inserter(sizes),
                   [](const SizeTrials& t) { return t.trials > 0; });
    }
    while (first < series.size() && series[first].kind == part.kind &&
           series[first].contrast == part.contrast)
      ++first;
    part.found = clustered_rate(by_carrier(score, carrier_of_trial, use));
    part.a90 = fit_detection_limit(sizes).a90;
    out.push_back(part);
  }
  return out;
}

json choose_json(const ChooseOutcome& outcome, const Dataset& dataset) {
  const Measured& m = outcome.measured;
  json ranking = json::array();
  for (std::size_t i = 0; i < outcome.choice.ranking.size(); ++i) {
    const RankedScore& r = outcome.choice.ranking[i];
    const CandidateResult& result = m.results[r.candidate];
    const JudgedScore& score = result.scores[r.score];
    json parts = json::array();
    for (const LadderPart& part : ladder_parts(m, score)) {
      parts.push_back({{"defect", enum_name(part.kind)},
                       {"contrast", part.contrast},
                       {"found", estimate_json(part.found)},
                       {"a90_px", part.a90 ? json(*part.a90) : json(nullptr)}});
    }
    ranking.push_back({{"name", ranked_name(m.results, r)},
                       {"winner", i == outcome.choice.winner},
                       {"tied_with_best", r.tied},
                       {"rejects_too_much", r.rejects_too_much},
                       {"found", estimate_json(r.found)},
                       {"behind_best", estimate_json(r.behind_best)},
                       {"false_rejects", estimate_json(wilson_rate(score.rejected_good, result.judged_good))},
                       {"defect_auroc", number_json(score.defect_auroc)},
                       {"milliseconds_per_image", result.milliseconds_image},
                       {"training_seconds", result.training_seconds},
                       {"parts", parts}});
  }
  return {{"schema_version", kSchemaVersion},
          {"finished", true},
          {"dataset", {{"name", utf8_text(dataset.name())}, {"fingerprint", dataset.fingerprint()}}},
          {"roles", m.roles.to_json()},
          {"judged_rate", m.roles.judged_rate},
          {"false_reject", m.roles.false_reject},
          {"ladder", m.ladder.to_json()},
          {"budget_seconds", outcome.budget.seconds},
          {"latency_ms", outcome.budget.latency_ms > 0 ? json(outcome.budget.latency_ms) : json(nullptr)},
          {"winner", outcome.winner},
          {"reason", outcome.choice.reason},
          {"guarantee", outcome.guarantee},
          {"ranking", ranking},
          {"candidates", candidates_json(m.results)}};
}

std::string choose_text(const ChooseOutcome& outcome) {
  const Measured& m = outcome.measured;
  std::string out = fmt::format("{:<40} {:<22} {:>13} {:>9} {:>9}\n", "candidate", "synthetic defects found",
                                "good rejected", "ms/image", "training");
  for (std::size_t i = 0; i < outcome.choice.ranking.size(); ++i) {
    const RankedScore& r = outcome.choice.ranking[i];
    const CandidateResult& result = m.results[r.candidate];
    const std::string good =
        fmt::format("{} of {}", result.scores[r.score].rejected_good, result.judged_good);
    out += fmt::format("{:<40} {:<22}  {:>13} {:>9.1f} {:>7.0f} s{}\n", ranked_name(m.results, r),
                       found_text(r.found), good, result.milliseconds_image, result.training_seconds,
                       i == outcome.choice.winner ? "  winner"
                       : r.rejects_too_much       ? "  rejects too much"
                       : r.tied                   ? "  tied"
                                                  : "");
  }
  for (const CandidateResult& result : m.results) {
    if (result.status != CandidateStatus::kMeasured)
      out += fmt::format("{:<40} {}: {}\n", result.candidate.name(), enum_name(result.status), result.reason);
  }
  return out + outcome.choice.reason + "\n";
}

}  // namespace glint
