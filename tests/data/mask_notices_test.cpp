// What a dataset says of masks that are not black and white, and of pictures that cannot be read.
#include "glint/data/mask_notices.h"

#include "image/png_bytes.h"
#include "small_set.h"

namespace glint {
namespace {

class MaskNoticesTest : public SmallSet {
 protected:
  /// A grey 24 x 16 PNG with `value` in 12 pixels, 0 elsewhere.
  void put_grey(const std::string& name, std::uint8_t value, std::uint8_t normal = 0,
                std::vector<Samples> extra = {}) {
    PngSpec spec{24, 16, 8, 0, Samples(std::size_t{24} * 16, normal), std::move(extra)};
    for (int y = 4; y < 8; ++y)
      for (int x = 3; x < 6; ++x) spec.rows[static_cast<std::size_t>(y) * 24 + x] = value;
    write_file(root() / name, png_file(spec));
  }
  std::string all_warnings() {
    std::string text;
    for (const std::string& warning : scan().warnings) text += warning + "\n";
    return text;
  }
};

TEST_F(MaskNoticesTest, OneWarningPerKindNamesTheMasks) {
  for (int i = 0; i < 2; ++i) put_grey("ground_truth/scratch/" + std::to_string(i) + "_mask.png", 1);
  const Dataset set = scan();
  ASSERT_EQ(set.warnings.size(), 1U);
  EXPECT_EQ(set.warnings[0].find("2 masks: two values"), 0U) << set.warnings[0];
  EXPECT_NE(set.warnings[0].find("ground_truth/scratch/0_mask.png: values 0, 1"), std::string::npos);
  for (const Sample& sample : set.test) {
    if (!sample.anomalous()) continue;
    const Mask mask = *load_mask(sample);
    EXPECT_EQ(std::count(mask.pixels.begin(), mask.pixels.end(), 1), 12);
  }
}

TEST_F(MaskNoticesTest, BlackAndWhiteNeedsNoWord) {
  put_grey("ground_truth/scratch/0_mask.png", 255);
  EXPECT_EQ(all_warnings(), "");
}

TEST_F(MaskNoticesTest, AnEmptyMaskOfADefectIsNamed) {
  put_grey("ground_truth/scratch/1_mask.png", 0);
  EXPECT_NE(all_warnings().find("1 mask: the mask of a defect is empty"), std::string::npos);
}

TEST_F(MaskNoticesTest, AMaskWithoutOneMeaningIsRefusedByName) {
  put_grey("ground_truth/scratch/1_mask.png", 0, 255);
  EXPECT_NE(refusal().find("1_mask.png"), std::string::npos);
  EXPECT_NE(refusal().find("inverted"), std::string::npos);
}

TEST_F(MaskNoticesTest, AHalfTurnThatTheMaskDoesNotShareIsNamed) {
  put_grey("ground_truth/scratch/0_mask.png", 255);
  put_grey("test/scratch/0.png", 200, 90, {png_chunk("eXIf", exif_block(3))});
  EXPECT_NE(all_warnings().find("not turned alike"), std::string::npos);
  put_grey("ground_truth/scratch/0_mask.png", 255, 0, {png_chunk("eXIf", exif_block(3))});
  EXPECT_EQ(all_warnings(), "");
}

TEST_F(MaskNoticesTest, APictureOfTwelveBitsInSixteenIsNotTrainedOn) {
  PngSpec spec{2, 2, 16, 0, {0x0f, 0xff, 0x00, 0x10, 0x01, 0x00, 0x07, 0x00}, {}};
  write_file(root() / "train/good/3.png", png_file(spec));
  EXPECT_NE(refusal().find("train/good/3.png: a 16-bit picture"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace glint
