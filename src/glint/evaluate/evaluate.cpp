#include "glint/evaluate/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <set>

#include "glint/base/csv.h"
#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/base/order_statistics.h"
#include "glint/image/codec.h"
#include "glint/image/regions.h"
#include "glint/metrics/estimate_json.h"
#include "glint/metrics/ranking.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr int kLeastGoodTest = 30, kLeastAnomalousTest = 60;  // recommendation 6 of the study
constexpr int kImageBootstrap = 2000;

void check_not_trained_on(const Model& model, const Dataset& dataset, bool allow, Evaluation& out) {
  std::map<std::string, std::string> known;
  const json images = model.record.value(json::json_pointer("/dataset/images"), json::array());
  for (const json& image : images) {
    if (image.is_object()) known.emplace(image.value("sha256", ""), image.value("id", ""));
  }
  out.leaked = dataset.leaked;
  std::set<std::string> named(dataset.leaked.begin(), dataset.leaked.end());
  for (const Sample& sample : dataset.test) {
    const auto found = known.find(sample.sha256);
    if (found == known.end()) continue;
    if (!allow) {
      fail(ErrorCode::kBadInput,
           "{}: the model was trained on or calibrated with this image ({}); a figure on it means nothing. "
           "Remove it from the test set (--allow-leakage for experiments)",
           name_line(sample.path), found->second);
    }
    const std::string pair = found->second + " = " + sample.id;
    if (named.insert(pair).second) out.leaked.push_back(pair);
  }
}

/// The images' classes as numbers. Defect classes of a single image are one stratum together: resampling one
/// image alone always gives that image, as if its class had no spread.
std::vector<int> strata(const std::vector<const ScoredImage*>& images) {
  std::map<std::string, int> count, ids;
  for (const ScoredImage* image : images) ++count[image->sample.label];
  std::string smallest;  // defect class of several images that a lone single one joins
  int singles = 0;
  for (const auto& [label, n] : count) {
    if (label == kGoodClass) continue;
    singles += n == 1 ? 1 : 0;
    if (n > 1 && (smallest.empty() || n < count[smallest])) smallest = label;
  }
  const std::string together = singles == 1 && !smallest.empty() ? smallest : "\n";
  std::vector<int> out;
  for (const ScoredImage* image : images) {
    const std::string& label = image->sample.label;
    const bool single = label != kGoodClass && count[label] == 1;
    out.push_back(ids.emplace(single ? together : label, ids.size()).first->second);
  }
  return out;
}

PixelMetrics pixel_metrics_of(const std::vector<const ScoredImage*>& images, const Inspector& inspector,
                              const Scorer& scorer, const PixelMetricOptions& options) {
  return pixel_metrics(
      static_cast<int>(images.size()),
      [&](int i) {
        return MapAndMask{full_map(*images[i], inspector, scorer), *load_mask(images[i]->sample)};
      },
      strata(images), options);
}

void image_metrics(Evaluation& out) {
  std::vector<double> scores;
  std::vector<int> labels;
  std::vector<const ScoredImage*> all;
  for (const ScoredImage& image : out.images) {
    scores.push_back(image.score);
    labels.push_back(image.sample.anomalous() ? 1 : 0);
    all.push_back(&image);
  }
  out.image_auroc = auroc_interval(scores, labels);
  out.roc = roc_curve(scores, labels);
  const F1Max f1 = f1_max(scores, labels);
  out.image_f1max_threshold = f1.threshold;
  const std::vector<int> stratum = strata(all);
  std::vector<double> ap_replicates, f1_replicates;
  for (int r = 0; r < kImageBootstrap; ++r) {
    std::vector<double> s;
    std::vector<int> l;
    for (const int i : stratified_resample(stratum, 0, r)) {
      s.push_back(scores[i]);
      l.push_back(labels[i]);
    }
    const RankedCounts counts = rank(s, l);
    ap_replicates.push_back(average_precision(counts));
    f1_replicates.push_back(f1_max(counts).f1);
  }
  const auto anomalous = std::count(labels.begin(), labels.end(), 1);
  const std::int64_t units = std::min<std::int64_t>(anomalous, std::ssize(labels) - anomalous);
  out.image_ap = bootstrap_interval(average_precision(scores, labels), ap_replicates, units);
  out.image_f1max = bootstrap_interval(f1.f1, f1_replicates, units);
}

std::vector<ClassResult> class_results(const Evaluation& evaluation, const Inspector& inspector,
                                       const EvaluateOptions& options, ProgressSink& progress) {
  std::map<std::string, std::vector<const ScoredImage*>> by_label;
  for (const ScoredImage& image : evaluation.images) by_label[image.sample.label].push_back(&image);
  std::vector<ClassResult> out;
  const auto& good = by_label[kGoodClass];
  progress.begin("metrics per class", static_cast<std::int64_t>(by_label.size()));
  for (const auto& [label, images] : by_label) {
    throw_if_cancelled();
    if (images.empty()) continue;
    ClassResult result;
    result.label = label;
    result.images = static_cast<int>(images.size());
    for (const ScoredImage* image : images) result.rejected += image->rejected ? 1 : 0;
    result.rejected_rate = wilson_rate(result.rejected, result.images);
    result.image_auroc = {NAN, NAN, NAN};
    if (label != kGoodClass) {
      std::vector<double> scores;
      std::vector<int> labels;
      std::vector<const ScoredImage*> with_mask = good;
      std::vector<double> areas;
      for (const ScoredImage* image : good) {
        scores.push_back(image->score);
        labels.push_back(0);
      }
      for (const ScoredImage* image : images) {
        scores.push_back(image->score);
        labels.push_back(1);
        if (!image->sample.mask) continue;
        with_mask.push_back(image);
        areas.push_back(static_cast<double>(image->defect_area_px));
        result.mean_area_share +=
            static_cast<double>(image->defect_area_px) / (image->sample.width * image->sample.height);
        result.mean_regions += image->defect_regions;
      }
      if (!good.empty()) result.image_auroc = auroc_interval(scores, labels);
      if (!areas.empty()) {
        const auto n = static_cast<double>(areas.size());
        result.mean_area_px = std::accumulate(areas.begin(), areas.end(), 0.0) / n;
        result.median_area_px = median(areas);
        result.mean_area_share /= n;
        result.mean_regions /= n;
        PixelMetricOptions pixel = options.pixel;
        pixel.bootstrap_replicates = 0;
        result.pixel = pixel_metrics_of(with_mask, inspector, evaluation.decision.scorer, pixel);
      }
    }
    out.push_back(std::move(result));
    progress.advance(std::ssize(out), label);
  }
  progress.end();
  std::stable_partition(out.begin(), out.end(), [](const ClassResult& c) { return c.label == kGoodClass; });
  return out;
}

void judge(ScoredImage& image, const Decision& decision) {
  try {
    image.score = decision.scorer.score(image.patches);
  } catch (const Error& e) {
    fail(e.code(), "{}: {}", name_line(image.sample.path), e.what());
  }
  image.p_value = decision.p_value(image.score);
  image.rejected = decision.rejects(image.score);
}

/// Every figure from the images' scores.
void measure(Evaluation& out, const Inspector& inspector, const EvaluateOptions& options,
             ProgressSink& progress) {
  image_metrics(out);
  std::vector<const ScoredImage*> with_masks;
  for (const ScoredImage& image : out.images) {
    if (!image.sample.anomalous() || image.sample.mask) with_masks.push_back(&image);
  }
  out.pixel_images = static_cast<int>(with_masks.size());
  progress.begin("pixel metrics", 1);
  out.pixel = pixel_metrics_of(with_masks, inspector, out.decision.scorer, options.pixel);
  progress.end();
  out.classes = class_results(out, inspector, options, progress);
  out.saturated = saturated_figures(out, inspector, options.pixel);
  out.box_hits = box_hits(out, inspector);
}

void add_warnings(Evaluation& out) {
  int good = 0, anomalous = 0;
  for (const ScoredImage& image : out.images) (image.sample.anomalous() ? anomalous : good) += 1;
  if (good == 0 || anomalous == 0) {
    out.warnings.push_back(fmt::format(
        "the test set has {} good and {} anomalous images: AUROC needs both kinds", good, anomalous));
  } else if (good < kLeastGoodTest || anomalous < kLeastAnomalousTest) {
    out.warnings.push_back(
        fmt::format("the test set is small ({} good, {} anomalous; at least {} and {} are recommended): the "
                    "95 % interval "
                    "of the image AUROC is {:.3f} wide",
                    good, anomalous, kLeastGoodTest, kLeastAnomalousTest,
                    out.image_auroc.ci_high - out.image_auroc.ci_low));
  }
}

/// Test photographs that `inspect` would not judge, or whose size the model has not seen. Public data sets
/// have them, so that they are named and not refused.
void warn_of_sizes(const Dataset& dataset, const Model& model, std::vector<std::string>& warnings) {
  if (!model.photographs) return;
  int refused = 0, other = 0;
  std::string first_refused, first_other;
  for (const Sample& sample : dataset.test) {
    const std::string why = model.photographs->refusal(sample.width, sample.height, model.input.canvas());
    const std::string size = fmt::format("{} ({} x {})", sample.id, sample.width, sample.height);
    if (!why.empty()) {
      if (refused++ == 0) first_refused = size;
    } else if (!model.photographs->notice(sample.width, sample.height).empty()) {
      if (other++ == 0) first_other = size;
    }
  }
  if (refused > 0) {
    warnings.push_back(
        fmt::format("{} of {} test images have another shape than the model was trained on, or are too small "
                    "for it, such as {}: they count here, `glint inspect` gives them no verdict",
                    refused, dataset.test.size(), first_refused));
  }
  if (other > 0) {
    warnings.push_back(
        fmt::format("{} of {} test images have another size than the model was trained on, such "
                    "as {}",
                    other, dataset.test.size(), first_other));
  }
}

/// Test photographs that `inspect` would not judge because the part cannot be aligned.
void warn_of_unaligned(Evaluation& out) {
  int refused = 0, anomalous = 0;
  const ScoredImage* first = nullptr;
  for (const ScoredImage& image : out.images) {
    if (image.patches.placement.refusal.empty()) continue;
    if (first == nullptr) first = &image;
    ++refused;
    anomalous += image.sample.anomalous() ? 1 : 0;
  }
  if (first == nullptr) return;
  out.warnings.push_back(fmt::format(
      "{} of {} test images ({} of them anomalous) cannot be aligned, such as {} ({}): they count here with "
      "the score of their best pose, `glint inspect` gives them no verdict",
      refused, out.images.size(), anomalous, first->sample.id, first->patches.placement.refusal));
}

}  // namespace

ScoreMap full_map(const ScoredImage& image, const Inspector& inspector, const Scorer& scorer) {
  return inspector.views().to_photograph(scorer.map(image.patches), image.patches.placement);
}

Evaluation evaluate_model(const Model& model, const Inspector& inspector, const Dataset& dataset,
                          const EvaluateOptions& options, bool allow_leakage, ProgressSink& progress) {
  Evaluation out{make_decision(model, options.scoring, options.false_reject), options.scoring};
  out.warnings = dataset.warnings;
  check_not_trained_on(model, dataset, allow_leakage, out);
  if (model.training.saturated) {
    out.warnings.emplace_back(
        "the training saturated: real and fake features are fully separated, scores may carry no "
        "information");
  }

  warn_of_sizes(dataset, model, out.warnings);
  if (!inspector.deviation().empty()) out.warnings.push_back(inspector.deviation());

  const auto start = std::chrono::steady_clock::now();
  progress.begin("scoring", static_cast<std::int64_t>(dataset.test.size()));
  for (std::size_t first = 0; first < dataset.test.size(); first += kScoreBatch) {
    throw_if_cancelled();
    std::vector<RgbImage> photographs;
    const std::size_t last = std::min(dataset.test.size(), first + kScoreBatch);
    for (std::size_t i = first; i < last; ++i) photographs.push_back(read_image(dataset.test[i].path));
    auto patches = inspector.patch_scores(photographs);
    for (std::size_t i = first; i < last; ++i) {
      ScoredImage scored;
      scored.sample = dataset.test[i];
      scored.patches = std::move(patches[i - first]);
      judge(scored, out.decision);
      if (scored.sample.mask) {
        const Mask mask = *load_mask(scored.sample);
        scored.defect_area_px = std::count(mask.pixels.begin(), mask.pixels.end(), 1);
        scored.defect_regions = label_regions(mask).count;
      }
      out.images.push_back(std::move(scored));
    }
    progress.advance(static_cast<std::int64_t>(last), "");
  }
  progress.end();
  out.seconds_per_image = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
                          static_cast<double>(std::max<std::size_t>(1, out.images.size()));

  measure(out, inspector, options, progress);
  warn_of_unaligned(out);
  add_warnings(out);
  return out;
}

Evaluation rescore(const Evaluation& scored, const Model& model, const Inspector& inspector,
                   const EvaluateOptions& options, ProgressSink& progress) {
  Evaluation out{make_decision(model, options.scoring, options.false_reject), options.scoring};
  out.images = scored.images;
  out.leaked = scored.leaked;
  out.seconds_per_image = scored.seconds_per_image;
  for (ScoredImage& image : out.images) judge(image, out.decision);
  measure(out, inspector, options, progress);
  return out;
}

json results_json(const Evaluation& e, const Model& model, const Dataset& dataset) {
  json per_class = json::object();
  for (const ClassResult& c : e.classes) {
    json entry = {
        {"images", c.images}, {"rejected", c.rejected}, {"rejected_rate", estimate_json(c.rejected_rate)}};
    if (c.label != kGoodClass) {
      entry["escapes"] = c.images - c.rejected;
      entry["image_auroc"] = estimate_json(c.image_auroc);
      entry["defect_area_px"] = {{"mean", c.mean_area_px}, {"median", c.median_area_px}};
      entry["defect_area_share"] = c.mean_area_share;
      entry["regions_per_image"] = c.mean_regions;
      if (c.pixel) {
        entry["pixel_auroc"] = number_json(c.pixel->auroc.value);
        entry["aupro"] = number_json(c.pixel->aupro.value);
      }
    }
    per_class[utf8_text(c.label)] = std::move(entry);
  }
  json decision = e.decision.to_json();
  int good = 0, anomalous = 0, false_rejects = 0, escapes = 0;
  for (const ScoredImage& image : e.images) {
    (image.sample.anomalous() ? anomalous : good) += 1;
    if (!image.sample.anomalous() && image.rejected) ++false_rejects;
    if (image.sample.anomalous() && !image.rejected) ++escapes;
  }
  decision["false_rejects"] = false_rejects;
  decision["false_reject_rate"] = estimate_json(wilson_rate(false_rejects, good));
  decision["escapes"] = escapes;
  decision["escape_rate"] = estimate_json(wilson_rate(escapes, anomalous));
  OptionTable scoring;
  ScoringOptions copy = e.scoring;
  copy.describe(scoring);
  json record = full_record(model);
  if (record.contains("dataset")) record["dataset"].erase("images");
  json leaked = json::array(), warnings = json::array();
  for (const std::string& pair : e.leaked) leaked.push_back(utf8_text(pair));
  for (const std::string& warning : e.warnings) warnings.push_back(utf8_text(warning));
  json out = {{"schema_version", 1},
              {"image_auroc", estimate_json(e.image_auroc)},
              {"pixel_auroc", estimate_json(e.pixel.auroc)},
              {"aupro", estimate_json(e.pixel.aupro)},
              {"image_ap", estimate_json(e.image_ap)},
              {"pixel_ap", estimate_json(e.pixel.average_precision)},
              {"image_f1max", estimate_json(e.image_f1max)},
              {"pixel_f1max", estimate_json(e.pixel.f1max)},
              {"per_class", per_class},
              {"decision", decision},
              {"scoring", scoring.to_json()["scoring"]},
              {"dataset",
               {{"name", utf8_text(dataset.name())},
                {"fingerprint", dataset.fingerprint()},
                {"test_good", good},
                {"test_anomalous", anomalous},
                {"pixel_images", e.pixel_images},
                {"regions", e.pixel.regions},
                {"leaked", leaked}}},
              {"model", record},
              {"seconds_per_image", e.seconds_per_image},
              {"warnings", warnings}};
  if (e.saturated) out["saturated_overlap"] = saturated_json(*e.saturated);
  if (e.box_hits) out["box_hits"] = box_json(*e.box_hits);
  return out;
}

std::string scores_csv(const Evaluation& e) {
  std::string out = "image,label,anomalous,score,threshold,p_value,verdict,defect_area_px\n";
  for (const ScoredImage& image : e.images) {
    out += fmt::format("{},{},{},{:.9g},{:.9g},{:.6g},{},{}\n", csv_field(utf8_text(image.sample.id)),
                       csv_field(utf8_text(image.sample.label)), image.sample.anomalous() ? 1 : 0,
                       image.score, e.decision.conformal.threshold, image.p_value,
                       image.rejected ? "NOK" : "OK", image.defect_area_px);
  }
  return out;
}

std::string summary_text(const Evaluation& e) {
  std::string out;
  if (!e.leaked.empty()) {
    out += fmt::format(
        "LEAKAGE: {} test images were also used for training or calibration; the figures are not a result\n",
        e.leaked.size());
  }
  auto line = [&](const std::string& name, const Estimate& v) {
    if (std::isfinite(v.value))
      out += fmt::format("{:<14} {:.4f}  [{:.4f}, {:.4f}]\n", name, v.value, v.ci_low, v.ci_high);
  };
  line("image AUROC", e.image_auroc);
  line("image AP", e.image_ap);
  line("image F1 max", e.image_f1max);
  line("pixel AUROC", e.pixel.auroc);
  line("pixel AP", e.pixel.average_precision);
  line("pixel F1 max", e.pixel.f1max);
  line("AUPRO 0.3", e.pixel.aupro);
  if (e.saturated) {
    for (const auto& [label, estimate] : e.saturated->au_spro)
      line(fmt::format("AU-sPRO {} {}", e.saturated->limit, label), estimate);
    out += fmt::format("{:<14} {:.4f}  mean of the kinds of anomalies; image AUROC {:.4f}\n", "AU-sPRO",
                       e.saturated->mean_au_spro, e.saturated->mean_image_auroc);
  }
  if (e.box_hits) {
    line("box hits", e.box_hits->rate);
    out += fmt::format("{:<14} highest pixel in a box: {} of {} images with boxes\n", "", e.box_hits->hits,
                       e.box_hits->images);
  }
  for (const ClassResult& c : e.classes) {
    out += fmt::format("{:<20} {:>4} of {:<4} rejected  {:5.1f} %  [{:.1f}, {:.1f}]\n", c.label, c.rejected,
                       c.images, 100 * c.rejected_rate.value, 100 * c.rejected_rate.ci_low,
                       100 * c.rejected_rate.ci_high);
  }
  for (const std::string& warning : e.warnings) out += "warning: " + warning + "\n";
  return out;
}

}  // namespace glint
