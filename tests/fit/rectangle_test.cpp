// Training on photographs that are no squares, with the input at their aspect.
#include <gtest/gtest.h>

#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/fit/fit.h"
#include "glint/image/codec.h"
#include "glint/inspect/decision.h"
#include "tiny_set.h"

namespace glint {
namespace {

constexpr int kWidth = 200, kHeight = 100;

RgbImage photograph(std::uint64_t seed) {
  RgbImage out(kWidth, kHeight);
  Rng rng(seed, "test.rectangle");
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x)
      std::fill_n(out.at(x, y), 3, static_cast<std::uint8_t>(60 + x / 2 + rng.below(20)));
  }
  return out;
}

TEST(RectangularInput, TrainsAndInspectsAtTheAspectOfThePhotographs) {
  const TemporaryFolder folder;
  const std::string backbone = random_backbone(folder.path()).string();
  for (std::uint64_t i = 0; i < 14; ++i)
    write_file(folder.path() / "set" / fmt::format("{:02}.png", i), encode_png(photograph(i)));
  const Dataset data = scan_dataset(folder.path() / "set", {}, silent_progress());
  for (const char* method : {"patchcore", "padim", "spade", "dfm"}) {
    SCOPED_TRACE(method);
    const auto config = tiny(method, backbone);
    OptionTable table = config->table();
    for (const char* setting : {"input.aspect=0", "input.size=96"}) table.set_assignment(setting);
    if (std::string(method) == "padim") table.set_assignment("padim.channels=6");
    if (std::string(method) == "dfm") table.set_assignment("dfm.pooling=2");
    const Model model = fit_model(*config, data, {}, silent_progress());
    EXPECT_EQ(model.input.aspect, 2);
    EXPECT_EQ(model.input.input_size(), (ImageSize{128, 64}));
    save_model(model, folder.path() / "m.glint");
    const Model back = load_model(folder.path() / "m.glint");
    EXPECT_EQ(back.input.input_size(), model.input.input_size());
    const ScoreMap calibrated = calibration_scores(back)[0].map;
    EXPECT_GT(calibrated.width, calibrated.height);

    const Inspector inspector(back, DeviceChoice::kCpu, Precision::kAuto, "model");
    const Decision decision = make_decision(back);
    RgbImage part = photograph(99);
    for (int y = 40; y < 60; ++y) std::fill_n(part.at(150, y), 3 * 20, std::uint8_t{255});
    const InspectionResult result = inspect_image(inspector, decision, part, "part");
    EXPECT_EQ(result.map.width, kWidth);
    EXPECT_EQ(result.map.height, kHeight);
    EXPECT_TRUE(result.rejected);
    EXPECT_THROW(inspect_image(inspector, decision, RgbImage(100, 100), "square"), Error) << "no decision";
  }
}

}  // namespace
}  // namespace glint
