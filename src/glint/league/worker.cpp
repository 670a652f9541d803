#include "glint/league/worker.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "glint/base/duration.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/order_statistics.h"
#include "glint/base/stopwatch.h"
#include "glint/detect/feature_library.h"
#include "glint/fit/kept_models.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/image/resample.h"
#include "glint/league/claim.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr int kPictureQuality = 82;
constexpr double kLookSeconds = 2;  // between two looks at a claim that may expire

bool settled(const std::optional<CellResult>& result) {
  return result && result->status != CellStatus::kFailed;
}

void write_jpeg(const fs::path& file, const RgbImage& picture) {
  write_file(file, encode_jpeg(picture, kPictureQuality));
}

}  // namespace

CellWorker::CellWorker(LeagueFolder folder, const LeaguePlan& plan, WorkerSteps steps, WorkerOptions options,
                       ProgressSink& progress)
    : folder_(std::move(folder)),
      plan_(plan),
      steps_(std::move(steps)),
      options_(options),
      progress_(progress),
      library_(std::make_unique<FeatureLibrary>()),
      datasets_(plan.sets.size()) {
  if (plan.version != GLINT_VERSION) {
    fail(ErrorCode::kConfig, "{}: made by glint {}, and this is {}; plan again", name_line(folder_.plan()),
         plan.version, GLINT_VERSION);
  }
}

CellWorker::~CellWorker() = default;

const Dataset& CellWorker::dataset(int set) {
  auto& known = datasets_[static_cast<std::size_t>(set)];
  if (!known) {
    const LeagueSet& planned = plan_.sets[static_cast<std::size_t>(set)];
    auto scanned = std::make_shared<const Dataset>(steps_.scan(planned));
    if (scanned->fingerprint() != planned.fingerprint) {
      fail(ErrorCode::kBadInput, "{}: its images are no longer those of the plan; plan again",
           name_line(planned.folders.front()));
    }
    known = std::move(scanned);
    library_ = std::make_unique<FeatureLibrary>();  // those of the last data set are not asked for again soon
  }
  return *known;
}

/// Photographs with the outlines of their masks, once for a data set, and this run's maps beside them.
void CellWorker::write_pictures(const Cell& cell, const ArmRun& run, CellResult& result) {
  const Dataset& data = dataset(cell.set);
  const fs::path photographs = folder_.photographs(plan_.sets[static_cast<std::size_t>(cell.set)]);
  const ColourScale scale = run.evaluation.decision.colour_scale();
  int number = 0;
  for (const std::size_t part : shown_parts(data, kShownParts)) {
    const Sample& sample = data.test[part];
    const auto scored =
        std::find_if(run.evaluation.images.begin(), run.evaluation.images.end(),
                     [&](const ScoredImage& image) { return image.sample.path == sample.path; });
    if (scored == run.evaluation.images.end()) continue;
    const RgbImage photo = read_image(sample.path);
    const double shrink = static_cast<double>(kShownSide) / std::max(photo.width, photo.height);
    const int width = std::max(1, static_cast<int>(photo.width * shrink)),
              height = std::max(1, static_cast<int>(photo.height * shrink));
    const std::string name = fmt::format("{:02}.jpg", number++);
    if (!fs::exists(photographs / name)) {
      RgbImage small = resize_antialiased(photo, width, height);
      if (const auto mask = load_mask(sample)) draw_mask_outline(small, *mask);
      write_jpeg(photographs / name, small);
    }
    const ScoreMap map = full_map(*scored, *run.inspector, run.evaluation.decision.scorer);
    write_jpeg(folder_.maps(cell.id) / name,
               resize_antialiased(heat_overlay(photo, map, scale.low, scale.high), width, height));
    result.pictures.push_back(utf8_text(sample.id));
  }
}

CellResult CellWorker::compute(const Cell& cell) {
  CellResult result;
  result.id = cell.id;
  result.worker = worker_name();
  const Stopwatch watch;
  const Dataset& data = dataset(cell.set);  // no method's fault: thrown
  try {
    const Arm arm{cell.method, datasets_[static_cast<std::size_t>(cell.set)],
                  [this, &cell](int seed) { return steps_.configure(cell.method, seed); }};
    const std::shared_ptr<ArmRun> run =
        train_and_evaluate(arm, cell.seed, folder_.models(), *library_, progress_);
    result.backbone = run->model.backbone.name;
    result.model_file = run->model_file.filename().string();
    result.results = results_json(run->evaluation, run->model, data);
    if (cell.seed == 0) write_pictures(cell, *run, result);
    result.run = run;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kCancelled) throw;
    const bool refused = e.code() == ErrorCode::kConfig || e.code() == ErrorCode::kBadInput;
    result.status = refused ? CellStatus::kRefused : CellStatus::kFailed;
    result.reason = e.what();
  } catch (const std::exception& e) {  // of libtorch, of OpenCV, no memory
    result.status = CellStatus::kFailed;
    result.reason = e.what();
  }
  result.wall_seconds = watch.seconds();
  return result;
}

/// Nothing when another holds the cell; `lease` is then that claim's, seconds.
std::optional<CellOutcome> CellWorker::attempt(const Cell& cell, double& lease) {
  const CellClaim::Taken taken = CellClaim::take(folder_.claims(), cell.id, options_.lease_seconds);
  lease = taken.lease_seconds;
  if (!taken.claim) return std::nullopt;
  // Only whoever holds the claim writes the result: what is not there now is written by nobody else.
  const std::optional<CellResult> before = load_result(folder_, cell.id);
  if (settled(before)) return CellOutcome::kThere;
  CellResult result;
  if (taken.claim->deaths(before ? before->generation : 0) >= kMostDeaths) {
    result.id = cell.id;
    result.status = CellStatus::kFailed;
    result.worker = worker_name();
    result.reason = fmt::format("{} workers ended while they computed it (memory?); --run {} tries once more",
                                kMostDeaths, cell.id);
  } else {
    result = compute(cell);
  }
  if (taken.claim->lost()) {
    progress_.message(fmt::format("{}: another worker has taken it over; this result is dropped", cell.id));
    return CellOutcome::kHeld;
  }
  result.generation = taken.claim->generation();
  write_text(folder_.result(cell.id), result.to_json().dump() + "\n");
  progress_.message(result.status == CellStatus::kDone
                        ? fmt::format("{}: done in {}", cell.id, seconds_text(result.wall_seconds))
                        : fmt::format("{}: {}: {}", cell.id, enum_name(result.status), result.reason));
  return CellOutcome::kComputed;
}

CellOutcome CellWorker::run(const Cell& cell) {
  if (settled(load_result(folder_, cell.id))) return CellOutcome::kThere;
  const Stopwatch watch;
  bool told = false;
  double lease = 0;
  while (true) {
    throw_if_cancelled();
    if (const auto outcome = attempt(cell, lease)) return *outcome;
    if (settled(load_result(folder_, cell.id))) return CellOutcome::kThere;
    // Whoever lives renews the claim at least every quarter of its lease, so that it never expires.
    const double pause = std::min(kLookSeconds, std::max(0.05, lease / 4));
    if (watch.seconds() > 1.25 * lease + pause) return CellOutcome::kHeld;
    if (!told)
      progress_.message(fmt::format("{}: claimed; waiting to see whether its worker lives", cell.id));
    told = true;
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
  }
}

int CellWorker::run_all() {
  const Stopwatch watch;
  int computed = 0;
  std::map<std::pair<int, std::string>, std::vector<double>> known;
  for (const Cell& cell : plan_.cells) {
    throw_if_cancelled();
    if (const auto before = load_result(folder_, cell.id); settled(before)) {
      if (before->status == CellStatus::kDone) known[{cell.set, cell.method}].push_back(before->wall_seconds);
      continue;
    }
    if (options_.budget_seconds > 0) {
      const auto& seconds = known[{cell.set, cell.method}];
      const double expected = seconds.empty() ? 0 : median(seconds);
      if (watch.seconds() >= options_.budget_seconds ||
          (expected > 0 && watch.seconds() + expected > options_.budget_seconds))
        continue;
    }
    const Stopwatch cell_watch;
    double lease = 0;
    const auto outcome = attempt(cell, lease);
    if (outcome != CellOutcome::kComputed) continue;
    ++computed;
    known[{cell.set, cell.method}].push_back(cell_watch.seconds());
  }
  return computed;
}

void measured_costs(LeaguePlan& plan, const std::vector<CellResult>& results) {
  std::map<std::string, const CellResult*> by_id;
  for (const CellResult& result : results) by_id[result.id] = &result;
  std::map<std::pair<int, std::string>, std::vector<double>> seconds, memory;
  for (const Cell& cell : plan.cells) {
    const auto found = by_id.find(cell.id);
    if (found == by_id.end() || found->second->status != CellStatus::kDone) continue;
    const ArmRun& run = *found->second->run;
    // A resumed training's last worker saw only its end: the record knows the whole.
    seconds[{cell.set, cell.method}].push_back(std::max(found->second->wall_seconds, run.training_seconds));
    if (run.peak_mib > 0) memory[{cell.set, cell.method}].push_back(run.peak_mib);
  }
  for (Cell& cell : plan.cells) {
    const auto s = seconds.find({cell.set, cell.method}), m = memory.find({cell.set, cell.method});
    if (s != seconds.end()) {
      cell.cost.seconds = *std::max_element(s->second.begin(), s->second.end());
      cell.cost.measured = true;
    }
    if (m != memory.end())
      cell.cost.memory_mib = static_cast<int>(*std::max_element(m->second.begin(), m->second.end()));
  }
}

}  // namespace glint
