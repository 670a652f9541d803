// What suits this machine: device, precision, threads. The one room that decides this. Free of libtorch, as
// whoever only opens and runs a detector is.
#pragma once

#include <string>

#include "glint/nn/precision.h"

namespace glint {

/// True when the CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX).
bool cpu_has_bfloat16();

/// Error(kConfig) when cuda is asked for and absent.
void check_device(DeviceChoice choice);

/// kBFloat16 where `wish` is auto and the device is a CPU with bfloat16; never auto. Error(kConfig) as
/// check_device.
Precision resolve_precision(Precision wish, DeviceChoice device);

/// Uses all processors of the affinity mask (libtorch takes fewer on some machines), flushes denormals, and
/// asks for deterministic kernels. Call once before work.
void prepare_runtime();

/// A sentence when libtorch's matrix products run on a slow reference BLAS, empty otherwise (measured, 20
/// ms).
std::string blas_warning();

/// Of the libtorch that runs.
std::string engine_version();

}  // namespace glint
