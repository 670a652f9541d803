#include "glint/report/audit_report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "glint/base/error.h"
#include "glint/image/codec.h"
#include "glint/image/overlay.h"
#include "glint/image/resample.h"
#include "glint/report/figures.h"
#include "glint/report/page.h"

namespace glint {
namespace {

constexpr int kThumbHeight = 104;
constexpr std::size_t kShownItems = 8, kShownInItem = 3, kShownRanking = 12;

/// Thumbnails by id, made once.
class Thumbnails {
 public:
  explicit Thumbnails(const Audit& audit) {
    for (const AuditedImage& image : audit.images) samples_[image.sample.id] = &image.sample;
  }
  std::string html(const std::string& id) {
    const auto found = samples_.find(id);
    if (found == samples_.end()) return "";
    std::string& uri = uris_[id];
    if (uri.empty()) uri = data_uri(small(read_image(found->second->path)));
    return fmt::format("<img src='{}' alt='{}' title='{}'>", uri, escape_html(id), escape_html(id));
  }
  static RgbImage small(const RgbImage& image) {
    const int width =
        std::clamp(kThumbHeight * image.width / std::max(1, image.height), 16, 3 * kThumbHeight);
    return resize_antialiased(image, width, kThumbHeight);
  }

 private:
  std::map<std::string, const Sample*> samples_;
  std::map<std::string, std::string> uris_;
};

std::string finding_html(const Finding& finding, Thumbnails& thumbnails) {
  std::string out = fmt::format(
      "<section class='finding {0}'><span class='tag'>{0} · {1}</span><h3>{2}</h3><p>{3}</p><p><b>What to "
      "do:</b> {4}</p>",
      enum_name(finding.severity), escape_html(finding.check), escape_html(finding.title),
      escape_html(finding.why), escape_html(finding.advice));
  if (!finding.items.empty()) out += "<div class='thumbs'>";
  for (std::size_t i = 0; i < finding.items.size() && i < kShownItems; ++i) {
    const FindingItem& item = finding.items[i];
    out += "<div class='thumb'>";
    std::string names;
    for (std::size_t k = 0; k < item.ids.size() && k < kShownInItem; ++k) {
      out += thumbnails.html(item.ids[k]);
      names += (k > 0 ? ", " : "") + item.ids[k];
    }
    if (item.ids.size() > kShownInItem) names += fmt::format(" and {} more", item.ids.size() - kShownInItem);
    out += fmt::format("<div>{}{}{}</div></div>", escape_html(names),
                       names.empty() || item.note.empty() ? "" : ": ", escape_html(item.note));
  }
  if (!finding.items.empty()) out += "</div>";
  if (finding.items.size() > kShownItems) {
    out += fmt::format("<p class='soft'>and {} more, in audit.json</p>", finding.items.size() - kShownItems);
  }
  return out + "</section>";
}

std::string test_set_html(const Audit& audit) {
  std::string out =
      fmt::format("<h2>Test set</h2><p>{} training images, {} good and {} anomalous test images.</p>",
                  audit.train_images, audit.test_good, audit.test_anomalous);
  if (audit.expected.empty()) return out;
  out +=
      "<table><tr><th>if the true image AUROC were</th><th>a test of this size shows (95 "
      "%)</th><th>width</th></tr>";
  for (const ExpectedInterval& e : audit.expected) {
    out += fmt::format("<tr><td>{:.2f}</td><td>{:.3f} to {:.3f}</td><td>{:.3f}</td></tr>", e.auroc,
                       e.interval.ci_low, e.interval.ci_high, e.interval.ci_high - e.interval.ci_low);
  }
  return out + "</table>";
}

std::string masks_html(const Audit& audit) {
  if (audit.masks.empty()) return "";
  std::string out =
      "<h2>Defect classes</h2><div class='wide'><table><tr><th>class</th><th>images</th><th>with "
      "mask</th><th>regions"
      "</th><th>least area</th><th>median</th><th>mean</th><th>most</th><th>mean share</th></tr>";
  for (const MaskSummary& m : audit.masks) {
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.0f} px</td><td>{:.0f} px</td><td>{:.0f} "
        "px</td><td>"
        "{:.0f} px</td><td>{:.3f} %</td></tr>",
        escape_html(m.label), m.images, m.with_mask, m.regions, m.area_least, m.area_median, m.area_mean,
        m.area_most, 100 * m.share_mean);
  }
  return out + "</table></div>";
}

std::string ranking_html(const Audit& audit, Thumbnails& thumbnails) {
  if (audit.normal_class.empty()) return "";
  std::string out =
      "<h2>Training images, most unlike the others first</h2><p class='soft'>Each is scored by a memory of "
      "normal patches from images of other folds; the picture on the right is the map of that "
      "score.</p><div class='thumbs'>";
  const double top = audit.normal_class[0].score,
               typical = audit.normal_class[audit.normal_class.size() / 2].score;
  for (std::size_t i = 0; i < audit.normal_class.size() && i < kShownRanking; ++i) {
    const NormalClassScore& item = audit.normal_class[i];
    const Sample& sample = audit.images[item.image].sample;
    const RgbImage thumb = Thumbnails::small(read_image(sample.path));
    const RgbImage map = heat_overlay(thumb, resize_bilinear(item.map, thumb.width, thumb.height),
                                      static_cast<float>(0.8 * typical), static_cast<float>(top));
    out += fmt::format("<div class='thumb'>{}<img src='{}' alt='map'><div>{}: {:.3f}{}</div></div>",
                       thumbnails.html(sample.id), data_uri(map), escape_html(sample.id), item.score,
                       item.deviations >= kSuspiciousDeviations ? ", <b>suspicious</b>" : "");
  }
  return out + "</div>";
}

std::string measures_html(const Audit& audit) {
  std::string out =
      "<h2>Imaging</h2><p class='soft'>Every measure over the images in the order of the folders.</p><div "
      "class='figures'>";
  for (const Distribution& d : audit.distributions) {
    std::vector<Series> series = {
        {"training", "s1", {}}, {"test, good", "s3", {}}, {"test, anomalous", "s2", {}}};
    double low = INFINITY, high = -INFINITY;
    for (std::size_t i = 0; i < d.values.size(); ++i) {
      if (!std::isfinite(d.values[i])) continue;
      const Sample& sample = audit.images[i].sample;
      const int s = sample.role != Role::kTest ? 0 : sample.anomalous() ? 2 : 1;
      series[s].points.push_back({static_cast<double>(i), d.values[i]});
      low = std::min(low, d.values[i]);
      high = std::max(high, d.values[i]);
    }
    if (!std::isfinite(low)) continue;
    std::erase_if(series, [](const Series& s) { return s.points.empty(); });
    const double pad = std::max(1e-6 + 0.02 * std::abs(high), 0.08 * (high - low));
    out += figure(d.name, scatter_chart({"image", d.unit, 0,
                                         static_cast<double>(std::max<std::size_t>(1, d.values.size())),
                                         low - pad, high + pad},
                                        series));
  }
  return out + "</div>";
}

}  // namespace

std::string audit_report(const Audit& audit, const Dataset& dataset) {
  Thumbnails thumbnails(audit);
  std::string out = page_begin("audit of " + dataset.name());
  out += fmt::format("<h1>Dataset audit: {}</h1><p class='soft'>{} images, fingerprint {}</p>",
                     escape_html(dataset.name()), audit.images.size(), dataset.fingerprint().substr(0, 16));
  out += "<div class='cards'>";
  for (const auto& [severity, plural] :
       {std::pair(Severity::kError, "errors: figures are wrong"),
        std::pair(Severity::kWarning, "warnings: figures or decisions suffer"),
        std::pair(Severity::kNotice, "notices")}) {
    out += fmt::format("<div class='card'><b>{}</b><span>{}</span></div>", audit.count(severity), plural);
  }
  out += "</div>";
  if (audit.findings.empty()) out += "<p>Nothing was found.</p>";
  for (const Finding& finding : audit.findings) out += finding_html(finding, thumbnails);
  out += test_set_html(audit) + masks_html(audit) + ranking_html(audit, thumbnails) + measures_html(audit);
  return out + page_end();
}

}  // namespace glint
