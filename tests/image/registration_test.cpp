// Registration on drawn parts whose pose is known.
#include "glint/image/registration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "drawn_part.h"

namespace glint {
namespace {

const Registration& keys() {
  static const RegistrationStudy study = learn_registration(drawn_parts(Shape::kKey, 30));
  EXPECT_TRUE(study.registration) << study.reason;
  return *study.registration;
}

double degrees_apart(double a, double b) {
  return std::abs(std::remainder(a - b, 360.0));
}

TEST(Registration, FindsTurnAndShiftOfAKnownPose) {
  const Registration& registration = keys();
  const Registered base = registration.find(draw_part(Shape::kKey, 0, 0, 0, 100));
  for (int i = 0; i < 24; ++i) {
    Rng rng(3, "test.known", i);
    const double angle = rng.uniform(0, 360), dx = rng.uniform(-15, 15), dy = rng.uniform(-15, 15);
    const Registered found = registration.find(draw_part(Shape::kKey, angle, dx, dy, 200 + i));
    EXPECT_EQ(registration.refusal(found), "") << angle;
    const double turned = (found.pose.angle - base.pose.angle) * 180 / std::numbers::pi;
    EXPECT_LT(degrees_apart(turned, angle), 0.5) << angle;
    // the part's own centre: the base pose, turned and shifted
    const double a = angle * std::numbers::pi / 180, c = std::cos(a), s = std::sin(a);
    const double bx = base.pose.shift_x * 200, by = base.pose.shift_y * 200;
    EXPECT_NEAR(found.pose.shift_x * 200, c * bx - s * by + dx, 0.6) << angle;
    EXPECT_NEAR(found.pose.shift_y * 200, s * bx + c * by + dy, 0.6) << angle;
  }
}

TEST(Registration, ALargerPhotographHasTheSamePose) {
  const Registered small = keys().find(draw_part(Shape::kKey, 77, 9, -6, 1));
  const Registered large = keys().find(draw_part(Shape::kKey, 77, 27, -18, 2, 600, 480));
  EXPECT_NEAR(small.pose.angle, large.pose.angle, 0.01);
  EXPECT_NEAR(small.pose.shift_x, large.pose.shift_x, 0.005);
  EXPECT_NEAR(small.pose.shift_y, large.pose.shift_y, 0.005);
  EXPECT_EQ(keys().find(registration_picture(draw_part(Shape::kKey, 77, 9, -6, 1))).quality, small.quality);
}

TEST(Registration, RefusesAnotherPartABlankPictureAndAPartCutOff) {
  const Registration& registration = keys();
  for (const RgbImage& wrong : {draw_part(Shape::kDisc, 0, 0, 0, 1), draw_part(Shape::kBlank, 0, 0, 0, 2),
                                RgbImage(200, 160), draw_part(Shape::kKey, 20, 90, 0, 3)}) {
    EXPECT_NE(registration.refusal(registration.find(wrong)), "");
  }
}

TEST(Registration, LearnsNothingFromSymmetricalBlankOrFewParts) {
  for (const Shape shape : {Shape::kDisc, Shape::kBlank}) {
    const RegistrationStudy study = learn_registration(drawn_parts(shape, 10));
    EXPECT_FALSE(study.registration);
    EXPECT_NE(study.reason, "");
  }
  EXPECT_FALSE(learn_registration(drawn_parts(Shape::kKey, 6)).registration);
  EXPECT_FALSE(learn_registration(std::vector<RgbImage>(16, RgbImage(200, 160))).registration);
}

TEST(Registration, TheSamePartsGiveTheSameReference) {
  const RegistrationStudy again = learn_registration(drawn_parts(Shape::kKey, 30));
  EXPECT_EQ(again.registration->reference().pixels, keys().reference().pixels);
  EXPECT_EQ(again.registration->quality_bound(), keys().quality_bound());
  EXPECT_EQ(again.built_from + again.kept_out, 30);
}

TEST(RegistrationView, BringsPartsToOnePoseAndMapsBack) {
  const Registration& registration = keys();
  const int fw = registration.reference().width, fh = registration.reference().height;
  const RgbImage photograph = draw_part(Shape::kKey, 130, 10, -8, 4);
  const Pose pose = registration.find(photograph).pose;
  const RgbImage view = aligned_view(photograph, pose, fw, fh);
  ASSERT_EQ(view.width, 200);
  ASSERT_EQ(view.height, 160);
  const RgbImage other_photograph = draw_part(Shape::kKey, 310, -5, 4, 5);
  const RgbImage other = aligned_view(other_photograph, registration.find(other_photograph).pose, fw, fh);
  double difference = 0;
  for (std::size_t i = 0; i < view.pixels.size(); ++i)
    difference += std::abs(int{view.pixels[i]} - int{other.pixels[i]});
  EXPECT_LT(difference / static_cast<double>(view.pixels.size()), 4);  // the noise's own is 2.3

  // A blob on the head of the part, found in the view, comes back to the head in the photograph.
  ScoreMap blob(view.width, view.height, 1);
  const double a = 130 * std::numbers::pi / 180;
  const double head_x = (200 - 1) / 2.0 + 10 + std::cos(a) * -40,
               head_y = (160 - 1) / 2.0 - 8 + std::sin(a) * -40;
  // where the head lies in the view: undo the pose
  const double qx = head_x - 99.5 - pose.shift_x * 200, qy = head_y - 79.5 - pose.shift_y * 200;
  const double c = std::cos(pose.angle), s = std::sin(pose.angle);
  const int vx = static_cast<int>(std::lround(c * qx + s * qy + 99.5)),
            vy = static_cast<int>(std::lround(-s * qx + c * qy + 79.5));
  for (int y = vy - 2; y <= vy + 2; ++y)
    for (int x = vx - 2; x <= vx + 2; ++x) blob.values[static_cast<std::size_t>(y) * blob.width + x] = 9;
  const ScoreMap back = map_from_view(blob, pose, fw, fh, 200, 160, -3);
  const auto peak = std::max_element(back.values.begin(), back.values.end()) - back.values.begin();
  EXPECT_NEAR(static_cast<double>(peak % 200), head_x, 3);
  EXPECT_NEAR(static_cast<double>(peak / 200), head_y, 3);
  EXPECT_EQ(*std::min_element(back.values.begin(), back.values.end()), -3);  // corners that no view shows

  // Cells of the view that show no photograph: exactly those whose way back leaves it.
  const Pose aside{0, 0.5, 0};
  const std::vector<bool> inside = cells_in_photograph(aside, fw, fh, 4, 2, 200, 160);
  EXPECT_EQ(inside, (std::vector<bool>{true, true, false, false, true, true, false, false}));
}

}  // namespace
}  // namespace glint
