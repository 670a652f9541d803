#!/usr/bin/env bash
# A league on a real Slurm: one controller and two node daemons on this machine, of which one dies in the middle
# of a training. Nothing may be lost and nothing computed twice. Needs Debian's slurm-wlm and munge, and no
# systemd; ends with 77 and the reason where they are not there.
# usage: slurm.sh GLINT
set -euo pipefail
glint=$(realpath "$1")
skip() { echo "SKIPPED: $1"; exit 77; }
for program in slurmctld slurmd sbatch squeue scontrol munged; do
  command -v $program >/dev/null || PATH=$PATH:/usr/sbin:/sbin
  command -v $program >/dev/null || skip "$program is not installed (apt-get install slurm-wlm munge)"
done

work=$(mktemp -d /tmp/glint-slurm.XXXXXX) # short: a socket's path has 107 characters
daemons=()
fail() {
  echo "FAILED: $1"
  for log in "$work"/*.log "$work"/league/slurm/*.log; do [ -f "$log" ] && { echo "== $log"; tail -n 25 "$log"; }; done
  exit 1
}
# What the daemons of this test started, by their ids: the tree below a process.
tree() { local child; for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done; echo "$1"; }
# Tasks of this test (their environment names its configuration), of one node or of all, and first the keeper of each
# (slurmstepd, which slurmd starts apart, and which would report the end of its task).
kill_tasks() { # NODE or nothing
  local pid each keeper
  for pid in /proc/[0-9]*; do
    { tr '\0' '\n' <"$pid/environ"; } >"$work/environ" 2>/dev/null || continue
    grep -qxF "SLURM_CONF=$work/slurm.conf" "$work/environ" && grep -q "^SLURMD_NODENAME=$1" "$work/environ" || continue
    keeper=$(sed -n 's/^PPid:[[:space:]]*//p' "$pid/status" 2>/dev/null) || true
    [ "$(cat "/proc/$keeper/comm" 2>/dev/null)" = slurmstepd ] && kill -KILL "$keeper" 2>/dev/null
    for each in $(tree "${pid#/proc/}"); do kill -KILL "$each" 2>/dev/null || true; done
  done
}
finish() {
  for pid in "${daemons[@]}"; do
    for each in $(tree "$pid"); do kill -KILL "$each" 2>/dev/null || true; done
  done
  kill_tasks ""
  rm -rf "$work"
}
trap finish EXIT
export GLINT_CACHE=$work/cache SLURM_CONF=$work/slurm.conf

# A port that nobody listens at, and its neighbours.
port=$((20000 + $$ % 20000))
cpus=$(nproc)
user=$(id -un)
dd if=/dev/urandom of="$work/munge.key" bs=128 count=1 status=none
chmod 700 "$work"
chmod 600 "$work/munge.key"
munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.sock" --pid-file="$work/munge.pid" \
  --log-file="$work/munged.log" --seed-file="$work/munge.seed" 2>"$work/munged.err.log" &
daemons+=($!)
mkdir -p "$work"/{state,n1,n2}
cat >"$SLURM_CONF" <<CONF
ClusterName=glint
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$work/munge.sock,cred_expire=10
CredType=cred/munge
SlurmctldPort=$port
SlurmctldPidFile=$work/slurmctld.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdPidFile=$work/%n/slurmd.pid
SlurmdLogFile=$work/%n.log
SlurmdSpoolDir=$work/%n
StateSaveLocation=$work/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SlurmdTimeout=10
ReturnToService=2
MpiDefault=none
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=$cpus RealMemory=16000
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=$cpus RealMemory=16000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld -D -f "$SLURM_CONF" >"$work/slurmctld.out.log" 2>&1 &
daemons+=($!)
declare -A node
for name in n1 n2; do
  slurmd -D -N $name -f "$SLURM_CONF" >"$work/$name.out.log" 2>&1 &
  node[$name]=$!
  daemons+=($!)
done
up() { sinfo -h -N -o %T 2>/dev/null | grep -c '^idle$' || true; }
for ((i = 0; i < 60; ++i)); do [ "$(up)" = 2 ] && break; sleep 1; done
if [ "$(up)" != 2 ]; then
  # Some containers lack what the daemons need (cgroups, a host name that resolves): that is not glint's fault.
  tail -n 5 "$work"/*.log
  skip "Slurm's daemons do not come up here"
fi

cd "$work"
"$glint" synth sleeve sleeves --train 40 --test-good 6 --per-class 2 --size 256 --seed 4 --difficulty hard >synth.log 2>&1 || fail "synth"
"$glint" compare sleeves -o league --plan --methods dfm,variation_model,simplenet --seeds 2 --false-reject 0.1 \
  --set simplenet.meta_epochs=12 --set calibration.mode=holdout --set calibration.holdout_least=12 >plan.txt 2>plan.log || fail "plan"
cells=$(grep -c '"id"' league/plan.json)
[ "$cells" = 6 ] || fail "$cells cells planned, 6 expected"
"$glint" compare -o league --submit slurm --slurm-cpus "$cpus" --lease 20s >submit.txt 2>submit.log || fail "submit: $(cat submit.txt)"
cat submit.txt
[ "$(grep -c '^job' submit.txt)" = 4 ] || fail "three arrays and the job that collects were expected"

# The second node dies, with all that runs on it, while a training there has left its first state.
victim=""
for ((i = 0; i < 240; ++i)); do
  job=$(squeue -h -w n2 -t running -n glint-simplenet -o %K | head -n 1)
  if [ -n "$job" ]; then
    seed=$(grep -o 'simplenet\.s[0-9]*\.[0-9a-f]*' league/slurm/simplenet.sh | sed -n "$((job + 1))p" | sed 's/.*\.s\([0-9]*\)\..*/\1/')
    ls league/models/simplenet_seed"$seed"_*.resume >/dev/null 2>&1 && victim=$(grep -o "sleeves\.simplenet\.s$seed\.[0-9a-f]*" league/slurm/simplenet.sh | head -n 1) && break
  fi
  sleep 0.5
done
[ -n "$victim" ] || fail "no training began on the second node"
# The daemon, and what runs on its node.
kill -KILL "${node[n2]}"
number=$(squeue -h -w n2 -t running -o %A | head -n 1)
kill_tasks n2
echo "killed the second node while it computed $victim (job $number)"

for ((i = 0; i < 500; ++i)); do [ -z "$(squeue -h 2>/dev/null)" ] && break; sleep 1; done
[ -z "$(squeue -h)" ] || { squeue; fail "jobs are still there"; }
[ -s league/compare.html ] || fail "the last job made no table"

# Nothing lost: every cell has its result.
done=$(grep -l '"status":"done"' league/results/*.json | wc -l)
[ "$done" = "$cells" ] || fail "$done of $cells cells are done"
grep -q '"missing": \[\]' league/compare.json || fail "the table misses cells"
# Nothing twice: one model a cell, one result in all logs, and only the dead worker's cell was claimed again.
[ "$(ls league/models/*.glint | wc -l)" = "$cells" ] || fail "not one model a cell"
[ "$(cat league/slurm/glint-*-*.log | grep -c ': done in ')" = "$cells" ] || fail "a cell was computed twice"
again=$(ls league/claims | grep -E '\.2$' || true)
[ "$again" = "$victim.2" ] || fail "claimed twice: '$again', not $victim alone"
[ ! -e "league/claims/$victim.1.free" ] || fail "the dead worker gave its claim back"
# Submitted again, there is nothing to do.
"$glint" compare -o league --submit slurm | grep -q "every cell is computed" || fail "submitted again"
# A cluster gives the same models as this machine alone.
"$glint" compare sleeves -o alone --methods dfm,variation_model,simplenet --seeds 2 --false-reject 0.1 \
  --set simplenet.meta_epochs=12 --set calibration.mode=holdout --set calibration.holdout_least=12 >alone.txt 2>alone.log || fail "alone"
/usr/bin/python3 - <<'PY' || fail "the figures differ from those of one machine alone"
import json
def figures(path):
    return [{k: m[k] for k in ("method", "image_auroc", "pixel_auroc", "aupro", "escapes")}
            for t in json.load(open(path))["tables"] for m in t["methods"]]
assert figures("league/compare.json") == figures("alone/compare.json")
PY
echo "slurm: $cells cells, one node lost, nothing lost, nothing twice"
