#!/usr/bin/env bash
# A bench as Slurm arrays: one job of masktune a task. First the trainings that need no other job (ERM and what
# trains from the start), then those that go on from them; at the end one process gathers the table.
#
#   bash examples/slurm_bench.sh --datasets waterbirds=/data/waterbirds --weights imagenet.safetensors \
#        --methods masktune group_dro dfr --seeds 0 1 2 --threads 4 --out /shared/bench
#
# Every machine must see the data and --out under the same path. A task that is stopped (SIGTERM) or lost
# goes on from its last epoch when it is submitted again; a finished one ends at once.
set -euo pipefail

if [ "${1:-}" = task ]; then  # Inside an array: the line of our number is our job.
  list=$2; shift 2
  name=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$list")
  exec masktune bench "$@" --quiet --job "$name"
fi

lists=$(mktemp -d "${TMPDIR:-$PWD}/masktune-jobs.XXXXXX")
masktune bench "$@" --list-jobs > "$lists/all"
awk -F '\t' '$2 == "-" {print $1}' "$lists/all" > "$lists/first"
awk -F '\t' '$2 != "-" {print $1}' "$lists/all" > "$lists/then"

after=()
for list in first then; do
  count=$(wc -l < "$lists/$list")
  [ "$count" -gt 0 ] || continue
  # A failed task must not keep the others from running: the table says why it failed.
  id=$(sbatch --parsable ${after[@]+"${after[@]}"} --array "0-$((count - 1))" --requeue \
       ${SBATCH_OPTIONS:-} "$0" task "$lists/$list" "$@")
  after=(--dependency "afterany:$id")
done
sbatch --parsable ${after[@]+"${after[@]}"} ${SBATCH_OPTIONS:-} --wrap "masktune bench $(printf '%q ' "$@") --quiet"
