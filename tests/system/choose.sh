#!/usr/bin/env bash
# `glint choose` and `glint train --method auto` from the command line: files, a second run that goes on, refusals.
# usage: choose.sh GLINT
set -euo pipefail
glint=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GLINT_CACHE=$work/cache LC_ALL=C.UTF-8
has() { grep -aq -- "$1" "$2" || { echo "'$1' is not in $2:"; cat "$2"; exit 1; }; }
refuses() { # TEXT command...
  local text=$1 got=0
  shift
  "$@" >out.txt 2>err.txt || got=$?
  [ "$got" = 2 ] || { echo "exit $got, expected 2: $*"; cat out.txt err.txt; exit 1; }
  has "$text" err.txt
}

"$glint" synth sleeve set --train 44 --test-good 3 --per-class 1 --size 64 --seed 4 2>/dev/null >/dev/null
refuses "15m, 2h" "$glint" choose set -o c --budget 15
refuses "which decides it" "$glint" choose set -o c --set input.size=96
refuses "goes with --method auto" "$glint" train set -o m.glint --budget 5m
[ ! -e c/model.glint ]

"$glint" choose set -o c --methods dfm --budget 10m >out.txt 2>err.txt
has "dfm 288 px" out.txt
has "winner" out.txt
for file in model.glint choose.html choose.json; do [ -s c/$file ]; done
"$glint" evaluate c/model.glint set -o report >/dev/null 2>&1
before=$(stat -c %Y.%s c/model.glint c/models/*)
"$glint" choose set -o c --methods dfm --budget 10m >again.txt 2>err.txt
[ "$before" = "$(stat -c %Y.%s c/model.glint c/models/*)" ]
diff out.txt again.txt

# a budget that the first candidate spends: the winner comes of it alone
"$glint" train set -o m.glint --method auto --budget 1s --set patchcore.bank_rows=200 >out.txt 2>err.txt
has "no budget left" out.txt
[ -s m.glint ] && [ -s m.glint.choose/choose.html ]
cmp m.glint m.glint.choose/model.glint
"$glint" inspect m.glint set/test/good >/dev/null 2>&1 || [ $? = 1 ]
