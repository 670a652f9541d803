#include "glint/evaluate/localisation.h"

#include <algorithm>

#include "glint/data/loco_layout.h"
#include "glint/evaluate/evaluate.h"
#include "glint/metrics/estimate_json.h"
#include "glint/metrics/saturated_overlap.h"

namespace glint {

using nlohmann::json;

std::optional<SaturatedFigures> saturated_figures(const Evaluation& evaluation, const Inspector& inspector,
                                                  PixelMetricOptions options) {
  std::map<std::string, std::vector<const ScoredImage*>> by_class;
  std::vector<const ScoredImage*> good;
  for (const ScoredImage& image : evaluation.images) {
    if (!image.sample.anomalous()) {
      good.push_back(&image);
    } else if (image.sample.saturations) {
      by_class[image.sample.label].push_back(&image);
    }
  }
  if (by_class.empty()) return std::nullopt;
  SaturatedFigures out;
  out.limit = options.pro_limit = kSproLimit;
  for (const auto& [label, anomalous] : by_class) {
    std::vector<const ScoredImage*> images = good;
    images.insert(images.end(), anomalous.begin(), anomalous.end());
    std::vector<int> strata(images.size(), 1);
    std::fill_n(strata.begin(), good.size(), 0);
    const auto load = [&](int i) {
      return MapAndRegions{full_map(*images[i], inspector, evaluation.decision.scorer),
                           load_saturated_regions(images[i]->sample)};
    };
    out.au_spro[label] = saturated_overlap(static_cast<int>(images.size()), load, strata, options).au_spro;
    const double share = 1.0 / static_cast<double>(by_class.size());
    out.mean_au_spro += share * out.au_spro[label].value;
    const auto result = std::find_if(evaluation.classes.begin(), evaluation.classes.end(),
                                     [&](const ClassResult& c) { return c.label == label; });
    if (result != evaluation.classes.end()) out.mean_image_auroc += share * result->image_auroc.value;
  }
  return out;
}

std::optional<BoxHits> box_hits(const Evaluation& evaluation, const Inspector& inspector) {
  BoxHits out;
  for (const ScoredImage& image : evaluation.images) {
    const std::vector<DefectBox>& boxes = image.sample.boxes;
    if (boxes.empty()) continue;
    const ScoreMap map = full_map(image, inspector, evaluation.decision.scorer);
    const auto peak = std::max_element(map.values.begin(), map.values.end()) - map.values.begin();
    const double x = static_cast<double>(peak % map.width) + 0.5,
                 y = static_cast<double>(peak / map.width) + 0.5;
    ++out.images;
    out.hits += std::any_of(boxes.begin(), boxes.end(), [&](const DefectBox& box) {
      return x > box.x0 && x < box.x1 && y > box.y0 && y < box.y1;
    });
  }
  if (out.images == 0) return std::nullopt;
  out.rate = wilson_rate(out.hits, out.images);
  return out;
}

json saturated_json(const SaturatedFigures& figures) {
  json classes = json::object();
  for (const auto& [label, estimate] : figures.au_spro) classes[label] = estimate_json(estimate);
  return {{"limit", figures.limit},
          {"au_spro", classes},
          {"mean_au_spro", number_json(figures.mean_au_spro)},
          {"mean_image_auroc", number_json(figures.mean_image_auroc)}};
}

json box_json(const BoxHits& hits) {
  return {{"images", hits.images}, {"hits", hits.hits}, {"rate", estimate_json(hits.rate)}};
}

}  // namespace glint
