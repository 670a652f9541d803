// What a method's needs ask for reaches it, and what it does not ask for does not: with methods that write
// down what they were given.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>

#include "content_of.h"
#include "glint/base/error.h"
#include "glint/base/parallel.h"
#include "glint/fit/fit.h"
#include "glint/image/codec.h"
#include "glint/synth/texture.h"
#include "glint/synth/texture_source.h"
#include "glint/synth/textured_defect.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using Contents = std::set<std::string>;

constexpr int kDefectiveImages = 8, kDraws = 6;  // that are looked at

/// What one training was given, by content.
struct Given {
  Contents trained, normalised, held_out, scored;
  int textures = 0;
  std::vector<std::string> pictures;      ///< of the first textures
  std::vector<std::string> defective;     ///< of the first image's draws
  int changed = 0, clean = 0, wrong = 0;  ///< of some images' draws: with a defect, without, neither
};

class Writes : public Method {
 public:
  Writes(std::vector<Given>& given, MethodNeeds needs) : given_(given), needs_(std::move(needs)) {}
  std::string_view name() const override { return "writes"; }
  void describe(OptionTable&) override {}
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override { return {}; }
  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override { return {}; }
  MethodNeeds needs() const override { return needs_; }

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    Given out;
    for (int i = 0; i < input.images; ++i) out.trained.insert(content_of(input.image(i, 0)));
    for (const RgbImage& image : input.normalisation) out.normalised.insert(content_of(image));
    for (const RgbImage& image : input.held_out) out.held_out.insert(content_of(image));
    out.textures = input.textures.count;
    for (int i = 0; i < std::min(3, input.textures.count); ++i)
      out.pictures.push_back(content_of(input.textures.picture(i)));
    if (input.defective) write_defects(input, out);
    given_.push_back(out);
    if (input.on_meta_epoch) input.on_meta_epoch({1, {}, {}});
    FitResult fitted;
    fitted.weights["id"] = from_floats({static_cast<float>(given_.size() - 1)}, {1});
    return fitted;
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string&) const override {
    class Scores : public Detector {
     public:
      explicit Scores(Contents& scored) : scored_(scored) {}
      std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
        std::vector<PatchScores> out;
        for (const RgbImage& image : inputs) {
          scored_.insert(content_of(image));
          out.push_back({ScoreMap(3, 3, static_cast<float>(image.pixels[0])), {}});
        }
        return out;
      }

     private:
      Contents& scored_;
    };
    return std::make_unique<Scores>(
        given_.at(static_cast<std::size_t>(to_floats(weights.at("id"))[0])).scored);
  }

 private:
  static void write_defects(const FitInput& input, Given& out) {
    std::vector<DefectiveImage> made(static_cast<std::size_t>(std::min(input.images, kDefectiveImages)) *
                                     kDraws);
    parallel_for(std::ssize(made), [&](std::int64_t i) {
      made[i] = input.defective(static_cast<int>(i) / kDraws, static_cast<int>(i) % kDraws);
    });
    for (std::size_t i = 0; i < made.size(); ++i) {
      const int image = static_cast<int>(i) / kDraws, draw = static_cast<int>(i) % kDraws;
      if (image == 0) out.defective.push_back(content_of(made[i].image));
      const RgbImage good = input.image(image, draw % input.draws);
      bool masked = false, outside = made[i].image.width != good.width || made[i].mask.width != good.width;
      for (std::size_t p = 0; p < made[i].mask.pixels.size() && !outside; ++p) {
        masked = masked || made[i].mask.pixels[p] != 0;
        outside = made[i].mask.pixels[p] == 0 &&
                  !std::equal(&good.pixels[3 * p], &good.pixels[3 * p + 3], &made[i].image.pixels[3 * p]);
      }
      ++(outside ? out.wrong : masked ? out.changed : out.clean);
    }
  }

  std::vector<Given>& given_;
  MethodNeeds needs_;
};

bool apart(const Contents& a, const Contents& b) {
  return std::none_of(a.begin(), a.end(), [&](const std::string& one) { return b.contains(one); });
}

MethodNeeds needing(bool textures, bool defects, double share) {
  MethodNeeds out;
  out.textures = textures;
  out.synthetic_defects = defects;
  out.normalisation_share = share;
  return out;
}

class Needs : public TinySet {
 protected:
  /// Ready to train a method with these needs, which writes into `given`.
  static std::unique_ptr<TrainConfig> configured(const MethodNeeds& needs, std::vector<Given>& given,
                                                 const std::vector<std::string>& settings = {}) {
    auto config = std::make_unique<TrainConfig>("simplenet", backbone_, Recipe::kRefined);
    small(*config);
    for (const std::string& s : settings) config->table().set_assignment(s);
    config->method = std::make_unique<Writes>(given, needs);
    given.reserve(16);  // detectors refer to its entries
    return config;
  }
  static std::vector<Given> given_to(const MethodNeeds& needs, const std::vector<std::string>& settings,
                                     Model* model = nullptr) {
    std::vector<Given> given;
    const Model trained = fit_model(*configured(needs, given, settings), dataset(), {}, silent_progress());
    given.at(0).scored.erase(content_of(trained.capsule.value().input));  // a training part, for parity
    if (model != nullptr) *model = trained;
    return given;
  }
  static std::map<std::string, int> roles(const Model& model) {
    std::map<std::string, int> out;
    for (const auto& image : model.record["dataset"]["images"]) ++out[image["role"].get<std::string>()];
    return out;
  }
  static fs::path folder_of_textures(const std::string& name, std::uint64_t seed) {
    const fs::path folder = folder_->path() / name;
    for (std::uint64_t i = 0; i < 2; ++i)
      write_file(folder / fmt::format("{}.png", i), encode_png(render_texture(64, seed + i)));
    return folder;
  }
  static std::string refusal(TrainConfig& config, const FitOptions& options = {}) {
    try {
      fit_model(config, dataset(), options, silent_progress());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
};

TEST_F(Needs, NothingIsGivenThatIsNotAskedFor) {
  Model model;
  const auto given = given_to({}, {"calibration.mode=holdout", "augment.regime=none"}, &model);
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].trained.size(), 18U);
  EXPECT_TRUE(given[0].normalised.empty());
  EXPECT_EQ(given[0].textures, 0);
  EXPECT_TRUE(given[0].defective.empty());
  EXPECT_FALSE(model.record.contains("textures"));
  EXPECT_EQ(roles(model), (std::map<std::string, int>{{"calibration", 6}, {"train", 18}}));
}

TEST_F(Needs, PartsForNormalisationNeitherTrainNorCalibrate) {
  Model model;
  const auto given =
      given_to(needing(false, false, 0.25), {"calibration.mode=holdout", "augment.regime=none"}, &model);
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].trained.size(), 13U);  // of the 18 that do not calibrate
  EXPECT_EQ(given[0].normalised.size(), 5U);
  EXPECT_EQ(given[0].held_out, given[0].scored);
  EXPECT_EQ(given[0].scored.size(), 6U);
  EXPECT_TRUE(apart(given[0].normalised, given[0].trained));
  EXPECT_TRUE(apart(given[0].normalised, given[0].scored));
  EXPECT_TRUE(apart(given[0].trained, given[0].scored));
  EXPECT_EQ(roles(model),
            (std::map<std::string, int>{{"calibration", 6}, {"normalisation", 5}, {"train", 13}}));
  const fs::path file = folder_->path() / "roles.glint";
  save_model(model, file);
  EXPECT_EQ(roles(load_model(file)), roles(model));
}

TEST_F(Needs, EveryFoldKeepsPartsForItsNormalisation) {
  const auto given =
      given_to(needing(false, false, 0.2), {"calibration.mode=crossfit", "augment.regime=none"});
  ASSERT_EQ(given.size(), 6U) << "the detector and five folds";
  Contents scored;
  for (std::size_t f = 0; f < given.size(); ++f) {
    SCOPED_TRACE(f);
    EXPECT_EQ(given[f].normalised.size(), f == 0 ? 5U : 4U);
    EXPECT_EQ(given[f].trained.size() + given[f].normalised.size() + given[f].scored.size(), 24U);
    EXPECT_TRUE(apart(given[f].normalised, given[f].trained));
    EXPECT_TRUE(apart(given[f].normalised, given[f].scored));
    EXPECT_TRUE(apart(given[f].trained, given[f].scored));
    scored.insert(given[f].scored.begin(), given[f].scored.end());
  }
  EXPECT_EQ(scored.size(), 24U);
}

TEST_F(Needs, AllViewsOfAPhotographHaveOneRole) {
  const auto given = given_to(needing(false, false, 0.25),
                              {"calibration.mode=holdout", "augment.regime=none", "input.tiles=2"});
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].normalised.size(), 5U * 4);
  EXPECT_EQ(given[0].trained.size(), 13U * 4);
  EXPECT_TRUE(apart(given[0].normalised, given[0].trained));
}

TEST_F(Needs, FewShotsCannotSpareParts) {
  std::vector<Given> given;
  const std::string text = refusal(*configured(needing(false, false, 0.1), given, {"train.shots=2"}));
  EXPECT_NE(text.find("train.shots = 2"), std::string::npos) << text;
  EXPECT_TRUE(given.empty());
}

TEST_F(Needs, TexturesAreRenderedFromTheSeed) {
  const std::vector<std::string> settings = {"calibration.mode=holdout"};
  Model model;
  const auto given = given_to(needing(true, false, 0), settings, &model);
  const auto again = given_to(needing(true, false, 0), settings);
  const auto other = given_to(needing(true, false, 0), {"calibration.mode=holdout", "train.seed=3"});
  EXPECT_EQ(given[0].textures, kRenderedTextures);
  EXPECT_EQ(given[0].pictures, again[0].pictures);
  EXPECT_NE(given[0].pictures, other[0].pictures);
  EXPECT_TRUE(given[0].defective.empty());
  EXPECT_EQ(model.record["textures"]["source"], "rendered");
}

TEST_F(Needs, TexturesComeFromTheUsersFolder) {
  const fs::path folder = folder_of_textures("wood", 10);
  const std::string setting = "train.textures=" + folder.string();
  Model model;
  const auto given = given_to(needing(true, false, 0), {"calibration.mode=holdout", setting}, &model);
  EXPECT_EQ(given[0].textures, 2);
  const TextureSource direct(scan_texture_folder(folder, "t"), {96, 96});
  EXPECT_EQ(given[0].pictures,
            (std::vector<std::string>{content_of(direct.picture(0)), content_of(direct.picture(1))}));
  EXPECT_EQ(model.record["textures"]["name"], "wood");
  EXPECT_EQ(model.record["textures"]["pictures"], 2);
  EXPECT_EQ(model.record.dump().find(folder.string()), std::string::npos)
      << "where it lies is nobody's concern";

  std::vector<Given> none;
  EXPECT_NE(refusal(*configured({}, none, {setting})).find("trains from no textures"), std::string::npos);
  const auto test_image = read_file(dataset().test[0].path);
  write_file(folder / "part.png", test_image);
  const std::string text = refusal(*configured(needing(true, false, 0), none, {setting}));
  EXPECT_NE(text.find("part.png is also a photograph of the dataset"), std::string::npos) << text;
  fs::remove(folder / "part.png");
  FitOptions over;
  over.out = folder / "0.png";
  EXPECT_NE(refusal(*configured(needing(true, false, 0), none, {setting}), over), "") << "a texture stays";
  EXPECT_TRUE(none.empty());
}

TEST_F(Needs, WhatIsInTheFolderIsPartOfTheRun) {
  const fs::path a = folder_of_textures("a", 20), same = folder_of_textures("same", 20),
                 b = folder_of_textures("b", 30);
  const auto state_of = [&](const fs::path& folder, bool resume, std::string& text) {
    std::vector<Given> given;
    FitOptions options;
    options.state = folder_->path() / "textures.resume";
    options.resume = resume;
    const auto config = configured(needing(true, false, 0), given,
                                   {"calibration.mode=holdout", "train.textures=" + folder.string()});
    text = refusal(*config, options);
    std::vector<Given> unused;
    return run_identity(*config, dataset());
  };
  std::string text;
  const std::string identity = state_of(a, false, text);
  EXPECT_EQ(text, "");
  EXPECT_EQ(state_of(same, true, text), identity);
  EXPECT_EQ(text, "") << "the same pictures elsewhere";
  EXPECT_NE(state_of(b, true, text), identity);
  EXPECT_NE(text.find("belongs to another dataset"), std::string::npos) << text;
}

TEST_F(Needs, DefectsLieOnTheTrainingImagesAndAreReproducible) {
  for (const char* tiles : {"input.tiles=1", "input.tiles=2"}) {
    SCOPED_TRACE(tiles);
    const std::vector<std::string> settings = {"calibration.mode=holdout", "augment.draws=2", tiles};
    const auto given = given_to(needing(false, true, 0), settings);
    const auto again = given_to(needing(false, true, 0), settings);
    EXPECT_EQ(given[0].wrong, 0);
    EXPECT_GT(given[0].changed, given[0].clean / 3);
    EXPECT_GT(given[0].clean, given[0].changed / 3);
    EXPECT_EQ(given[0].defective, again[0].defective);
    EXPECT_GT(Contents(given[0].defective.begin(), given[0].defective.end()).size(), 3U) << "draws differ";
  }
}

TEST_F(Needs, DefectsOfAnImageAreTheSameInEveryFold) {
  // The first image of a fold trains in most of them, in another place each time.
  const auto given = given_to(needing(false, true, 0), {"calibration.mode=crossfit", "augment.regime=none"});
  std::map<std::string, int> seen;
  for (const Given& one : given) ++seen[one.defective.back()];
  EXPECT_LE(seen.size(), 3U);
}

TEST_F(Needs, WithAlignmentThatIsTriedOutTheyAreGivenToo) {
  MethodNeeds needs = needing(true, false, 0.25);
  needs.training = TrainingKind::kOnePass;
  std::vector<Given> given;
  const auto config = configured(needs, given, {"calibration.mode=holdout", "input.align=auto"});
  fit_model(*config, dataset(), {}, silent_progress());
  EXPECT_EQ(given.size(), 5U) << "two halves without and with alignment, and the detector";
  for (const Given& one : given) {
    EXPECT_FALSE(one.normalised.empty());
    EXPECT_TRUE(apart(one.normalised, one.trained));
    EXPECT_TRUE(apart(one.normalised, one.scored));
    EXPECT_GT(one.textures, 0);
  }
}

}  // namespace
}  // namespace glint
