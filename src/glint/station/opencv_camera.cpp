// Video files, V4L2 devices and RTSP streams through OpenCV.

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/station/source.h"

namespace glint {
namespace {

constexpr const char* kRecording = "video";

class OpenCvCamera : public Camera {
 public:
  explicit OpenCvCamera(const SourceSpec& spec) : spec_(spec) {
    if (spec.kind == kRecording && !std::filesystem::is_regular_file(spec.address))
      fail(ErrorCode::kNotFound, "{}: no such video file", name_line(spec.address));
  }

  void open() override {
    constexpr int kTimeoutMs = 5000;
    bool opened = false;
    if (spec_.kind == "v4l2") {
      opened = capture_.open(spec_.address, cv::CAP_V4L2);
    } else if (is_recording()) {
      opened = capture_.open(spec_.address);
    } else {
      opened = capture_.open(
          spec_.address, cv::CAP_FFMPEG,
          {cv::CAP_PROP_OPEN_TIMEOUT_MSEC, kTimeoutMs, cv::CAP_PROP_READ_TIMEOUT_MSEC, kTimeoutMs});
    }
    if (!opened || !capture_.isOpened())
      fail(ErrorCode::kIo, "{}: cannot be opened", name_line(spec_.address));
    frames_ = 0;
  }

  std::optional<RgbImage> next() override {
    cv::Mat bgr;
    if (!capture_.read(bgr) || bgr.empty()) {
      if (is_recording() && frames_ > 0) return std::nullopt;
      fail(ErrorCode::kIo, "{}: gives no more frames", name_line(spec_.address));
    }
    ++frames_;
    if (bgr.type() == CV_8UC1) cv::cvtColor(bgr, bgr, cv::COLOR_GRAY2BGR);
    if (bgr.type() != CV_8UC3) fail(ErrorCode::kIo, "{}: not an 8-bit picture", name_line(spec_.address));
    RgbImage out(bgr.cols, bgr.rows);
    cv::Mat rgb(out.height, out.width, CV_8UC3, out.pixels.data());
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    return out;
  }

  void close() override { capture_.release(); }
  bool is_recording() const override { return spec_.kind == kRecording; }

 private:
  SourceSpec spec_;
  cv::VideoCapture capture_;
  std::int64_t frames_ = 0;
};

}  // namespace

std::unique_ptr<Camera> make_opencv_camera(const SourceSpec& spec) {
  return std::make_unique<OpenCvCamera>(spec);
}

}  // namespace glint
