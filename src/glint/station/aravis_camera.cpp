// GenICam cameras (GigE Vision, USB3 Vision) through Aravis, when the library was there at build time.

#include "glint/base/error.h"
#include "glint/station/source.h"

#ifdef GLINT_WITH_ARAVIS

#include <arv.h>

#include <cstring>

namespace glint {
namespace {

constexpr unsigned kBuffers = 4;
constexpr std::uint64_t kFrameTimeoutUs = 2'000'000;

/// Throws what Aravis reports.
void check(GError* error, const std::string& camera) {
  if (error == nullptr) return;
  const std::string message = error->message;
  g_clear_error(&error);
  fail(ErrorCode::kIo, "{}: {}", camera, message);
}

class AravisCamera : public Camera {
 public:
  explicit AravisCamera(const SourceSpec& spec) : id_(spec.address) {
    if (id_.find("Fake") != std::string::npos) arv_enable_interface("Fake");
  }
  ~AravisCamera() override { AravisCamera::close(); }

  void open() override {
    GError* error = nullptr;
    camera_ = arv_camera_new(id_.c_str(), &error);
    check(error, id_);
    if (camera_ == nullptr) fail(ErrorCode::kIo, "{}: no such camera", id_);
    arv_camera_set_pixel_format(camera_, ARV_PIXEL_FORMAT_MONO_8, &error);
    check(std::exchange(error, nullptr), id_);
    arv_camera_set_acquisition_mode(camera_, ARV_ACQUISITION_MODE_CONTINUOUS, &error);
    check(std::exchange(error, nullptr), id_);
    stream_ = arv_camera_create_stream(camera_, nullptr, nullptr, &error);
    check(std::exchange(error, nullptr), id_);
    const auto payload = arv_camera_get_payload(camera_, &error);
    check(std::exchange(error, nullptr), id_);
    for (unsigned i = 0; i < kBuffers; ++i) arv_stream_push_buffer(stream_, arv_buffer_new(payload, nullptr));
    arv_camera_start_acquisition(camera_, &error);
    check(error, id_);
  }

  std::optional<RgbImage> next() override {
    ArvBuffer* buffer = arv_stream_timeout_pop_buffer(stream_, kFrameTimeoutUs);
    if (buffer == nullptr) fail(ErrorCode::kIo, "{}: no frame for two seconds", id_);
    std::optional<RgbImage> out;
    if (arv_buffer_get_status(buffer) == ARV_BUFFER_STATUS_SUCCESS) out = grey_to_rgb(buffer);
    arv_stream_push_buffer(stream_, buffer);
    if (!out) fail(ErrorCode::kIo, "{}: an incomplete frame", id_);
    return out;
  }

  void close() override {
    if (camera_ != nullptr) arv_camera_stop_acquisition(camera_, nullptr);
    g_clear_object(&stream_);
    g_clear_object(&camera_);
  }

 private:
  static std::optional<RgbImage> grey_to_rgb(ArvBuffer* buffer) {
    std::size_t bytes = 0;
    const auto* data = static_cast<const std::uint8_t*>(arv_buffer_get_data(buffer, &bytes));
    RgbImage out(arv_buffer_get_image_width(buffer), arv_buffer_get_image_height(buffer));
    const std::size_t pixels = out.pixels.size() / 3;
    if (pixels == 0 || bytes < pixels) return std::nullopt;
    for (std::size_t i = 0; i < pixels; ++i) std::memset(&out.pixels[3 * i], data[i], 3);
    return out;
  }

  std::string id_;
  ArvCamera* camera_ = nullptr;
  ArvStream* stream_ = nullptr;
};

}  // namespace

std::unique_ptr<Camera> make_aravis_camera(const SourceSpec& spec) {
  return std::make_unique<AravisCamera>(spec);
}

}  // namespace glint

#else

namespace glint {

std::unique_ptr<Camera> make_aravis_camera(const SourceSpec& spec) {
  fail(ErrorCode::kConfig, "aravis:{}: this build has no Aravis; install libaravis-dev and build again",
       spec.address);
}

}  // namespace glint

#endif
