#include "glint/detect/simplenet/head.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/seeded_tensors.h"
#include "glint/detect/simplenet/head_kernels.h"
#include "glint/detect/supersimplenet/losses.h"

namespace glint {
namespace {

constexpr std::int64_t kChunk =
    256;  // rows per partial sum; fixed, so that sums do not depend on the thread count

/// Calls body(chunk, first row, last row) for chunks of rows, in parallel.
template <class Body>
void for_chunks(std::int64_t rows, const Body& body) {
  const std::int64_t chunks = (rows + kChunk - 1) / kChunk;
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) body(c, c * kChunk, std::min(rows, (c + 1) * kChunk));
  });
}

/// Partial sums of `width` columns per chunk, added in a fixed order in double.
class ColumnSums {
 public:
  ColumnSums(std::int64_t rows, std::int64_t width)
      : width_(width), partial_(static_cast<std::size_t>((rows + kChunk - 1) / kChunk * width), 0.0F) {}
  float* chunk(std::int64_t c) { return &partial_[static_cast<std::size_t>(c * width_)]; }
  std::vector<float> total() const {
    std::vector<double> sums(static_cast<std::size_t>(width_), 0.0);
    for (std::size_t i = 0; i < partial_.size(); ++i)
      sums[i % static_cast<std::size_t>(width_)] += partial_[i];
    return {sums.begin(), sums.end()};
  }

 private:
  std::int64_t width_;
  std::vector<float> partial_;
};

/// The element-wise middle of the step: hidden pre-activations of real features and of the noise in,
/// gradients with respect to them out. T is float or Bf16.
template <class T>
StepResult hidden_pass(HeadWeights& head, const torch::Tensor& real, const torch::Tensor& noise,
                       const std::vector<std::uint8_t>& is_fake, const LossOptions& options,
                       HeadGradients& gradients, torch::Tensor& grad_sum, torch::Tensor& grad_fake) {
  const auto* r = static_cast<const T*>(real.data_ptr());
  const auto* e = static_cast<const T*>(noise.data_ptr());
  const std::int64_t rows = real.size(0), width = real.size(1);
  const auto columns = static_cast<std::size_t>(width);
  const auto count = static_cast<double>(2 * rows);  // real and fake share one batch norm, as published

  ColumnSums first(rows, width), second(rows, width);
  for_chunks(rows, [&](std::int64_t c, std::int64_t begin, std::int64_t end) {
    sum_rows(r + begin * width, e + begin * width, end - begin, width, first.chunk(c));
  });
  std::vector<float> mean = first.total();
  for (float& m : mean) m = static_cast<float>(m / count);
  for_chunks(rows, [&](std::int64_t c, std::int64_t begin, std::int64_t end) {
    square_rows(r + begin * width, e + begin * width, end - begin, width, mean.data(), second.chunk(c));
  });
  const std::vector<float> squares = second.total();
  std::vector<float> inverse_std(columns), scale(columns), offset(columns);
  auto* running_mean = head.norm_running_mean.data_ptr<float>();
  auto* running_var = head.norm_running_var.data_ptr<float>();
  constexpr auto kMomentum = static_cast<float>(kHeadBatchNormMomentum);
  for (std::size_t j = 0; j < columns; ++j) {
    inverse_std[j] = static_cast<float>(1 / std::sqrt(squares[j] / count + kHeadBatchNormEps));
    running_mean[j] += kMomentum * (mean[j] - running_mean[j]);
    running_var[j] += kMomentum * (static_cast<float>(squares[j] / (count - 1)) - running_var[j]);
    scale[j] = head.norm_weight.data_ptr<float>()[j] * inverse_std[j];
    offset[j] = head.norm_bias.data_ptr<float>()[j] - mean[j] * scale[j];
  }
  ++head.batches_tracked;

  const HiddenColumns constants{width,        mean.data(),   inverse_std.data(),
                                scale.data(), offset.data(), head.tail_weight.data_ptr<float>()};
  std::vector<float> real_score(static_cast<std::size_t>(rows)), fake_score(static_cast<std::size_t>(rows));
  for_chunks(rows, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    score_rows(r + begin * width, e + begin * width, end - begin, constants, &real_score[begin],
               &fake_score[begin]);
  });
  const ScoreLoss loss = score_loss(real_score, fake_score, is_fake, options);
  const std::vector<float>&real_grad = loss.real_grad, &fake_grad = loss.fake_grad;
  StepResult result;
  result.loss = loss.loss;
  result.real_margin_accuracy = loss.good_past_margin;
  result.fake_margin_accuracy = loss.fake_past_margin;

  ColumnSums norm_bias(rows, width), norm_weight(rows, width), tail(rows, width), bias(rows, width);
  for_chunks(rows, [&](std::int64_t c, std::int64_t begin, std::int64_t end) {
    parameter_gradient_rows(r + begin * width, e + begin * width, end - begin, constants, &real_grad[begin],
                            &fake_grad[begin], norm_bias.chunk(c), norm_weight.chunk(c), tail.chunk(c));
  });
  std::vector<float> common = norm_bias.total(), spread = norm_weight.total();
  gradients.norm_bias = torch::tensor(common);
  gradients.norm_weight = torch::tensor(spread);
  gradients.tail_weight = torch::tensor(tail.total()).unsqueeze(0);
  for (std::size_t j = 0; j < columns; ++j) {
    common[j] = static_cast<float>(common[j] / count);
    spread[j] = static_cast<float>(spread[j] / count) * inverse_std[j];
  }
  auto* out_sum = static_cast<T*>(grad_sum.data_ptr());
  auto* out_fake = static_cast<T*>(grad_fake.data_ptr());
  for_chunks(rows, [&](std::int64_t c, std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * width;
    input_gradient_rows(r + at, e + at, end - begin, constants, &real_grad[begin], &fake_grad[begin],
                        common.data(), spread.data(), out_sum + at, out_fake + at, bias.chunk(c));
  });
  gradients.hidden_bias = torch::tensor(bias.total());
  return result;
}

std::vector<torch::Tensor> adapter_gradients(const HeadGradients& g) {
  return {g.adapter_weight, g.adapter_bias};
}
std::vector<torch::Tensor> discriminator_gradients(const HeadGradients& g) {
  return {g.hidden_weight, g.hidden_bias, g.norm_weight, g.norm_bias, g.tail_weight};
}
std::vector<torch::Tensor> adapter_parameters(const HeadWeights& h) {
  return {h.adapter_weight, h.adapter_bias};
}
std::vector<torch::Tensor> discriminator_parameters(const HeadWeights& h) {
  return {h.hidden_weight, h.hidden_bias, h.norm_weight, h.norm_bias, h.tail_weight};
}

const char* const kNames[] = {"projection.layers.0fc.weight",
                              "projection.layers.0fc.bias",
                              "discriminator.body.block1.0.weight",
                              "discriminator.body.block1.0.bias",
                              "discriminator.body.block1.1.weight",
                              "discriminator.body.block1.1.bias",
                              "discriminator.body.block1.1.running_mean",
                              "discriminator.body.block1.1.running_var",
                              "discriminator.tail.weight"};
const char* const kTracked = "discriminator.body.block1.1.num_batches_tracked";

std::vector<torch::Tensor*> fields(HeadWeights& h) {
  return {&h.adapter_weight, &h.adapter_bias,      &h.hidden_weight,    &h.hidden_bias, &h.norm_weight,
          &h.norm_bias,      &h.norm_running_mean, &h.norm_running_var, &h.tail_weight};
}

}  // namespace

HeadWeights HeadWeights::initial(int dimension, int hidden, std::uint64_t seed) {
  Rng rng(seed, "simplenet.init");
  HeadWeights h;
  auto xavier = [](double in, double out) { return std::sqrt(2.0 / (in + out)); };
  h.adapter_weight = normal_tensor({dimension, dimension}, xavier(dimension, dimension), rng);
  h.adapter_bias = uniform_tensor({dimension}, 1 / std::sqrt(dimension), rng);
  h.hidden_weight = normal_tensor({hidden, dimension}, xavier(dimension, hidden), rng);
  h.hidden_bias = uniform_tensor({hidden}, 1 / std::sqrt(dimension), rng);
  h.norm_weight = torch::ones({hidden});
  h.norm_bias = torch::zeros({hidden});
  h.norm_running_mean = torch::zeros({hidden});
  h.norm_running_var = torch::ones({hidden});
  h.tail_weight = normal_tensor({1, hidden}, xavier(hidden, 1), rng);
  return h;
}

HeadWeights HeadWeights::clone() const {
  HeadWeights out = *this;
  for (torch::Tensor* t : fields(out)) *t = t->clone();
  return out;
}

TensorDict HeadWeights::to_dict() const {
  TensorDict out;
  HeadWeights copy = *this;
  const auto tensors = fields(copy);
  for (std::size_t i = 0; i < tensors.size(); ++i) out[kNames[i]] = to_host(*tensors[i]);
  out[kTracked] = to_host(torch::tensor({batches_tracked}, torch::kLong));
  return out;
}

HeadWeights HeadWeights::from_dict(const TensorDict& tensors, const std::string& file) {
  HeadWeights h;
  const auto targets = fields(h);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const HostTensor& t = require_tensor(tensors, kNames[i], file);
    if (t.dtype != DType::kF32) fail(ErrorCode::kBadInput, "{}: tensor '{}' must be F32", file, kNames[i]);
    *targets[i] = to_tensor(t);
  }
  if (h.adapter_weight.dim() != 2 || h.hidden_weight.dim() != 2) {
    fail(ErrorCode::kBadInput, "{}: adapter and hidden weights must be matrices", file);
  }
  const std::int64_t d = h.dimension(), n = h.hidden();
  const std::vector<std::vector<std::int64_t>> shapes = {{d, d}, {d}, {n, d}, {n},   {n},
                                                         {n},    {n}, {n},    {1, n}};
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i]->sizes().vec() != shapes[i]) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}' has shape [{}], [{}] is needed", file, kNames[i],
           fmt::join(targets[i]->sizes().vec(), ", "), fmt::join(shapes[i], ", "));
    }
    if (targets[i]->numel() == 0) fail(ErrorCode::kBadInput, "{}: tensor '{}' is empty", file, kNames[i]);
    if (!at::isfinite(*targets[i]).all().item<bool>())
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite", file, kNames[i]);
  }
  if (h.norm_running_var.min().item<float>() < 0)
    fail(ErrorCode::kBadInput, "{}: the variance of the head is negative; train it again", file);
  const auto tracked = tensors.find(kTracked);
  if (tracked != tensors.end() && tracked->second.dtype == DType::kI64 && tracked->second.numel() == 1) {
    h.batches_tracked = to_tensor(tracked->second).item<std::int64_t>();
  }
  return h;
}

StepResult fast_gradients(HeadWeights& head, const torch::Tensor& z, const Fakes& fakes,
                          const LossOptions& loss, HeadGradients& gradients) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor& noise = fakes.offset;
  const auto type = z.scalar_type();
  GLINT_CHECK(noise.scalar_type() == type && z.is_contiguous() && noise.is_contiguous());
  const torch::Tensor adapter = head.adapter_weight.to(type), hidden = head.hidden_weight.to(type);
  const torch::Tensor q = at::linear(z, adapter, head.adapter_bias.to(type));
  const torch::Tensor real = at::linear(q, hidden, head.hidden_bias.to(type));
  const torch::Tensor noise_hidden = at::linear(noise, hidden);
  torch::Tensor grad_sum = torch::empty_like(real), grad_fake = torch::empty_like(real);
  StepResult result;
  if (type == torch::kBFloat16) {
    result = hidden_pass<Bf16>(head, real, noise_hidden, fakes.is_fake, loss, gradients, grad_sum, grad_fake);
  } else {
    result =
        hidden_pass<float>(head, real, noise_hidden, fakes.is_fake, loss, gradients, grad_sum, grad_fake);
  }
  auto product = [](const torch::Tensor& a, const torch::Tensor& b) {
    return at::mm(a.t(), b).to(torch::kFloat);
  };
  gradients.hidden_weight = product(grad_sum, q) + product(grad_fake, noise);
  const torch::Tensor grad_q = at::mm(grad_sum, hidden);
  gradients.adapter_weight = product(grad_q, z);
  gradients.adapter_bias = grad_q.sum(0, false, torch::kFloat);
  return result;
}

StepResult plain_gradients(HeadWeights& head, const torch::Tensor& z, const Fakes& fakes,
                           const LossOptions& options, HeadGradients& gradients) {
  std::vector<torch::Tensor> parameters = adapter_parameters(head);
  for (const torch::Tensor& p : discriminator_parameters(head)) parameters.push_back(p);
  for (torch::Tensor& p : parameters) p.requires_grad_(true);
  const torch::Tensor q = at::linear(z, head.adapter_weight, head.adapter_bias);
  const torch::Tensor both = torch::cat({q, q + fakes.offset});
  const torch::Tensor hidden = at::linear(both, head.hidden_weight, head.hidden_bias);
  const torch::Tensor normed =
      at::batch_norm(hidden, head.norm_weight, head.norm_bias, head.norm_running_mean, head.norm_running_var,
                     /*training=*/true, kHeadBatchNormMomentum, kHeadBatchNormEps, /*cudnn_enabled=*/false);
  ++head.batches_tracked;
  const torch::Tensor score = at::linear(at::leaky_relu(normed, kLeakySlope), head.tail_weight).squeeze(1);
  torch::Tensor bad = at::cat({torch::zeros({z.size(0)}), torch::ones({z.size(0)})});
  for (std::size_t i = 0; i < fakes.is_fake.size(); ++i)
    bad[z.size(0) + static_cast<std::int64_t>(i)] = fakes.is_fake[i] != 0 ? 1.0F : 0.0F;
  const auto mean_over = [](const torch::Tensor& values, const torch::Tensor& rows) {
    return (values * rows).sum() / rows.sum().clamp_min(1);
  };
  const double margin = options.margin;
  torch::Tensor loss =
      mean_over((margin - score).clamp_min(0), 1 - bad) + mean_over((margin + score).clamp_min(0), bad);
  if (options.kind == DiscriminatorLoss::kHingeFocal)
    loss = loss + focal_loss(-score, bad, options.focal_exponent);
  const auto grads = torch::autograd::grad({loss}, parameters);
  for (torch::Tensor& p : parameters) p.requires_grad_(false);
  const auto targets = {&gradients.adapter_weight, &gradients.adapter_bias, &gradients.hidden_weight,
                        &gradients.hidden_bias,    &gradients.norm_weight,  &gradients.norm_bias,
                        &gradients.tail_weight};
  std::size_t i = 0;
  for (torch::Tensor* target : targets) *target = grads[i++].contiguous();
  StepResult result;
  result.loss = loss.item<double>();
  result.real_margin_accuracy = mean_over(score.ge(margin), 1 - bad).item<double>();
  result.fake_margin_accuracy = mean_over(score.lt(-margin), bad).item<double>();
  return result;
}

HeadOptimizer::HeadOptimizer(const SimpleNetOptions& options, const HeadWeights& head)
    : options_(options),
      adapter_(AdamState::of(adapter_parameters(head))),
      discriminator_(AdamState::of(discriminator_parameters(head))) {}

void HeadOptimizer::step(HeadWeights& head, HeadGradients& gradients, StepResult& result, double rate) {
  const torch::NoGradGuard no_grad;
  result.adapter_grad_norm = clip_gradients(adapter_gradients(gradients), options_.clip_norm);
  result.discriminator_grad_norm = clip_gradients(discriminator_gradients(gradients), options_.clip_norm);
  adam_step(adapter_,
            {rate * options_.adapter_learning_rate, options_.adapter_weight_decay,
             options_.adapter_optimizer == AdapterOptimizer::kAdamW},
            adapter_parameters(head), adapter_gradients(gradients));
  adam_step(discriminator_,
            {rate * options_.discriminator_learning_rate, options_.discriminator_weight_decay, false},
            discriminator_parameters(head), discriminator_gradients(gradients));
}

void HeadOptimizer::save(TensorDict& tensors) const {
  adapter_.save(tensors, "adam.adapter.");
  discriminator_.save(tensors, "adam.discriminator.");
}

void HeadOptimizer::load(const TensorDict& tensors, const std::string& file) {
  adapter_.load(tensors, "adam.adapter.", file);
  discriminator_.load(tensors, "adam.discriminator.", file);
}

torch::Tensor adapt(const HeadWeights& head, const torch::Tensor& z) {
  return at::linear(z, head.adapter_weight, head.adapter_bias);
}

torch::Tensor discriminate(const HeadWeights& head, const torch::Tensor& q) {
  const torch::Tensor hidden = at::linear(q, head.hidden_weight, head.hidden_bias);
  const torch::Tensor normed =
      at::batch_norm(hidden, head.norm_weight, head.norm_bias, head.norm_running_mean, head.norm_running_var,
                     false, kHeadBatchNormMomentum, kHeadBatchNormEps, false);
  return at::linear(at::leaky_relu(normed, kLeakySlope), head.tail_weight).squeeze(1);
}

FoldedHead fold_head(const HeadWeights& head) {
  auto d = [](const torch::Tensor& t) { return t.to(torch::kDouble); };
  const torch::Tensor scale = d(head.norm_weight) / (d(head.norm_running_var) + kHeadBatchNormEps).sqrt();
  const torch::Tensor weight = scale.unsqueeze(1) * at::mm(d(head.hidden_weight), d(head.adapter_weight));
  const torch::Tensor bias = scale * (at::mv(d(head.hidden_weight), d(head.adapter_bias)) +
                                      d(head.hidden_bias) - d(head.norm_running_mean)) +
                             d(head.norm_bias);
  return {weight.to(torch::kFloat), bias.to(torch::kFloat), head.tail_weight.squeeze(0)};
}

}  // namespace glint
