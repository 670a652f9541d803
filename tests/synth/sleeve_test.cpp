#include "glint/synth/sleeve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/random.h"
#include "glint/data/dataset.h"
#include "glint/synth/sleeve_scene.h"
#include "glint/synth/sleeve_surface.h"
#include "golden.h"

namespace glint {
namespace {

TEST(Sleeve, SameSeedSameBytesAndMasksOnlyForDefects) {
  for (const SleeveDefect defect : {SleeveDefect::kNone, SleeveDefect::kScratch, SleeveDefect::kDent,
                                    SleeveDefect::kColour, SleeveDefect::kBevel1, SleeveDefect::kBevel2}) {
    const SleeveImage a = render_sleeve(defect, 160, 5), b = render_sleeve(defect, 160, 5);
    EXPECT_EQ(a.image.pixels, b.image.pixels);
    const auto area = std::count(a.mask.pixels.begin(), a.mask.pixels.end(), 1);
    EXPECT_EQ(area > 0, defect != SleeveDefect::kNone) << enum_name(defect);
    EXPECT_LT(area, 0.01 * 160 * 160) << "a defect is tiny";
  }
}

TEST(Sleeve, DefectChangesOnlyTheNeighbourhoodOfItsMask) {
  // The nuisances are drawn from their own stream: good and defective parts of one seed differ where the
  // defect is.
  const SleeveImage good = render_sleeve(SleeveDefect::kNone, 200, 8),
                    bad = render_sleeve(SleeveDefect::kScratch, 200, 8);
  double inside = 0, outside = 0, n_inside = 0, n_outside = 0;
  for (std::size_t i = 0; i < bad.mask.pixels.size(); ++i) {
    const double d = std::abs(good.image.pixels[3 * i] - bad.image.pixels[3 * i]);
    (bad.mask.pixels[i] ? inside : outside) += d;
    (bad.mask.pixels[i] ? n_inside : n_outside) += 1;
  }
  EXPECT_GT(inside / n_inside, 4 * outside / n_outside);
}

TEST(Sleeve, WritesASetThatScansClean) {
  const TemporaryFolder folder;
  SleeveSetOptions options;
  options.train = 10;
  options.test_good = 1;
  options.per_class = {1, 1, 1, 1, 1};
  options.size = 96;
  EXPECT_EQ(write_sleeve_set(folder.path() / "s", options, silent_progress()), 16);
  const Dataset d = scan_dataset(folder.path() / "s", {}, silent_progress());
  EXPECT_EQ(d.test.size(), 6U);
  EXPECT_THROW(write_sleeve_set(folder.path() / "s", options, silent_progress()), Error);
}

TEST(Sleeve, RemovesNothingBesideItsFolder) {
  const TemporaryFolder folder;
  write_text(folder.path() / ".s.partial/notes.txt", "mine");
  write_text(folder.path() / "s.part/notes.txt", "mine");
  SleeveSetOptions options{.train = 1, .test_good = 0, .per_class = {0, 0, 0, 0, 0}, .size = 64};
  EXPECT_EQ(write_sleeve_set(folder.path() / "s", options, silent_progress()), 1);
  EXPECT_EQ(read_text(folder.path() / ".s.partial/notes.txt"), "mine");
  EXPECT_EQ(read_text(folder.path() / "s.part/notes.txt"), "mine");
}

/// Of the pixels that `glint synth sleeve X --train 1 --per-class 1 --size 160 --seed 7` writes at a level.
std::string pixel_digest(SleeveDefect defect, SleeveDifficulty difficulty) {
  const char* part = defect == SleeveDefect::kNone ? "train" : "test";
  const std::uint64_t seed = derive_seed(7, stream_key(part), static_cast<int>(defect), 0);
  const SleeveImage rendered = render_sleeve(defect, 160, seed, difficulty);
  return sha256_hex(std::as_bytes(std::span(rendered.image.pixels)));
}

TEST(Sleeve, HardIsTheImageOfTheVersionsBeforeDifficulty) {
  // Written by commits b4e68b2, which had this level alone, and 6f9c7e8.
  const auto hard = [](SleeveDefect defect) { return pixel_digest(defect, SleeveDifficulty::kHard); };
  EXPECT_EQ(hard(SleeveDefect::kNone), "64d7f484a553a5bb8eafaf79b49ba47af09987fed2ae0bc5c9b655b82ef2eed4");
  EXPECT_EQ(hard(SleeveDefect::kScratch), "7424f6ea557ef0f03ccf5585345172dc2d48b0c83e8c98d1edca8790b9833695");
  EXPECT_EQ(hard(SleeveDefect::kDent), "ee7502ae1a65e0a22fa10be60f48c98ea28de2bd025d0251628b5f22be1b2232");
  EXPECT_EQ(hard(SleeveDefect::kColour), "c8b0f8aa76b778526db71d0503dc5efa55d3c070d61a38b8c71a1539babc7a3d");
  EXPECT_EQ(hard(SleeveDefect::kBevel1), "e18f786ac761dea68ce0f806dc235c1e293a35acd2a635ff35864d21e59aa938");
  EXPECT_EQ(hard(SleeveDefect::kBevel2), "883709b7229f922ce0028983da7423e42a185a536d0440e0c31ccc453fb25144");
}

TEST(Sleeve, StudyIsTheImageOfTheFrozenLevel) {
  // Written by commit 6e38400. Whoever changes the level has to calibrate it anew (docs/sleeves.md).
  const auto study = [](SleeveDefect defect) { return pixel_digest(defect, SleeveDifficulty::kStudy); };
  EXPECT_EQ(study(SleeveDefect::kNone), "e65e6cb4dd7c8e4c6d3b9ac76268bb34f25575cfa0db8961538e7d6835635101");
  EXPECT_EQ(study(SleeveDefect::kScratch),
            "dc289067ffd7039a0c6ae8a893804abaf5d15192bf561b0ed367a02e4f46372c");
  EXPECT_EQ(study(SleeveDefect::kDent), "d87ad3350846cd87be540b9159f64e4036f323d1eebe3e10ddf1b4502a6ebe9f");
  EXPECT_EQ(study(SleeveDefect::kColour), "2910deff3c308723259f743aa06d129c539ce07ab71d5a43bb44ed74af02a37a");
  EXPECT_EQ(study(SleeveDefect::kBevel1), "72c36aa30043a4a061051ae9cb1cbf8a3d19a3fdda245df32f78b4670ed20f41");
  EXPECT_EQ(study(SleeveDefect::kBevel2), "562938839c43af5d9f0b424a4610d7d6f98ddaf84923a8108a3668bbf5e781f6");
}

constexpr std::array kDefects = {SleeveDefect::kScratch, SleeveDefect::kDent, SleeveDefect::kColour,
                                 SleeveDefect::kBevel1, SleeveDefect::kBevel2};

/// Absolute difference to the same part without a defect, summed over the mask: how much there is to see.
double visible(const SleeveImage& bad, const SleeveImage& good) {
  double sum = 0;
  for (std::size_t i = 0; i < bad.mask.pixels.size(); ++i) {
    if (bad.mask.pixels[i] == 0) continue;
    for (std::size_t c = 0; c < 3; ++c)
      sum += std::abs(good.image.pixels[3 * i + c] - bad.image.pixels[3 * i + c]);
  }
  return sum / 3;
}

TEST(Sleeve, DefectsArePlainerAtEasyThanAtStudy) {
  std::array<double, kDefects.size()> study{}, easy{};
  const auto add = [](std::array<double, kDefects.size()>& sums, std::uint64_t seed, SleeveDifficulty level) {
    const SleeveImage good = render_sleeve(SleeveDefect::kNone, 160, seed, level);
    for (std::size_t i = 0; i < kDefects.size(); ++i)
      sums[i] += visible(render_sleeve(kDefects[i], 160, seed, level), good);
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    add(study, seed, SleeveDifficulty::kStudy);
    add(easy, seed, SleeveDifficulty::kEasy);
  }
  for (std::size_t i = 0; i < kDefects.size(); ++i)
    EXPECT_GT(easy[i], 1.3 * study[i]) << enum_name(kDefects[i]);
}

TEST(Sleeve, MasksCoverAboutTheStudysShareOfTheImage) {
  // 0.08 % there, the mean of all classes; here every class, 10 parts each, counted on every fourth pixel.
  double mean = 0;
  for (const SleeveDefect defect : kDefects) {
    int area = 0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const sleeve::Scene scene = sleeve::draw_scene(defect, SleeveDifficulty::kStudy, seed);
      const sleeve::SleeveSurface surface(scene);
      for (int y = 0; y < 640; y += 2)
        for (int x = 0; x < 640; x += 2) area += surface.defective(x + 0.5, y + 0.5) ? 1 : 0;
    }
    const double share = area / (10 * 320.0 * 320.0);
    EXPECT_GT(share, 0.0003) << enum_name(defect);
    EXPECT_LT(share, 0.0025) << enum_name(defect);
    mean += share / kDefects.size();
  }
  EXPECT_NEAR(mean, 0.0009, 0.0003);
}

TEST(Sleeve, OnePartInSevenIsObliqueButNoneAtHard) {
  int study = 0, hard = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto facing = [&](SleeveDifficulty level) {
      return sleeve::draw_scene(SleeveDefect::kNone, level, seed).facing;
    };
    study += facing(SleeveDifficulty::kStudy) != 0 ? 1 : 0;
    hard += facing(SleeveDifficulty::kHard) != 0 ? 1 : 0;
  }
  EXPECT_NEAR(study, 60, 25);
  EXPECT_EQ(hard, 0);
}

/// A part that lies as drawn but for its roll, with a cut-out whose side along the axis bulges by `depth`.
sleeve::Scene bulged(double roll_degrees, double depth) {
  sleeve::Scene scene = sleeve::draw_scene(SleeveDefect::kNone, SleeveDifficulty::kStudy, 3);
  const double roll = roll_degrees * sleeve::kPi / 180;
  scene.rows = {sleeve::Vec{1, 0, 0}, sleeve::Vec{0, std::cos(roll), -std::sin(roll)},
                sleeve::Vec{0, std::sin(roll), std::cos(roll)}};
  scene.shift = {};
  scene.scale = 1;
  scene.bump = sleeve::EdgeFlaw{1, sleeve::kCutCentre, sleeve::kCutHalfS, 60, depth};
  return scene;
}

TEST(Sleeve, BevelContourVanishesInObliquePose) {
  // Light that the changed contour takes or gives, over the cut-out's surroundings.
  const auto change = [](double roll) {
    const sleeve::Scene scene = bulged(roll, 10);
    sleeve::Scene plain = scene;
    plain.bump.reset();
    const sleeve::SleeveSurface with(scene), without(plain);
    double sum = 0;
    for (int y = 150; y < 490; y += 2) {
      for (int x = 440; x < 550; x += 2) {
        Rng a(y, "test", x), b(y, "test", x);
        sum += std::abs(with.radiance(x, y, a)[1] - without.radiance(x, y, b)[1]);
      }
    }
    return sum;
  };
  const double frontal = change(0);
  EXPECT_LT(change(60), 0.5 * frontal);
  EXPECT_LT(change(-60), 0.5 * frontal);
}

TEST(Sleeve, MaskHoldsTheMaterialThatBecameAHole) {
  sleeve::Scene scene = bulged(0, -12);
  const double x = sleeve::kReferenceSize / 2 + sleeve::kCutCentre;
  const double y = sleeve::kReferenceSize / 2 + sleeve::kRadius * std::sin(42 / sleeve::kRadius);
  EXPECT_TRUE(sleeve::SleeveSurface(scene).defective(x, y));
  EXPECT_FALSE(sleeve::SleeveSurface(scene).defective(x, y - 25)) << "a hole as before";
  scene.relief = false;
  EXPECT_FALSE(sleeve::SleeveSurface(scene).defective(x, y)) << "masks of `hard` stay as they were";
}

TEST(Sleeve, SetIsWrittenAtTheChosenDifficulty) {
  const TemporaryFolder folder;
  SleeveSetOptions options{.train = 1, .test_good = 0, .per_class = {0, 0, 0, 0, 0}, .size = 64};
  const auto written = [&](const char* name) {
    write_sleeve_set(folder.path() / name, options, silent_progress());
    return read_text(folder.path() / name / "train/good/000.png");
  };
  const std::string by_default = written("default");
  options.difficulty = SleeveDifficulty::kStudy;
  EXPECT_EQ(written("study"), by_default);
  options.difficulty = SleeveDifficulty::kHard;
  EXPECT_NE(written("hard"), by_default);
}

}  // namespace
}  // namespace glint
