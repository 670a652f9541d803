// 13x7 photographs and exports of annotation tools that label them. Codes made by label-studio-converter
// 0.0.59 (brush.encode_rle) and pycocotools 2.0.
#pragma once

#include <nlohmann/json.hpp>

#include "data/small_set.h"
#include "glint/labels/label_import.h"

namespace glint {

using nlohmann::json;

inline constexpr int kWidth = 13, kHeight = 7;
inline constexpr const char* kBlock =
    "#............"
    ".....#......."
    "...######...."
    "...######...."
    "...#####....."
    "............."
    "............#";
inline constexpr const char* kNoise =
    ".##..#.##.#.."
    "#...#####.#.#"
    ".#...#...####"
    "#..#.##......"
    "#...#.....#.."
    ".#.#.#.###..."
    ".....#.....#.";
inline const std::vector<std::uint8_t> kBlockBrush = {
    0,   0,   1,   108, 57,  27,  248, 31,  240, 128, 1,   255, 144, 192, 0,   255, 132, 0,   15,  252,
    78,  0,   7,   252, 32,  16,  255, 194, 1,   15,  252, 32,  16,  255, 194, 1,   15,  252, 32,  16,
    255, 194, 0,   7,   254, 27,  0,   3,   254, 16,  8,   127, 225, 0,   135, 254, 16,  8,   127, 225,
    0,   135, 254, 16,  8,   127, 225, 0,   3,   255, 13,  128, 1,   255, 8,   4,   63,  240, 128, 67,
    255, 8,   4,   63,  240, 128, 67,  255, 8,   0,   31,  249, 220, 0,   15,  248, 64,  0,   255, 0};
inline const std::vector<std::uint8_t> kNoiseBrush = {
    0,  0, 1,   108, 57, 27, 248, 0,  0, 5,   196, 0, 0, 16,  0,  0, 127, 128, 0, 1, 152,
    0,  0, 127, 128, 0,  2,  132, 64, 0, 16,  68,  0, 5, 176, 0,  0, 127, 128, 0, 4, 4,
    64, 0, 19,  0,   0,  7,  248, 0,  0, 9,   128, 0, 7, 248, 0,  0, 87,  68,  0, 1, 80,
    0,  0, 127, 128, 0,  3,  156, 64, 0, 92,  68,  0, 5, 224, 0,  0, 127, 128, 0, 7, 68,
    64, 0, 38,  196, 0,  0,  244, 64, 0, 12,  0,   0, 7, 248, 0,  0, 62,  128, 0, 7, 248,
    0,  0, 1,   0,   0,  7,  248, 0,  0, 1,   128, 0, 7, 248, 0,  0, 47,  0,   0, 7, 248,
    0,  0, 113, 68,  0,  3,  88,  0,  0, 127, 128, 0, 0, 108, 64, 0, 56,  0,   0, 7, 248,
    0,  0, 20,  68,  0,  2,  64,  0,  0, 127, 128, 0, 0, 156, 64, 0, 47,  196, 0, 2, 68,
    64, 0, 77,  0,   0,  7,  248, 0,  0, 97,  68,  0, 7, 196, 64, 0, 90,  68,  0, 2, 24,
    0,  0, 127, 128, 0,  7,  96,  0,  0, 127, 128, 0, 1, 232, 0,  0, 127, 128, 0, 0, 112,
    0,  0, 127, 128, 0,  3,  0,   0,  0, 127, 128, 0, 0, 36,  64, 0, 97,  196, 0, 7, 104,
    0,  0, 127, 128, 0,  4,  92,  64, 0, 126, 0,   0, 7, 248, 0,  0, 43,  0,   0, 7, 248,
    0,  0, 102, 196, 0,  3,  204, 64, 0, 54,  196, 0, 2, 92,  64, 0, 92,  68,  0, 0, 132,
    64, 0, 76,  0,   0,  7,  248, 0,  0, 78,  196, 0, 4, 172, 64, 0, 55,  68,  0, 0, 200,
    0,  0, 127, 128, 0,  6,  132, 64, 0, 94,  68,  0, 3, 204, 64, 0, 59,  68,  0, 3, 172,
    64, 0, 94,  128, 0,  7,  248, 0,  0, 41,  196, 0, 5, 12,  64, 0, 52,  68,  0, 5, 0,
    0,  0, 127, 128, 0,  7,  36,  64, 0, 125, 128, 0, 7, 248, 0,  0, 125, 196, 0, 3, 200,
    0,  0, 127, 128, 0,  2,  52,  64, 0, 106, 128, 0, 7, 248, 0,  0, 15,  128, 0, 7, 248,
    0,  0, 6,   128, 0,  7,  248, 0,  0, 35,  196, 0, 5, 196, 64, 0, 76,  68,  0, 2, 124,
    64, 0, 20,  196, 0,  0,  148, 64, 0, 20,  68,  0, 5, 180, 64, 0, 103, 128, 0, 7, 248,
    0,  0, 5,   196, 0,  5,  52,  64, 0, 55,  196, 0, 2, 236, 64, 0, 124, 196, 0, 4, 8,
    0,  0, 127, 128, 0,  6,  252, 32, 0};
inline constexpr const char* kBlockCoco = "01f02^O0O11O000Oj0O";
/// kBlock as Label Studio's bitmask: opaque black on a transparent ground.
inline constexpr const char* kBlockPng =
    "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAHCAQAAAB5eQ+RAAAAGElEQVR42mNg+M9ABPiPSxgByZGiDPwHALplE+03OL"
    "WpAAAAAElFTkSuQmCC";
inline constexpr const char* kNoiseCoco = "11111OO010O080H0100003ON0O00210ON12O00O0O20N30O0N13";

inline std::string drawing(const Mask& mask) {
  std::string out;
  for (const std::uint8_t v : mask.pixels) out += v != 0 ? '#' : '.';
  return out;
}

/// 13x7 photographs, and exports that label them.
class LabelImport : public ::testing::Test {
 protected:
  LabelImport() {
    for (int i = 0; i < 6; ++i)
      write_file(images() / fmt::format("p{}.png", i), encode_png(picture(i, kWidth, kHeight)));
  }
  std::filesystem::path images() const { return folder_.path() / "photographs"; }
  std::filesystem::path out() const { return folder_.path() / "set"; }
  std::filesystem::path folder_path() const { return folder_.path(); }

  static json region(const std::string& type, const std::string& label, json value) {
    value[type] = json::array({label});
    return {{"type", type}, {"original_width", kWidth}, {"original_height", kHeight}, {"value", value}};
  }
  static json brush(const std::string& label, const std::vector<std::uint8_t>& code) {
    return region("brushlabels", label, {{"format", "rle"}, {"rle", code}});
  }
  static json task(const std::string& image, const json& regions) {
    const json annotation = {{"was_cancelled", false}, {"result", regions}};
    return {{"data", {{"image", image}}}, {"annotations", json::array({annotation})}};
  }
  static json studio() {
    json polygon = region("polygonlabels", "dent", {{"points", {{10, 10}, {60, 10}, {60, 80}}}});
    json rectangle = region("rectanglelabels", "dent", {{"x", 0}, {"y", 0}, {"width", 30}, {"height", 30}});
    json ellipse = region("ellipselabels", "stain", {{"x", 50}, {"y", 50}, {"radiusX", 20}, {"radiusY", 30}});
    return json::array({task("/data/upload/3/0123abcd-p0.png", json::array()),
                        task("/data/local-files/?d=p1.png", json::array()),
                        task("http://host/p2.png", json::array({brush("scratch", kBlockBrush)})),
                        task("p3.png", json::array({polygon, rectangle})),
                        task("p4.png", json::array({brush("scratch", kBlockBrush), ellipse})),
                        task("p5.png", json::array())});
  }
  ImportSummary import(const json& export_json, const ImportOptions& options = {}) {
    return import_labels(parse_label_studio(export_json.dump(), "export.json"), images(), options, out(),
                         silent_progress());
  }
  std::string refusal(const json& export_json, const ImportOptions& options = {}) {
    try {
      import(export_json, options);
    } catch (const Error& e) {
      EXPECT_FALSE(std::filesystem::exists(out()));
      return e.what();
    }
    return "";
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace glint
