#!/usr/bin/env bash
# glint beside anomalib (exported to OpenVINO) in one run, on the first two processors: one table.
# usage: bench/peers/run.sh [FOLDER]   (from the repository's root, after building glint and bench_inspect)
# FOLDER (default /tmp/glint-peers; about 10 GB) gets the peers in a virtual environment of its own, from PyPI at the
# versions of requirements.txt, and all models and pictures. What is there already is kept: delete it to begin anew.
# BUILD: build folder (default build/release). BACKBONE: the ResNet-18 of both, safetensors with folded batch norms.
# QUIET: a command that runs another one without disturbance. SECONDS_EACH: of each measurement (default 6).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-/tmp/glint-peers}
mkdir -p "$folder"
if [ ! -e "$folder/installed" ]; then
  python3 -m venv "$folder/venv"
  if "$folder/venv/bin/pip" install --quiet --no-cache-dir -r "$here/requirements.txt" 2>"$folder/install.log"; then
    touch "$folder/installed"
  else
    echo "The peers could not be installed; glint is measured alone. The end of $folder/install.log:"
    tail -n 5 "$folder/install.log"
  fi
fi
exec python3 "$here/run.py" "$folder"
