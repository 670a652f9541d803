#include "glint/base/memory.h"

#include <fstream>
#include <string>

namespace glint {

void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

namespace {

/// A line of /proc/self/status that counts kiB; 0 when absent.
double status_kib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == key && status >> kib) return kib;
  }
  return 0;
}

}  // namespace

double peak_memory_mib() {
  return status_kib("VmHWM:") / 1024;
}

double resident_bytes() {
  return status_kib("VmRSS:") * 1024;
}

}  // namespace glint
