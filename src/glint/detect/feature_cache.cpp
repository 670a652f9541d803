#include "glint/detect/feature_cache.h"

#include <algorithm>
#include <numeric>

#include "glint/base/error.h"
#include "glint/base/parallel.h"

namespace glint {
namespace {

constexpr std::int64_t kEncodeBatch = 8;  // images per backbone call

}  // namespace

FeatureCache::FeatureCache(const FeaturePool& pool, const FitInput& input, const Encode& encode,
                           torch::ScalarType type)
    : type_(type), images_(pool.images) {
  const std::int64_t blocks = images_ * input.draws;
  input.progress->begin("computing features", blocks);
  for (std::int64_t first = 0; first < blocks; first += kEncodeBatch) {
    throw_if_cancelled();
    const std::int64_t n = std::min(kEncodeBatch, blocks - first);
    std::vector<RgbImage> batch(static_cast<std::size_t>(n));
    parallel_for(n, [&](std::int64_t i) {
      const std::int64_t key = first + i;
      batch[i] = pool.image(static_cast<int>(key % images_), static_cast<int>(key / images_));
    });
    const torch::Tensor features = encode(batch).to(torch::kCPU, type_).contiguous();
    if (!store_) {
      positions_ = features.size(1);
      width_ = features.size(2);
      const auto bytes = positions_ * width_ * static_cast<std::int64_t>(torch::elementSize(type_));
      bytes_ = blocks * bytes;
      store_ = std::make_unique<FeatureStore>(blocks, bytes, input.cache_bytes);
    }
    for (std::int64_t i = 0; i < n; ++i) store_->put(first + i, features[i].data_ptr());
    input.progress->advance(first + n, store_->spills() ? "spilling to disk" : "");
  }
  input.progress->end();
}

torch::Tensor FeatureCache::gather(const std::vector<int>& images, int draw) const {
  torch::Tensor out = torch::empty({static_cast<std::int64_t>(images.size()), positions_, width_},
                                   torch::TensorOptions().dtype(type_));
  for (std::size_t i = 0; i < images.size(); ++i) {
    store_->get(static_cast<std::int64_t>(draw) * images_ + images[i],
                out[static_cast<std::int64_t>(i)].data_ptr());
  }
  return out;
}

std::shared_ptr<const FeatureCache> FeatureLibrary::get(
    const std::string& key, std::int64_t cache_bytes,
    const std::function<std::shared_ptr<const FeatureCache>()>& make) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front().features;
  }
  // Room for one more of the newest's size before it is made, so that two limits are never in memory.
  std::int64_t used = entries_.empty() ? 0 : entries_.front().features->bytes();
  auto keep = entries_.begin();
  while (keep != entries_.end() && used + keep->features->bytes() <= cache_bytes) {
    used += keep->features->bytes();
    ++keep;
  }
  entries_.erase(keep, entries_.end());
  entries_.push_front({key, make()});
  return entries_.front().features;
}

torch::Tensor TrainingFeatures::gather(const std::vector<int>& images, int draw) const {
  std::vector<int> there;
  there.reserve(images.size());
  for (const int i : images) there.push_back(in_cache_[i]);
  return cache_->gather(there, draw);
}

TrainingFeatures training_features(const std::string& what, const FitInput& input,
                                   const FeatureCache::Encode& encode, torch::ScalarType type) {
  if (input.library == nullptr) {
    std::vector<int> all(static_cast<std::size_t>(input.images));
    std::iota(all.begin(), all.end(), 0);
    return {
        std::make_shared<const FeatureCache>(FeaturePool{input.images, input.image, ""}, input, encode, type),
        std::move(all)};
  }
  GLINT_CHECK(std::ssize(input.in_pool) == input.images);
  const std::string key = what + '/' + std::string(torch::toString(type)) + '/' + input.pool.key;
  return {input.library->get(
              key, input.cache_bytes,
              [&] { return std::make_shared<const FeatureCache>(input.pool, input, encode, type); }),
          input.in_pool};
}

}  // namespace glint
