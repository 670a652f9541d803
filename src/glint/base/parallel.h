// Runs independent items on a few threads, which are kept between calls. The work of an item must not depend
// on which thread runs it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace glint {

/// Processors this process may use: its affinity mask, and not more than the control group's quota (version
/// 2). At least 1.
int available_threads();
/// What a control group's cpu.max ("quota period" in microseconds, or "max period") leaves; 0 = no bound.
int quota_threads(const std::string& cpu_max);

/// Restricts this process to every `count`-th of its processors, from the `index`-th on (at least one).
void keep_processors(int index, int count);

/// Calls work(i) for i = 0 ... n-1 on up to `threads` threads (0 = available_threads()). The first exception
/// is rethrown in the caller after all threads have stopped.
void parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& work, int threads = 0);

}  // namespace glint
