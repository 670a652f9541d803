// Views of a photograph and the way back, with detectors whose scores are known.
#include "glint/detect/view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "drawn_part.h"
#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/image/resample.h"

namespace glint {
namespace {

constexpr int kCell = 8;

/// A convolutional detector in small: per cell the mean grey within `reach` pixels of the cell, zeros beyond
/// the input's edge as a network pads.
PatchScores mean_detector(const RgbImage& input, int reach) {
  PatchScores out{ScoreMap(input.width / kCell, input.height / kCell), {}, {}};
  for (int cy = 0; cy < out.map.height; ++cy) {
    for (int cx = 0; cx < out.map.width; ++cx) {
      double sum = 0;
      for (int y = cy * kCell - reach; y < (cy + 1) * kCell + reach; ++y) {
        for (int x = cx * kCell - reach; x < (cx + 1) * kCell + reach; ++x) {
          if (x >= 0 && y >= 0 && x < input.width && y < input.height) sum += input.at(x, y)[0];
        }
      }
      const double side = kCell + 2 * reach;
      out.map.values[static_cast<std::size_t>(cy) * out.map.width + cx] =
          static_cast<float>(sum / (side * side));
    }
  }
  out.image = *std::max_element(out.map.values.begin(), out.map.values.end());
  return out;
}

RgbImage noise(int width, int height) {
  RgbImage out(width, height);
  Rng rng(1, "test.views");
  for (std::uint8_t& v : out.pixels) v = static_cast<std::uint8_t>(128 + rng.below(128));
  return out;
}

PhotographScores scored(const ViewMaker& maker, const RgbImage& photograph, int reach) {
  const Views views = maker.make(photograph);
  std::vector<PatchScores> each;
  for (const RgbImage& input : views.inputs) each.push_back(mean_detector(input, reach));
  return maker.merge(std::move(each), views.placement);
}

InputOptions tiled(int tiles, int size) {
  InputOptions out;
  out.tiles = tiles;
  out.size = size;
  return out;
}

TEST(Views, OneInputIsPassedThrough) {
  const ViewMaker maker(tiled(1, 96), {});
  const RgbImage photograph = noise(130, 70);
  EXPECT_EQ(maker.make(photograph).inputs[0].pixels, prepare_input(photograph, maker.options()).pixels);
  EXPECT_EQ(scored(maker, photograph, 3).map.values,
            mean_detector(prepare_input(photograph, maker.options()), 3).map.values);
}

TEST(Views, TilesLeaveNoSeam) {
  for (const int tiles : {2, 3}) {
    const InputOptions options = tiled(tiles, 96);
    ASSERT_EQ(options.canvas().width, 96 + (tiles - 1) * 64);
    const RgbImage photograph = noise(300, 200);
    const ViewMaker maker(options, {}), untiled(tiled(1, options.canvas().width), {});
    ASSERT_EQ(maker.make(photograph).inputs.size(), static_cast<std::size_t>(tiles * tiles));
    // A detector that sees no further than the quarter of the overlap that does not count: the same map.
    const ScoreMap near = scored(maker, photograph, 8).map, whole = scored(untiled, photograph, 8).map;
    ASSERT_EQ(near.width, whole.width);
    ASSERT_EQ(near.height, whole.height);
    for (std::size_t i = 0; i < near.values.size(); ++i) EXPECT_NEAR(near.values[i], whole.values[i], 1e-3);
    // One that sees over the whole overlap pads with zeros what the tile cuts off: at most half of its window
    // in steps of the overlap's weights, and no jump from cell to cell.
    const ScoreMap far = scored(maker, photograph, 16).map, reference = scored(untiled, photograph, 16).map;
    for (int y = 0; y < far.height; ++y) {
      for (int x = 0; x + 1 < far.width; ++x) {
        const float step = far.at(x + 1, y) - far.at(x, y),
                    same = reference.at(x + 1, y) - reference.at(x, y);
        EXPECT_LT(std::abs(step - same), 10) << x << ',' << y;  // a hard cut jumps by 60
      }
    }
  }
}

TEST(Views, ARectangleKeepsTheAspect) {
  InputOptions options = tiled(1, 288);
  options.aspect = 1130.0 / 460;
  EXPECT_EQ(options.input_size(), (ImageSize{448, 192})) << "whole cells, about as many pixels as the square";
  EXPECT_EQ(options.canvas(), options.input_size());
  options.size = 280;
  EXPECT_EQ(options.input_size(), (ImageSize{434, 182})) << "a transformer's patches";
  options.framing = Framing::kCentreCrop;
  EXPECT_THROW(options.validate(), Error);

  options = tiled(2, 96);
  options.aspect = 0.5;
  const ImageSize one = options.input_size(), canvas = options.canvas();
  EXPECT_EQ(one, (ImageSize{64, 128}));
  EXPECT_EQ(canvas, (ImageSize{96, 224}));
  const RgbImage photograph = noise(110, 240);
  const Views views = ViewMaker(options, {}).make(photograph);
  ASSERT_EQ(views.inputs.size(), 4U);
  EXPECT_EQ(views.inputs[0].width, one.width);
  EXPECT_EQ(views.inputs[3].height, one.height);
  // The map of the tiles is that of the untiled canvas, and both come back over the photograph.
  const ScoreMap near = scored(ViewMaker(options, {}), photograph, 4).map;
  const ScoreMap reference =
      mean_detector(resize_antialiased(photograph, canvas.width, canvas.height), 4).map;
  ASSERT_EQ(near.width, reference.width);
  ASSERT_EQ(near.height, reference.height);
  for (std::size_t i = 0; i < near.values.size(); ++i) EXPECT_NEAR(near.values[i], reference.values[i], 1e-3);
  const ScoreMap back = ViewMaker(options, {}).to_photograph(near, views.placement);
  EXPECT_EQ(back.width, 110);
  EXPECT_EQ(back.height, 240);
}

TEST(Views, TilesOfOtherGridsCoverThePhotographToo) {
  // 14-pixel patches, and maps whose cells do not divide the step.
  for (const InputOptions& options : {tiled(2, 98), tiled(3, 100)}) {
    const ViewMaker maker(options, {});
    std::vector<PatchScores> flat(static_cast<std::size_t>(maker.per_photograph()),
                                  PatchScores{ScoreMap(7, 7, 2.5F), ScoreMap(3, 3, 1.5F), 4.0F});
    flat[1].image = 6.0F;
    const PhotographScores merged = maker.merge(flat, {50, 40, {}, ""});
    EXPECT_EQ(merged.image, 6.0F);
    for (const float v : merged.map.values) EXPECT_FLOAT_EQ(v, 2.5F);
    for (const float v : merged.decision.values) EXPECT_FLOAT_EQ(v, 1.5F);
    flat[2].image = NAN;
    EXPECT_TRUE(std::isnan(*maker.merge(flat, {50, 40, {}, ""}).image)) << "the gate must see it";
  }
}

TEST(Views, TilesNeedTheWholePhotograph) {
  InputOptions options = tiled(2, 96);
  options.framing = Framing::kCentreCrop;
  options.resize = 128;
  EXPECT_THROW(options.validate(), Error);
}

TEST(Views, ScoresOfAnAlignedPartComeBackToThePhotograph) {
  const RegistrationStudy study = learn_registration(drawn_parts(Shape::kKey, 24));
  ASSERT_TRUE(study.registration) << study.reason;
  for (const int tiles : {1, 2}) {
    InputOptions options = tiled(tiles, 192);
    options.align = Align::kRigid;
    const ViewMaker maker(options, study.registration);
    RgbImage photograph = draw_part(Shape::kKey, 250, 8, 5, 77);
    const int spot_x = 120, spot_y = 70;
    for (int y = spot_y - 4; y <= spot_y + 4; ++y) {
      for (int x = spot_x - 4; x <= spot_x + 4; ++x) std::fill_n(photograph.at(x, y), 3, std::uint8_t{255});
    }
    const PhotographScores scores = scored(maker, photograph, 0);
    EXPECT_EQ(scores.placement.refusal, "");
    const ScoreMap map = maker.to_photograph(scores.map, scores.placement);
    ASSERT_EQ(map.width, photograph.width);
    ASSERT_EQ(map.height, photograph.height);
    const auto peak = std::max_element(map.values.begin(), map.values.end()) - map.values.begin();
    EXPECT_NEAR(static_cast<double>(peak % map.width), spot_x, 5);
    EXPECT_NEAR(static_cast<double>(peak / map.width), spot_y, 5);
    EXPECT_NE(scored(maker, draw_part(Shape::kDisc, 0, 0, 0, 1), 0).placement.refusal, "");
  }
}

TEST(Views, WhatShowsNoPhotographDecidesNothing) {
  const RegistrationStudy study = learn_registration(drawn_parts(Shape::kKey, 24));
  ASSERT_TRUE(study.registration);
  InputOptions options = tiled(1, 96);
  options.align = Align::kRigid;
  const ViewMaker maker(options, study.registration);
  Placement placement{200, 160, Registered{{0, 0.5, 0}, 1, 1}, ""};  // the right half of the view is beyond
  PatchScores patches{ScoreMap(4, 2, 1), {}, {}};
  patches.map.values = {1, 2, 90, 91, 3, 4, 92, 93};
  EXPECT_EQ(maker.merge({patches}, placement).map.values, (std::vector<float>{1, 2, 1, 1, 3, 4, 1, 1}));
}

}  // namespace
}  // namespace glint
