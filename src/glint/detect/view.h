// The views of a photograph: the inputs that a network sees of it (the whole, a crop, the aligned part,
// overlapping tiles), and the way back: their patch scores become one map over the photograph. Free of
// libtorch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "glint/detect/input.h"
#include "glint/detect/scoring.h"
#include "glint/image/registration.h"

namespace glint {

/// How a photograph became its views.
struct Placement {
  int width = 0, height = 0;        ///< of the photograph, pixels
  std::optional<Registered> found;  ///< with alignment
  /// Why the part counts as not aligned; its views show the best pose all the same. Empty when it is aligned,
  /// or need not be.
  std::string refusal;
};

struct Views {
  std::vector<RgbImage> inputs;  ///< of the options' input size each, tiles row by row
  Placement placement;
};

/// What a detector says of one photograph.
struct PhotographScores : PatchScores {
  Placement placement;
};

/// Makes views and merges what is said of them. Immutable: may be used from several threads.
class ViewMaker {
 public:
  /// `registration`: present exactly when options.align is rigid.
  ViewMaker(InputOptions options, std::optional<Registration> registration);

  const InputOptions& options() const { return options_; }
  const std::optional<Registration>& registration() const { return registration_; }
  int per_photograph() const { return options_.tiles * options_.tiles; }

  Views make(const RgbImage& photograph) const;

  /// `views`: the scores of one photograph's inputs in their order. On the grid of the canvas, tiles are
  /// averaged where they overlap, with weights that fall to nothing towards a tile's inner edge, so that no
  /// seam shows. Cells that show nothing of the photograph (an aligned part at its edge) get the lowest
  /// score. The method's own image score is the largest of the views'.
  PhotographScores merge(std::vector<PatchScores> views, const Placement& placement) const;

  /// A map over the canvas (the scorer's, of any size) in the photograph's pixels. Pixels that no view shows
  /// get the map's lowest value.
  ScoreMap to_photograph(const ScoreMap& map, const Placement& placement) const;
  /// The same picture with its longer side at most `side` pixels.
  ScoreMap to_photograph(const ScoreMap& map, const Placement& placement, int side) const;

 private:
  ScoreMap merge_maps(const std::vector<PatchScores>& views, ScoreMap PatchScores::*part) const;

  InputOptions options_;
  std::optional<Registration> registration_;
};

}  // namespace glint
