#include "glint/choose/roles.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/base/random.h"
#include "glint/metrics/conformal.h"

namespace glint {
namespace {

constexpr double kFinalShare = 0.2;                              // as a training's own holdout
constexpr int kFinalUpTo = 50;                                   // likewise, but never more than a third
constexpr double kCalibrationShare = 0.25, kJudgingShare = 0.2;  // of the images that remain
constexpr int kMostJudging = 40;                                 // photographs in memory at once
constexpr int kLeastRest = 27;  // that give 15 to train, 7 to calibrate and 5 to judge

int rounded(double share, int n) {
  return static_cast<int>(std::lround(share * n));
}

std::vector<Sample> with_role(std::vector<Sample> samples, Role role) {
  for (Sample& sample : samples) sample.role = role;
  return samples;
}

}  // namespace

GoodRoles assign_roles(const Dataset& dataset, double false_reject, std::uint64_t seed) {
  const int good = static_cast<int>(dataset.train.size());
  const bool folder = !dataset.calibration.empty();
  if (good < kLeastToChoose) {
    fail(
        ErrorCode::kBadInput,
        "{}: {} good images to choose with; at least {} are needed, so that candidates are judged on images "
        "that they have not seen. Add good images, or name a method: `glint train` without --method uses the "
        "default",
        name_line(dataset.root), good, kLeastToChoose);
  }
  const int promised = false_reject > 0 ? static_cast<int>(images_needed(false_reject)) : 0;
  const int finally =
      folder ? 0 : std::max({rounded(kFinalShare, good), std::min(kFinalUpTo, good / 3), promised});
  const int rest = good - finally;
  if (rest < kLeastRest) {
    fail(ErrorCode::kConfig,
         "a false-reject rate of {} takes {} good images that nothing else uses, and choosing {} more; {} "
         "has {}: ask for a higher rate, add good images, or name a method",
         false_reject, promised, kLeastRest, name_line(dataset.root), good);
  }
  int calibrating = std::max(1, rounded(kCalibrationShare, rest));
  if (promised > calibrating && promised <= rest / 2) calibrating = promised;
  const int judging = std::min(kMostJudging, rounded(kJudgingShare, rest));

  const std::vector<int> order = permutation(good, Rng(seed, "choose.roles"));
  auto at = order.begin();
  const auto take = [&](int n) {
    std::vector<int> indices(at, at + n);
    at += n;
    std::sort(indices.begin(), indices.end());
    std::vector<Sample> out;
    for (const int i : indices) out.push_back(dataset.train[static_cast<std::size_t>(i)]);
    return out;
  };
  GoodRoles out;
  out.final_calibration = folder ? dataset.calibration : take(finally);
  out.calibration = take(calibrating);
  out.judging = take(judging);
  out.train = take(rest - calibrating - judging);
  const auto finals = static_cast<std::int64_t>(out.final_calibration.size());
  out.false_reject = false_reject > 0 ? false_reject : promisable_rate(finals);
  if (images_needed(out.false_reject) > finals) {
    fail(ErrorCode::kConfig,
         "a false-reject rate of {} needs {} images in calibration/good, {} has {}: ask for a higher rate or "
         "add good images",
         false_reject, promised, name_line(dataset.root), finals);
  }
  out.judged_rate = std::max(out.false_reject, promisable_rate(calibrating));
  if (images_needed(out.false_reject) <= calibrating) out.judged_rate = out.false_reject;
  return out;
}

nlohmann::json GoodRoles::to_json() const {
  const auto ids = [](const std::vector<Sample>& samples) {
    nlohmann::json out = nlohmann::json::array();
    for (const Sample& sample : samples) out.push_back(utf8_text(sample.id));
    return out;
  };
  return {{"train", ids(train)},
          {"calibration", ids(calibration)},
          {"judging", ids(judging)},
          {"final_calibration", ids(final_calibration)}};
}

Dataset candidate_dataset(const Dataset& dataset, const GoodRoles& roles) {
  Dataset out = dataset;
  out.train = with_role(roles.train, Role::kTrain);
  out.calibration = with_role(roles.calibration, Role::kCalibration);
  out.test.clear();
  return out;
}

Dataset final_dataset(const Dataset& dataset, const GoodRoles& roles) {
  Dataset out = dataset;
  out.train.clear();
  for (const auto* part : {&roles.train, &roles.calibration, &roles.judging})
    out.train.insert(out.train.end(), part->begin(), part->end());
  std::sort(out.train.begin(), out.train.end(), [](const Sample& a, const Sample& b) { return a.id < b.id; });
  out.train = with_role(std::move(out.train), Role::kTrain);
  out.calibration = with_role(roles.final_calibration, Role::kCalibration);
  return out;
}

}  // namespace glint
