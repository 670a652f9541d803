#include "glint/report/evaluation_report.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/image/resample.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace glint {
namespace {

constexpr int kGallerySide = 256;
constexpr std::size_t kGalleryRows = 40;

std::string card(const char* name, const Estimate& e) {
  if (!std::isfinite(e.value))
    return fmt::format("<div class='card'><span>{}</span><b>–</b><span>no masks</span></div>", name);
  return fmt::format(
      "<div class='card'><span>{}</span><b>{:.3f}</b><span>95 % interval {:.3f} – {:.3f}</span></div>", name,
      e.value, e.ci_low, e.ci_high);
}

std::string verdict_section(const Evaluation& e) {
  std::int64_t good = 0, rejected_good = 0, bad = 0, caught = 0;
  for (const ScoredImage& image : e.images) {
    if (image.sample.anomalous()) {
      ++bad;
      caught += image.rejected;
    } else {
      ++good;
      rejected_good += image.rejected;
    }
  }
  std::string out =
      "<h2>Verdicts at the calibrated threshold</h2><div "
      "class='wide'><table><tr><th>parts</th><th>images</th><th>rejected (NOK)</th><th>rate and 95 % "
      "interval</th></tr>";
  out += fmt::format("<tr><td>good</td><td>{}</td><td>{} false rejects</td><td>{}</td></tr>", good,
                     rejected_good, rate_text(wilson_rate(rejected_good, good)));
  out += fmt::format(
      "<tr><td>anomalous</td><td>{}</td><td>{} found, {} escaped</td><td>{}</td></tr></table></div>", bad,
      caught, bad - caught, rate_text(wilson_rate(caught, bad)));
  out += fmt::format("<p class='soft'>Threshold {:.4f}. {}.</p>", e.decision.conformal.threshold,
                     escape_html(e.decision.guarantee));
  return out;
}

std::string class_table(const Evaluation& e) {
  std::string out =
      "<h2>Per class</h2><div class='wide'><table><tr><th>class</th><th>images</th><th>rejected</th><th>rate "
      "and 95 % interval</th><th>image AUROC</th><th>pixel AUROC</th><th>AUPRO</th><th>mean "
      "defect</th><th>share of image</th><th>regions</th></tr>";
  for (const ClassResult& c : e.classes) {
    const bool pixel = c.pixel && std::isfinite(c.pixel->auroc.value);
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</"
        "td><td>{}</td></tr>",
        escape_html(c.label), c.images, c.rejected, rate_text(c.rejected_rate), with_interval(c.image_auroc),
        pixel ? fmt::format("{:.3f}", c.pixel->auroc.value) : "–",
        pixel ? fmt::format("{:.3f}", c.pixel->aupro.value) : "–",
        c.mean_area_px > 0 ? fmt::format("{:.0f} px", c.mean_area_px) : "–",
        c.mean_area_px > 0 ? fmt::format("{:.3f} %", 100 * c.mean_area_share) : "–",
        c.mean_area_px > 0 ? fmt::format("{:.1f}", c.mean_regions) : "–");
  }
  return out + "</table></div>";
}

/// Figures that only some datasets have (evaluate/localisation.h).
std::string localisation_section(const Evaluation& e) {
  std::string out;
  if (e.saturated) {
    out += fmt::format(
        "<h2>Saturated overlap, up to a false positive rate of {}</h2><div "
        "class='wide'><table><tr><th>kind</th>"
        "<th>AU-sPRO</th></tr>",
        e.saturated->limit);
    for (const auto& [label, estimate] : e.saturated->au_spro)
      out += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape_html(label), with_interval(estimate));
    out += fmt::format(
        "<tr><td>mean</td><td>{:.3f}</td></tr></table></div><p class='soft'>Image AUROC, mean of the kinds: "
        "{:.3f}.</p>",
        e.saturated->mean_au_spro, e.saturated->mean_image_auroc);
  }
  if (e.box_hits) {
    out += fmt::format(
        "<h2>Boxes</h2><p>The highest pixel of the map lies in a box in {} of {} images: {}. Boxes are no "
        "masks "
        "and enter no pixel figure.</p>",
        e.box_hits->hits, e.box_hits->images, rate_text(e.box_hits->rate));
  }
  return out;
}

std::string curve_section(const Evaluation& e) {
  std::vector<double> good, bad;
  for (const ScoredImage& image : e.images) (image.sample.anomalous() ? bad : good).push_back(image.score);
  std::vector<std::pair<std::string, Estimate>> bars;
  for (const ClassResult& c : e.classes)
    bars.emplace_back(c.label == kGoodClass ? "good (false rejects)" : c.label, c.rejected_rate);
  std::string out = "<h2>Curves</h2><div class='figures'>";
  out += figure("Scores of test images: good (blue), anomalous (red)",
                score_histogram(good, bad, e.decision.conformal.threshold));
  out += figure("Rejected per class, with 95 % intervals", rate_bars(bars));
  out += figure("ROC over images",
                line_chart({"false positive rate", "true positive rate"}, {{"ROC", "s1", e.roc}}));
  if (!e.pixel.pro_curve.empty()) {
    out += figure("Per-region overlap up to 30 % false positive pixels",
                  line_chart({"false positive rate of pixels", "mean overlap of regions", 0, 0.3, 0, 1},
                             {{"PRO", "s1", e.pixel.pro_curve}}));
  }
  return out + "</div>";
}

/// The curves that the method's record names, over meta-epochs.
std::string training_figures(const TrainingRecord& training) {
  std::string out;
  for (const TrainingRecord& part : training.parts) out += training_figures(part);
  for (const Curve& group : training.curves) {
    const double epochs = std::max(2.0, static_cast<double>(training.series.size()));
    Axes axes{"meta-epoch", "", 1, epochs, 0, -1e9};
    std::vector<Series> curves;
    for (const std::string& name : group.keys) {
      Series curve{name, fmt::format("s{}", curves.size() + 1), {}};
      for (const EpochReading& reading : training.series) {
        const double y = reading.value(name);
        if (!std::isfinite(y)) continue;
        curve.points.push_back({static_cast<double>(reading.meta_epoch), y});
        axes.y_min = std::min(axes.y_min, y);
        axes.y_max = std::max(axes.y_max, y);
      }
      if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
    if (curves.empty()) continue;
    if (!(axes.y_max > axes.y_min)) axes.y_max = axes.y_min + 1;
    if (curves.size() > 1) axes.y_max += 0.45 * (axes.y_max - axes.y_min);  // room for the legend
    out += figure(group.title, line_chart(axes, curves));
  }
  return out;
}

std::string training_section(const Model& model) {
  const std::string figures = training_figures(model.training);
  return figures.empty() ? "" : "<h2>Training</h2><div class='figures'>" + figures + "</div>";
}

std::string gallery_row(const ScoredImage& image, const Evaluation& e, const Inspector& inspector,
                        const ColourScale& scale) {
  const ScoreMap map = full_map(image, inspector, e.decision.scorer);
  const double shrink = static_cast<double>(kGallerySide) / std::max(map.width, map.height);
  const int w = std::max(1, static_cast<int>(map.width * shrink)),
            h = std::max(1, static_cast<int>(map.height * shrink));
  const RgbImage photo = read_image(image.sample.path);
  RgbImage small = resize_antialiased(photo, w, h), marked = small;
  if (const auto mask = load_mask(image.sample)) draw_mask_outline(marked, *mask);
  RgbImage overlay = heat_overlay(photo, map, scale.low, scale.high);
  const auto regions = regions_above(map, static_cast<float>(e.decision.map_threshold));
  draw_boxes(overlay, regions);
  overlay = resize_antialiased(overlay, w, h);
  std::string details;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, regions.size()); ++i) {
    details +=
        fmt::format("<br>region {}×{} at {},{}: {} px, peak {:.3f}", regions[i].width, regions[i].height,
                    regions[i].x, regions[i].y, regions[i].area_px, regions[i].peak);
  }
  const bool wrong = image.rejected != image.sample.anomalous();
  return fmt::format(
      "<div class='row'><img alt='part' src='{}'><img alt='part with mask outline' src='{}'><img "
      "alt='anomaly map' src='{}'>"
      "<div><span class='verdict {}'>{}</span>{}<br>{}<br>score {:.4f}, threshold {:.4f}<br>p under good "
      "{:.4f}{}</div></div>",
      data_uri(small), data_uri(marked), data_uri(overlay), wrong ? "nok" : "okv",
      image.rejected ? "NOK" : "OK",
      wrong ? (image.sample.anomalous() ? " – escaped" : " – false reject") : "",
      escape_html(image.sample.id), image.score, e.decision.conformal.threshold, image.p_value, details);
}

/// Worst mistakes first: escapes by how far below, false rejects by how far above, then the rest by
/// closeness.
std::vector<const ScoredImage*> gallery_order(const Evaluation& e) {
  std::vector<const ScoredImage*> out;
  for (const ScoredImage& image : e.images) out.push_back(&image);
  const double t = e.decision.conformal.threshold;
  auto badness = [t](const ScoredImage* image) {
    const double margin = image->sample.anomalous() ? t - image->score : image->score - t;
    return margin;
  };
  std::stable_sort(out.begin(), out.end(), [&](auto* a, auto* b) { return badness(a) > badness(b); });
  if (out.size() > kGalleryRows) out.resize(kGalleryRows);
  return out;
}

}  // namespace

ColourScale colour_scale(const Evaluation& e) {
  const auto low = static_cast<float>(e.decision.map_typical);
  const auto threshold = static_cast<float>(e.decision.map_threshold);
  const float reach = std::max(1e-6F, threshold - low);
  return {low - reach, threshold + 2 * reach};
}

std::string evaluation_report(const Evaluation& e, const Model& model, const Dataset& dataset,
                              const Inspector& inspector, const std::string& extra) {
  const std::string name = dataset.name();
  std::string html = page_begin(name);
  if (!e.leaked.empty()) {
    html += fmt::format(
        "<div class='banner leak'>LEAKAGE: {} test images were also used for training or calibration. These "
        "figures are not a result.</div>",
        e.leaked.size());
  }
  html += fmt::format(
      "<h1>{}: can this detector be trusted?</h1><p class='soft'>{} ({} recipe) on {}, {} test images. "
      "Higher scores are more anomalous.</p>",
      escape_html(name), escape_html(model.method), escape_html(model.record.value("recipe", "?")),
      escape_html(model.backbone.name), e.images.size());
  for (const std::string& warning : e.warnings)
    html += fmt::format("<div class='banner'>{}</div>", escape_html(warning));
  html += verdict_section(e);
  html += "<div class='cards'>" + card("image AUROC", e.image_auroc) + card("pixel AUROC", e.pixel.auroc) +
          card("AUPRO (30 % FPR)", e.pixel.aupro) + card("image average precision", e.image_ap) +
          card("pixel average precision", e.pixel.average_precision) + card("image F1, best", e.image_f1max) +
          card("pixel F1, best", e.pixel.f1max) + "</div>";
  html +=
      "<p class='soft'>Intervals: DeLong's or Newcombe's for image AUROC, the wider; stratified bootstrap "
      "over images for the others, "
      "Wilson for rates. Best F1 chooses its threshold on the test set and is an upper bound, not what the "
      "line would see.</p>";
  if (!extra.empty()) html += fmt::format("<div class='banner'>{}</div>", escape_html(extra));
  html += class_table(e) + localisation_section(e) + curve_section(e) + training_section(model);
  html +=
      "<h2>Gallery</h2><p class='soft'>Part, mask outline (green), anomaly map with regions above the "
      "threshold. One colour scale for all; worst mistakes first.</p>";
  const ColourScale scale = colour_scale(e);
  for (const ScoredImage* image : gallery_order(e)) html += gallery_row(*image, e, inspector, scale);
  Model shown = model;  // curves are drawn above
  shown.training.series.clear();
  shown.training.curves.clear();
  shown.training.readings.clear();
  for (TrainingRecord& part : shown.training.parts) {
    part.series.clear();
    part.curves.clear();
    part.readings.clear();
  }
  nlohmann::json record = full_record(shown);
  if (record.contains("dataset")) record["dataset"].erase("images");
  html += fmt::format(
      "<h2>Provenance</h2><p>Dataset fingerprint <code>{}</code>, {:.1f} ms per image with "
      "decoding.</p><details open><summary>Configuration and model "
      "record</summary><pre>{}</pre></details>",
      dataset.fingerprint().substr(0, 16), 1000 * e.seconds_per_image, escape_html(record.dump(2)));
  return html + page_end();
}

}  // namespace glint
