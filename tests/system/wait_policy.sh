#!/usr/bin/env bash
# OpenMP's threads sleep while they have no work (src/glint/cli/wait_policy.cpp), and a user's own wish stands.
# libgomp itself says how long its threads spin, once per run of its constructors.
# usage: wait_policy.sh GLINT
set -euo pipefail
glint=$1
unset OMP_WAIT_POLICY GOMP_SPINCOUNT
expect() { # SPINS ENVIRONMENT...
  local wanted="GOMP_SPINCOUNT = '$1'" got
  shift
  got=$(env OMP_DISPLAY_ENV=verbose "$@" "$glint" --version 2>&1 >/dev/null | grep -o "GOMP_SPINCOUNT = '[0-9]*'")
  [ "$got" = "$wanted" ] || { echo "FAILED: with '$*' libgomp says $got, not $wanted"; exit 1; }
}
expect 0
expect 0 OMP_WAIT_POLICY=passive
expect 30000000000 OMP_WAIT_POLICY=active
expect 5 GOMP_SPINCOUNT=5
code=0
"$glint" nonsense >/dev/null 2>&1 || code=$?
[ "$code" = 2 ] || { echo "FAILED: exit code $code after the second start"; exit 1; }
echo "wait policy passed"
