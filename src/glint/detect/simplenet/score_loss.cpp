#include "glint/detect/simplenet/score_loss.h"

#include <algorithm>
#include <cmath>

namespace glint {
namespace {

/// One row's focal term and its derivative; x = the logit of the wrong label, so that -ln p = softplus(x).
struct Focal {
  double value, slope;
};
Focal focal(double x, double exponent) {
  const double wrong = 1 / (1 + std::exp(-x)),
               softplus = std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  const double weight = std::pow(wrong, exponent);
  return {weight * softplus, weight * (exponent * (1 - wrong) * softplus + wrong)};
}

}  // namespace

ScoreLoss score_loss(const std::vector<float>& real, const std::vector<float>& fake,
                     const std::vector<std::uint8_t>& is_fake, const LossOptions& options) {
  const std::size_t rows = real.size();
  const auto defective = [&](std::size_t i) { return is_fake.empty() || is_fake[i] != 0; };
  const auto fakes = is_fake.empty()
                         ? static_cast<std::ptrdiff_t>(rows)
                         : std::count_if(is_fake.begin(), is_fake.end(), [](auto f) { return f != 0; });
  const auto bad = static_cast<std::size_t>(fakes), good = 2 * rows - bad;
  const float limit = static_cast<float>(options.margin), good_unit = 1.0F / static_cast<float>(good),
              bad_unit = 1.0F / static_cast<float>(std::max<std::size_t>(1, bad));

  ScoreLoss out;
  out.real_grad.resize(rows);
  out.fake_grad.resize(rows);
  double good_loss = 0, bad_loss = 0, focal_loss = 0;
  std::int64_t good_past = 0, bad_past = 0;
  const auto take_good = [&](float d) {
    good_loss += std::max(0.0F, limit - d);
    good_past += d >= limit;
    return d < limit ? -good_unit : 0.0F;
  };
  const auto take_bad = [&](float d) {
    bad_loss += std::max(0.0F, limit + d);
    bad_past += d < -limit;
    return d > -limit ? bad_unit : 0.0F;
  };
  for (std::size_t i = 0; i < rows; ++i) {
    out.real_grad[i] = take_good(real[i]);
    out.fake_grad[i] = defective(i) ? take_bad(fake[i]) : take_good(fake[i]);
  }
  if (options.kind == DiscriminatorLoss::kHingeFocal) {
    const double unit = 1 / static_cast<double>(2 * rows);
    const auto add = [&](float d, bool bad_row, float& grad) {
      const Focal f = focal(bad_row ? d : -d, options.focal_exponent);
      focal_loss += f.value;
      grad += static_cast<float>((bad_row ? f.slope : -f.slope) * unit);
    };
    for (std::size_t i = 0; i < rows; ++i) {
      add(real[i], false, out.real_grad[i]);
      add(fake[i], defective(i), out.fake_grad[i]);
    }
    focal_loss *= unit;
  }
  const auto share = [](auto part, std::size_t of) {
    return of > 0 ? static_cast<double>(part) / static_cast<double>(of) : 0;
  };
  out.loss = share(good_loss, good) + share(bad_loss, bad) + focal_loss;
  out.good_past_margin = share(good_past, good);
  out.fake_past_margin = share(bad_past, bad);
  return out;
}

}  // namespace glint
