// Keeps one fixed-size block of bytes per key, in memory up to a limit and in a temporary file beyond it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace glint {

class FeatureStore {
 public:
  /// Memory is taken as blocks are put; at most `max_memory_bytes` of it.
  FeatureStore(std::int64_t blocks, std::int64_t block_bytes, std::int64_t max_memory_bytes);
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  void put(std::int64_t key, const void* data);
  /// Thread-safe with other gets. Error(kIo) when the temporary file fails.
  void get(std::int64_t key, void* out) const;
  bool spills() const { return in_memory_ < blocks_; }

 private:
  std::int64_t blocks_, block_bytes_, in_memory_;
  std::vector<std::vector<std::byte>> memory_;
  int file_ = -1;  ///< unlinked temporary file, closed by the destructor
};

}  // namespace glint
