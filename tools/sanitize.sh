#!/usr/bin/env bash
# Runs the C++ tests under ThreadSanitizer, eight threads with a million calls each among them; then
# they, the suites of the tokenizer and of the engine and the quick parity checks with the native
# parts under AddressSanitizer and UndefinedBehaviorSanitizer (GCC).
#
# Usage: tools/sanitize.sh [pytest arguments]
# Variables: PYTHON (default .venv/bin/python or python3), SANITIZE (address,undefined), STRESS_CALLS
# (of each thread, 1000000).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/sanitize
sanitize=${SANITIZE:-address,undefined}
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac

make --no-print-directory -C csrc test SANITIZE=thread STRESS_CALLS="${STRESS_CALLS:-1000000}" \
  PYTHON="$python"
make --no-print-directory -C csrc test SANITIZE="$sanitize" PYTHON="$python"

rm -rf "$work"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade pip build
"$work/venv/bin/python" -m build --sdist --outdir "$work" . >/dev/null
BERTFAST_SANITIZE=$sanitize BERTFAST_DEBUG=1 "$work/venv/bin/python" -m pip wheel --quiet \
  --no-cache-dir --no-deps --wheel-dir "$work" "$work"/bertfast-*.tar.gz
"$work/venv/bin/python" -m pip install --quiet "$(echo "$work"/bertfast-*.whl)[test]"
tar -xzf "$work"/bertfast-*.tar.gz -C "$work" --one-top-level=source --strip-components 1

# The interpreter is not sanitized: preload the runtime. Its own allocations at exit are no leaks.
export LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export PYTHONMALLOC=malloc BERTFAST_SHARED_DATA=${BERTFAST_SHARED_DATA:-$root/../shared/data}
cd "$work/source"
# GCC's AddressSanitizer does not hold its allocator's locks over a fork: a child that is forked
# while another thread allocates may hang in it.
"$work/venv/bin/python" -m pytest -q -n auto tests/tokenizer tests/parity tests/engine \
  --deselect tests/tokenizer/test_sharing.py::test_child_forked_while_others_encode_works \
  --deselect tests/tokenizer/test_concurrency.py::test_processes_started_beside_busy_threads_end "$@"
