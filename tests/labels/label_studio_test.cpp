// Label Studio's kinds of results, each on the way to a dataset, and the names that exports give to
// photographs.
#include "labelled_photographs.h"

namespace glint {
namespace {

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
  json moved = box();
  moved["x"] = 40;
  refused({result("rectangle", box()), result("rectangle", moved), result("labels", labels)},
          {"share an id"});
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

}  // namespace
}  // namespace glint
