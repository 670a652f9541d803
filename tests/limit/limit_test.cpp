// The detection limit of a tiny model: what is counted, from which images, and that it repeats.
#include "glint/limit/limit.h"

#include <cmath>

#include "glint/base/error.h"
#include "glint/report/limit_report.h"
#include "tiny_set.h"

namespace glint {
namespace {

class LimitTest : public TinySet {
 protected:
  static LimitOptions options() {
    LimitOptions out;
    out.kinds = {SyntheticDefect::kBlob, SyntheticDefect::kScratch};
    out.contrasts = {0.4};
    out.sizes = 3;
    out.largest_px = 32;
    out.trials = 6;
    out.false_reject = 0.2;
    out.pixel_pitch_um = 20;
    return out;
  }
};

TEST_F(LimitTest, CountsEveryTrialAndRepeats) {
  const Model model = train("calibration.mode=holdout");
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
  const LimitStudy study = measure_limit(model, inspector, dataset(), options(), silent_progress());
  EXPECT_FALSE(study.held_out) << "4 good test images are fewer than the five that it wants";
  EXPECT_GE(study.images, 5);
  ASSERT_EQ(study.series.size(), 2U);
  for (const LimitSeries& series : study.series) {
    ASSERT_EQ(series.trials.size(), 3U);
    EXPECT_DOUBLE_EQ(series.trials.front().size, 4);
    EXPECT_NEAR(series.trials.back().size, 32, 1e-9);
    for (const SizeTrials& trial : series.trials) {
      EXPECT_EQ(trial.trials, 6);
      EXPECT_GE(trial.hits, 0);
      EXPECT_LE(trial.hits, 6);
    }
    for (const double share : series.localised) {
      EXPECT_GE(share, 0);
      EXPECT_LE(share, 1);
    }
  }
  EXPECT_EQ(limit_json(measure_limit(model, inspector, dataset(), options(), silent_progress())),
            limit_json(study));
  const std::string page = limit_report(study, dataset(), "a.glint");
  EXPECT_NE(page.find("blob"), std::string::npos);
  EXPECT_NE(page.find("calibration images"), std::string::npos) << "it must say that they are not held out";
  EXPECT_NE(limit_text(study).find("scratch"), std::string::npos);
}

TEST_F(LimitTest, RefusesAThresholdThatCannotBePromised) {
  const Model model = train("calibration.mode=holdout");
  const Inspector inspector(model, DeviceChoice::kCpu, Precision::kFloat32, "model");
  LimitOptions strict = options();
  strict.false_reject = 0.001;
  EXPECT_THROW(measure_limit(model, inspector, dataset(), strict, silent_progress()), Error);
}

}  // namespace
}  // namespace glint
