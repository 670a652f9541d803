#include "glint/report/compare_report.h"

#include <algorithm>
#include <cmath>

#include "glint/base/error.h"
#include "glint/base/order_statistics.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/image/resample.h"
#include "glint/report/evaluation_report.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace glint {
namespace {

constexpr int kPictureSide = 256;
constexpr std::size_t kPictureRows = 24;

std::string mean_cell(const ArmResult& method, ArmFigure figure) {
  const MeanFigure m = mean_figure(method, figure);
  if (!std::isfinite(m.mean)) return "<td>–</td>";
  return fmt::format("<td>{}<br><span class='soft'>seeds: {}</span></td>", with_interval(m.estimate),
                     seeds_range(m.lowest, m.highest, method.runs.size()));
}

std::string figure_table(const Comparison& comparison) {
  std::string out =
      "<h2>Figures, mean over seeds</h2><div class='wide'><table><tr><th>method</th><th>image AUROC</th>"
      "<th>pixel AUROC</th><th>pixel AP</th><th>AUPRO</th><th>false rejects</th><th>found</th></tr>";
  for (const ArmResult& method : comparison.methods) {
    int rejected = 0, good = 0, found = 0, bad = 0;
    for (const auto& run : method.runs) {
      for (const ScoredImage& image : run->evaluation.images) {
        (image.sample.anomalous() ? bad : good) += 1;
        (image.sample.anomalous() ? found : rejected) += image.rejected ? 1 : 0;
      }
    }
    out += fmt::format("<tr><td>{}</td>", escape_html(method.name));
    for (const auto f :
         {ArmFigure::kImageAuroc, ArmFigure::kPixelAuroc, ArmFigure::kPixelAp, ArmFigure::kAupro})
      out += mean_cell(method, f);
    out += fmt::format("<td>{} of {}</td><td>{} of {}</td></tr>", rejected, good, found, bad);
  }
  return out +
         "</table></div><p class='soft'>Intervals are over the test images (95 %; DeLong's or "
         "Newcombe's for image AUROC, the wider; stratified bootstrap for the others); the seeds' range "
         "shows the training's own randomness. Counts "
         "are summed over the seeds.</p>";
}

std::string difference_table(const Comparison& comparison) {
  if (comparison.differences.empty()) return "";
  std::string out =
      "<h2>Paired differences</h2><div class='wide'><table><tr><th>first minus second</th><th>image "
      "AUROC</th><th>pixel AUROC</th><th>pixel AP</th><th>AUPRO</th></tr>";
  auto cell = [](const Estimate& e) {
    if (!std::isfinite(e.value)) return std::string("<td>–</td>");
    const bool clear = e.ci_low > 0 || e.ci_high < 0;
    return fmt::format("<td>{}{:+.3f} [{:+.3f}, {:+.3f}]{}</td>", clear ? "<b>" : "", e.value, e.ci_low,
                       e.ci_high, clear ? "</b>" : "");
  };
  for (const PairedDifference& d : comparison.differences) {
    out += fmt::format("<tr><td>{} – {}</td>{}{}{}{}</tr>", escape_html(d.first), escape_html(d.second),
                       cell(d.image_auroc), cell(d.pixel_auroc), cell(d.pixel_ap), cell(d.aupro));
  }
  return out +
         "</table></div><p class='soft'>Same images on both sides: Zou and Yue's interval for image AUROC, "
         "the same bootstrap resamples for the others. Bold: the interval excludes 0.</p>";
}

std::string cost_table(const Comparison& comparison) {
  std::string out =
      "<h2>Cost</h2><div class='wide'><table><tr><th>method</th><th>training</th><th>memory, "
      "peak</th><th>one image, with decoding</th><th>model file</th></tr>";
  for (const ArmResult& method : comparison.methods) {
    std::vector<double> seconds, memory, image;
    for (const auto& run : method.runs) {
      seconds.push_back(run->training_seconds);
      memory.push_back(run->peak_mib);
      image.push_back(run->milliseconds_image);
    }
    out += fmt::format(
        "<tr><td>{}</td><td>{:.0f} s</td><td>{:.0f} MiB</td><td>{:.1f} ms</td><td>{:.1f} MiB</td></tr>",
        escape_html(method.name), median(seconds), median(memory), median(image), method.runs[0]->model_mib);
  }
  return out +
         "</table></div><p class='soft'>Medians over the seeds, on the machine that made this page.</p>";
}

std::string class_table(const Comparison& comparison) {
  std::string out = "<h2>Per class</h2><div class='wide'><table><tr><th>class</th>";
  for (const ArmResult& method : comparison.methods) {
    out += fmt::format("<th>{0}: rejected</th><th>{0}: image AUROC</th><th>{0}: AUPRO</th>",
                       escape_html(method.name));
  }
  out += "</tr>";
  for (const ClassResult& c : comparison.methods[0].runs[0]->evaluation.classes) {
    out += fmt::format("<tr><td>{}</td>", escape_html(c.label));
    for (const ArmResult& method : comparison.methods) {
      int rejected = 0, images = 0;
      double auroc = 0, aupro = 0;
      for (const auto& run : method.runs) {
        for (const ClassResult& other : run->evaluation.classes) {
          if (other.label != c.label) continue;
          rejected += other.rejected;
          images += other.images;
          auroc += other.image_auroc.value / static_cast<double>(method.runs.size());
          aupro += (other.pixel ? other.pixel->aupro.value : NAN) / static_cast<double>(method.runs.size());
        }
      }
      out += fmt::format("<td>{} of {}</td>", rejected, images);
      for (const double v : {auroc, aupro})
        out += std::isfinite(v) ? fmt::format("<td>{:.3f}</td>", v) : std::string("<td>–</td>");
    }
    out += "</tr>";
  }
  return out +
         "</table></div><p class='soft'>Counts are summed over the seeds; AUROC and AUPRO are means over "
         "them.</p>";
}

/// How differently the methods judge an image: the spread of its p-values' logarithms.
double disagreement(const Comparison& comparison, std::size_t image) {
  double low = 1e300, high = -1e300;
  for (const ArmResult& method : comparison.methods) {
    const double p = std::log(method.runs[0]->evaluation.images[image].p_value);
    low = std::min(low, p);
    high = std::max(high, p);
  }
  return high - low;
}

std::string picture_rows(const Comparison& comparison) {
  const auto& images = comparison.methods[0].runs[0]->evaluation.images;
  std::vector<std::size_t> order(images.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return disagreement(comparison, a) > disagreement(comparison, b); });
  if (order.size() > kPictureRows) order.resize(kPictureRows);
  std::string out =
      "<h2>The same images, every method</h2><p class='soft'>First the images that the methods judge most "
      "differently (seed 0). Photograph with mask outline (green), then one map a method; every method's "
      "colours reach from its typical good part to beyond its own threshold.</p>";
  for (const std::size_t i : order) {
    const Sample& sample = images[i].sample;
    const RgbImage photo = read_image(sample.path);
    const double shrink = static_cast<double>(kPictureSide) / std::max(photo.width, photo.height);
    const int w = std::max(1, static_cast<int>(photo.width * shrink)),
              h = std::max(1, static_cast<int>(photo.height * shrink));
    RgbImage small = resize_antialiased(photo, w, h);
    if (const auto mask = load_mask(sample)) draw_mask_outline(small, *mask);
    out += fmt::format(
        "<div class='row' style='grid-template-columns:repeat({},1fr)'><div><img alt='part' "
        "src='{}'>{}</div>",
        1 + comparison.methods.size(), data_uri(small), escape_html(sample.id));
    for (const ArmResult& method : comparison.methods) {
      const ArmRun& run = *method.runs[0];
      const ScoredImage& scored = run.evaluation.images[i];
      const ScoreMap map = full_map(scored, *run.inspector, run.evaluation.decision.scorer);
      const ColourScale scale = colour_scale(run.evaluation);
      const RgbImage overlay = resize_antialiased(heat_overlay(photo, map, scale.low, scale.high), w, h);
      const bool wrong = scored.rejected != sample.anomalous();
      out += fmt::format(
          "<div><img alt='anomaly map' src='{}'>{}: <span class='verdict {}'>{}</span>, p {:.3f}</div>",
          data_uri(overlay), escape_html(method.name), wrong ? "nok" : "okv", scored.rejected ? "NOK" : "OK",
          scored.p_value);
    }
    out += "</div>";
  }
  return out;
}

}  // namespace

std::string comparison_report(const Comparison& comparison, const Dataset& dataset) {
  std::string methods;
  for (const ArmResult& method : comparison.methods) methods += (methods.empty() ? "" : ", ") + method.name;
  const Evaluation& first = comparison.methods[0].runs[0]->evaluation;
  std::string html = page_begin(dataset.name() + ": comparison");
  html += fmt::format(
      "<h1>{}: {}</h1><p class='soft'>{} seeds on the same split, {} test images, backbone {}. Is the "
      "stronger localiser also the better judge? Compare AUPRO with image AUROC.</p>",
      escape_html(dataset.name()), escape_html(methods), comparison.methods[0].runs.size(),
      first.images.size(), escape_html(comparison.methods[0].runs[0]->model.backbone.name));
  std::vector<std::string> warnings;
  for (const ArmResult& method : comparison.methods) {
    for (const auto& run : method.runs) {
      for (const std::string& warning : run->evaluation.warnings) {
        const bool saturated = warning.find("saturated") != std::string::npos;
        const std::string text =
            saturated ? fmt::format("{}, seed {}: {}", method.name, run->seed, warning) : warning;
        if (std::find(warnings.begin(), warnings.end(), text) == warnings.end() &&
            (saturated || (&method == &comparison.methods[0] && run->seed == 0)))
          warnings.push_back(text);
      }
    }
  }
  for (const std::string& warning : warnings)
    html += fmt::format("<div class='banner'>{}</div>", escape_html(warning));
  html += figure_table(comparison) + difference_table(comparison) + class_table(comparison) +
          cost_table(comparison) + picture_rows(comparison);
  html += fmt::format("<p class='soft'>Dataset fingerprint <code>{}</code>.</p>",
                      dataset.fingerprint().substr(0, 16));
  return html + page_end();
}

}  // namespace glint
