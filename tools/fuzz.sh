#!/usr/bin/env bash
# Fuzzes the core (libFuzzer under AddressSanitizer and UBSan) and the parsers in Python (atheris).
#
# Usage: tools/fuzz.sh SECONDS [TARGET...]     SECONDS for each target; all of them by default
# Variables: PYTHON (default .venv/bin/python), CLANGXX, FUZZ_JOBS (processes at a time, 1).
#
# What is found on the way is kept in build/fuzz/TARGET and begun with the next time; an input that
# fails is left in build/fuzz/failures. The last lines give the executions, as libFuzzer counts them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift
python=${PYTHON:-$root/.venv/bin/python}
core="scanner decode trie pack encode vocabulary"
parsers="index entries tensor_data snappy safetensors manifest journal vocabulary_file model ids"
read -r -a targets <<<"${*:-$core $parsers}"
work=$root/build/fuzz
mkdir -p "$work/logs" "$work/failures"
rm -f "$work"/logs/*
case " $core " in *" ${targets[0]} "*) make --no-print-directory -C csrc fuzzers PYTHON="$python" ;; esac
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

fuzz() {
  local target=$1 corpus=$work/$1 log=$work/logs/$1
  local options="-max_total_time=$seconds -print_final_stats=1 -timeout=20 -rss_limit_mb=2048"
  options+=" -max_len=4096 -artifact_prefix=$work/failures/$target-"
  mkdir -p "$corpus"
  case " $core " in
  *" $target "*)
    # shellcheck disable=SC2086
    "$root/build/csrc-fuzz/fuzz_$target" $options "$corpus" "$root/csrc/fuzz/corpus/$target" \
      >"$log" 2>&1 ;;
  *)
    # shellcheck disable=SC2086
    PYTHONPATH=$root/src "$python" tools/fuzz_parsers.py "$target" $options "$corpus" >"$log" 2>&1 ;;
  esac || { echo "FAILED: $target (see $log)" && return 1; }
}
export -f fuzz
export root work seconds python core

status=0
printf '%s\n' "${targets[@]}" | xargs -P "${FUZZ_JOBS:-1}" -I{} bash -c 'fuzz {}' || status=1
total=0
for target in "${targets[@]}"; do
  count=$(awk '/stat::number_of_executed_units/ {print $2}' "$work/logs/$target")
  rate=$(awk '/stat::average_exec_per_sec/ {print $2}' "$work/logs/$target")
  printf '%-16s %14s executions %10s a second\n' "$target" "${count:-?}" "${rate:-?}"
  total=$((total + ${count:-0}))
done
echo "executions in all: $total"
exit $status
