// Where triggers come from besides HTTP: a watched folder, a video file, a camera. Each source has a thread
// of its own that captures; it never waits for the model unless waiting loses nothing.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glint/station/line.h"

namespace glint {

enum class SourceState { kStarting, kRunning, kGone, kFinished };
template <>
struct EnumNames<SourceState> {
  static constexpr std::pair<SourceState, std::string_view> table[] = {{SourceState::kStarting, "starting"},
                                                                       {SourceState::kRunning, "running"},
                                                                       {SourceState::kGone, "gone"},
                                                                       {SourceState::kFinished, "finished"}};
};

struct SourceStatus {
  std::string name, kind;
  SourceState state = SourceState::kStarting;
  std::string message;  ///< why it is gone, and when it is tried again
  std::string notice;   ///< what lies in a folder and is not inspected, by name
  std::int64_t frames = 0, triggers = 0;
  std::int64_t last_frame_us = 0;
  std::int64_t listener_failures = 0;
  bool camera = false;  ///< takes triggers by request
};

/// When a camera's newest frame becomes a trigger.
enum class CameraTrigger { kTimed, kRequest };
template <>
struct EnumNames<CameraTrigger> {
  static constexpr std::pair<CameraTrigger, std::string_view> table[] = {
      {CameraTrigger::kTimed, "timed"}, {CameraTrigger::kRequest, "request"}};
};

/// How often a folder's file is inspected again that got NO DECISION because of time or load, and how long it
/// waits before that. A file whose record the journal did not take is tried until it is recorded.
inline constexpr int kFolderTries = 3;

struct SourceOptions {
  CameraTrigger trigger = CameraTrigger::kTimed;
  std::chrono::milliseconds interval{1000};   ///< between timed triggers
  std::chrono::milliseconds settle{500};      ///< a file is complete when it did not change for so long
  std::chrono::milliseconds try_again{2000};  ///< pause before a folder's file is inspected again; doubles
  std::chrono::milliseconds first_retry{500}, longest_retry{30000};  ///< of a camera that is gone; doubles
};

/// Thread-safe status; runs from construction to destruction.
class Source {
 public:
  virtual ~Source() = default;
  virtual SourceStatus status() const = 0;
  /// Asks a camera for one trigger. Null ticket: this source takes none.
  virtual std::shared_ptr<Ticket> request(const std::string& part_id) = 0;
};

/// Told of every change of state and notice. What it throws is counted.
using SourceListener = std::function<void(const SourceStatus&)>;

/// A camera as the station sees it: opened, asked for frames, closed, opened again.
class Camera {
 public:
  virtual ~Camera() = default;
  /// Error when it cannot be opened.
  virtual void open() = 0;
  /// The next frame; empty at the end of a file. Error when the camera is gone. Blocks for a frame time, at
  /// most a few seconds.
  virtual std::optional<RgbImage> next() = 0;
  virtual void close() = 0;
  /// A recording: every frame is a trigger, and waiting loses nothing.
  virtual bool is_recording() const { return false; }
};

/// "folder:PATH", "video:FILE", "v4l2:/dev/video0", "rtsp://...", "aravis:NAME", each with an optional
/// "NAME=" before it. Error(kConfig) for anything else.
struct SourceSpec {
  std::string name, kind, address;
};
SourceSpec parse_source(const std::string& text);

/// Makes and starts the source.
std::unique_ptr<Source> make_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                    const JournalReader& journal, SourceListener listener);

std::unique_ptr<Source> make_folder_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                           const JournalReader& journal, SourceListener listener);
std::unique_ptr<Source> make_camera_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                           std::unique_ptr<Camera> camera, SourceListener listener);

/// A video file, a V4L2 device or an RTSP stream through OpenCV.
std::unique_ptr<Camera> make_opencv_camera(const SourceSpec& spec);
/// A GenICam camera through Aravis, by its device id; "Fake" in the id enables Aravis's fake camera.
/// Error(kConfig) when this build has no Aravis.
std::unique_ptr<Camera> make_aravis_camera(const SourceSpec& spec);

}  // namespace glint
