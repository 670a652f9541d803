#!/usr/bin/env bash
# The main job as a user runs it: synth, train, resume, evaluate, inspect, info, with the embedded backbone.
# usage: main_job.sh GLINT SOURCE_FOLDER
set -euo pipefail
glint=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GLINT_CACHE=$work/cache
expect_code() { # CODE command...
  local want=$1 got=0
  shift
  "$@" >out.txt 2>err.txt || got=$?
  [ "$got" = "$want" ] || { echo "exit $got, expected $want: $*"; cat out.txt err.txt; exit 1; }
}
has() { grep -q -- "$1" "$2" || { echo "'$1' is not in $2:"; cat "$2"; exit 1; }; }

expect_code 0 "$glint" --help
for verb in synth import train evaluate inspect compare audit split limit study backbone info serve journal; do
  expect_code 0 "$glint" $verb --help
  has "Example" out.txt
done
expect_code 0 "$glint" synth sleeve set --train 60 --test-good 6 --per-class 3 --size 320 --seed 4 --difficulty hard
expect_code 0 "$glint" synth sleeve again --train 2 --test-good 0 --per-class 0 --size 320 --seed 4 --difficulty hard
cmp set/train/good/001.png again/train/good/001.png

small="--set simplenet.meta_epochs=4 --set simplenet.passes=2 --set calibration.mode=holdout --set calibration.holdout_least=20 --false-reject 0.05"
expect_code 0 "$glint" train set --method simplenet -o a.glint $small --keep-epochs
has "calibration: split-conformal" out.txt
has "wrote a.glint" out.txt
# interrupted and resumed: the same model
"$glint" train set --method simplenet -o b.glint $small 2>err.txt & pid=$!
while kill -0 $pid 2>/dev/null && [ ! -e b.glint.resume ]; do sleep 0.05; done
kill -INT $pid || true
wait $pid || true
if [ ! -e b.glint ]; then
  [ -e b.glint.resume ] || { echo "no resume file"; exit 1; }
  expect_code 0 "$glint" train set --method simplenet -o b.glint $small --resume
fi
"$glint" info a.glint | grep fingerprint >a.txt
"$glint" info b.glint | grep fingerprint >b.txt
cmp a.txt b.txt

expect_code 0 "$glint" evaluate a.glint set -o report --oracle-epochs
for file in report.html results.json scores.csv maps/scratch/000.jpg; do [ -s report/$file ] || { echo "$file missing"; exit 1; }; done
has "oracle, not a result" out.txt
expect_code 0 "$glint" evaluate a.glint set -o report2 --image-score patch_max --no-maps
if /usr/bin/python3 -c 'import jsonschema' 2>/dev/null; then
  /usr/bin/python3 -c "
import json, jsonschema
jsonschema.validate(json.load(open('report/results.json')), json.load(open('$source/docs/results.schema.json')))"
else
  echo "SKIPPED: results.json against its schema (python3-jsonschema is not installed)"
fi

expect_code 0 "$glint" compare set -o comparison --seeds 1 $small --set input.size=128 --set inp_former.meta_epochs=1 \
  --set inp_former.passes=1
has "hybrid" out.txt
for file in comparison/compare.{html,json} comparison/models/hybrid_seed0_*.glint; do
  [ -s "$file" ] || { echo "$file missing"; exit 1; }
done
"$glint" inspect comparison/models/hybrid_seed0_*.glint set/test/dent --format csv >hybrid.csv || [ $? = 1 ]
has "largest_region_px" hybrid.csv
expect_code 2 "$glint" compare set -o comparison --set nonsense.key=1
has "nonsense" err.txt

code=0
"$glint" inspect a.glint set/test/scratch set/test/good/000.png -o overlays --format json >inspect.json || code=$?
[ $code = 0 ] || [ $code = 1 ] || { echo "inspect: exit $code"; exit 1; }
has '"p_value"' inspect.json
expect_code 2 "$glint" inspect a.glint nowhere.png
has "NO DECISION.*nowhere.png" out.txt
expect_code 2 "$glint" train set --method simplenet -o c.glint --set simplenet.noise_sdt=1
has "did you mean 'simplenet.noise_std'" err.txt
expect_code 2 "$glint" train set -o c.glint --set simplenet.noise_std=1
has "give --method simplenet" err.txt
expect_code 2 "$glint" train set -o c.glint --false-reject 0.001
has "999 images" err.txt
# nothing but the data is given: the default method, and the rate that 60 images can promise
expect_code 0 "$glint" train set -o default.glint --set input.size=128
has "a false-reject rate of 0.02 is promised" err.txt
"$glint" info default.glint | grep -q patchcore
# studies share models and refuse to write over a finished one; the detection limit
expect_code 0 "$glint" study smoothing set -o studies --seeds 1 $small --set input.size=128
for file in studies/smoothing/study.html studies/smoothing/study.json; do [ -s $file ] || { echo "$file missing"; exit 1; }; done
expect_code 2 "$glint" study smoothing set -o studies --seeds 1 $small --set input.size=128
has "resume" err.txt
expect_code 0 "$glint" study smoothing set -o studies --seeds 1 $small --set input.size=128 --resume
expect_code 2 "$glint" study smothing set -o other
has "smoothing" err.txt
expect_code 0 "$glint" limit a.glint set -o limit --defects scratch --trials 5 --sizes 4 --false-reject 0.05
for file in limit.html limit.json; do [ -s limit/$file ] || { echo "$file missing"; exit 1; }; done

# the pages open without complaint
python=/usr/bin/python3 # Debian's, whatever else is first in the path
if command -v chromium >/dev/null && command -v chromedriver >/dev/null && $python -c 'import selenium' 2>/dev/null; then
  "$glint" audit set -o audit >/dev/null 2>&1 || true
  $python "$source/tests/system/open_pages.py" report/report.html comparison/compare.html studies/smoothing/study.html \
    limit/limit.html audit/audit.html
else
  echo "SKIPPED: pages in Chromium (chromium, chromium-driver and python3-selenium are not installed)"
fi

# audit, quarantine, split
expect_code 1 "$glint" audit set -o audit --quarantine suspects
for file in audit/audit.html audit/audit.json suspects/proposal.txt; do [ -s $file ] || { echo "$file missing"; exit 1; }; done
has "wanted" out.txt # 6 good and 15 anomalous test images are too few
echo train/good/005.png >>suspects/proposal.txt
expect_code 0 "$glint" audit set --quarantine suspects --apply
[ ! -e set/train/good/005.png ] || { echo "not moved"; exit 1; }
expect_code 0 "$glint" audit set --undo suspects/undo.json
[ -e set/train/good/005.png ] || { echo "not moved back"; exit 1; }
expect_code 0 "$glint" split group set -o by_group --group '([0-9])[.]png' --test-share 0.3
expect_code 2 "$glint" split time set -o by_time
has "no date and time" err.txt
expect_code 0 "$glint" split lock set
expect_code 0 "$glint" split verify set
mv set/train/good/010.png set/test/good/moved.png
expect_code 1 "$glint" split verify set
has "train/good/010.png moved to test/good/moved.png" out.txt
expect_code 2 "$glint" evaluate a.glint set -o report4
has "locked split" err.txt
mv set/test/good/moved.png set/train/good/010.png
rm set/glint-split.json

cp set/train/good/000.png set/test/good/leak.png
expect_code 2 "$glint" evaluate a.glint set -o report3
has "leak.png" err.txt
expect_code 0 "$glint" evaluate a.glint set -o report3 --allow-leakage --no-maps
has "LEAKAGE" out.txt
head -c 20000 a.glint >cut.glint
expect_code 2 "$glint" inspect cut.glint set/test/good/000.png
expect_code 0 "$glint" backbone list
has "compact" out.txt
expect_code 0 "$glint" backbone verify compact
echo "main job passed"
