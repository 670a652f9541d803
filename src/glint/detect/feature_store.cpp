#include "glint/detect/feature_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "glint/base/error.h"

namespace glint {

FeatureStore::FeatureStore(std::int64_t blocks, std::int64_t block_bytes, std::int64_t max_memory_bytes)
    : blocks_(blocks),
      block_bytes_(block_bytes),
      in_memory_(std::min(blocks, max_memory_bytes / std::max<std::int64_t>(1, block_bytes))),
      memory_(static_cast<std::size_t>(in_memory_)) {
  if (in_memory_ == blocks_) return;
  std::string name = (std::filesystem::temp_directory_path() / "glint-features-XXXXXX").string();
  file_ = ::mkstemp(name.data());
  if (file_ < 0) {
    fail(ErrorCode::kIo, "{}: no temporary file for features ({}); set TMPDIR or raise train.cache_gib", name,
         std::strerror(errno));
  }
  ::unlink(name.c_str());
}

FeatureStore::~FeatureStore() {
  if (file_ >= 0) ::close(file_);
}

void FeatureStore::put(std::int64_t key, const void* data) {
  GLINT_CHECK(key >= 0 && key < blocks_);
  const auto* bytes = static_cast<const std::byte*>(data);
  if (key < in_memory_) {
    memory_[key].assign(bytes, bytes + block_bytes_);
    return;
  }
  for (std::int64_t done = 0; done < block_bytes_;) {
    const auto n =
        ::pwrite(file_, bytes + done, block_bytes_ - done, (key - in_memory_) * block_bytes_ + done);
    if (n <= 0)
      fail(ErrorCode::kIo, "the temporary feature file cannot be written ({}); free disk space",
           std::strerror(errno));
    done += n;
  }
}

void FeatureStore::get(std::int64_t key, void* out) const {
  GLINT_CHECK(key >= 0 && key < blocks_);
  if (key < in_memory_) {
    GLINT_CHECK(!memory_[key].empty());
    std::memcpy(out, memory_[key].data(), static_cast<std::size_t>(block_bytes_));
    return;
  }
  for (std::int64_t done = 0; done < block_bytes_;) {
    const auto n = ::pread(file_, static_cast<std::byte*>(out) + done, block_bytes_ - done,
                           (key - in_memory_) * block_bytes_ + done);
    if (n <= 0) fail(ErrorCode::kIo, "the temporary feature file cannot be read ({})", std::strerror(errno));
    done += n;
  }
}

}  // namespace glint
