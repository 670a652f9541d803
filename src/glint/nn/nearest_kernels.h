// The loops of a neighbour search on raw memory, for several instruction sets. Private to nn/nearest.cpp,
// nn/row_leaves.cpp and what measures rows as they do.
#pragma once

#include <cstdint>
#include <vector>

namespace glint {

/// Squared Euclidean distance of two rows of `width` values: the sums run in one order on every processor.
float squared_distance(const float* a, const float* b, std::int64_t width);

/// out = row - mean; the squared length of out.
float centre_row(const float* row, const float* mean, std::int64_t width, float* out);

/// Leaves whose boxes lie side by side.
inline constexpr std::int64_t kBoxGroup = 16;
/// Dimensions of a box.
inline constexpr std::int64_t kBoxDims = 32;
/// boxes: groups of kBoxGroup boxes, [kBoxDims][low, high][kBoxGroup]. Squared distances of `point` to each
/// box, [groups * kBoxGroup]; of a group whose boxes are all beyond `limit` only values above it.
void box_distances(const float* point, const float* boxes, std::int64_t groups, float limit, float* out);

/// For 64 rows of 64 values, [16][64][4]: out = offset + sum of point * row; one bit per row where that is at
/// least `threshold`. Exact.
std::uint64_t head_products(const std::uint8_t* point, const std::int8_t* rows, const std::int32_t* offsets,
                            std::int32_t* out, std::int32_t threshold);
/// Sum of products of 64 values. Exact.
std::int32_t tail_product(const std::uint8_t* point, const std::int8_t* row);

/// The three above for one instruction set.
struct ProductKernels {
  const char* instructions;
  decltype(&box_distances) boxes;
  decltype(&head_products) head;
  decltype(&tail_product) tail;
};
/// Those that this processor has, the plain ones first and the fastest last; all give the same numbers.
std::vector<ProductKernels> product_kernels();

}  // namespace glint
