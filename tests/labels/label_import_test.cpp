#include "glint/labels/label_import.h"

#include <algorithm>

#include "glint/image/regions.h"
#include "labelled_photographs.h"

namespace glint {
namespace {

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
