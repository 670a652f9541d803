#include "glint/limit/limit.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "glint/base/error.h"
#include "glint/inspect/decision.h"
#include "glint/limit/seeded_defects.h"
#include "glint/metrics/estimate_json.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr std::size_t kLeastTestImages = 5;

std::vector<const Sample*> carriers_of(const Model& model, const Dataset& dataset, bool& held_out) {
  std::vector<const Sample*> out;
  for (const Sample& sample : dataset.test) {
    if (!sample.anomalous()) out.push_back(&sample);
  }
  held_out = out.size() >= kLeastTestImages;
  if (held_out) return out;
  std::set<std::string> calibrating;
  for (const json& image : model.record.value(json::json_pointer("/dataset/images"), json::array())) {
    if (image.is_object() && image.value("role", "") == "calibration")
      calibrating.insert(image.value("sha256", ""));
  }
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) {
      if (calibrating.count(sample.sha256) > 0) out.push_back(&sample);
    }
  }
  if (out.size() < kLeastTestImages) {
    fail(ErrorCode::kBadInput,
         "{}: {} good images that the detector was not trained on; at least {} are needed in test/good",
         dataset.root.string(), out.size(), kLeastTestImages);
  }
  return out;
}

std::vector<double> ladder(const LimitOptions& options) {
  std::vector<double> out;
  for (int i = 0; i < options.sizes; ++i) {
    out.push_back(options.smallest_px * std::pow(options.largest_px / options.smallest_px,
                                                 static_cast<double>(i) / (options.sizes - 1)));
  }
  return out;
}

/// True when the map's largest value lies on the mask.
bool peaks_on(const ScoreMap& map, const Mask& mask) {
  const auto peak = std::max_element(map.values.begin(), map.values.end()) - map.values.begin();
  const int reach =
      std::max(2, std::max(mask.width, mask.height) / 40);  // a patch of the detector is this coarse
  const int px = static_cast<int>(peak % mask.width), py = static_cast<int>(peak / mask.width);
  for (int y = std::max(0, py - reach); y <= std::min(mask.height - 1, py + reach); ++y) {
    for (int x = std::max(0, px - reach); x <= std::min(mask.width - 1, px + reach); ++x) {
      if (mask.pixels[static_cast<std::size_t>(y) * mask.width + x] != 0) return true;
    }
  }
  return false;
}

json optional_json(const std::optional<double>& v) {
  return v ? json(*v) : json(nullptr);
}

}  // namespace

LimitStudy measure_limit(const Model& model, const Inspector& inspector, const Dataset& dataset,
                         const LimitOptions& options, ProgressSink& progress) {
  GLINT_CHECK(options.sizes >= 3 && options.smallest_px > 0 && options.largest_px > options.smallest_px);
  const Decision decision = make_decision(model, model.scoring, options.false_reject);
  LimitStudy out;
  out.false_reject = options.false_reject;
  out.pixel_pitch_um = options.pixel_pitch_um;
  std::vector<DefectCarrier> carriers;
  int rejected_good = 0;
  for (const Sample* sample : carriers_of(model, dataset, out.held_out)) {
    carriers.push_back(read_carrier(sample->path));
    const PatchScores patches = inspector.patch_scores({carriers.back().image})[0];
    rejected_good += decision.rejects(decision.scorer.score(patches)) ? 1 : 0;
  }
  out.images = static_cast<int>(carriers.size());
  out.false_rejects = wilson_rate(rejected_good, out.images);

  const std::vector<double> sizes = ladder(options);
  const auto total =
      static_cast<std::int64_t>(options.kinds.size() * options.contrasts.size() * sizes.size()) *
      options.trials;
  std::int64_t done = 0;
  progress.begin("synthetic defects", total);
  for (const SyntheticDefect kind : options.kinds) {
    for (const double contrast : options.contrasts) {
      LimitSeries series{kind, contrast, {}, {}, {}};
      std::vector<SizeTrials> by_carrier;
      for (std::size_t s = 0; s < sizes.size(); ++s) {
        SizeTrials trials{sizes[s], options.trials, 0};
        std::vector<SizeTrials> here;
        for (int c = 0; c < std::ssize(carriers); ++c) here.push_back({sizes[s], 0, 0, c});
        int localised = 0;
        std::optional<LimitExample> example;
        const DefectSeries wanted{kind, contrast, sizes[s], s, options.trials};
        score_defects(inspector, carriers, wanted, options.seed, [&](const ScoredDefect& defect) {
          const ScoreMap map = decision.scorer.map(defect.patches);
          const bool rejected = decision.rejects(decision.scorer.score(defect.patches, map));
          trials.hits += rejected ? 1 : 0;
          SizeTrials& carried = here[static_cast<std::size_t>(defect.carrier)];
          ++carried.trials;
          carried.hits += rejected ? 1 : 0;
          const Mask& mask = defect.made.mask;
          localised += peaks_on(inspector.views().to_photograph(map, defect.patches.placement), mask) ? 1 : 0;
          if (!example || (rejected && !example->rejected))
            example = LimitExample{kind, contrast, sizes[s], rejected, defect.made.image, mask};
          progress.advance(++done, fmt::format("{} {:.0f} px", enum_name(kind), sizes[s]));
        });
        // the first size of which more than half are found shows what the limit looks like
        const bool near_limit = 2 * trials.hits > trials.trials &&
                                (s == 0 || 2 * series.trials.back().hits <= series.trials.back().trials);
        if (example && (near_limit || (s + 1 == sizes.size() && 2 * trials.hits <= trials.trials)))
          out.examples.push_back(std::move(*example));
        series.trials.push_back(trials);
        by_carrier.insert(by_carrier.end(), here.begin(), here.end());
        series.localised.push_back(static_cast<double>(localised) / options.trials);
      }
      series.limit = fit_detection_limit(by_carrier, sizes);
      out.series.push_back(std::move(series));
    }
  }
  progress.end();
  return out;
}

std::string size_text(const std::optional<double>& size_px, const LimitStudy& study) {
  if (!size_px) return "not reached";
  const double smallest = study.series.at(0).trials.at(0).size;
  const bool below = *size_px <= smallest;
  const double shown = below ? smallest : *size_px;
  std::string out = fmt::format("{}{:.1f} px", below ? "<= " : "", shown);
  if (study.pixel_pitch_um > 0) out += fmt::format(" ({:.2f} mm)", shown * study.pixel_pitch_um / 1000);
  return out;
}

json limit_json(const LimitStudy& study) {
  json series = json::array();
  for (const LimitSeries& s : study.series) {
    json trials = json::array();
    for (std::size_t i = 0; i < s.trials.size(); ++i) {
      trials.push_back({{"size_px", s.trials[i].size},
                        {"trials", s.trials[i].trials},
                        {"rejected", s.trials[i].hits},
                        {"localised_share", s.localised[i]},
                        {"fitted", s.limit.curve.probability(s.trials[i].size)},
                        {"ci_low", s.limit.bounds[i].low},
                        {"ci_high", s.limit.bounds[i].high}});
    }
    const double mm = study.pixel_pitch_um / 1000;
    json entry = {{"defect", enum_name(s.kind)},
                  {"contrast", s.contrast},
                  {"trials", trials},
                  {"curve",
                   {{"lower", s.limit.curve.lower},
                    {"upper", s.limit.curve.upper},
                    {"offset", s.limit.curve.offset},
                    {"steepness", s.limit.curve.steepness}}},
                  {"design_effect", s.limit.design_effect},
                  {"a90_px", optional_json(s.limit.a90)},
                  {"a90_95_px", optional_json(s.limit.a90_95)}};
    if (mm > 0) {
      entry["a90_mm"] = s.limit.a90 ? json(*s.limit.a90 * mm) : json(nullptr);
      entry["a90_95_mm"] = s.limit.a90_95 ? json(*s.limit.a90_95 * mm) : json(nullptr);
    }
    series.push_back(std::move(entry));
  }
  return {{"schema_version", 1},
          {"images", study.images},
          {"images_from", study.held_out ? "test/good" : "calibration"},
          {"wished_false_reject", study.false_reject},
          {"false_rejects", estimate_json(study.false_rejects)},
          {"pixel_pitch_um", study.pixel_pitch_um > 0 ? json(study.pixel_pitch_um) : json(nullptr)},
          {"series", series}};
}

std::string limit_text(const LimitStudy& study) {
  std::string out =
      fmt::format("{:<10} {:>8}  {:<22} {:<22} {:>9}\n", "defect", "contrast", "a90", "a90/95", "ceiling");
  for (const LimitSeries& s : study.series) {
    out += fmt::format("{:<10} {:>8.2f}  {:<22} {:<22} {:>8.0f} %\n", enum_name(s.kind), s.contrast,
                       size_text(s.limit.a90, study), size_text(s.limit.a90_95, study),
                       100 * s.limit.curve.upper);
  }
  out += fmt::format("{} good images without a defect: {:.1f} % rejected [{:.1f}, {:.1f}]\n", study.images,
                     100 * study.false_rejects.value, 100 * study.false_rejects.ci_low,
                     100 * study.false_rejects.ci_high);
  if (!study.held_out)
    out +=
        "the defects went into the calibration images: too few in test/good; the threshold has seen them\n";
  return out;
}

}  // namespace glint
