// Reads PyTorch checkpoints (.pth) without executing anything: a pickle machine that knows only what a plain
// dictionary of tensors needs and refuses every other global. Both layouts: zip (torch >= 1.6) and the legacy
// stream.
#pragma once

#include <span>
#include <string>

#include "glint/nn/tensor_dict.h"

namespace glint {

/// Tensors of the dictionary, of its entry "state_dict" or "model" when it has one. Error(kBadInput) names
/// `name` and what was found: a foreign global, something that is not a tensor, a truncated storage.
TensorDict parse_torch_checkpoint(std::span<const std::byte> bytes, const std::string& name);

}  // namespace glint
