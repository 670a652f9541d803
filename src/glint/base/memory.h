// How much memory this process has needed. Linux; elsewhere the figures are 0.
#pragma once

namespace glint {

/// Starts a new high-water mark of resident memory; without the right to, the mark stays the process's own.
void reset_peak_memory();
/// High-water mark of resident memory in MiB.
double peak_memory_mib();

/// Resident memory now, in bytes.
double resident_bytes();

}  // namespace glint
