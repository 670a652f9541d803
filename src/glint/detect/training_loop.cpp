#include "glint/detect/training_loop.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/base/random.h"
#include "glint/nn/runtime.h"

namespace glint {
std::vector<EpochReading> training_loop(const FitInput& input, const LoopOptions& options,
                                        const LoopCallbacks& callbacks) {
  std::vector<EpochReading> series;
  int first_epoch = 0;
  if (input.resume) {
    series = input.resume->record.series;
    first_epoch = input.resume->meta_epoch;
  }
  const int batch = std::min(options.batch, input.images);
  const int steps = options.drop_last ? input.images / batch : (input.images + batch - 1) / batch;
  LoopStep at;
  at.total = static_cast<std::int64_t>(options.meta_epochs) * options.passes * steps;
  input.progress->begin("training", at.total);
  for (at.meta_epoch = first_epoch; at.meta_epoch < options.meta_epochs; ++at.meta_epoch) {
    Readings sums;
    for (int p = 0; p < options.passes; ++p) {
      at.pass = at.meta_epoch * options.passes + p;
      at.draw = at.pass % input.draws;
      const std::vector<int> order =
          permutation(input.images, Rng(input.seed, options.order_stream, at.pass));
      for (at.step = 0; at.step < steps; ++at.step) {
        throw_if_cancelled();
        at.global = static_cast<std::int64_t>(at.pass) * steps + at.step;
        const auto begin = order.begin() + static_cast<std::ptrdiff_t>(at.step) * batch;
        at.images.assign(begin, begin + std::min<std::ptrdiff_t>(batch, order.end() - begin));
        const Readings values = callbacks.train(at);
        const double loss = values.at(kLoss);
        if (!std::isfinite(loss)) {
          fail(ErrorCode::kBadInput,
               "the training diverged in meta-epoch {} (the loss is not a finite number); lower the learning "
               "rate, or look for damaged training images with `glint audit`",
               at.meta_epoch + 1);
        }
        for (const auto& [name, value] : values) sums[name] += value;
        input.progress->advance(at.global + 1, fmt::format("epoch {} loss {:.4f}", at.meta_epoch + 1, loss));
      }
    }
    EpochReading reading{at.meta_epoch + 1, std::move(sums)};
    for (auto& [name, value] : reading.values) value /= options.passes * steps;
    for (const auto& [name, value] : callbacks.track(at.meta_epoch)) reading.values[name] = value;
    // JSON has no NaN: what was not measured is left out.
    std::erase_if(reading.values, [](const auto& entry) { return !std::isfinite(entry.second); });
    series.push_back(std::move(reading));
    if (input.on_meta_epoch) {
      TrainingState state{at.meta_epoch + 1, callbacks.state(), {}};
      state.record.series = series;
      input.on_meta_epoch(state);
    }
  }
  input.progress->end();
  return series;
}

std::vector<RgbImage> step_images(const FitInput& input, const LoopStep& at) {
  std::vector<RgbImage> images(at.images.size());
  parallel_for(std::ssize(images), [&](std::int64_t k) {
    const auto i = static_cast<std::size_t>(k);
    images[i] = input.image(at.images[i], at.draw);
  });
  return images;
}

bool trains_in_bfloat16(const FitInput& input) {
  return resolve_precision(input.precision, DeviceChoice::kCpu) == Precision::kBFloat16;
}

FitInput with_states(const FitInput& input, std::function<void(TrainingState&)> change) {
  FitInput out = input;
  if (!input.on_meta_epoch) return out;
  out.on_meta_epoch = [take = input.on_meta_epoch, change = std::move(change)](const TrainingState& state) {
    TrainingState changed = state;
    change(changed);
    take(changed);
  };
  return out;
}

std::vector<RgbImage> tracker_images(const FitInput& input) {
  constexpr std::ptrdiff_t kTrackerImages = 8;
  return {input.held_out.begin(),
          input.held_out.begin() + std::min(kTrackerImages, std::ssize(input.held_out))};
}

void for_each_batch(const FitInput& input, const std::string& label,
                    const std::function<void(const std::vector<RgbImage>&)>& take) {
  constexpr int kImagesAtOnce = 8;
  const int samples = input.images * input.draws;
  input.progress->begin(label, samples);
  for (int first = 0; first < samples; first += kImagesAtOnce) {
    throw_if_cancelled();
    const int last = std::min(samples, first + kImagesAtOnce);
    std::vector<RgbImage> images;
    for (int i = first; i < last; ++i) images.push_back(input.image(i % input.images, i / input.images));
    take(images);
    input.progress->advance(last, "");
  }
  input.progress->end();
}

std::string length_sentence(int passes, int batch, int published_passes, int published_batch) {
  return fmt::format("{} passes over the training images in batches of {}; published: {} in batches of {}{}",
                     passes, batch, published_passes, published_batch,
                     passes < published_passes ? ": a short recipe" : "");
}

TrainingRecord one_pass_record(double feature_seconds, double training_seconds) {
  TrainingRecord out;
  out.times = {feature_seconds, training_seconds};
  return out;
}

}  // namespace glint
