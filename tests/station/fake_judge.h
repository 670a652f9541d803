// A judge without a network: the score of a photograph is its mean brightness over 255, so that a test
// chooses the verdict by painting. Slow or broken on request.
#pragma once

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"
#include "glint/station/judge.h"

namespace glint {

inline RgbImage grey_image(int level, int width = 24, int height = 16) {
  RgbImage image(width, height);
  std::fill(image.pixels.begin(), image.pixels.end(), static_cast<std::uint8_t>(level));
  return image;
}

inline Bytes grey_png(int level, int width = 24, int height = 16) {
  return encode_png(grey_image(level, width, height));
}

struct FakeBehaviour {
  std::atomic<int> delay_ms{0};
  std::atomic<bool> broken{false};
  std::atomic<bool> out_of_memory{false};
  std::atomic<double> odd{0};     ///< replaces one number of the result, named by odd_field
  std::atomic<int> odd_field{0};  ///< 0 none, 1 score, 2 threshold, 3 p-value, 4 a region's peak
  std::atomic<int> judged{0};
};

class FakeJudge : public Judge {
 public:
  FakeJudge(std::string sha, double threshold, std::shared_ptr<FakeBehaviour> behaviour)
      : behaviour_(std::move(behaviour)) {
    facts_.file_sha256 = std::move(sha);
    facts_.method = "fake";
    facts_.threshold = threshold;
    facts_.colours = {0, 1};
    for (int i = 0; i < 60; ++i) facts_.good_scores.push_back(0.2 + 0.001 * i);
    facts_.guaranteed_rate = 0.02;
  }
  const JudgeFacts& facts() const override { return facts_; }
  InspectionResult judge(const RgbImage& photograph) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(behaviour_->delay_ms));
    ++behaviour_->judged;
    if (behaviour_->broken) throw std::runtime_error("the fake is broken");
    if (behaviour_->out_of_memory) throw std::bad_alloc();
    double sum = 0;
    for (const std::uint8_t v : photograph.pixels) sum += v;
    InspectionResult out;
    out.score = sum / static_cast<double>(photograph.pixels.size()) / 255;
    out.threshold = facts_.threshold;
    out.rejected = out.score > out.threshold;
    out.p_value = out.rejected ? 0.01 : 0.5;
    out.map = ScoreMap(photograph.width, photograph.height, static_cast<float>(out.score));
    if (out.rejected) out.regions = {{1, 2, 3, 4, 12, static_cast<float>(out.score)}};
    const double odd = behaviour_->odd;
    if (behaviour_->odd_field == 1) out.score = odd;
    if (behaviour_->odd_field == 2) out.threshold = odd;
    if (behaviour_->odd_field == 3) out.p_value = odd;
    if (behaviour_->odd_field == 4) out.regions = {{1, 2, 3, 4, 12, static_cast<float>(odd)}};
    return out;
  }

 private:
  JudgeFacts facts_;
  std::shared_ptr<FakeBehaviour> behaviour_;
};

/// A model file of the fake is the text of its threshold.
inline JudgeLoader fake_loader(std::shared_ptr<FakeBehaviour> behaviour = std::make_shared<FakeBehaviour>()) {
  return [behaviour](const std::vector<std::byte>& file, const std::string& name) {
    const std::string text(reinterpret_cast<const char*>(file.data()), file.size());
    char* end = nullptr;
    const double threshold = std::strtod(text.c_str(), &end);
    if (end == text.c_str()) fail(ErrorCode::kBadInput, "{}: not a model", name);
    return std::make_shared<FakeJudge>(sha256_hex(file), threshold, behaviour);
  };
}

/// Waits up to half a minute for a condition.
template <class Condition>
bool soon(const Condition& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

}  // namespace glint
