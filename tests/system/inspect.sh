#!/usr/bin/env bash
# The command line around a verdict: names as they are, every file listed, exit codes, outputs that replace nothing.
# usage: inspect.sh GLINT
set -euo pipefail
glint=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GLINT_CACHE=$work/cache LC_ALL=C.UTF-8
expect_code() { # CODE command...
  local want=$1 got=0
  shift
  "$@" >out.txt 2>err.txt || got=$?
  [ "$got" = "$want" ] || { echo "exit $got, expected $want: $*"; cat out.txt err.txt; exit 1; }
}
has() { grep -aq -- "$1" "$2" || { echo "'$1' is not in $2:"; cat "$2"; exit 1; }; }
lacks() { ! grep -aq -- "$1" "$2" || { echo "'$1' is in $2:"; cat "$2"; exit 1; }; }

expect_code 0 "$glint" synth sleeve set --train 24 --test-good 3 --per-class 1 --size 64 --seed 4 --difficulty hard
small="--set simplenet.meta_epochs=1 --set simplenet.passes=1 --set input.size=64 --set augment.draws=1
  --set calibration.mode=holdout --set calibration.holdout_least=8 --false-reject 0.12"

# outputs are refused before anything is trained, and replace nothing that is read
mkdir folder
for out in folder new/ set/train/good/000.png; do
  expect_code 2 "$glint" train set --method simplenet -o $out $small
  lacks "training" err.txt
done
expect_code 0 "$glint" train set --method simplenet -o /dev/null $small
[ -c /dev/null ] && [ ! -e /dev/null.resume ]
expect_code 0 "$glint" train set --method simplenet -o m.glint $small
[ ! -e m.glint.resume ]

# one bad file among others; JSON lists all
mkdir lot '[lot]' other
cp set/test/good/000.png lot/0.png
cp set/test/good/001.png '[lot]/1,"q.png'
cp set/test/good/002.png "$(printf '[lot]/z\374.png')"
cp set/test/good/000.png other/0.png
: > '[lot]/empty.png'
echo x > '[lot]/note.webp'
expect_code 2 "$glint" inspect m.glint '[lot]' --format json
has "note.webp" err.txt
lacks "0.png" out.txt
python3 - <<'P'
import json
rows = json.load(open("out.txt", encoding="utf-8"))
assert [r["verdict"] in ("OK", "NOK") for r in rows] == [True, False, True], rows
assert rows[1]["verdict"] == "NO DECISION" and "empty.png" in rows[1]["reason"], rows
assert rows[2]["image"] == "[lot]/z\\xFC.png", rows
P
expect_code 2 "$glint" inspect m.glint '[lot]' absent.png --format csv
python3 - <<'P'
import csv
rows = list(csv.DictReader(open("out.txt", encoding="utf-8", newline="")))
assert [r["image"] for r in rows] == ['[lot]/1,"q.png', "[lot]/empty.png", "[lot]/z\\xFC.png", "absent.png"], rows
assert all(None not in r and None not in r.values() for r in rows), rows
P
cp set/test/good/000.png ./-x.png
"$glint" inspect m.glint -- -x.png >out.txt || [ $? = 1 ]
has "x.png" out.txt

# equal names become two pictures, and never a photograph
"$glint" inspect m.glint lot/0.png other/0.png -o maps >out.txt || [ $? = 1 ]
[ -s maps/lot/0.jpg ] && [ -s maps/other/0.jpg ]
cp maps/lot/0.jpg here.jpg
cp here.jpg same.jpg
expect_code 2 "$glint" inspect m.glint here.jpg -o .
cmp here.jpg same.jpg

# another shape
python3 - <<'P'
import struct, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes(range(64)) * 6 for _ in range(64))
open("wide.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 128, 64, 8, 2, 0, 0, 0))
                             + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
P
expect_code 2 "$glint" inspect m.glint wide.png
has "NO DECISION" out.txt
has "any-size" out.txt
"$glint" inspect m.glint wide.png --any-size >out.txt || [ $? = 1 ]
has "OK" out.txt

# what cannot be printed is an error
for arguments in "inspect m.glint lot/0.png" "info m.glint" "--help" "backbone list"; do
  got=0
  "$glint" $arguments >/dev/full 2>err.txt || got=$?
  [ $got = 2 ] || { echo "exit $got with a full standard output: $arguments"; exit 1; }
  got=0
  "$glint" $arguments >&- 2>err.txt || got=$?
  [ $got = 2 ] || { echo "exit $got with a closed standard output: $arguments"; exit 1; }
done

# a damaged model is refused by name, by every verb
python3 - <<'P'
data = bytearray(open("m.glint", "rb").read())
data[-20] ^= 0x40
open("bad.glint", "wb").write(data)
P
for arguments in "inspect bad.glint lot/0.png" "info bad.glint" "evaluate bad.glint set -o report"; do
  expect_code 2 "$glint" $arguments
  has "bad.glint" err.txt
done
echo "inspect: ok"
