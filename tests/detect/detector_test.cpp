// What methods state of themselves, and that it is checked before any image is read.
#include "glint/detect/detector.h"

#include <gtest/gtest.h>

#include "glint/base/error.h"

namespace glint {
namespace {

std::string refusal(const std::string& method, const std::string& backbone,
                    const std::vector<std::string>& settings = {}, int size = 280) {
  const auto made = make_method(method);
  made->apply_recipe(Recipe::kRefined, backbone_spec(backbone));
  OptionTable table;
  made->describe(table);
  for (const std::string& setting : settings) table.set_assignment(setting);
  InputOptions input;
  input.size = size;
  try {
    check_method(*made, backbone_spec(backbone), input);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kConfig);
    return e.what();
  }
  return "";
}

TEST(MethodNeeds, DecideWhichBackboneSuits) {
  for (const std::string& name : method_names()) {
    const auto method = make_method(name);
    EXPECT_EQ(method->name(), name);
    EXPECT_EQ(refusal(name, "compact"), "") << name;
    const std::string text = refusal(name, "dinov2reg_vit_small_14");
    const FeatureKind kind = method->needs().features;
    EXPECT_EQ(text.empty(), kind == FeatureKind::kMapsOrTokens || kind == FeatureKind::kNone)
        << name << ": " << text;
    if (text.empty()) continue;
    EXPECT_NE(text.find("choose another --backbone"), std::string::npos) << text;
  }
}

TEST(MethodNeeds, RulesBetweenOptionsAreChecked) {
  EXPECT_NE(refusal("inp_former", "compact", {"inp_former.decoder_blocks=3"}).find("must be even"),
            std::string::npos);
  EXPECT_NE(refusal("hybrid", "compact", {"inp_former.decoder_blocks=3"}).find("must be even"),
            std::string::npos);
  EXPECT_NE(refusal("dfm", "compact", {"dfm.pooling=8"}, 96).find("dfm.pooling"), std::string::npos);
  EXPECT_EQ(refusal("dfm", "compact", {"dfm.pooling=6"}, 96), "");
}

TEST(MethodNeeds, TrainingStateBelongsToMetaEpochs) {
  for (const std::string& name : method_names()) {
    const auto method = make_method(name);
    const bool epochs = method->fit_size(backbone_spec("compact"), 20, 96).meta_epochs > 0;
    EXPECT_EQ(epochs, method->needs().training == TrainingKind::kMetaEpochs) << name;
  }
}

}  // namespace
}  // namespace glint
