// How far the results of a network's convolutions reach, as int8 needs to know it (nn/fused_net.h). Free of
// libtorch and oneDNN.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace glint {

/// By the name of the convolution's weights (ConvShape::name): the largest magnitude of its result, after
/// residual sum and ReLU where it has them; of the first half of a low-rank pair (".reduce") one per channel.
/// Every convolution of a network has one, finite and above 0.
using ActivationRanges = std::map<std::string, std::vector<float>>;

}  // namespace glint
