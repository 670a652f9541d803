#include "glint/report/page.h"

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"
#include "glint/report/figures.h"

namespace glint {
namespace {

const char* const kStyle = R"(
:root{--bg:#fbfbfa;--fg:#1c1f23;--soft:#5d6570;--line:#d9dce1;--card:#fff;--s1:#1f6feb;--s2:#c2410c;--s3:#0f766e;--s4:#7c3aed;--s5:#a16207;--s6:#be185d;--good:#2563eb;--bad:#dc2626;--warn:#92400e;--warnbg:#fef3c7;--ok:#15803d}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--soft:#9aa4b0;--line:#333a43;--card:#1c2127;--s1:#6ea8fe;--s2:#fb923c;--s3:#5eead4;--s4:#c4b5fd;--s5:#facc15;--s6:#f9a8d4;--good:#6ea8fe;--bad:#f87171;--warn:#fcd34d;--warnbg:#3b2f10;--ok:#4ade80}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px}h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:34px 0 10px}
p{margin:6px 0}.soft{color:var(--soft)}.banner{padding:12px 16px;border-radius:8px;margin:12px 0;background:var(--warnbg);color:var(--warn)}
.leak{background:var(--bad);color:#fff;font-weight:700;font-size:18px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:14px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px}.card b{display:block;font-size:26px}
.card span{color:var(--soft);font-size:14px}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:15px}th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:600}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(440px,100%),1fr));gap:16px}figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;break-inside:avoid}
figcaption{color:var(--soft);font-size:14px;margin-bottom:6px}svg{width:100%;height:auto;display:block}
.grid{stroke:var(--line);stroke-width:1}.tick{fill:var(--soft);font-size:11px}.label{fill:var(--fg);font-size:12px}
.line{fill:none;stroke-width:2}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}.s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.s6{stroke:var(--s6)}.s1fill{fill:var(--s1)}
.guide{stroke:var(--fg);stroke-width:1.4;stroke-dasharray:5 4}.bar.good{fill:var(--good);opacity:.65}.bar.bad{fill:var(--bad);opacity:.55}
.dot{stroke:none;opacity:.7}.dot.s1{fill:var(--s1)}.dot.s2{fill:var(--s2)}.dot.s3{fill:var(--s3)}.dot.s4{fill:var(--s4)}.dot.s5{fill:var(--s5)}.dot.s6{fill:var(--s6)}
.finding{background:var(--card);border:1px solid var(--line);border-left:6px solid var(--s1);border-radius:8px;padding:10px 14px;margin:12px 0;break-inside:avoid}
.finding.error{border-left-color:var(--bad)}.finding.warning{border-left-color:var(--s2)}.finding h3{margin:0 0 4px;font-size:16px}
.tag{font-size:13px;font-weight:700;text-transform:uppercase;letter-spacing:.04em;color:var(--soft)}
.thumbs{display:flex;flex-wrap:wrap;gap:10px;margin-top:8px}.thumb{max-width:340px;font-size:13px;color:var(--soft);overflow-wrap:anywhere}
.thumb img{height:104px;width:auto;border-radius:4px;margin-right:4px;vertical-align:top}
.thumb.pair{max-width:min(100%,500px)}.thumb.pair img{height:auto;max-width:100%}
.track{fill:var(--line);opacity:.5}.whisker{stroke:var(--fg);stroke-width:2}
.row{display:grid;grid-template-columns:repeat(3,1fr) 1.1fr;gap:8px;align-items:start;margin:10px 0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px;break-inside:avoid}
.row img{width:100%;height:auto;display:block;border-radius:4px}.verdict{font-weight:700}.nok{color:var(--bad)}.okv{color:var(--ok)}
pre{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;font-size:13px}
@media(max-width:640px){.row{grid-template-columns:1fr 1fr}}@media print{body{background:#fff;font-size:12px}main{max-width:none}details{display:none}}
)";

}  // namespace

std::string page_begin(const std::string& title) {
  return fmt::format(
      "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width,initial-scale=1'>"
      "<title>glint: {}</title><style>{}</style></head><body><main>",
      escape_html(title), kStyle);
}

std::string page_end() {
  return "</main></body></html>\n";
}

std::string percent(double v) {
  return std::isfinite(v) ? fmt::format("{:.1f} %", 100 * v) : "–";
}
std::string with_interval(const Estimate& e) {
  if (!std::isfinite(e.value)) return "–";
  if (!std::isfinite(e.ci_low)) return fmt::format("{:.3f}", e.value);
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", e.value, e.ci_low, e.ci_high);
}
std::string rate_text(const Estimate& e) {
  return fmt::format("{} [{}, {}]", percent(e.value), percent(e.ci_low), percent(e.ci_high));
}

std::string data_uri(const RgbImage& image) {
  return "data:image/jpeg;base64," + base64(encode_jpeg(image, 82));
}

std::string figure(const std::string& caption, const std::string& svg) {
  return fmt::format("<figure><figcaption>{}</figcaption>{}</figure>", escape_html(caption), svg);
}

}  // namespace glint
