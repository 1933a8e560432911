#!/usr/bin/env bash
# What continuous integration fuzzes: every target for a minute, two at a time. What cannot run here
# is left out with a line that says so and why.
#
# Usage: tools/fuzz_ci.sh [SECONDS]     60 for each target unless given
# Variables: PYTHON (default .venv/bin/python), CLANGXX, FUZZ_JOBS (2).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
groups=()
if make --silent -C csrc libfuzzer 2>/dev/null; then
  groups+=(core)
else
  echo "SKIPPED: the core is not fuzzed, no clang++ with libFuzzer here (apt-get install clang)"
fi
if "$python" -c 'import atheris' 2>/dev/null; then
  groups+=(parsers)
else
  echo "SKIPPED: the parsers are not fuzzed, $("$python" --version) has no atheris here"
fi
[ ${#groups[@]} -gt 0 ] || exit 0
FUZZ_JOBS=${FUZZ_JOBS:-2} PYTHON=$python tools/fuzz.sh "${1:-60}" "${groups[@]}"
