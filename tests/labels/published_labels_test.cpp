// Miniatures of published datasets that are imported: NEU-DET and GC10-DET (Pascal VOC), Severstal, NEU_Seg.
#include "glint/data/box_list.h"
#include "labelled_photographs.h"

namespace glint {
namespace {

class PublishedLabels : public LabelImport {
 protected:
  static std::string object(const std::string& name, const std::string& sides) {
    return "<object><name>" + name + "</name><bndbox>" + sides + "</bndbox></object>";
  }
  static std::string box(double x0, double y0, double x1, double y1) {
    return fmt::format("<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>", x0, y0, x1, y1);
  }
  static std::string voc(const std::string& file, const std::string& objects) {
    return fmt::format(
        "<?xml "
        "version=\"1.0\"?>\n<annotation><folder>x</folder><filename>{}</filename><size><width>{}</width>"
        "<height>{}</height><depth>1</depth></size>{}</annotation>",
        file, kWidth, kHeight, objects);
  }
  void put(const std::string& name, const std::string& text) { write_text(folder_path() / name, text); }
  ImportSummary take(const LabelFile& labels, BoxUse boxes = BoxUse::kRefuse) {
    ImportOptions options;
    options.boxes = boxes;
    return import_labels(labels, images(), options, out(), silent_progress());
  }
  std::string refused(const LabelFile& labels) {
    try {
      take(labels);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  static std::string problem(const LabelFile& labels) {
    return labels.problems.empty() ? "" : labels.problems[0];
  }
};

TEST_F(PublishedLabels, VocBoxesGiveClassesAndNeverMasks) {
  put("xml/a.xml", voc("p0.png", object("crazing", box(1, 1, 6, 5)) + object("crazing", box(8, 2, 13, 7))));
  put("xml/b.xml", voc("p1.png", object("crazing", box(1, 1, 6, 5)) + object("patches", box(0, 0, 4, 4))));
  const LabelFile labels = read_voc(folder_path() / "xml");
  EXPECT_NE(refused(labels).find("--boxes class"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(out()));
  const ImportSummary summary = take(labels, BoxUse::kClass);
  EXPECT_EQ(summary.anomalous, (std::map<std::string, int>{{"combined", 1}, {"crazing", 1}}));
  EXPECT_EQ(summary.boxes, 4);
  EXPECT_EQ(summary.regions, 0);
  EXPECT_NE(summary.notices[0].find("no good part"), std::string::npos);
  const Dataset set = scan_dataset(out(), {DatasetUse::kEvaluate, false}, silent_progress());
  ASSERT_EQ(set.test.size(), 2U);
  EXPECT_FALSE(set.masks_present);
  EXPECT_FALSE(std::filesystem::exists(out() / "ground_truth"));
  EXPECT_EQ(set.test[1].id, "test/crazing/p0.png");
  ASSERT_EQ(set.test[1].boxes.size(), 2U);
  EXPECT_EQ(set.test[1].boxes[1].x1, 13);
}

TEST_F(PublishedLabels, DamagedVocFilesAreNamed) {
  EXPECT_NE(problem(parse_voc(voc("", ""), "f.xml")).find("<filename>"), std::string::npos);
  EXPECT_NE(problem(parse_voc(voc("p0.png", object("", box(1, 1, 2, 2))), "f.xml")).find("<name>"),
            std::string::npos);
  EXPECT_NE(problem(parse_voc(voc("p0.png", object("a", "<xmin>x</xmin>")), "f.xml")).find("<xmin>"),
            std::string::npos);
  EXPECT_NE(problem(parse_voc(voc("p0.png", object("a", box(3, 1, 3, 2))), "f.xml")).find("without area"),
            std::string::npos);
  EXPECT_NE(problem(parse_voc(voc("p0.png", object("a", box(3, 1, 99, 2))), "f.xml")).find("another size"),
            std::string::npos);
  EXPECT_EQ(parse_voc(voc("crazing_1", ""), "f.xml").images[0].name, "crazing_1.jpg");
  EXPECT_EQ(parse_voc(voc("p0.png", object("a", box(3, 1, 14, 2))), "f.xml").images[0].boxes[0].x1, kWidth);
  for (const char* text : {"", "<annotation>", "<other/>", "{}"})
    EXPECT_THROW(parse_voc(text, "f"), Error) << text;
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += "<a>";
  EXPECT_THROW(parse_voc(deep, "f"), Error);
}

TEST_F(PublishedLabels, CocoBoxesFollowTheSameRule) {
  const json coco = {
      {"categories", {{{"id", 1}, {"name", "dent"}}}},
      {"images", {{{"id", 1}, {"file_name", "p1.png"}, {"width", kWidth}, {"height", kHeight}}}},
      {"annotations",
       {{{"id", 1}, {"image_id", 1}, {"category_id", 1}, {"bbox", {1, 1, 4, 4}}},
        {{"id", 2}, {"image_id", 1}, {"category_id", 1}, {"segmentation", {{6, 1, 12, 1, 12, 6}}}}}}};
  const LabelFile labels = parse_coco(coco.dump(), "c");
  EXPECT_NE(refused(labels).find("a box alone"), std::string::npos);
  take(labels, BoxUse::kClass);
  const Dataset set = scan_dataset(out(), {DatasetUse::kEvaluate, false}, silent_progress());
  ASSERT_EQ(set.test.size(), 1U);
  EXPECT_FALSE(set.test[0].mask);  // the outline of one of two defects is no mask of the image
  EXPECT_EQ(set.test[0].boxes[0].y1, 5);
}

TEST_F(PublishedLabels, SeverstalsRunsGoDownTheColumns) {
  const auto strip = [&](const std::string& name, int seed) {
    write_file(images() / name, encode_png(picture(seed, 1600, 256)));
  };
  std::filesystem::remove_all(images());
  for (int i = 0; i < 3; ++i) strip(fmt::format("s{}.png", i), 40 + i);
  const LabelFile labels =
      parse_severstal("ImageId,ClassId,EncodedPixels\ns0.png,1,2 3 258 1\ns0.png,4,409600 1\n", "t");
  ASSERT_EQ(labels.images.size(), 1U);
  ASSERT_EQ(labels.images[0].regions.size(), 2U);
  const Mask mask = rasterise(labels.images[0].regions[0].shape, 1600, 256);
  std::vector<std::pair<int, int>> set;
  for (int y = 0; y < 256; ++y) {
    for (int x = 0; x < 1600; ++x) {
      if (mask.pixels[static_cast<std::size_t>(y) * 1600 + x] != 0) set.emplace_back(x, y);
    }
  }
  EXPECT_EQ(set, (std::vector<std::pair<int, int>>{{0, 1}, {1, 1}, {0, 2}, {0, 3}}));
  const Mask corner = rasterise(labels.images[0].regions[1].shape, 1600, 256);
  EXPECT_EQ(corner.pixels.back(), 1);
  EXPECT_EQ(std::count(corner.pixels.begin(), corner.pixels.end(), 1), 1);
  const ImportSummary summary = take(labels);
  EXPECT_EQ(summary.train_good + summary.test_good, 2);  // the file lists defects only
  EXPECT_EQ(summary.anomalous, (std::map<std::string, int>{{"combined", 1}}));
  EXPECT_NE(summary.notices[0].find("2 images count as good"), std::string::npos);
}

TEST_F(PublishedLabels, SeverstalsFirstFormListsGoodImagesToo) {
  const LabelFile labels = parse_severstal(
      "ImageId_ClassId,EncodedPixels\na.jpg_1,\na.jpg_2,1 5\na.jpg_3,\na.jpg_4,\nb.jpg_1,\n", "t");
  EXPECT_FALSE(labels.unlisted_are_good);
  ASSERT_EQ(labels.images.size(), 2U);
  EXPECT_EQ(labels.images[0].regions[0].label, "class_2");
  EXPECT_TRUE(labels.images[1].says_nothing());
  EXPECT_THROW(parse_severstal("ImageId,EncodedPixels\n", "t"), Error);
  for (const char* row :
       {"a.jpg,5,1 1", "a.jpg,1,1", "a.jpg,1,1 0", "a.jpg,1,0 1", "a.jpg,1,3 2 4 1", "a.jpg,1,409600 2",
        "a.jpg,1,1 x", "a.jpg,1,1 99999999999999999999", "a.jpg,1", ",1,1 1"}) {
    EXPECT_NE(
        problem(parse_severstal("ImageId,ClassId,EncodedPixels\n" + std::string(row), "t")).find("row 2"),
        std::string::npos)
        << row;
  }
}

TEST_F(PublishedLabels, NeuSegmentsByClassNumber) {
  const auto numbers = [&](const std::string& name, std::uint8_t a, std::uint8_t b) {
    RgbImage image(kWidth, kHeight);
    std::fill_n(image.at(1, 1), 3, a);
    std::fill_n(image.at(9, 5), 3, b);
    write_file(folder_path() / name, encode_png(image));
  };
  std::filesystem::remove_all(images());
  for (const char* name : {"training/7.jpg", "test/7.jpg"})
    write_file(images() / name, encode_png(picture(name[1], kWidth, kHeight)));
  numbers("annotations/training/7.png", 1, 1);
  numbers("annotations/test/7.png", 2, 3);
  const LabelFile labels = read_neu_segmentation(folder_path());
  const ImportSummary summary = take(labels);
  EXPECT_EQ(summary.anomalous, (std::map<std::string, int>{{"combined", 1}, {"inclusion", 1}}));
  const Dataset set = scan_dataset(out(), {DatasetUse::kEvaluate, false}, silent_progress());
  for (const Sample& sample : set.test) {
    const Mask mask = *load_mask(sample);
    EXPECT_EQ(std::count(mask.pixels.begin(), mask.pixels.end(), 1), 2) << sample.id;
  }
  numbers("annotations/test/7.png", 2, 4);
  EXPECT_NE(problem(read_neu_segmentation(folder_path())).find("(4, 4, 4)"), std::string::npos);
  EXPECT_THROW(read_neu_segmentation(images()), Error);
}

}  // namespace
}  // namespace glint
