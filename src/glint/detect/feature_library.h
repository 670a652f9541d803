// Features that several trainings of one process share. Free of libtorch.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace glint {

class FeatureCache;

/// Keeps the features of the latest pools of images, for trainings from images of the same pool. For use from
/// one thread.
class FeatureLibrary {
 public:
  /// Those called `key`; else they are made, and the oldest go that `cache_bytes` has no room for.
  std::shared_ptr<const FeatureCache> get(const std::string& key, std::int64_t cache_bytes,
                                          const std::function<std::shared_ptr<const FeatureCache>()>& make);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const FeatureCache> features;
  };
  std::list<Entry> entries_;  ///< latest use first
};

}  // namespace glint
