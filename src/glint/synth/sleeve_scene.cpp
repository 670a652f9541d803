#include "glint/synth/sleeve_scene.h"

#include "glint/base/random.h"

namespace glint::sleeve {
namespace {

/// Uniform between the two.
struct Range {
  double low, high;
  double draw(Rng& rng) const { return rng.uniform(low, high); }
};

/// `least` to `least + spread - 1`, each as likely.
struct Count {
  std::uint64_t least, spread;
  std::uint64_t draw(Rng& rng) const { return least + rng.below(spread); }
};

/// What differs between the levels of difficulty. Lengths in reference pixels, slopes as tangents.
struct Level {
  bool relief;          ///< bevels with depth; without it they are painted on the cylinder
  double oblique;       ///< share of parts that are rolled about their axis
  Range roll;           ///< of an oblique part, degrees to either side
  double shift_x;       ///< standard deviation of the placement along the axis
  double out_of_frame;  ///< share of parts that reach out of the picture
  Range texture;        ///< slope of the turning marks
  Count marks;          ///< faint scratches within tolerance
  Range mark_half_width, mark_slope;
  Count specks;
  Range speck_dark, speck_bright;
  Range scratch_length, scratch_half_width, scratch_slope;
  Range dent_radius, dent_slope;
  Range stain_radius, stain_strength;
  Range nick_length, nick_depth, nick_width;
  Range bump_length, bump_depth;
};

// Rare, strong nuisances: below them bevels and colour are at chance for every method tried.
constexpr Level kHard = {.relief = false,
                         .oblique = 0,
                         .roll = {0, 0},
                         .shift_x = 7,
                         .out_of_frame = 0.04,
                         .texture = {0.03, 0.05},
                         .marks = {2, 5},
                         .mark_half_width = {0.5, 0.8},
                         .mark_slope = {0.04, 0.11},
                         .specks = {4, 10},
                         .speck_dark = {0.2, 0.6},
                         .speck_bright = {0.15, 0.4},
                         .scratch_length = {70, 150},
                         .scratch_half_width = {0.9, 1.5},
                         .scratch_slope = {0.18, 0.38},
                         .dent_radius = {6.5, 10},
                         .dent_slope = {0.06, 0.15},
                         .stain_radius = {10, 17},
                         .stain_strength = {0.35, 0.75},
                         .nick_length = {26, 48},
                         .nick_depth = {0.35, 0.7},
                         .nick_width = {0.55, 0.55},
                         .bump_length = {36, 60},
                         .bump_depth = {4, 7}};

// Frequent, weak nuisances and defects of the study's order; calibrated as docs/sleeves.md says, frozen
// 2026-11-25.
constexpr Level kStudy = {.relief = true,
                          .oblique = 0.15,
                          .roll = {40, 65},
                          .shift_x = 12,
                          .out_of_frame = 0,
                          .texture = {0.02, 0.035},
                          .marks = {8, 9},
                          .mark_half_width = {0.5, 0.8},
                          .mark_slope = {0.01, 0.03},
                          .specks = {16, 17},
                          .speck_dark = {0.05, 0.18},
                          .speck_bright = {0.04, 0.12},
                          .scratch_length = {70, 150},
                          .scratch_half_width = {0.9, 1.6},
                          .scratch_slope = {0.08, 0.3},
                          .dent_radius = {5, 8},
                          .dent_slope = {0.045, 0.115},
                          .stain_radius = {9, 14},
                          .stain_strength = {0.2, 0.6},
                          .nick_length = {30, 56},
                          .nick_depth = {0.6, 1.2},
                          .nick_width = {0.4, 0.7},
                          .bump_length = {38, 60},
                          .bump_depth = {7, 15}};

// Nuisances of the study's level; defects that a person sees at arm's length.
constexpr Level kEasy = [] {
  Level level = kStudy;
  level.scratch_length = {110, 190};
  level.scratch_half_width = {1.8, 2.6};
  level.scratch_slope = {0.35, 0.6};
  level.dent_radius = {12, 18};
  level.dent_slope = {0.3, 0.5};
  level.stain_radius = {22, 32};
  level.stain_strength = {1.3, 1.7};
  level.nick_length = {60, 80};
  level.nick_depth = {1.3, 1.5};
  level.nick_width = {0.8, 1};
  level.bump_length = {64, 90};
  level.bump_depth = {14, 20};
  return level;
}();

const Level& level_of(SleeveDifficulty difficulty) {
  switch (difficulty) {
    case SleeveDifficulty::kHard:
      return kHard;
    case SleeveDifficulty::kEasy:
      return kEasy;
    case SleeveDifficulty::kStudy:
      break;
  }
  return kStudy;
}

Groove random_groove(Rng& rng, double u, double s, const Range& lengths, const Range& half_widths,
                     const Range& slopes) {
  const double slope = slopes.draw(rng), half_width = half_widths.draw(rng), angle = rng.uniform(0, kPi),
               length = lengths.draw(rng);
  Groove g{{}, half_width, slope, {}};
  const int segments = 6;
  const double bend = rng.uniform(-0.25, 0.25);
  double pu = u - 0.5 * length * std::cos(angle), ps = s - 0.5 * length * std::sin(angle);
  for (int i = 0; i <= segments; ++i) {
    g.points.push_back({pu, ps});
    const double a = angle + bend * (static_cast<double>(i) / segments - 0.5) + rng.uniform(-0.05, 0.05);
    pu += length / segments * std::cos(a);
    ps += length / segments * std::sin(a);
  }
  const double reach = 2.5 * half_width + 1;
  g.box = {1e9, -1e9, 1e9, -1e9};
  for (const auto& [point_u, point_s] : g.points) {
    g.box = {std::min(g.box[0], point_u - reach), std::max(g.box[1], point_u + reach),
             std::min(g.box[2], point_s - reach), std::max(g.box[3], point_s + reach)};
  }
  return g;
}

/// A place on the visible front, mostly neither in a cut-out nor at its bevel: `spread` below 1 draws it
/// towards the line that faces the camera.
std::array<double, 2> surface_place(Rng& rng, double facing, double spread) {
  for (;;) {
    const double u = rng.uniform(-0.46, 0.46) * kLength, across = rng.uniform(-0.8, 0.8) * kRadius;
    const double du = std::abs(std::abs(u) - kCutCentre) - kCutHalfU;
    const double ds = std::abs(facing + across) - kCutHalfS;
    if (std::max(du, ds) > kBevelWidth + 12) return {u, facing + across * spread};
  }
}

/// A place on the outline of a cut-out's long or short side, away from the corners.
EdgeFlaw edge_place(Rng& rng, const Range& lengths, const Range& depths, bool either_sign) {
  double depth = depths.draw(rng);
  if (either_sign && rng.below(2) == 0) depth = -depth;
  const double length = lengths.draw(rng);
  EdgeFlaw flaw{rng.below(2) == 0 ? -1 : 1, 0, 0, length, depth};
  const bool on_u_side = rng.below(2) == 0;
  const double sign = rng.below(2) == 0 ? -1 : 1;
  flaw.u = flaw.cut * kCutCentre + (on_u_side ? sign * kCutHalfU : rng.uniform(-0.6, 0.6) * kCutHalfU);
  flaw.s = on_u_side ? rng.uniform(-0.6, 0.6) * kCutHalfS : sign * kCutHalfS;
  return flaw;
}

}  // namespace

Scene draw_scene(SleeveDefect defect, SleeveDifficulty difficulty, std::uint64_t seed) {
  const Level& level = level_of(difficulty);
  Scene scene;
  Rng rng(seed, "sleeve.nuisance");
  scene.key = rng.bits();
  const double in_plane = rng.normal() * 1.3 * kPi / 180;
  double roll = rng.normal() * 4 * kPi / 180;
  const double tilt = rng.normal() * 2 * kPi / 180;
  scene.relief = level.relief;
  Rng pose(seed, "sleeve.pose");
  if (pose.uniform() < level.oblique) {
    const double turn = level.roll.draw(pose) * kPi / 180;
    roll += pose.below(2) == 0 ? turn : -turn;
    scene.facing = -roll * kRadius;
  }
  // Rows of the matrix that takes camera coordinates to part coordinates: roll * tilt * in-plane.
  const double ci = std::cos(in_plane), si = std::sin(in_plane), cr = std::cos(roll), sr = std::sin(roll);
  const double ct = std::cos(tilt), st = std::sin(tilt);
  scene.rows = {Vec{ct * ci, ct * si, -st}, Vec{-cr * si - sr * st * ci, cr * ci - sr * st * si, -sr * ct},
                Vec{-sr * si + cr * st * ci, sr * ci + cr * st * si, cr * ct}};
  scene.shift = {rng.normal() * level.shift_x, rng.normal() * 6, 0};
  if (rng.uniform() < level.out_of_frame) scene.shift.x += rng.below(2) ? 45 : -45;  // not fully in the frame
  scene.scale = 1 + 0.01 * rng.normal();
  scene.light_x = 0.035 * rng.normal();
  scene.light_y = 0.045 * rng.normal();
  scene.ring_low = rng.uniform(20, 23) * kPi / 180;
  scene.ring_high = scene.ring_low + rng.uniform(9, 12) * kPi / 180;
  scene.ring_power = rng.uniform(1.1, 1.6);
  scene.chamber = rng.uniform(0.30, 0.38);
  scene.exposure = 1 + 0.05 * rng.normal();
  scene.vignette = rng.uniform(0.18, 0.32);
  scene.warmth = 0.012 * rng.normal();
  scene.noise = rng.uniform(0.010, 0.017);
  scene.blur = rng.uniform(0.55, 0.8);
  scene.roughness_u = rng.uniform(0.055, 0.08);  // turning marks scatter along the axis
  scene.roughness_s = rng.uniform(0.018, 0.028);
  scene.texture = level.texture.draw(rng);
  scene.jpeg_quality = 86 + static_cast<int>(rng.below(9));

  for (std::uint64_t i = level.marks.draw(rng); i > 0; --i) {  // faint marks within tolerance
    const auto [u, s] = surface_place(rng, scene.facing, 1);
    scene.grooves.push_back(random_groove(rng, u, s, {12, 60}, level.mark_half_width, level.mark_slope));
  }
  scene.first_defect_groove = scene.grooves.size();
  for (std::uint64_t i = level.specks.draw(rng); i > 0; --i) {  // dust and dark specks, anywhere
    scene.specks.push_back(
        {rng.uniform(0, kReferenceSize), rng.uniform(0, kReferenceSize), rng.uniform(0.5, 1.5),
         rng.uniform() < 0.75 ? level.speck_dark.draw(rng) : -level.speck_bright.draw(rng)});
  }

  constexpr double kSpread = 0.8;  // defects keep off the limb
  Rng what(seed, "sleeve.defect");
  switch (defect) {
    case SleeveDefect::kNone:
      break;
    case SleeveDefect::kScratch: {
      const auto [u, s] = surface_place(what, scene.facing, kSpread);
      scene.grooves.push_back(
          random_groove(what, u, s, level.scratch_length, level.scratch_half_width, level.scratch_slope));
      break;
    }
    case SleeveDefect::kDent:
      for (std::uint64_t i = 1 + what.below(3); i > 0; --i) {
        const auto [u, s] = surface_place(what, scene.facing, kSpread);
        scene.dimples.push_back(
            {u, s, level.dent_radius.draw(what), what.uniform(0.75, 1.3), level.dent_slope.draw(what)});
      }
      break;
    case SleeveDefect::kColour: {
      static constexpr std::array<std::array<double, 3>, 3> kOxides = {
          {{0.98, 0.86, 0.66}, {0.90, 0.78, 0.74}, {0.80, 0.84, 0.95}}};  // straw, brown, blue
      const auto [u, s] = surface_place(what, scene.facing, kSpread);
      scene.stains.push_back({u, s, level.stain_radius.draw(what), what.bits(), kOxides[what.below(3)],
                              level.stain_strength.draw(what)});
      break;
    }
    case SleeveDefect::kBevel1:
      scene.nick = edge_place(what, level.nick_length, level.nick_depth, false);
      scene.nick->width = level.nick_width.draw(what);
      break;
    case SleeveDefect::kBevel2:
      scene.bump = edge_place(what, level.bump_length, level.bump_depth, true);
      break;
  }
  return scene;
}

}  // namespace glint::sleeve
