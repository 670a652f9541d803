#include "glint/nn/tensors.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/version.h>

#include <chrono>
#include <cstring>

#include "glint/base/error.h"
#include "glint/base/parallel.h"

namespace glint {
namespace {

torch::ScalarType scalar_type(DType dtype) {
  static constexpr torch::ScalarType kTypes[] = {
      torch::kDouble, torch::kFloat, torch::kHalf, torch::kBFloat16, torch::kLong,
      torch::kInt,    torch::kShort, torch::kChar, torch::kByte,     torch::kBool};
  return kTypes[static_cast<int>(dtype)];
}

DType host_dtype(torch::ScalarType type) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    if (scalar_type(static_cast<DType>(i)) == type) return static_cast<DType>(i);
  }
  GLINT_CHECK(false);
  return DType::kF32;
}

}  // namespace

bool cpu_has_bfloat16() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

Precision resolve_precision(Precision wish, DeviceChoice device) {
  const torch::Device where = resolve_device(device);
  if (wish != Precision::kAuto) return wish;
  return where.is_cpu() && cpu_has_bfloat16() ? Precision::kBFloat16 : Precision::kFloat32;
}

torch::Device resolve_device(DeviceChoice choice) {
  const bool cuda = torch::cuda::is_available();
  if (choice == DeviceChoice::kCuda && !cuda) {
    fail(ErrorCode::kConfig, "device 'cuda' is not available to this libtorch; use --device cpu or auto");
  }
  return choice == DeviceChoice::kCpu || !cuda ? torch::Device(torch::kCPU) : torch::Device(torch::kCUDA);
}

void check_device(DeviceChoice choice) {
  resolve_device(choice);
}

std::string engine_version() {
  return TORCH_VERSION;
}

void prepare_runtime() {
  at::set_num_threads(available_threads());
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setFlushDenormal(true);
}

std::string blas_warning() {
  const torch::NoGradGuard no_grad;
  constexpr int kSize = 256;
  const torch::Tensor a = torch::ones({kSize, kSize});
  double seconds = 1e9;
  for (int i = 0; i < 4; ++i) {  // the best of a few: the first starts threads
    const auto start = std::chrono::steady_clock::now();
    torch::mm(a, a);
    seconds =
        std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double gflops = 2.0 * kSize * kSize * kSize / seconds / 1e9;
  if (gflops > 4) return "";
  return fmt::format(
      "libtorch multiplies matrices at {:.1f} GFLOPS here: install libopenblas0-openmp, unless the "
      "machine is busy with other work",
      gflops);
}

torch::Tensor to_tensor(const HostTensor& tensor) {
  torch::Tensor out = torch::empty(tensor.shape, torch::TensorOptions().dtype(scalar_type(tensor.dtype)));
  GLINT_CHECK(out.nbytes() == tensor.data.size());
  if (!tensor.data.empty()) std::memcpy(out.data_ptr(), tensor.data.data(), tensor.data.size());
  return out;
}

HostTensor to_host(const torch::Tensor& tensor) {
  const torch::Tensor t = tensor.detach().to(torch::kCPU).contiguous();
  HostTensor out{host_dtype(t.scalar_type()), t.sizes().vec(), Bytes(t.nbytes())};
  if (!out.data.empty()) std::memcpy(out.data.data(), t.data_ptr(), out.data.size());
  return out;
}

HostTensor to_host_half(const torch::Tensor& tensor) {
  return to_host(tensor.detach().to(torch::kHalf));
}

HostBuffer share_buffer(const torch::Tensor& tensor) {
  const auto owner = std::make_shared<const torch::Tensor>(tensor.detach().to(torch::kCPU));
  return {owner, owner->data_ptr(), host_dtype(owner->scalar_type()), owner->sizes().vec(),
          owner->strides().vec()};
}

torch::Tensor share_tensor(const HostBuffer& buffer) {
  // libtorch has no read-only tensors; nobody writes into features.
  return at::from_blob(
      const_cast<void*>(buffer.data), buffer.shape, buffer.strides, [owner = buffer.owner](void*) {},
      torch::TensorOptions().dtype(scalar_type(buffer.dtype)));
}

torch::Tensor images_to_tensor(const std::vector<RgbImage>& images, const std::array<double, 3>& mean,
                               const std::array<double, 3>& std) {
  GLINT_CHECK(!images.empty());
  const int w = images[0].width, h = images[0].height;
  torch::Tensor out = torch::empty({static_cast<std::int64_t>(images.size()), 3, h, w});
  auto* data = out.data_ptr<float>();
  const std::size_t plane = static_cast<std::size_t>(w) * h;
  for (std::size_t b = 0; b < images.size(); ++b) {
    GLINT_CHECK(images[b].width == w && images[b].height == h);
    for (std::size_t c = 0; c < 3; ++c) {
      float* target = data + (3 * b + c) * plane;
      const auto scale = static_cast<float>(1 / (255 * std[c])), shift = static_cast<float>(mean[c] / std[c]);
      const std::uint8_t* source = images[b].pixels.data() + c;
      for (std::size_t i = 0; i < plane; ++i) target[i] = static_cast<float>(source[3 * i]) * scale - shift;
    }
  }
  return out;
}

}  // namespace glint
