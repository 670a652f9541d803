// Miniatures of published datasets, trained on and evaluated: rendered parts in the folders that each has.
#include <gtest/gtest.h>

#include "glint/data/box_list.h"
#include "glint/data/loco_layout.h"
#include "glint/evaluate/evaluate.h"
#include "glint/metrics/saturated_overlap.h"
#include "glint/report/evaluation_report.h"
#include "tiny_set.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class PublishedLayouts : public TinySet {
 protected:
  PublishedLayouts() : from_(dataset()) {}

  fs::path at(const std::string& name) const { return out_.path() / name; }
  void put(const fs::path& from, const std::string& to) {
    fs::create_directories(at(to).parent_path());
    fs::copy_file(from, at(to), fs::copy_options::overwrite_existing);
  }
  void put_black(const std::string& to, const Sample& like) {
    write_file(at(to), encode_png(Mask(like.width, like.height)));
  }
  /// Trains in one pass, evaluates, and makes a page of it.
  Evaluation result(const std::string& name, DatasetLayout layout) {
    const Dataset set = scan_dataset(at(name), {}, silent_progress());
    EXPECT_EQ(set.layout, layout);
    const Model model = fit_model(*tiny("dfm", backbone_), set, {}, silent_progress());
    return evaluated(model, set);
  }
  Evaluation evaluated(const Model& model, const Dataset& set) {
    const Inspector inspector(model, DeviceChoice::kCpu, Precision::kAuto, "test");
    EvaluateOptions options;
    options.scoring = model.scoring;
    options.false_reject = 0.2;
    options.pixel.bootstrap_replicates = 20;
    Evaluation out = evaluate_model(model, inspector, set, options, false, silent_progress());
    json_ = results_json(out, model, set);
    first_maps_.clear();
    for (const ScoredImage& image : out.images)
      first_maps_.push_back(full_map(image, inspector, out.decision.scorer));
    return out;
  }
  int defective() const {
    return static_cast<int>(
        std::count_if(from_.test.begin(), from_.test.end(), [](const Sample& s) { return s.anomalous(); }));
  }

  Dataset from_;
  nlohmann::json json_;
  std::vector<ScoreMap> first_maps_;
  TemporaryFolder out_;
};

TEST_F(PublishedLayouts, LocoReportsItsKindsApart) {
  for (const Sample& s : from_.train) put(s.path, "box/train/good/" + s.path.filename().string());
  int n = 0;
  for (const Sample& s : from_.test) {
    const std::string kind = !s.anomalous() ? "good"
                             : n % 2 == 0   ? "logical_anomalies"
                                            : "structural_anomalies";
    put(s.path, fmt::format("box/test/{}/{:03}.png", kind, n));
    if (s.anomalous()) put(*s.mask, fmt::format("box/ground_truth/{}/{:03}/000.png", kind, n));
    ++n;
  }
  write_text(at("box/defects_config.json"),
             R"([{"defect_name": "any", "pixel_value": 255, "saturation_threshold": 0.25,
                  "relative_saturation": true}])");
  const Evaluation e = result("box", DatasetLayout::kMvtecLoco);
  ASSERT_TRUE(e.saturated);
  ASSERT_EQ(e.saturated->au_spro.size(), 2U);
  // One kind again, from the maps: by the metric's own definition at the limit.
  std::vector<MapAndRegions> images;
  std::vector<int> strata;
  for (std::size_t i = 0; i < e.images.size(); ++i) {
    const Sample& sample = e.images[i].sample;
    if (sample.anomalous() && sample.label != "logical_anomalies") continue;
    images.push_back({first_maps_[i], load_saturated_regions(sample)});
    strata.push_back(0);
  }
  PixelMetricOptions options;
  options.pro_limit = 0.05;
  options.bootstrap_replicates = 0;
  const double logical =
      saturated_overlap(
          static_cast<int>(images.size()), [&](int i) { return images[i]; }, strata, options)
          .au_spro.value;
  EXPECT_NEAR(e.saturated->au_spro.at("logical_anomalies").value, logical, 1e-6);
  EXPECT_NEAR(json_["saturated_overlap"]["mean_au_spro"].get<double>(),
              (logical + e.saturated->au_spro.at("structural_anomalies").value) / 2, 1e-6);
  EXPECT_NE(summary_text(e).find("AU-sPRO 0.05 logical_anomalies"), std::string::npos);
}

TEST_F(PublishedLayouts, KolektorAndDagmTrainAndEvaluate) {
  const auto name = [](int i) { return fmt::format("{:04}", i); };
  int n = 0;
  std::string lists[2] = {"1\n", "1\n"};
  const auto everywhere = [&](const Sample& s, bool train) {
    const std::string item = fmt::format("kos{:02}/Part{}", train ? 1 + n % 2 : 3, n);
    put(s.path, "sdd/" + item + ".png");
    put(s.path, fmt::format("sdd2/{}/{}.png", train ? "train" : "test", name(n)));
    put(s.path, fmt::format("Class1/{}/{}.PNG", train ? "Train" : "Test", name(n)));
    const std::string labels[3] = {
        "sdd/" + item + "_label.png", fmt::format("sdd2/{}/{}_GT.png", train ? "train" : "test", name(n)),
        fmt::format("Class1/{}/Label/{}_label.PNG", train ? "Train" : "Test", name(n))};
    for (const std::string& label : labels) {
      if (s.anomalous()) put(*s.mask, label);
      if (!s.anomalous() && &label != &labels[2]) put_black(label, s);
    }
    lists[train ? 0 : 1] += fmt::format("{}\t{}\t{}.PNG\t0\t{}\n", n, s.anomalous() ? 1 : 0, name(n),
                                        s.anomalous() ? name(n) + "_label.PNG" : "0");
    ++n;
  };
  for (const Sample& s : from_.train) everywhere(s, true);
  for (const Sample& s : from_.test) everywhere(s, false);
  fs::create_directories(at("Class1/Train/Label"));
  write_text(at("Class1/Train/Label/Labels.txt"), lists[0]);
  write_text(at("Class1/Test/Label/Labels.txt"), lists[1]);
  for (const auto& [folder, layout] :
       {std::pair("sdd", DatasetLayout::kKolektor), std::pair("sdd2", DatasetLayout::kKolektor2),
        std::pair("Class1", DatasetLayout::kDagm)}) {
    const Evaluation e = result(folder, layout);
    EXPECT_EQ(e.images.size(), from_.test.size()) << folder;
    EXPECT_EQ(e.pixel.regions > 0, true) << folder;
    EXPECT_EQ(e.classes.at(1).images, defective()) << folder;
    EXPECT_FALSE(e.saturated);
  }
}

TEST_F(PublishedLayouts, BoxesAreHitByTheHighestPixelAndEnterNoPixelFigure) {
  const Model model = fit_model(*tiny("dfm", backbone_), from_, {}, silent_progress());
  const Sample& defect =
      *std::find_if(from_.test.begin(), from_.test.end(), [](const Sample& s) { return s.anomalous(); });
  put(defect.path, "neu/test/crazing/1.png");
  const auto hits_of = [&](const DefectBox& box) {
    write_text(at("neu/boxes.csv"), box_csv({{"test/crazing/1.png", {box}}}));
    const Dataset set = scan_dataset(at("neu"), {DatasetUse::kEvaluate, false}, silent_progress());
    const Evaluation e = evaluated(model, set);
    EXPECT_EQ(e.pixel.regions, 0);
    EXPECT_EQ(json_["box_hits"]["images"], 1);
    return e.box_hits.value().hits;
  };
  EXPECT_EQ(hits_of({"crazing", 0, 0, 96, 96}), 1);
  const ScoreMap& map = first_maps_[0];
  const auto peak = std::max_element(map.values.begin(), map.values.end()) - map.values.begin();
  const auto x = static_cast<double>(peak % map.width), y = static_cast<double>(peak / map.width);
  EXPECT_EQ(hits_of({"crazing", x, y, x + 1, y + 1}), 1);
  EXPECT_EQ(hits_of({"crazing", x + 1, y, x + 2, y + 1}), 0);
}

}  // namespace
}  // namespace glint
