#!/usr/bin/env bash
# Installs what glint needs on Debian 12, as root or with sudo. Does nothing when everything is there.
# usage: setup.sh [--test]   (--test adds what the tests and checks need)
set -euo pipefail
packages=(g++ cmake ninja-build ccache pkg-config libtorch-dev libdnnl-dev libopenblas0-openmp libopencv-dev libjpeg-dev
  libtiff-dev libdeflate-dev libzip-dev libssl-dev libcli11-dev nlohmann-json3-dev libfmt-dev libsqlite3-dev libcpp-httplib-dev
  libpugixml-dev)
if [ "${1:-}" = "--test" ]; then
  packages+=(libgtest-dev libbenchmark-dev libaravis-dev libusb-1.0-0-dev python3 python3-jsonschema python3-selenium chromium
    chromium-driver curl openssl slurm-wlm munge)
fi
if [ "${1:-}" = "--check" ]; then
  packages+=(libgtest-dev clang clang-format clang-tidy libclang-rt-dev python3)
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=""
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run as root or install sudo" >&2; exit 1; }
  sudo=sudo
fi
echo "setup: installing ${missing[*]}"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
