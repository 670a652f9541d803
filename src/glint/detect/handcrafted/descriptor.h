// A hand-crafted description of cells of a grey picture, and the method made of it and a cell_model.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "glint/base/options.h"
#include "glint/detect/detector.h"
#include "glint/detect/handcrafted/cell_model.h"
#include "glint/image/grey.h"

namespace glint {

/// Descriptors of overlapping square cells: two steps wide, one step apart.
struct CellGrid {
  int columns = 0, rows = 0;
  std::vector<float> values;  ///< [rows, columns, length]
};

class Descriptor {
 public:
  virtual ~Descriptor() = default;
  virtual std::string name() const = 0;  ///< of the method
  virtual void describe(OptionTable&) {}
  virtual int step() const = 0;                     ///< pixels from cell to cell
  virtual int length() const = 0;                   ///< numbers that describe a cell
  virtual int least_side() const = 0;               ///< of a picture, pixels
  virtual bool histogram() const { return false; }  ///< shares that sum to 1: chi-square distances make sense
  virtual std::unique_ptr<const Descriptor> clone() const = 0;
  /// Thread-safe. The picture has least_side() at least.
  virtual CellGrid of(const GreyImage& image) const = 0;
};

/// Scores of cells [rows, columns] on the grid of steps [rows + 1, columns + 1] that they cover: each the
/// mean of the one to four cells over it.
ScoreMap spread_cells(const std::vector<float>& scores, int columns, int rows);

std::unique_ptr<Method> make_descriptor_method(std::unique_ptr<Descriptor> descriptor);

}  // namespace glint
