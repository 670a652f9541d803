#!/usr/bin/env bash
# Set-up, build, all tests (the slow ones too). usage: test.sh [--fast]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --test
cmake --preset release -DBUILD_TESTING=ON >/dev/null
cmake --build --preset release
label=()
[ "${1:-}" = "--fast" ] && label=(-LE slow)
ctest --preset release -j"$(nproc)" "${label[@]}"
