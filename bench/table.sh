#!/usr/bin/env bash
# The README's table: every dataset, backbone and recipe with three seeds. Finished runs are kept, so that it can be
# interrupted and called again. usage: bench/table.sh DATASETS OUT [META_EPOCHS=40] [GLINT=build/release/glint]
set -euo pipefail
datasets=$1 out=$2 meta_epochs=${3:-40} glint=${4:-build/release/glint}
mkdir -p "$out"
for seed in 0 1 2; do
  for dataset in screw ball_screw; do
    for backbone in resnet18 compact; do
      for recipe in refined baseline; do
        run=$out/${dataset}_${backbone}_${recipe}_$seed
        [ -e "$run.ev/results.json" ] && continue
        "$glint" train "$datasets/$dataset" -o "$run.glint" --backbone $backbone --recipe $recipe --seed $seed \
          --false-reject 0.02 --set simplenet.meta_epochs="$meta_epochs"
        "$glint" evaluate "$run.glint" "$datasets/$dataset" -o "$run.ev" --no-maps
      done
    done
  done
done
"$(dirname "$0")/table.py" "$out"
