#!/usr/bin/env bash
# The station as a user runs it: the examples of docs/station.md, two servers on one journal, kill -9 under load, and the
# operator's page in headless Chromium.
# usage: station.sh GLINT SOURCE_FOLDER
set -euo pipefail
glint=$(realpath "$1")
source=$2
here=$source/tests/system
python=/usr/bin/python3 # Debian's, whatever else is first in the path
work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
export GLINT_CACHE=$work/cache
"$glint" synth sleeve sleeves --train 90 --test-good 16 --per-class 4 --size 320 --seed 4 --difficulty hard 2>/dev/null
"$glint" train sleeves --method simplenet -o sleeve.glint --set simplenet.meta_epochs=4 --set calibration.mode=holdout \
  --set calibration.holdout_least=30 --false-reject 0.05 >train.txt 2>&1 || { cat train.txt; exit 1; }
mkdir incoming

echo "== the examples of docs/station.md"
sed -n '/<!-- station examples -->/,/<!-- end -->/p' "$source/docs/station.md" | sed -n 's/^    //p' >examples.sh
grep -q 'glint serve' examples.sh || { echo "docs/station.md has no examples"; exit 1; }
start=$(grep 'glint serve' examples.sh)
grep -v 'glint serve' examples.sh >calls.sh
glint() { "$glint" "$@"; }
export -f glint
export glint
bash -c "$start" >serve.txt 2>&1 & server=$!
for _ in $(seq 100); do curl -sf http://127.0.0.1:8750/health >/dev/null && break; sleep 0.2; done
while read -r line; do
  [ -n "$line" ] || continue
  echo "\$ $line"
  bash -o pipefail -c "$line" >call.txt 2>&1 || { cat call.txt serve.txt; echo "FAILED: $line"; exit 1; }
  head -c 300 call.txt
  echo
done <calls.sh

echo "== a second server on the journal"
code=0
timeout 60 "$glint" serve sleeve.glint --listen 127.0.0.1:8763 --journal line1.db >second.txt 2>&1 || code=$?
[ $code = 2 ] && grep -q "another server" second.txt || { echo "exit $code"; cat second.txt; exit 1; }
code=0
timeout 60 "$glint" serve sleeve.glint --listen 127.0.0.1:8750 --journal other.db >second.txt 2>&1 || code=$?
[ $code = 2 ] && grep -q "cannot listen" second.txt || { echo "exit $code"; cat second.txt; exit 1; }
echo '{"lissten": "x"}' >bad.json
code=0
timeout 60 "$glint" serve sleeve.glint --config bad.json >second.txt 2>&1 || code=$?
[ $code = 2 ] && grep -q "did you mean 'listen'" second.txt || { echo "exit $code"; cat second.txt; exit 1; }
echo '{"listen": "127.0.0.1:8750", "journal": "fresh.db", "views": 2}' >good.json
code=0
timeout 60 "$glint" serve sleeve.glint --config good.json --journal other.db >second.txt 2>&1 || code=$?
[ $code = 2 ] && grep -q "cannot listen on 127.0.0.1:8750" second.txt && [ ! -e fresh.db ] || { cat second.txt; exit 1; }
pkill -INT -P "$server" || kill -INT "$server"
wait "$server" || true
server=
grep -q "head" serve.txt || { echo "no orderly end"; cat serve.txt; exit 1; }
"$glint" journal verify line1.db --images

echo "== TLS, and names by option"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=line3.example -addext subjectAltName=DNS:line3.example \
  -keyout key.pem -out cert.pem 2>/dev/null
"$glint" serve sleeve.glint --listen 127.0.0.1:8764 --journal tls.db --host line3.example --tls-certificate cert.pem \
  --tls-key key.pem >tls.txt 2>&1 & server=$!
tls() { curl -s --cacert cert.pem --resolve line3.example:8764:127.0.0.1 --resolve evil.example:8764:127.0.0.1 "$@"; }
for _ in $(seq 100); do tls -f https://line3.example:8764/health >/dev/null && break; sleep 0.2; done
tls -f -F image=@sleeves/test/scratch/000.png -F part_id=t https://line3.example:8764/api/inspections | grep -q '"recorded":true' ||
  { cat tls.txt; exit 1; }
[ "$(tls -k -o refused.txt -w '%{http_code}' https://evil.example:8764/api/status)" = 403 ] || { cat refused.txt tls.txt; exit 1; }
grep -q -- '--host evil.example' refused.txt
[ "$(tls -o refused.txt -w '%{http_code}' -H 'Expect:' -F image=@sleeves/test/scratch/000.png -F image=@sleeves/test/good/000.png \
  https://line3.example:8764/api/inspections)" = 400 ] || { cat refused.txt tls.txt; exit 1; }
kill -INT "$server"
wait "$server" || true
server=

echo "== kill -9 under load"
$python "$here/station_kill.py" "$glint" sleeve.glint sleeves/test/good/00*.png

echo "== the page"
if command -v chromium >/dev/null && command -v chromedriver >/dev/null && $python -c 'import selenium' 2>/dev/null; then
  $python "$here/station_page.py" "$glint" sleeve.glint sleeves
else
  echo "SKIPPED: chromium, chromium-driver and python3-selenium are not installed"
fi
echo "station passed"
