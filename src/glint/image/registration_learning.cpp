// Learns a registration from good parts: reference and bounds.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/base/parallel.h"
#include "glint/image/registration.h"
#include "glint/image/registration_picture.h"

namespace glint {
namespace {

constexpr int kBuilders = 24;                  // parts that the reference is the mean of
constexpr int kAnchors = 4, kAnchorTests = 8;  // parts tried as the first reference, on so many others
constexpr int kRounds = 2;                     // of aligning and averaging
constexpr int kLeastParts = 8;
constexpr double kLeastQuality = 0.5;  // the kept-out parts' median correlation
constexpr double kLeastMargin = 0.02;  // their median margin: below, another angle is as good
// The quality bound lies below the median by 6 robust standard deviations, and by at least what a defect may
// cost: what is to be refused is another part, a part cut off, or a pose that was not found, and not a part
// that is found with its defect. Median and MAD, because a few kept-out parts may be of that kind.
constexpr double kDeviations = 6 * 1.4826, kLeastAllowance = 0.2;
constexpr double kMarginShare = 0.25;  // of the median margin: the margin bound
constexpr double kMostRefused = 0.1;   // share of the kept-out parts

GreyImage to_grey(const cv::Mat& picture) {
  GreyImage out{picture.cols, picture.rows, {}};
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const float v = std::clamp(std::round(picture.at<float>(y, x)), 0.0F, 255.0F);
      out.pixels.push_back(static_cast<std::uint8_t>(v));
    }
  }
  return out;
}

/// The picture as the pose sees it, in a frame of `size`; the border's grey where the picture ends.
cv::Mat seen(const cv::Mat& picture, const Pose& pose, cv::Size size) {
  cv::Mat out;
  cv::warpAffine(picture, out, photograph_from_view(pose, size, picture.size()), size,
                 cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT,
                 cv::Scalar(border_median(picture)));
  return out;
}

/// The part moved into the middle of its frame, so that no turn takes it out.
cv::Mat middled(const cv::Mat& picture) {
  const cv::Rect box = cv::boundingRect(part_of_picture(picture));
  const double unit = std::max(picture.cols, picture.rows);
  const Pose pose{0, (box.x + (box.width - picture.cols) / 2.0) / unit,
                  (box.y + (box.height - picture.rows) / 2.0) / unit};
  return seen(picture, pose, picture.size());
}

std::vector<Registered> find_all(const Registration& registration, const std::vector<RgbImage>& parts,
                                 std::size_t first, std::size_t last) {
  std::vector<Registered> out(last - first);
  parallel_for(std::ssize(out), [&](std::int64_t i) {
    out[i] = registration.find(parts[first + static_cast<std::size_t>(i)]);
  });
  return out;
}

std::vector<double> qualities(const std::vector<Registered>& found) {
  std::vector<double> out;
  for (const Registered& r : found) out.push_back(r.quality);
  return out;
}

/// The mean of the builders, aligned to the one that the others correlate best with.
Registration build(const std::vector<RgbImage>& parts, std::size_t builders) {
  std::optional<Registration> best;
  double best_quality = -1;
  for (std::size_t a = 0; a < std::min<std::size_t>(kAnchors, builders); ++a) {
    Registration anchor(to_grey(middled(reduced_grey(parts[a]))), 0, 0);
    std::vector<double> others =
        qualities(find_all(anchor, parts, 0, std::min<std::size_t>(builders, kAnchorTests)));
    if (const double quality = quantile(others, 0.25); quality > best_quality) {
      best_quality = quality;
      best = std::move(anchor);
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<Registered> found = find_all(*best, parts, 0, builders);
    const double middle = quantile(qualities(found), 0.5);
    const cv::Size size(best->reference().width, best->reference().height);
    cv::Mat sum = cv::Mat::zeros(size, CV_32F);
    int taken = 0;
    for (std::size_t i = 0; i < builders; ++i) {
      // the worse half may be in a wrong pose yet
      if (round == 0 && found[i].quality < middle) continue;
      sum += seen(reduced_grey(parts[i]), found[i].pose, size);
      ++taken;
    }
    best = Registration(to_grey(sum / taken), 0, 0);
  }
  return *best;
}

}  // namespace

RegistrationStudy learn_registration(const std::vector<RgbImage>& good_parts) {
  RegistrationStudy out;
  if (std::ssize(good_parts) < kLeastParts) {
    out.reason = fmt::format("{} good parts are too few to learn from, at least {} are needed",
                             good_parts.size(), kLeastParts);
    return out;
  }
  const cv::Mat first = reduced_grey(good_parts[0]);
  if (std::min(first.cols, first.rows) < kLeastRegistrationSide) {
    out.reason = "the photographs are too narrow";
    return out;
  }
  const std::size_t builders = std::min<std::size_t>(kBuilders, good_parts.size() / 2);
  const std::size_t last = std::min(good_parts.size(), builders + (kRegistrationParts - kBuilders));
  const Registration built = build(good_parts, builders);
  const std::vector<Registered> found = find_all(built, good_parts, builders, last);
  std::vector<double> quality = qualities(found), margins;
  for (const Registered& r : found) margins.push_back(r.margin);
  out.built_from = static_cast<int>(builders);
  out.kept_out = static_cast<int>(found.size());
  out.median_quality = quantile(quality, 0.5);
  out.lowest_quality = quantile(quality, 0);
  out.median_margin = quantile(margins, 0.5);
  if (out.median_quality < kLeastQuality) {
    out.reason = fmt::format(
        "good parts that were kept out correlate only {:.2f} with the reference in the middle, at least "
        "{:.2f} is needed: no pose of the part is found",
        out.median_quality, kLeastQuality);
    return out;
  }
  if (out.median_margin < kLeastMargin) {
    out.reason = fmt::format(
        "the part looks the same in another angle: correlation {:.3f}, {:.3f} turned by 15 degrees or more",
        out.median_quality, out.median_quality - out.median_margin);
    return out;
  }
  std::vector<double> deviations;
  for (const double q : quality) deviations.push_back(std::abs(q - out.median_quality));
  const double allowance = std::max(kDeviations * quantile(deviations, 0.5), kLeastAllowance);
  const Registration registration(built.reference(), out.median_quality - allowance,
                                  kMarginShare * out.median_margin);
  for (const Registered& r : found) out.refused += registration.refusal(r).empty() ? 0 : 1;
  if (out.refused > kMostRefused * out.kept_out) {
    out.reason =
        fmt::format("of {} good parts that were kept out {} cannot be aligned", out.kept_out, out.refused);
    return out;
  }
  out.registration = registration;
  return out;
}

}  // namespace glint
