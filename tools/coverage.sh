#!/usr/bin/env bash
# Coverage of the C++ (gcov: by its own tests and the fuzzers' seeds; beside them by the suites of the
# tokenizer and the engine and the parity checks) and of the Python (coverage.py, by the whole suite).
# Slow: the C++ is built without optimization.
#
# Usage: tools/coverage.sh [core|python]     both by default
# Variables: PYTHON (default .venv/bin/python; needs gcovr and coverage), MIN_PERCENT (95), KERNELS
# ("portable avx2 avx512": the suite runs once with each; one that cannot run here is the best).
# The lists of what is not covered are build/coverage/core.txt and build/coverage/python.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/coverage
python=${PYTHON:-.venv/bin/python}
# A path is taken from the repository's root, whatever folder the rest works in.
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
least=${MIN_PERCENT:-95}
what=${1:-both}
mkdir -p "$work"
export OPENBLAS_NUM_THREADS=1 BERTFAST_SHARED_DATA=${BERTFAST_SHARED_DATA:-$root/../shared/data}

core() {
  rm -rf "$work/core" "$work/source"
  # The core's own tests, some of which no Python can reach: refused memory, kernels by name.
  make --no-print-directory -C csrc test BUILD="$work/core" CXXFLAGS='-O0 -g --coverage -fprofile-update=atomic' \
    PYTHON="$python" >"$work/core-tests.txt"
  # A copy of the tree: the instrumented module must not lie where the usual one does.
  mkdir -p "$work/source"
  git ls-files -z | xargs -0 cp --parents -t "$work/source"
  cd "$work/source"
  BERTFAST_COVERAGE=1 "$python" setup.py -q build_ext --inplace
  for kernel in ${KERNELS:-portable avx2 avx512}; do
    BERTFAST_KERNEL=$kernel PYTHONPATH=$work/source/src "$python" -m pytest -q -n 1 \
      -p no:cacheprovider tests/tokenizer tests/parity tests/engine >"$work/core-suite-$kernel.txt"
  done
  cd "$root"
  # Branches to what an exception unwinds are everywhere a vector grows; they are the subject of
  # test_allocation.cc and are left out of the count. So are those that GCC draws for unwinding
  # out of vector instructions, which never throw, one for each call of an intrinsic.
  local options=(--exclude-throw-branches --exclude-unreachable-branches
    --exclude-branches-by-pattern '.*(_mm\d*_|Lanes::|Product::).*'
    --merge-lines --gcov-ignore-parse-errors negative_hits.warn_once_per_file)
  (cd "$root/csrc" && "$python" -m gcovr "${options[@]}" --root "$root" --object-directory . \
    --filter "$root/csrc/(src|include|engine)/" "$work/core" --json "$work/core-tests.json")
  (cd "$work/source" && "$python" -m gcovr "${options[@]}" --root . --object-directory . \
    --filter "$work/source/csrc/(src|include|engine)/" build --json "$work/suite.json")
  # The two builds draw different branches for the same lines, so they are not added up: the C++
  # tests must reach the aim alone, and the suites are shown beside them.
  echo "the suites of the tokenizer and the engine:"
  "$python" -m gcovr --root "$root" --merge-lines --add-tracefile "$work/suite.json" \
    --txt-metric branch --txt "$work/core-suites.txt" --print-summary
  echo "the C++ tests and the fuzzers' seeds:"
  "$python" -m gcovr --root "$root" --merge-lines --add-tracefile "$work/core-tests.json" \
    --txt-metric branch --txt "$work/core.txt" --fail-under-branch "$least" --print-summary
}

python_code() {
  # The parity checks are left out: they are about the core. So are two tests that fork beside busy
  # threads: in the child, coverage.py waits for a lock of its own that another thread held; and one
  # that limits the size of files: coverage.py cannot write its own then.
  rm -rf "$work/python"
  mkdir -p "$work/python"
  local data=$work/python/.coverage tests=tests/tokenizer
  PYTHONPATH=$root/src "$python" -m coverage run --data-file="$data" -m pytest -q -n 0 \
    --ignore=tests/parity \
    --deselect "$tests/test_concurrency.py::test_processes_started_beside_busy_threads_end[fork]" \
    --deselect "$tests/test_sharing.py::test_child_forked_while_others_encode_works" \
    --deselect tests/jobs/test_faults.py::test_file_size_limit_is_one_line_and_keeps_what_is_done
  "$python" -m coverage combine -q --data-file="$data" "$work/python"
  "$python" -m coverage report --data-file="$data" --fail-under="$least" | tee "$work/python.txt"
}

[ "$what" = python ] || core
[ "$what" = core ] || python_code
