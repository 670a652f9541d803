// Finds how a part lies in a photograph: turned and shifted against a reference picture that was learnt from
// good parts. Rigid (no scale, no shear). Not for matching two arbitrary pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "glint/image/grey.h"

namespace glint {

/// Pixels along a reference's longer side, and at least along the other.
inline constexpr int kRegistrationSide = 160, kLeastRegistrationSide = 16;

/// Where the reference's frame (the view) lies in a photograph. With both measured from their centres in
/// units of the photograph's longer side: photograph = R(angle) view + shift, angle in radians, clockwise on
/// the screen.
struct Pose {
  double angle = 0, shift_x = 0, shift_y = 0;
};

struct Registered {
  Pose pose;
  double quality = 0;  ///< correlation with the reference within its mask, -1 to 1
  double margin = 0;   ///< by how much the best pose of another angle (15 degrees or more) correlates less
};

/// A reference with what good parts reach. Immutable: may be used from several threads.
class Registration {
 public:
  /// `reference`: 160 pixels along its longer side, at least 16 along the other. A part below one of the
  /// bounds is not aligned.
  Registration(GreyImage reference, double quality_bound, double margin_bound);

  /// The best pose, however good it is. A picture without contrast has quality 0.
  Registered find(const RgbImage& photograph) const;
  /// Why the part counts as not aligned, with what to do; empty when it is aligned.
  std::string refusal(const Registered& found) const;

  const GreyImage& reference() const { return reference_; }
  double quality_bound() const { return quality_bound_; }
  double margin_bound() const { return margin_bound_; }
  /// Pixels of the reference that the quality is measured on: the part, grown by a little of its background.
  std::size_t mask_pixels() const { return mask_.size(); }

 private:
  struct Point {
    float x, y;   ///< from the reference's centre, pixels
    float value;  ///< smoothed grey
  };

  GreyImage reference_;
  double quality_bound_, margin_bound_;
  std::vector<Point> mask_;
  std::vector<std::vector<float>> turned_;  ///< the reference's spectrum at each coarse angle
};

/// What was learnt, or why nothing was.
struct RegistrationStudy {
  std::optional<Registration> registration;
  std::string reason;                                                ///< why none
  int built_from = 0, kept_out = 0;                                  ///< good parts
  int refused = 0;                                                   ///< of the kept-out ones, by the bounds
  double median_quality = 0, lowest_quality = 0, median_margin = 0;  ///< of the kept-out ones
};

/// From good parts (at least 8, of one shape), photographs or their registration_picture: the reference is
/// the mean of the first ones (half of them, 24 at most), aligned; the bounds follow from up to 60 others, so
/// that the parts should come in no order. No registration when the kept-out parts do not correlate, or when
/// they look the same in another angle.
RegistrationStudy learn_registration(const std::vector<RgbImage>& good_parts);

/// Good parts that a study looks at, at most.
inline constexpr int kRegistrationParts = 24 + 60;

/// The photograph as small as a registration looks at it, the longer side 160 pixels; find() gives the same
/// for both.
RgbImage registration_picture(const RgbImage& photograph);

/// The view of the photograph in the reference's frame, `frame_width` : `frame_height` being the frame's
/// shape; as long as the photograph's longer side. Outside the photograph its edge is repeated.
RgbImage aligned_view(const RgbImage& photograph, const Pose& pose, int frame_width, int frame_height);

/// The inverse: a map over the view, of any size, in width x height pixels of the photograph. Pixels outside
/// the view get `outside`.
ScoreMap map_from_view(const ScoreMap& map, const Pose& pose, int frame_width, int frame_height, int width,
                       int height, float outside);

/// For each cell of a columns x rows grid over the view: whether its centre lies in the photograph of
/// width x height pixels.
std::vector<bool> cells_in_photograph(const Pose& pose, int frame_width, int frame_height, int columns,
                                      int rows, int width, int height);

}  // namespace glint
