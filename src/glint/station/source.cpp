#include "glint/station/source.h"

#include <regex>

#include "glint/base/error.h"
#include "glint/base/names.h"

namespace glint {

SourceSpec parse_source(const std::string& text) {
  static const std::regex kForm("(?:([A-Za-z0-9_.-]{1,40})=)?(folder|video|v4l2|aravis|rtsps?):([^]+)");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm)) {
    fail(
        ErrorCode::kConfig,
        "--source {}: give folder:PATH, video:FILE, v4l2:/dev/video0, rtsp://ADDRESS or aravis:NAME, with an "
        "optional NAME= before it",
        name_line(text));
  }
  const std::string kind = parts[2];
  const bool stream = kind.starts_with("rtsp");
  const std::string address = stream ? kind + ":" + parts[3].str() : parts[3].str();
  return {parts[1].matched ? parts[1].str() : kind, kind, address};
}

std::unique_ptr<Source> make_source(const SourceSpec& spec, const SourceOptions& options, Line& line,
                                    const JournalReader& journal, SourceListener listener) {
  if (spec.kind == "folder") return make_folder_source(spec, options, line, journal, std::move(listener));
  auto camera = spec.kind == "aravis" ? make_aravis_camera(spec) : make_opencv_camera(spec);
  return make_camera_source(spec, options, line, std::move(camera), std::move(listener));
}

}  // namespace glint
