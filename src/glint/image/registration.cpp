#include "glint/image/registration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "glint/base/error.h"
#include "glint/image/registration_picture.h"

namespace glint {
namespace {

constexpr int kAngles = 72;               // of the coarse search: 5 degrees apart, within ECC's reach of each
constexpr int kCoarseSide = 64;           // longer side of its pictures, pixels
constexpr int kSquare = 2 * kCoarseSide;  // in which they are correlated, without wrapping round
constexpr int kCandidates = 4;            // local maxima over the angles that are refined
constexpr int kIterations = 40;           // of the refinement
constexpr double kStep = 1e-3;            // pixels: a smaller step ends it
constexpr double kSmoothing = 1.0;        // pixels, of the refinement's pictures
constexpr double kAnotherAngle = 15.0;    // degrees
constexpr double kDegrees = 180 / std::numbers::pi;

int longer(const cv::Mat& m) {
  return std::max(m.cols, m.rows);
}

/// The picture in the middle of a square of zeros: room for every rotation and shift.
cv::Mat centred(const cv::Mat& picture, int side) {
  cv::Mat out = cv::Mat::zeros(side, side, CV_32F);
  picture.copyTo(
      out(cv::Rect((side - picture.cols) / 2, (side - picture.rows) / 2, picture.cols, picture.rows)));
  return out;
}

cv::Mat smaller(const cv::Mat& picture, int longer_side) {
  cv::Mat out;
  cv::resize(picture, out, scaled_size(picture.cols, picture.rows, longer_side), 0, 0, cv::INTER_AREA);
  return out;
}

/// Rigid motion in reduced pixels: photograph = R(angle) reference + shift, from the pictures' centres.
struct Motion {
  double angle = 0, x = 0, y = 0;
};

/// A reduced photograph with its gradients, sampled between pixels.
class Sampler {
 public:
  Sampler(const cv::Mat& grey, float background) : background_(background) {
    cv::GaussianBlur(grey, grey_, {}, kSmoothing);
    cv::Sobel(grey_, dx_, CV_32F, 1, 0, 1, 0.5);
    cv::Sobel(grey_, dy_, CV_32F, 0, 1, 1, 0.5);
  }
  /// Value and gradients; the background's outside the photograph.
  std::array<float, 3> at(double x, double y) const {
    const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
    if (x0 < 0 || y0 < 0 || x0 + 1 >= grey_.cols || y0 + 1 >= grey_.rows) return {background_, 0, 0};
    const auto fx = static_cast<float>(x - x0), fy = static_cast<float>(y - y0);
    const auto mix = [&](const cv::Mat& m) {
      const float* a = m.ptr<float>(y0) + x0;
      const float* b = m.ptr<float>(y0 + 1) + x0;
      return (a[0] + fx * (a[1] - a[0])) * (1 - fy) + (b[0] + fx * (b[1] - b[0])) * fy;
    };
    return {mix(grey_), mix(dx_), mix(dy_)};
  }
  double centre_x() const { return (grey_.cols - 1) / 2.0; }
  double centre_y() const { return (grey_.rows - 1) / 2.0; }

 private:
  cv::Mat grey_, dx_, dy_;
  float background_;
};

/// Sums over the mask of one motion: what correlation and Gauss-Newton step need.
struct Moments {
  double n = 0, w = 0, ww = 0, t = 0, tt = 0, tw = 0;
  cv::Vec3d g{}, gw{}, gt{};  ///< of the derivatives by angle, x, y
  cv::Matx33d gg = cv::Matx33d::zeros();

  double correlation() const {
    const double vw = ww - w * w / n, vt = tt - t * t / n;
    // below half a grey level of deviation there is no structure, only noise of the reduction
    if (vw < 0.25 * n || vt < 0.25 * n) return 0;
    return (tw - t * w / n) / std::sqrt(vw * vt);
  }
};

template <class Points>
Moments moments(const Points& mask, const Sampler& photograph, const Motion& motion) {
  Moments m;
  const double c = std::cos(motion.angle), s = std::sin(motion.angle);
  for (const auto& p : mask) {
    const double rx = c * p.x - s * p.y, ry = s * p.x + c * p.y;
    const auto [w, dx, dy] =
        photograph.at(photograph.centre_x() + rx + motion.x, photograph.centre_y() + ry + motion.y);
    const double t = p.value;
    const cv::Vec3d g(dx * -ry + dy * rx, dx, dy);
    m.w += w, m.ww += static_cast<double>(w) * w, m.t += t, m.tt += t * t, m.tw += t * w;
    m.g += g, m.gw += g * static_cast<double>(w), m.gt += g * t;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j <= i; ++j) m.gg(i, j) += g[i] * g[j];
    }
  }
  m.n = static_cast<double>(mask.size());
  for (int i = 0; i < 3; ++i) {
    for (int j = i + 1; j < 3; ++j) m.gg(i, j) = m.gg(j, i);
  }
  return m;
}

/// Maximises the correlation from a start (enhanced correlation coefficient, forward additive: Evangelidis
/// and Psarakis 2008). Gives back the best motion seen and its correlation.
template <class Points>
std::pair<Motion, double> refine(const Points& mask, const Sampler& photograph, Motion motion, double reach) {
  std::pair<Motion, double> best{motion, -1};
  for (int i = 0; i < kIterations; ++i) {
    const Moments m = moments(mask, photograph, motion);
    const double correlation = m.correlation();
    if (correlation > best.second) best = {motion, correlation};
    const cv::Matx33d hessian = m.gg - (m.g * m.g.t()) * (1 / m.n);
    const cv::Vec3d gw = m.gw - m.g * (m.w / m.n), gt = m.gt - m.g * (m.t / m.n);
    bool ok = false;
    const cv::Matx33d inverse = hessian.inv(cv::DECOMP_CHOLESKY, &ok);
    if (!ok) break;
    const cv::Vec3d hw = inverse * gw;
    const double above = m.ww - m.w * m.w / m.n - gw.dot(hw);
    const double below = m.tw - m.t * m.w / m.n - gt.dot(hw);
    if (!(below > 0)) break;  // the step would not bring the pictures nearer
    const cv::Vec3d step = inverse * (gt * (above / below) - gw);
    motion = {motion.angle + step[0], motion.x + step[1], motion.y + step[2]};
    if (!(std::hypot(motion.x, motion.y) < reach)) break;
    if (std::max({std::abs(step[0]) * reach, std::abs(step[1]), std::abs(step[2])}) < kStep) break;
  }
  return best;
}

double degrees_apart(double a, double b) {
  return std::abs(std::remainder(a - b, 2 * std::numbers::pi)) * kDegrees;
}

}  // namespace

Registration::Registration(GreyImage reference, double quality_bound, double margin_bound)
    : reference_(std::move(reference)), quality_bound_(quality_bound), margin_bound_(margin_bound) {
  GLINT_CHECK(std::max(reference_.width, reference_.height) == kRegistrationSide &&
              std::min(reference_.width, reference_.height) >= kLeastRegistrationSide &&
              std::ssize(reference_.pixels) == std::ptrdiff_t{reference_.width} * reference_.height);
  cv::Mat grey;
  cv::Mat(reference_.height, reference_.width, CV_8U, reference_.pixels.data()).convertTo(grey, CV_32F);
  const cv::Mat mask = part_of_picture(grey);
  cv::Mat smooth;
  cv::GaussianBlur(grey, smooth, {}, kSmoothing);
  const double cx = (grey.cols - 1) / 2.0, cy = (grey.rows - 1) / 2.0;
  for (int y = 0; y < grey.rows; ++y) {
    for (int x = 0; x < grey.cols; ++x) {
      if (mask.at<std::uint8_t>(y, x) != 0)
        mask_.push_back({static_cast<float>(x - cx), static_cast<float>(y - cy), smooth.at<float>(y, x)});
    }
  }
  // What the coarse search correlates with: the part without its mean, nothing elsewhere.
  cv::Mat part = cv::Mat::zeros(grey.size(), CV_32F);
  cv::Mat(grey - cv::mean(grey, mask)[0]).copyTo(part, mask);
  const cv::Mat square = centred(smaller(part, kCoarseSide), kSquare);
  const cv::Point2f centre((kSquare - 1) / 2.0F, (kSquare - 1) / 2.0F);
  for (int a = 0; a < kAngles; ++a) {
    cv::Mat turned, spectrum;
    // OpenCV's angles are counter-clockwise
    cv::warpAffine(square, turned, cv::getRotationMatrix2D(centre, -360.0 * a / kAngles, 1), square.size());
    cv::dft(turned, spectrum);
    turned_.emplace_back(spectrum.begin<float>(), spectrum.end<float>());
  }
}

Registered Registration::find(const RgbImage& photograph) const {
  const cv::Mat grey = reduced_grey(photograph);
  const float background = border_median(grey);
  const cv::Mat coarse = centred(smaller(grey - background, kCoarseSide), kSquare);
  cv::Mat spectrum;
  cv::dft(coarse, spectrum);

  struct Peak {
    double value = 0;
    Motion motion;
  };
  std::vector<Peak> peaks(kAngles);
  const double to_fine = static_cast<double>(longer(grey)) / kCoarseSide;
  for (int a = 0; a < kAngles; ++a) {
    const cv::Mat turned(kSquare, kSquare, CV_32F,
                         const_cast<float*>(turned_[a].data()));  // NOLINT: only read
    cv::Mat product, correlation;
    cv::mulSpectrums(spectrum, turned, product, 0, /*conjB=*/true);
    cv::dft(product, correlation, cv::DFT_INVERSE | cv::DFT_REAL_OUTPUT | cv::DFT_SCALE);
    cv::Point at;
    cv::minMaxLoc(correlation, nullptr, &peaks[a].value, nullptr, &at);
    const auto signed_shift = [](int v) { return v > kSquare / 2 ? v - kSquare : v; };
    // centred() puts the middle of an odd picture half a pixel off: within ECC's reach
    peaks[a].motion = {2 * std::numbers::pi * a / kAngles, signed_shift(at.x) * to_fine,
                       signed_shift(at.y) * to_fine};
  }
  std::vector<Peak> starts;
  for (int a = 0; a < kAngles; ++a) {
    const double before = peaks[(a + kAngles - 1) % kAngles].value, after = peaks[(a + 1) % kAngles].value;
    if (peaks[a].value >= before && peaks[a].value > after) starts.push_back(peaks[a]);
  }
  if (starts.empty()) starts.push_back(peaks[0]);
  std::stable_sort(starts.begin(), starts.end(),
                   [](const Peak& a, const Peak& b) { return a.value > b.value; });
  if (starts.size() > kCandidates) starts.resize(kCandidates);

  const Sampler sampler(grey, background);
  std::vector<std::pair<Motion, double>> refined;
  for (const Peak& start : starts)
    refined.push_back(refine(mask_, sampler, start.motion, static_cast<double>(longer(grey))));
  const auto& best = *std::max_element(refined.begin(), refined.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
  double other = 0;  // no worse than uncorrelated
  for (const auto& [motion, quality] : refined) {
    if (degrees_apart(motion.angle, best.first.angle) >= kAnotherAngle) other = std::max(other, quality);
  }
  const double unit = longer(grey);
  return {{std::remainder(best.first.angle, 2 * std::numbers::pi), best.first.x / unit, best.first.y / unit},
          std::max(0.0, best.second),
          std::max(0.0, best.second) - other};
}

std::string Registration::refusal(const Registered& found) const {
  if (found.quality < quality_bound_) {
    return fmt::format(
        "the part cannot be aligned: its best pose correlates {:.3f} with the reference, good parts reach "
        "{:.3f}; check that it is this part, whole, sharp and lit as in training",
        found.quality, quality_bound_);
  }
  if (found.margin < margin_bound_) {
    return fmt::format(
        "the part cannot be aligned: two poses fit almost as well (correlation {:.3f}, {:.3f} more than "
        "another angle; good parts differ by {:.3f}); check that it is this part, whole and lit as in "
        "training",
        found.quality, found.margin, margin_bound_);
  }
  return "";
}

}  // namespace glint
