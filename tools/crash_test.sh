#!/usr/bin/env bash
# The long form of tests/jobs/test_crashes.py: every operation of jobs in four combinations of
# formats, and N random times (default 200) in three; then SIGINT and SIGTERM at N random times.
# One line of JSON each; stops at the first output that differs.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
N=${1:-200}
export OPENBLAS_NUM_THREADS=1

crash() {
  local line
  line=$("$PYTHON" -m tests.jobs.crashes "$@")
  echo "$line"
  [[ $line == *'"wrong": 0'* ]]
}

crash points in.jsonl out.jsonl 4
crash points in.tsv out.csv.gz 4
crash points in.parquet out.parquet 4
crash points in.csv out/ 4
crash times in.jsonl out.jsonl "$N"
crash times in.csv out/ "$N"
crash times in.parquet out.parquet "$N"
crash signals in.tsv out.jsonl "$N"
