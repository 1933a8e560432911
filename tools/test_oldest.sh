#!/usr/bin/env bash
# Runs the suite, without TensorFlow, on the oldest releases that pyproject.toml allows.
#
# Usage: tools/test_oldest.sh [pytest arguments]
# Variables: PYTHON (an interpreter of the oldest CPython that has wheels for all of them, 3.11).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/oldest
python=${PYTHON:-python3.11}
rm -rf "$work"
mkdir -p "$work"
"$python" -m venv "$work/venv"
bin=$work/venv/bin
"$bin/python" -m pip install --quiet --upgrade pip packaging
"$bin/python" tools/lower_bounds.py pyproject.toml export jobs >"$work/constraints.txt"
echo "oldest: $(tr '\n' ' ' <"$work/constraints.txt")"
"$bin/python" -m pip wheel --quiet --no-cache-dir --no-deps --wheel-dir "$work" .
"$bin/python" -m pip install --quiet --constraint "$work/constraints.txt" \
  "$(echo "$work"/bertfast-*.whl)[export,jobs,test]"
mkdir "$work/source"
git ls-files -z | xargs -0 cp --parents -t "$work/source"
cd "$work/source"
OPENBLAS_NUM_THREADS=1 BERTFAST_SHARED_DATA=${BERTFAST_SHARED_DATA:-$root/../shared/data} \
  "$bin/python" -m pytest -q -n auto tests "$@"
