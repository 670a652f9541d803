// Codes made by label-studio-converter 0.0.59 (brush.encode_rle) and pycocotools 2.0.
#include "glint/data/label_import.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "glint/image/regions.h"
#include "small_set.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr int kWidth = 13, kHeight = 7;
constexpr const char* kBlock =
    "#............"
    ".....#......."
    "...######...."
    "...######...."
    "...#####....."
    "............."
    "............#";
constexpr const char* kNoise =
    ".##..#.##.#.."
    "#...#####.#.#"
    ".#...#...####"
    "#..#.##......"
    "#...#.....#.."
    ".#.#.#.###..."
    ".....#.....#.";
const std::vector<std::uint8_t> kBlockBrush = {
    0,   0,   1,   108, 57,  27,  248, 31,  240, 128, 1,   255, 144, 192, 0,   255, 132, 0,   15,  252,
    78,  0,   7,   252, 32,  16,  255, 194, 1,   15,  252, 32,  16,  255, 194, 1,   15,  252, 32,  16,
    255, 194, 0,   7,   254, 27,  0,   3,   254, 16,  8,   127, 225, 0,   135, 254, 16,  8,   127, 225,
    0,   135, 254, 16,  8,   127, 225, 0,   3,   255, 13,  128, 1,   255, 8,   4,   63,  240, 128, 67,
    255, 8,   4,   63,  240, 128, 67,  255, 8,   0,   31,  249, 220, 0,   15,  248, 64,  0,   255, 0};
const std::vector<std::uint8_t> kNoiseBrush = {
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
constexpr const char* kBlockCoco = "01f02^O0O11O000Oj0O";
/// kBlock as Label Studio's bitmask: opaque black on a transparent ground.
constexpr const char* kBlockPng =
    "iVBORw0KGgoAAAANSUhEUgAAAA0AAAAHCAQAAAB5eQ+RAAAAGElEQVR42mNg+M9ABPiPSxgByZGiDPwHALplE+03OL"
    "WpAAAAAElFTkSuQmCC";
constexpr const char* kNoiseCoco = "11111OO010O080H0100003ON0O00210ON12O00O0O20N30O0N13";

std::string drawing(const Mask& mask) {
  std::string out;
  for (const std::uint8_t v : mask.pixels) out += v != 0 ? '#' : '.';
  return out;
}

TEST(DecodeBrush, EqualsTheToolsOwnDecoder) {
  EXPECT_EQ(drawing(rasterise(decode_brush(kBlockBrush, kWidth, kHeight), kWidth, kHeight)), kBlock);
  EXPECT_EQ(drawing(rasterise(decode_brush(kNoiseBrush, kWidth, kHeight), kWidth, kHeight)), kNoise);
}

TEST(DecodeBrush, RefusesCutOffAndOtherSizes) {
  EXPECT_THROW(decode_brush(kBlockBrush, kWidth, kHeight + 1), Error);
  EXPECT_THROW(decode_brush({}, kWidth, kHeight), Error);
  for (std::size_t n = 0; n + 2 < kBlockBrush.size(); ++n)
    EXPECT_THROW(decode_brush({kBlockBrush.begin(), kBlockBrush.begin() + static_cast<std::ptrdiff_t>(n)},
                              kWidth, kHeight),
                 Error);
}

TEST(DecodeCoco, EqualsPycocotools) {
  for (const auto& [code, picture_of] : {std::pair(kBlockCoco, kBlock), std::pair(kNoiseCoco, kNoise)}) {
    const RunShape shape{kWidth, kHeight, true, decode_coco_runs(code)};
    EXPECT_EQ(drawing(rasterise(shape, kWidth, kHeight)), picture_of);
  }
  EXPECT_THROW(decode_coco_runs("01f0\x7f"), Error);
  EXPECT_THROW(decode_coco_runs("Z"), Error);
}

TEST(Rasterise, PolygonCoversWhatItEncloses) {
  const PolygonShape square{{{{2, 1}, {6, 1}, {6, 4}, {2, 4}}}};
  const Mask mask = rasterise(square, 10, 8);
  EXPECT_EQ(mask.pixels[2 * 10 + 3], 1);
  EXPECT_EQ(mask.pixels[0], 0);
  EXPECT_NEAR(static_cast<double>(std::count(mask.pixels.begin(), mask.pixels.end(), 1)), 4 * 3, 9);
  const EllipseShape circle{{50, 50}, 20, 20, 0};
  const Mask disc = rasterise(circle, 100, 100);
  EXPECT_NEAR(static_cast<double>(std::count(disc.pixels.begin(), disc.pixels.end(), 1)), 3.1416 * 400, 90);
}

TEST(AddRegion, LeavesAGap) {
  Mask a(20, 20), b(20, 20), out(20, 20);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 20; ++x) (x < 10 ? a : b).pixels[20 * y + x] = 1;
  }
  add_region(out, a);
  add_region(out, b);
  EXPECT_EQ(label_regions(out).count, 2);
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

TEST_F(LabelImport, LabelStudioBecomesMvtec) {
  const ImportSummary summary = import(studio());
  EXPECT_EQ(summary.train_good + summary.test_good, 3);
  EXPECT_EQ(summary.test_good, 1);
  EXPECT_EQ(summary.anomalous, (std::map<std::string, int>{{"scratch", 1}, {"dent", 1}, {"combined", 1}}));
  EXPECT_EQ(summary.regions, 5);
  ASSERT_EQ(summary.notices.size(), 1U);
  EXPECT_NE(summary.notices[0].find("3 images count as good"), std::string::npos);
  EXPECT_EQ(drawing(read_mask(out() / "ground_truth/scratch/p2_mask.png")), kBlock);
  EXPECT_TRUE(std::filesystem::exists(out() / "test/combined/p4.png"));
  DatasetOptions options{DatasetUse::kEvaluate};
  EXPECT_EQ(scan_dataset(out(), options, silent_progress()).test.size(), 4U);
}

TEST_F(LabelImport, EverythingWrongIsListedAndNothingIsWritten) {
  json bad = studio();
  bad.push_back(task("nowhere.png", json::array()));
  bad.push_back(task("p0.png", json::array()));
  bad.push_back({{"image", "p1.png"}});
  bad[2]["annotations"][0]["result"][0]["original_width"] = kWidth + 1;
  bad[3]["annotations"][0]["was_cancelled"] = true;
  const std::string text = refusal(bad, {.classes = {"scratch", "stain"}});
  for (const char* part : {"nowhere.png", "the same image as", "JSON-MIN", "task[2]", "not annotated"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_NE(refusal(studio(), {.classes = {"scratch", "stain", "dents"}}).find("did you mean 'dents'"),
            std::string::npos);
  json slash = studio();
  slash[2]["annotations"][0]["result"][0]["value"]["brushlabels"] = json::array({"../x"});
  EXPECT_NE(refusal(slash).find("cannot name"), std::string::npos);
  EXPECT_THROW(parse_label_studio("{}", "f"), Error);
  EXPECT_THROW(parse_label_studio("[", "f"), Error);
}

TEST_F(LabelImport, TheExistingFolderStays) {
  write_text(out() / "precious.txt", "x");
  EXPECT_THROW(import(studio()), Error);
  EXPECT_TRUE(std::filesystem::exists(out() / "precious.txt"));
}

TEST_F(LabelImport, CocoBecomesMvtec) {
  auto coco_image = [](int id) {
    return json{
        {"id", id}, {"file_name", fmt::format("p{}.png", id)}, {"width", kWidth}, {"height", kHeight}};
  };
  auto annotation = [](int image, int category, const json& segmentation) {
    return json{{"image_id", image}, {"category_id", category}, {"segmentation", segmentation}};
  };
  json coco = {{"categories", {{{"id", 1}, {"name", "scratch"}}, {{"id", 2}, {"name", "dent"}}}},
               {"images", {coco_image(0), coco_image(1), coco_image(2), coco_image(3)}},
               {"annotations",
                {annotation(1, 1, {{"counts", kBlockCoco}, {"size", {kHeight, kWidth}}}),
                 annotation(2, 2, {{"counts", {10, 5, kWidth * kHeight - 15}}, {"size", {kHeight, kWidth}}}),
                 annotation(2, 2, json::array({{1, 1, 3, 1, 3, 3}, {8, 1, 10, 1, 10, 3}}))}}};
  const ImportSummary summary =
      import_labels(parse_coco(coco.dump(), "coco.json"), images(), {}, out(), silent_progress());
  EXPECT_EQ(summary.train_good + summary.test_good, 2);
  EXPECT_EQ(drawing(read_mask(out() / "ground_truth/scratch/p1_mask.png")), kBlock);
  EXPECT_EQ(summary.anomalous.at("dent"), 1);

  coco["annotations"].push_back(annotation(9, 1, json::array({{1, 1, 3, 1, 3, 3}})));
  coco["annotations"].push_back(annotation(1, 9, json::array({{1, 1, 3, 1, 3, 3}})));
  coco["annotations"].push_back(annotation(1, 1, json::array()));
  coco["annotations"].push_back(annotation(1, 1, {{"counts", {1, 2}}, {"size", {kHeight, kWidth}}}));
  coco["annotations"].push_back(annotation(1, 1, {{"counts", {1, 2}}, {"size", {kWidth, kHeight}}}));
  EXPECT_EQ(parse_coco(coco.dump(), "coco.json").problems.size(), 5U);
}

TEST_F(LabelImport, FoldersBecomeClasses) {
  std::filesystem::create_directories(images() / "bad" / "dent");
  write_file(images() / "bad" / "x.png", encode_png(picture(50, kWidth, kHeight)));
  write_file(images() / "bad" / "dent" / "y.png", encode_png(picture(51, kWidth, kHeight)));
  const ImportSummary summary = import_folders(images(), images() / "bad",
                                               {.test_good_share = 0.5, .seed = 3}, out(), silent_progress());
  EXPECT_EQ(summary.train_good, 3);
  EXPECT_EQ(summary.test_good, 3);
  EXPECT_EQ(summary.anomalous, (std::map<std::string, int>{{"bad", 1}, {"dent", 1}}));
}

/// One task on p0.png beside an annotated empty one.
class StudioResults : public LabelImport {
 protected:
  using Results = std::vector<json>;  // a json made from one object in braces would be that object
  static json result(const std::string& type, json value, const std::string& id = "r") {
    return {{"id", id},
            {"type", type},
            {"to_name", "image"},
            {"original_width", kWidth},
            {"original_height", kHeight},
            {"image_rotation", 0},
            {"value", std::move(value)}};
  }
  static json box() { return {{"x", 0}, {"y", 0}, {"width", 50}, {"height", 50}, {"rotation", 0}}; }
  static json tasks(const Results& results) {
    return json::array({task("p0.png", results), task("p1.png", json::array())});
  }
  /// Refused with all of `parts` in the message, and with the image's name.
  void refused(const Results& results, const std::vector<std::string>& parts,
               const ImportOptions& options = {}) {
    std::filesystem::remove_all(out());
    const std::string text = refusal(tasks(results), options);
    EXPECT_NE(text.find("p0.png"), std::string::npos) << text;
    for (const std::string& part : parts)
      EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  /// Filed under `label`; the mask of p0, empty without one.
  Mask filed(const Results& results, const std::string& label, const ImportOptions& options = {}) {
    std::filesystem::remove_all(out());
    const ImportSummary summary = import(tasks(results), options);
    EXPECT_EQ(summary.train_good + summary.test_good, label == "good" ? 2 : 1);
    if (label == "good") return {};
    EXPECT_EQ(summary.anomalous.count(label), 1U) << label;
    EXPECT_TRUE(std::filesystem::exists(out() / "test" / label / "p0.png"));
    const std::filesystem::path mask = out() / "ground_truth" / label / "p0_mask.png";
    return std::filesystem::exists(mask) ? read_mask(mask) : Mask();
  }
};

TEST_F(StudioResults, AShapeAndItsLabelMayBeTwoResults) {
  json labels = box();
  labels["labels"] = {"dent"};
  for (const Results& results : {Results{result("rectangle", box()), result("labels", labels)},
                                 Results{result("labels", labels), result("rectangle", box())}}) {
    const Mask mask = filed(results, "dent");
    ASSERT_FALSE(mask.pixels.empty());
    EXPECT_EQ(mask.pixels[0], 1);
    EXPECT_EQ(mask.pixels.back(), 0);
  }
  const json points = {{"points", {{10, 10}, {60, 10}, {60, 80}}}, {"closed", true}};
  EXPECT_FALSE(filed({result("polygon", points), result("labels", labels)}, "dent").pixels.empty());
  const json round = {{"x", 50}, {"y", 50}, {"radiusX", 20}, {"radiusY", 30}};
  EXPECT_FALSE(filed({result("ellipse", round), result("labels", labels)}, "dent").pixels.empty());
  for (const char* type : {"brush", "magicwand"}) {
    EXPECT_EQ(
        drawing(filed({result(type, {{"format", "rle"}, {"rle", kBlockBrush}}), result("labels", labels)},
                      "dent")),
        kBlock);
  }
  // The label may be a choice for the region; a remark on the region changes nothing.
  EXPECT_FALSE(filed({result("rectangle", box()), result("choices", {{"choices", {"dent"}}}),
                      result("textarea", {{"text", {"deep"}}})},
                     "dent")
                   .pixels.empty());
  refused({result("rectangle", box())}, {"rectangle", "without a label"});
  refused({result("labels", labels)}, {"labels"});
  refused({result("rectangle", box(), "a"), result("labels", labels, "b")}, {"without a label"});
  labels["labels"] = {"dent", "scratch"};
  refused({result("rectangle", box()), result("labels", labels)}, {"several labels"});
}

TEST_F(StudioResults, BitmasksAreWhatIsOpaque) {
  // 13x7, grey and alpha; opaque where kBlock has its marks
  const json value = {{"imageDataURL", std::string("data:image/png;base64,") + kBlockPng},
                      {"bitmasklabels", {"stain"}}};
  EXPECT_EQ(drawing(filed({result("bitmasklabels", value)}, "stain")), kBlock);
  json plain = value, other = value, damaged = value;
  plain["imageDataURL"] = "data:image/png;base64," + base64(encode_png(picture(1, kWidth, kHeight)));
  refused({result("bitmasklabels", plain)}, {"bitmasklabels", "transparent"});
  other["imageDataURL"] = "data:image/png;base64," + base64(encode_png(picture(1, kWidth, kHeight + 1)));
  refused({result("bitmasklabels", other)}, {"13x8"});
  damaged["imageDataURL"] = "data:image/png;base64,iVBORw0KGgo=";
  refused({result("bitmasklabels", damaged)}, {"bitmasklabels"});
  damaged["imageDataURL"] = "http://host/mask.png";
  refused({result("bitmasklabels", damaged)}, {"imageDataURL"});
}

TEST_F(StudioResults, WhatHasNoAreaIsNeverGood) {
  const json point = {{"x", 10}, {"y", 10}, {"width", 1}, {"keypointlabels", {"dent"}}};
  refused({result("keypointlabels", point)}, {"keypointlabels", "--ignore"});
  json rectangle = box();
  rectangle["rectanglelabels"] = {"dent"};
  refused({result("rectanglelabels", rectangle, "a"), result("keypointlabels", point, "b")},
          {"keypointlabels"});
  for (const char* type : {"vectorlabels", "vector", "keypoint", "videorectangle", "cuboid", "something new"})
    refused({result(type, {{"x", 1}})}, {type});
  for (const char* type : {"textarea", "rating", "taxonomy", "number", "datetime"})
    refused({result(type, {{"text", {"x"}}})}, {type, "--ignore"});
  filed({result("textarea", {{"text", {"part 7"}}})}, "good", {.ignored = {"textarea"}});
  filed({result("rectanglelabels", rectangle, "a"), result("keypointlabels", point, "b")}, "dent",
        {.ignored = {"keypointlabels"}});
  filed({result("rectanglelabels", rectangle, "a"),
         result("textarea", {{"text", {"part 7"}}}, "b"),
         {{"type", "relation"}, {"from_id", "a"}, {"to_id", "b"}}},
        "dent");
}

TEST_F(StudioResults, ChoicesDecideOnlyAsDeclared) {
  const auto choices = [](const json& names) { return result("choices", {{"choices", names}}, "c"); };
  refused({choices({"NOK"})}, {"NOK", "--good-choices"});
  refused({choices({"OK"})}, {"OK", "--good-choices"});
  filed({choices({"OK"})}, "good", {.good = {"OK", "good"}});
  EXPECT_TRUE(filed({choices({"NOK"})}, "NOK", {.good = {"OK"}}).pixels.empty());
  EXPECT_TRUE(filed({choices({"dent"})}, "dent", {.classes = {"dent"}}).pixels.empty());
  refused({choices({"camera 2"})}, {"camera 2"}, {.classes = {"dent"}, .good = {"OK"}});
  refused({choices({"OK", "NOK"})}, {"contradict"}, {.good = {"OK"}});
  json rectangle = box();
  rectangle["rectanglelabels"] = {"dent"};
  refused({choices({"OK"}), result("rectanglelabels", rectangle)}, {"contradicts its regions"},
          {.good = {"OK"}});
  filed({choices({"NOK"}), result("rectanglelabels", rectangle)}, "dent", {.good = {"OK"}});
  for (const char* good : {"good", "OK"}) {
    rectangle["rectanglelabels"] = {good};
    refused({result("rectanglelabels", rectangle)}, {"cannot name"}, {.good = {"OK"}});
  }
}

TEST_F(StudioResults, AnnotationsThatContradictEachOtherAreRefused) {
  json rectangle = box();
  rectangle["rectanglelabels"] = {"dent"};
  const json marked = {{"result", Results{result("rectanglelabels", rectangle)}}},
             empty = {{"result", json::array()}};
  const auto with = [](const Results& annotations) {
    return json::array(
        {{{"data", {{"image", "p0.png"}}}, {"annotations", annotations}}, task("p1.png", json::array())});
  };
  for (const Results& annotations : {Results{marked, empty}, Results{empty, marked}}) {
    const std::string text = refusal(with(annotations));
    EXPECT_NE(text.find("contradict"), std::string::npos) << text;
    EXPECT_NE(text.find("p0.png"), std::string::npos) << text;
  }
  json cancelled = empty, truth = marked;
  cancelled["was_cancelled"] = true;
  truth["ground_truth"] = true;
  EXPECT_EQ(import(with({marked, cancelled})).anomalous.at("dent"), 1);
  std::filesystem::remove_all(out());
  EXPECT_EQ(import(with({truth, empty})).anomalous.at("dent"), 1);
  std::filesystem::remove_all(out());
  EXPECT_EQ(import(with({marked, marked})).anomalous.at("dent"), 1);
  std::filesystem::remove_all(out());
  // Nobody looked at these.
  json guess = with({});
  guess[0]["predictions"] = Results{marked};
  EXPECT_NE(refusal(guess).find("predictions do not count"), std::string::npos);
  EXPECT_NE(refusal(with({cancelled})).find("it was skipped"), std::string::npos);
  EXPECT_NE(refusal(json::array({{{"data", {{"image", "p0.png"}}}}})).find("not annotated"),
            std::string::npos);
}

TEST_F(StudioResults, TurnedImagesAndForeignUnitsAreRefused) {
  json turned = result("rectanglelabels", box());
  turned["value"]["rectanglelabels"] = {"dent"};
  turned["image_rotation"] = 90;
  refused({turned}, {"turned by 90"});
  turned["image_rotation"] = 360;
  filed({turned}, "dent");
  json pixels = turned;
  pixels["value"]["x"] = 640;
  std::filesystem::remove_all(out());
  refused({pixels}, {"in pixels"});
  json second = turned;
  second["to_name"] = "other";
  refused({turned, second}, {"several images"});
  second = turned;
  second["item_index"] = 1;
  refused({second}, {"several images"});
}

class PhotographNames : public StudioResults {
 protected:
  std::string imported(const std::string& name) {
    std::filesystem::remove_all(out());
    json rectangle = box();
    rectangle["rectanglelabels"] = {"dent"};
    json file = json::array(
        {task(name, Results{result("rectanglelabels", rectangle)}), task("p1.png", json::array())});
    try {
      import(file);
    } catch (const Error& e) {
      return e.what();
    }
    for (const auto& entry : std::filesystem::directory_iterator(out() / "test/dent"))
      return entry.path().filename();
    return "";
  }
  void photograph(const std::string& name, int seed) {
    write_file(images() / name, encode_png(picture(seed, kWidth, kHeight)));
  }
};

TEST_F(PhotographNames, EveryWayOfWritingAPathIsUnderstood) {
  photograph("with space.png", 20);
  photograph("a%20b.png", 21);
  photograph("kl\xE4mme.png", 22);
  photograph("line 1/x.png", 23);
  photograph("q?1.png", 24);
  for (const auto& [name, file] :
       {std::pair("/data/local-files/?d=set/with%20space.png", "with space.png"),
        std::pair("with%20space.png", "with space.png"), std::pair("a%20b.png", "a%20b.png"),
        std::pair("kl%E4mme.png", "kl\xE4mme.png"), std::pair("kl\\xE4mme.png", "kl\xE4mme.png"),
        std::pair("..\\media\\upload\\1\\0a1b2c3d-x.png", "x.png"), std::pair("line 1\\x.png", "x.png"),
        std::pair("/data/upload/7/0a1b2c3d-p0.png", "p0.png"),
        std::pair("https://host/bucket/p0.png?sig=a%2Fb#top", "p0.png"),
        std::pair("s3://bucket/photographs/p0.png", "p0.png"), std::pair("q?1.png", "q?1.png"),
        std::pair("./p0.png", "p0.png")}) {
    EXPECT_EQ(imported(name), file) << name;
  }
}

TEST_F(PhotographNames, TheSameNameInAnotherFolderIsNotTheImage) {
  photograph("a/x.png", 20);
  EXPECT_NE(imported("b/x.png").find("in another folder only"), std::string::npos);
  photograph("b/x.png", 21);
  EXPECT_EQ(imported("set/b/x.png"), "x.png");
  EXPECT_NE(imported("/data/upload/1/0a1b2c3d-x.png").find("could be"), std::string::npos);
  EXPECT_NE(imported("x.png").find("could be"), std::string::npos);
  EXPECT_NE(imported("../../etc/passwd.png").find("no such image"), std::string::npos);
  photograph(".ipynb_checkpoints/y.png", 22);
  EXPECT_NE(imported("y.png").find("no such image"), std::string::npos);
}

TEST_F(LabelImport, TheSameFileIsNotGoodAndBad) {
  write_file(images() / "copy.png", encode_png(picture(2, kWidth, kHeight)));
  json all = studio();
  all.push_back(task("copy.png", json::array()));
  EXPECT_NE(refusal(all).find("are the same file"), std::string::npos);
  write_file(images() / "bad/copy.png", encode_png(picture(3, kWidth, kHeight)));
  EXPECT_THROW(import_folders(images(), images() / "bad", {}, out(), silent_progress()), Error);
}

TEST_F(LabelImport, CocoBoxesAndOtherUnitsAreRefusedByName) {
  json coco = {{"categories", {{{"id", 1}, {"name", "dent"}}}},
               {"images",
                {{{"id", 1}, {"file_name", "sub\\p0.png"}, {"width", kWidth}, {"height", kHeight}},
                 {{"id", 2}, {"file_name", "p1.png"}, {"width", kWidth}, {"height", kHeight}}}},
               {"annotations", json::array()}};
  const auto problem = [&](const json& annotation) {
    json file = coco;
    json entry = annotation;
    entry["image_id"] = 1;
    entry["category_id"] = 1;
    file["annotations"] = json::array({entry});
    try {
      import_labels(parse_coco(file.dump(), "coco.json"), images(), {}, out(), silent_progress());
    } catch (const Error& e) {
      EXPECT_FALSE(std::filesystem::exists(out()));
      return std::string(e.what());
    }
    return std::string();
  };
  for (const json& annotation :
       {json{{"bbox", {1, 1, 4, 4}}}, json{{"bbox", {1, 1, 4, 4}}, {"segmentation", json::array()}}}) {
    EXPECT_NE(problem(annotation).find("p0.png: "), std::string::npos);
    EXPECT_NE(problem(annotation).find("a box alone"), std::string::npos);
  }
  EXPECT_NE(problem({{"segmentation", {{0.1, 0.1, 0.5, 0.1, 0.5, 0.9}}}}).find("shares"), std::string::npos);
  EXPECT_NE(problem({{"segmentation", {{1, 1, 90, 1, 90, 60}}}}).find("another size"), std::string::npos);
  EXPECT_NE(problem({{"segmentation", nullptr}, {"bbox", {1, 1, 4, 4}}}), "");
  // Folders that the file names and the photographs are not in: the name alone is no proof.
  std::filesystem::create_directories(images() / "sub");
  std::filesystem::rename(images() / "p0.png", images() / "sub/p0.png");
  EXPECT_EQ(
      problem({{"iscrowd", 1},
               {"segmentation", {{"counts", {10, 5, kWidth * kHeight - 15}}, {"size", {kHeight, kWidth}}}}}),
      "");
}

TEST_F(LabelImport, FoldersInsideFoldersAreLeftOutWithANotice) {
  write_file(images() / "old/z.png", encode_png(picture(60, kWidth, kHeight)));
  write_text(images() / "z.webp", "RIFF");
  const ImportSummary summary = import_folders(images(), {}, {}, out(), silent_progress());
  EXPECT_EQ(summary.train_good + summary.test_good, 6);
  ASSERT_EQ(summary.notices.size(), 2U);
  EXPECT_NE(summary.notices[0].find("old/z.png"), std::string::npos);
  EXPECT_NE(summary.notices[1].find("z.webp"), std::string::npos);
  std::filesystem::create_symlink("nowhere", images() / "y.png");
  EXPECT_THROW(import_folders(images(), {}, {}, folder_path() / "set2", silent_progress()), Error);
}

TEST_F(LabelImport, RemovesNothingBesideItsFolder) {
  write_text(folder_path() / "set.part/notes.txt", "mine");
  import(studio());
  EXPECT_EQ(read_text(folder_path() / "set.part/notes.txt"), "mine");
}

}  // namespace
}  // namespace glint
