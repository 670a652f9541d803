#!/usr/bin/env bash
# Everything on a bare Debian 12 machine: set-up, build, rendered sleeves, training with the embedded backbone,
# evaluation, inspection, and the path of the report. usage: demo.sh [OUT]   (default: demo-out)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-demo-out}
scripts/setup.sh
cmake --preset release -DBUILD_TESTING=OFF >/dev/null
cmake --build --preset release --target glint
glint=build/release/glint
rm -rf "$out"
mkdir -p "$out"
"$glint" synth sleeve "$out/sleeves" --train 300 --test-good 30 --per-class 12
"$glint" train "$out/sleeves" -o "$out/sleeve.glint" --false-reject 0.02
"$glint" evaluate "$out/sleeve.glint" "$out/sleeves" -o "$out/report"
"$glint" inspect "$out/sleeve.glint" "$out"/sleeves/test/scratch/00[0-2].png "$out/sleeves/test/good/000.png" -o "$out/overlays" || [ $? = 1 ]
echo
echo "report: $(pwd)/$out/report/report.html"
echo "station: $glint serve $out/sleeve.glint --journal $out/line.db   (then open http://127.0.0.1:8750/)"
[ -z "${DISPLAY:-}" ] || ! command -v xdg-open >/dev/null || xdg-open "$out/report/report.html" >/dev/null 2>&1 || true
