// Processors shared by those who inspect at the same time: one photograph alone has all of them, several have
// their share each.
#pragma once

#include <algorithm>
#include <atomic>

#include "glint/base/parallel.h"
#include "glint/nn/openmp_threads.h"

namespace glint {

/// Thread-safe.
class SharedProcessors {
 public:
  /// What the calling thread may use until it goes: its part among those in use when it came.
  class Share {
   public:
    explicit Share(std::atomic<int>& in_use)
        : leave_{in_use}, threads_(std::max(1, available_threads() / ++in_use)) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    struct Leave {
      std::atomic<int>& in_use;
      ~Leave() { --in_use; }
    };
    Leave leave_;
    OpenMpThreads threads_;
  };

  Share take() { return Share(in_use_); }

 private:
  std::atomic<int> in_use_{0};
};

}  // namespace glint
