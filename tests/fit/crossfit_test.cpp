// crossfit: what its threshold really rejects, with detectors whose scores can be computed in a line; that
// folds resume and share features; and, for every calibration mode, that no image both trains and calibrates.
#include "glint/fit/crossfit.h"

#include <cmath>
#include <set>

#include "content_of.h"
#include "glint/base/error.h"
#include "glint/base/random.h"
#include "glint/detect/feature_cache.h"
#include "glint/image/codec.h"
#include "glint/inspect/decision.h"
#include "glint/metrics/conformal.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

// ---------------------------------------------------------------- the realised rate

using Part = std::vector<double>;

using Score = std::function<double(const Part&)>;

/// A detector: the score of new parts after training on some.
using TinyMethod = std::function<Score(const std::vector<const Part*>& trained)>;

/// Distance from the mean of the training parts: leaving out a fold hardly moves it.
Score distance_from_mean(const std::vector<const Part*>& trained) {
  Part mean(trained[0]->size(), 0);
  for (const Part* t : trained) {
    for (std::size_t d = 0; d < mean.size(); ++d) mean[d] += (*t)[d] / static_cast<double>(trained.size());
  }
  return [mean](const Part& part) {
    double sum = 0;
    for (std::size_t d = 0; d < part.size(); ++d) sum += (part[d] - mean[d]) * (part[d] - mean[d]);
    return sum;
  };
}

/// Distance to the nearest training part, as a memory bank's: fewer parts, larger distances.
Score distance_to_nearest(const std::vector<const Part*>& trained) {
  return [trained](const Part& part) {
    double best = 1e300;
    for (const Part* t : trained) {
      double sum = 0;
      for (std::size_t d = 0; d < part.size(); ++d) sum += (part[d] - (*t)[d]) * (part[d] - (*t)[d]);
      best = std::min(best, sum);
    }
    return best;
  };
}

/// Minimum-norm least squares from all numbers of a part but the last to the last; score: its error. With as
/// many training parts as numbers it fits them exactly and is wild elsewhere (Barber et al. 2021: the
/// jackknife fails on it).
Score least_squares_error(const std::vector<const Part*>& trained) {
  const auto n = static_cast<std::int64_t>(trained.size()), d = std::ssize(*trained[0]) - 1;
  torch::Tensor x = torch::empty({n, d}, torch::kDouble), y = torch::empty({n, 1}, torch::kDouble);
  for (std::int64_t i = 0; i < n; ++i) {
    std::copy_n(trained[i]->data(), d, x.data_ptr<double>() + i * d);
    y.data_ptr<double>()[i] = trained[i]->back();
  }
  const torch::Tensor weight = at::linalg_pinv(x, 1e-10).matmul(y);
  return [weight, d](const Part& part) {
    double predicted = 0;
    for (std::int64_t k = 0; k < d; ++k) predicted += weight.data_ptr<double>()[k] * part[k];
    return std::abs(part.back() - predicted);
  };
}

/// Mean over worlds, and its 95 % interval: parts of one world share a threshold and are not independent.
struct Rate {
  double value = 0, half = 0,
         rule = 0;  ///< rule: what split-conformal prediction rejects with as many images
};

/// Rate at which the detector trained on all of `n` good parts rejects new ones at the threshold of its
/// five folds, over fresh parts in every world.
Rate realised_rate(const TinyMethod& method, int n, int dimensions, double wished, int worlds) {
  constexpr int kFolds = 5, kNew = 20;
  std::vector<double> rates;
  Rate out;
  for (int world = 0; world < worlds; ++world) {
    Rng rng(23, "crossfit", world, n, dimensions);
    std::vector<Part> parts(static_cast<std::size_t>(n + kNew));
    for (Part& part : parts) {
      for (int d = 0; d < dimensions; ++d) part.push_back(rng.normal());
    }
    auto some = [&](const std::vector<int>& which) {
      std::vector<const Part*> trained;
      for (const int i : which) trained.push_back(&parts[i]);
      return trained;
    };
    std::vector<double> scores;
    for (const Split& fold : fold_splits(n, kFolds, static_cast<std::uint64_t>(world))) {
      const Score score = method(some(fold.train));
      for (const int i : fold.held_out) scores.push_back(score(parts[i]));
    }
    const ConformalThreshold c = conformal_threshold(scores, wished);
    out.rule = c.guaranteed_rate;
    std::vector<int> all(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) all[i] = i;
    const Score score = method(some(all));
    int rejected = 0;
    for (int i = 0; i < kNew; ++i) rejected += score(parts[n + i]) > c.threshold;
    rates.push_back(static_cast<double>(rejected) / kNew);
  }
  double square = 0;
  for (const double r : rates) out.value += r / worlds;
  for (const double r : rates) square += (r - out.value) * (r - out.value) / (worlds - 1);
  out.half = 1.96 * std::sqrt(square / worlds);
  return out;
}

/// A row of the table in docs/recipes.md.
void print_row(const char* name, int n, int numbers, const Rate& rate) {
  std::printf("| %s | %d | %d | %.1f %% | %.1f %% ± %.1f |\n", name, n, numbers, 100 * rate.rule,
              100 * rate.value, 100 * rate.half);
}

TEST(CrossfitRate, IsAboutAsWishedWhenTheDetectorIsStable) {
  for (const int n : {20, 50, 100}) {
    for (const int dimensions : {2, 10}) {
      const Rate mean = realised_rate(distance_from_mean, n, dimensions, 0.05, 1500);
      const Rate nearest = realised_rate(distance_to_nearest, n, dimensions, 0.05, 800);
      print_row("distance from the mean", n, dimensions, mean);
      print_row("distance to the nearest", n, dimensions, nearest);
      // Trained on more, the final detector scores new parts a little lower than the folds' did: the rate
      // errs to the side of fewer false rejects.
      for (const Rate& rate : {mean, nearest}) {
        EXPECT_LE(rate.value - 2 * rate.half, rate.rule) << n << ' ' << dimensions;
        EXPECT_GE(rate.value, rate.rule / 2) << n << ' ' << dimensions;
      }
    }
  }
}

TEST(CrossfitRate, HasNoBoundWhenTheDetectorIsNotStable) {
  // Folds train on 32 of 40 parts with 40 numbers, the final detector on all 40: only it is at the point
  // where least squares is wild. "At most twice" would be 0.1.
  const Rate wild = realised_rate(least_squares_error, 40, 41, 0.05, 150);
  print_row("least squares, as many numbers as images", 40, 40, wild);
  EXPECT_GT(wild.value - wild.half, 0.3);
  // The same detector far from that point is stable.
  const Rate tame = realised_rate(least_squares_error, 40, 6, 0.05, 600);
  print_row("least squares, few numbers", 40, 5, tame);
  EXPECT_LT(tame.value, 0.07);
}

TEST(CrossfitRate, AConstantDetectorRejectsNothing) {
  const auto constant = [](const std::vector<const Part*>&) -> Score {
    return [](const Part&) { return 1.0; };
  };
  EXPECT_EQ(realised_rate(constant, 20, 1, 0.05, 50).value, 0);
}

// ---------------------------------------------------------------- resume

std::vector<PatchScores> scores_of(int n, float first) {
  std::vector<PatchScores> out;
  for (int i = 0; i < n; ++i) out.push_back({ScoreMap(2, 3, first + static_cast<float>(i)), {}});
  return out;
}

TEST(Crossfit, StateSurvivesJoiningAndDamageIsNamed) {
  TrainingState running{3, {{"head", from_floats({5, 6}, {2})}}, {}};
  running.record.series = {{3, {{"loss", 0.5}}}};
  TensorDict tensors = {{"head", from_floats({1, 2}, {2})}};
  const nlohmann::json record = pack_crossfit({{scores_of(4, 0), scores_of(3, 10)}, running}, tensors);
  const TensorDict copy = tensors;
  const CrossfitState back = unpack_crossfit(record, tensors);
  EXPECT_EQ(tensors.size(), 1U);
  ASSERT_EQ(back.finished.size(), 2U);
  EXPECT_EQ(back.finished[1][2].map.values, scores_of(3, 10)[2].map.values);
  ASSERT_TRUE(back.running);
  EXPECT_EQ(back.running->meta_epoch, 3);
  EXPECT_EQ(back.running->tensors.at("head").data, running.tensors.at("head").data);
  EXPECT_EQ(back.running->record.to_json(), running.record.to_json());

  TensorDict nothing;
  EXPECT_TRUE(unpack_crossfit(pack_crossfit({}, nothing), nothing).finished.empty());
  TensorDict lost = copy;
  std::erase_if(lost, [](const auto& e) { return e.first.starts_with("crossfit.001"); });
  EXPECT_THROW(unpack_crossfit(record, lost), Error);
  TensorDict odd = copy;
  EXPECT_THROW(unpack_crossfit("x", odd), Error);
  const std::vector<Split> folds = {{{4, 5, 6}, {0, 1, 2, 3}}, {{0, 1, 2, 3}, {4, 5}}};
  EXPECT_THROW(crossfit_scores(folds, back, {}), Error) << "three scores for two images";
}

class CrossfitTest : public TinySet {
 protected:
  static std::unique_ptr<TrainConfig> configuration(const std::vector<std::string>& settings) {
    auto config = std::make_unique<TrainConfig>("simplenet", backbone_, Recipe::kRefined);
    small(*config);
    for (const std::string& s : settings) config->table().set_assignment(s);
    return config;
  }
};

/// Stops after some training steps, and notes which folds began to train.
class StopAfter : public ProgressSink {
 public:
  StopAfter(int steps, std::vector<std::string>& folds) : steps_(steps), folds_(folds) {}
  void begin(const std::string& label, std::int64_t) override { training_ = label == "training"; }
  void advance(std::int64_t, const std::string&) override {
    if (training_ && steps_-- == 0) throw Error(ErrorCode::kCancelled, "stop");
  }
  void end() override {}
  void message(const std::string& line) override {
    if (line.starts_with("crossfit: fold ")) folds_.push_back(line.substr(15, 1));
  }

 private:
  int steps_;
  bool training_ = false;
  std::vector<std::string>& folds_;
};

TEST_F(CrossfitTest, InterruptedAnywhereItGoesOnWithoutTrainingAFinishedFoldAgain) {
  const std::vector<std::string> settings = {"calibration.mode=crossfit", "calibration.folds=3",
                                             "simplenet.meta_epochs=2", "augment.draws=1",
                                             "simplenet.batch=4"};
  const Model whole = fit_model(*configuration(settings), dataset(), {}, silent_progress());
  FitOptions options;
  options.state = folder_->path() / "crossfit.resume";
  options.resume = true;
  // Cut off again and again, each time a few steps further on: 12 steps for all images, 8 for each fold.
  std::optional<Model> resumed;
  std::vector<std::string> folds;
  int interruptions = 0;
  while (!resumed) {
    ASSERT_LT(interruptions, 20);
    StopAfter stop(7, folds);
    try {
      resumed = fit_model(*configuration(settings), dataset(), options, stop);
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kCancelled) << e.what();
      ++interruptions;
    }
  }
  EXPECT_GE(interruptions, 4);
  EXPECT_TRUE(std::is_sorted(folds.begin(), folds.end())) << "a finished fold was trained again";
  EXPECT_EQ(std::set<std::string>(folds.begin(), folds.end()), (std::set<std::string>{"1", "2", "3"}));
  EXPECT_EQ(model_fingerprint(*resumed), model_fingerprint(whole));
}

TEST_F(CrossfitTest, SharedFeaturesChangeNoFold) {
  // One fold trained from the features of all images, and from its own alone: the same weights, bit for bit.
  const Dataset data = dataset();
  for (const char* method : {"simplenet", "inp_former"}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kAuto}) {
      const auto config = tiny(method, backbone_);
      Backbone backbone = open_backbone(config->backbone);
      backbone.to(DeviceChoice::kCpu, precision);
      std::vector<RgbImage> images;
      for (const Sample& sample : data.train)
        images.push_back(prepare_input(read_image(sample.path), config->input));
      const std::vector<int> fold = {0, 2, 3, 5, 8, 9, 10, 13, 14, 17, 21, 22, 23};
      FitInput alone;
      alone.images = static_cast<int>(fold.size());
      alone.image = [&](int i, int) { return images[fold[i]]; };
      alone.precision = precision;
      FitInput shared = alone;
      FeatureLibrary library;
      shared.library = &library;
      shared.pool = {static_cast<int>(images.size()), [&](int i, int) { return images[i]; }, "all"};
      shared.in_pool = fold;
      const TensorDict a = config->method->fit(backbone, alone).weights,
                       b = config->method->fit(backbone, shared).weights;
      ASSERT_EQ(a.size(), b.size());
      for (const auto& [name, tensor] : a) EXPECT_EQ(tensor.data, b.at(name).data) << method << ' ' << name;
    }
  }
}

TEST_F(CrossfitTest, FeaturesOfEachImageAreComputedOnce) {
  class Count : public ProgressSink {
   public:
    void begin(const std::string& label, std::int64_t total) override {
      if (label == "computing features") blocks += total;
    }
    void advance(std::int64_t, const std::string&) override {}
    void end() override {}
    void message(const std::string&) override {}
    std::int64_t blocks = 0;
  } count;
  fit_model(*configuration({"calibration.mode=crossfit", "simplenet.meta_epochs=1"}), dataset(), {}, count);
  EXPECT_EQ(count.blocks, 24 * 2) << "24 images in two draws, once for the detector and its five folds";
}

// ---------------------------------------------------------------- who trains, who calibrates

/// What a detector was trained on and what it scored, by image content.
struct Seen {
  std::set<std::string> trained, scored;
};

/// A method that writes down which images reach training (through the features that it gathers, as real
/// methods do) and which of them its detectors score.
class Recorder : public Method {
 public:
  explicit Recorder(std::vector<Seen>& seen, MethodNeeds needs = {})
      : seen_(seen), needs_(std::move(needs)) {}
  std::string_view name() const override { return "simplenet"; }
  void describe(OptionTable&) override {}
  RecipeDefaults apply_recipe(Recipe, const BackboneSpec&) override { return {}; }
  FitSize fit_size(const BackboneSpec&, std::int64_t, int) const override { return {}; }
  TensorDict weights_of(const TensorDict& state) const override { return state; }

  MethodNeeds needs() const override { return needs_; }
  void validate(const BackboneSpec&, const InputOptions&) const override {}

  FitResult fit(const FeatureExtractor&, const FitInput& input) const override {
    std::vector<std::string> contents;  // an image's feature is its number in this list
    const TrainingFeatures features = training_features(
        "recorder", input,
        [&](const std::vector<RgbImage>& images) {
          torch::Tensor out = torch::empty({std::ssize(images), 1, 1});
          for (std::size_t i = 0; i < images.size(); ++i) {
            out[static_cast<std::int64_t>(i)] = static_cast<float>(known_.size());
            known_.push_back(content_of(images[i]));
          }
          return out;
        },
        torch::kFloat);
    Seen seen;
    for (int i = 0; i < input.images; ++i) {
      for (int draw = 0; draw < input.draws; ++draw) {
        const auto number = static_cast<std::size_t>(features.gather({i}, draw).item<float>());
        seen.trained.insert(known_.at(number));
        EXPECT_EQ(known_.at(number), content_of(input.image(i, draw))) << "gathered another image's features";
      }
    }
    seen_.push_back(seen);
    FitResult out;
    out.weights["id"] = from_floats({static_cast<float>(seen_.size() - 1)}, {1});
    return out;
  }

  std::unique_ptr<Detector> load(std::shared_ptr<const FeatureExtractor>, const TensorDict& weights,
                                 const std::string&) const override {
    class Recording : public Detector {
     public:
      explicit Recording(Seen& seen) : seen_(seen) {}
      std::vector<PatchScores> patch_scores(const std::vector<RgbImage>& inputs) const override {
        for (const RgbImage& image : inputs) seen_.scored.insert(content_of(image));
        return scores_of(static_cast<int>(inputs.size()), 0);
      }

     private:
      Seen& seen_;
    };
    return std::make_unique<Recording>(seen_.at(static_cast<std::size_t>(to_floats(weights.at("id"))[0])));
  }

 private:
  std::vector<Seen>& seen_;
  MethodNeeds needs_;
  mutable std::vector<std::string> known_;
};

class Calibration : public CrossfitTest {
 protected:
  /// Trains a recorder and checks what holds in every mode; contents of all prepared images in `all`.
  static std::vector<Seen> record(const Dataset& data, const std::vector<std::string>& settings,
                                  std::set<std::string>& all) {
    const auto config = configuration(settings);
    config->method_name = "simplenet";
    std::vector<Seen> seen;
    seen.reserve(16);
    config->method = std::make_unique<Recorder>(seen);
    const Model model = fit_model(*config, data, {}, silent_progress());
    // The parity capsule is a training part that the finished detector scores; it calibrates nothing.
    const std::string capsule = content_of(model.capsule.value().input);
    EXPECT_EQ(seen[0].trained.count(capsule), 1U);
    EXPECT_EQ(seen[0].scored.erase(capsule), 1U);
    for (const Sample& sample : data.train)
      all.insert(content_of(prepare_input(read_image(sample.path), config->input)));
    EXPECT_EQ(all.size(), data.train.size()) << "the images differ, so that contents tell them apart";
    for (const Seen& one : seen) {
      EXPECT_FALSE(one.trained.empty());
      for (const std::string& content : one.scored)
        EXPECT_EQ(one.trained.count(content), 0U) << "trained on an image that it calibrates with";
    }
    return seen;
  }
};

TEST_F(Calibration, HoldoutNeverSeesTrainingImages) {
  std::set<std::string> all;
  const auto seen = record(dataset(), {"calibration.mode=holdout", "augment.regime=none"}, all);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].scored.size(), 6U);
  EXPECT_EQ(seen[0].trained.size(), 18U);
}

TEST_F(Calibration, CrossfitNeverSeesTrainingImages) {
  std::set<std::string> all;
  const auto seen = record(dataset(), {"calibration.mode=crossfit", "augment.regime=none"}, all);
  ASSERT_EQ(seen.size(), 6U) << "the detector and five folds";
  EXPECT_EQ(seen[0].trained, all);
  EXPECT_TRUE(seen[0].scored.empty()) << "the final detector calibrates nothing: it has seen everything";
  std::set<std::string> scored;
  std::size_t count = 0;
  for (std::size_t f = 1; f < seen.size(); ++f) {
    EXPECT_EQ(seen[f].trained.size() + seen[f].scored.size(), all.size());
    scored.insert(seen[f].scored.begin(), seen[f].scored.end());
    count += seen[f].scored.size();
  }
  EXPECT_EQ(scored, all) << "every image calibrates once";
  EXPECT_EQ(count, all.size());
}

TEST_F(Calibration, FolderNeverSeesTrainingImages) {
  Dataset data = dataset();
  for (int i = 0; i < 7; ++i) {
    data.calibration.push_back(data.train.back());
    data.calibration.back().role = Role::kCalibration;
    data.train.pop_back();
  }
  std::set<std::string> all;
  const auto seen = record(data, {"calibration.mode=folder", "augment.regime=none"}, all);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].trained, all);
  EXPECT_EQ(seen[0].scored.size(), 7U);
}

TEST_F(Calibration, FewShotNeverSeesTrainingImages) {
  std::set<std::string> all;
  const auto seen = record(dataset(), {"train.shots=2", "augment.regime=none"}, all);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].scored.size(), 22U);
  // two images in 22 versions each; version 0 is the image itself
  std::size_t whole = 0;
  for (const std::string& content : seen[0].trained) whole += all.count(content);
  EXPECT_EQ(whole, 2U);
}

TEST_F(Calibration, WhatAMethodNeedsIsCheckedBeforeTheFirstImage) {
  Dataset data = dataset();
  for (Sample& sample : data.train) sample.path = folder_->path() / "absent.png";
  const auto refusal = [&](const MethodNeeds& needs) {
    const auto config = configuration({"calibration.mode=holdout"});
    std::vector<Seen> seen;
    config->method = std::make_unique<Recorder>(seen, needs);
    try {
      fit_model(*config, data, {}, silent_progress());
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  MethodNeeds tokens;
  tokens.features = FeatureKind::kTokens;
  EXPECT_NE(refusal(tokens).find("reads tokens of a transformer"), std::string::npos);
  EXPECT_NE(refusal({}).find("absent.png"), std::string::npos) << "nothing else is in the way";
}

TEST_F(Calibration, AMethodThatTakesNoDrawsGetsOne) {
  MethodNeeds needs;
  needs.augmentation_draws = false;
  const auto config = configuration({"calibration.mode=holdout", "augment.regime=mild", "augment.draws=3"});
  std::vector<Seen> seen;
  config->method = std::make_unique<Recorder>(seen, needs);
  fit_model(*config, dataset(), {}, silent_progress());
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].trained.size(), 18U) << "one version of each image";
}

TEST_F(Calibration, TheRecordSaysCrossfittingPromisesNoBound) {
  const Model model = fit_model(*configuration({"calibration.mode=crossfit", "simplenet.meta_epochs=1"}),
                                dataset(), {}, silent_progress());
  const nlohmann::json& decision = model.record["decision"];
  const auto guarantee = decision["guarantee"].get<std::string>();
  EXPECT_NE(guarantee.find("no finite-sample bound"), std::string::npos) << guarantee;
  EXPECT_EQ(guarantee.find("at most"), std::string::npos) << guarantee;
  EXPECT_TRUE(decision["guaranteed_rate"].is_null());
  EXPECT_TRUE(decision["realised_rate_upper_95"].is_null());
  EXPECT_EQ(calibration_scores(model).size(), 24U);
}

}  // namespace
}  // namespace glint
