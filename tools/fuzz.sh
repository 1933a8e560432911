#!/usr/bin/env bash
# Fuzzes the core (libFuzzer) and the parsers in Python (atheris).
#
# Usage: tools/fuzz.sh SECONDS [TARGET...]     SECONDS for each target; all of them by default;
#   "core" and "parsers" stand for all of theirs
# Variables: PYTHON (default .venv/bin/python), CLANGXX, FUZZ_JOBS (processes at a time, 1),
# FUZZ_SANITIZE: address,undefined (the default) looks for bad reads and writes, too; none is for
# volume: the core's targets alone, five to twenty times as fast, on short inputs.
#
# What is found on the way is kept in build/fuzz/TARGET and begun with the next time, whatever
# FUZZ_SANITIZE; an input that fails is left in build/fuzz/failures. The last lines give the
# executions, as libFuzzer counts them; build/fuzz/executions.txt has those of every run.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift
python=${PYTHON:-.venv/bin/python}
# A path is taken from the repository's root, whatever folder the rest works in.
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac
sanitize=${FUZZ_SANITIZE:-address,undefined}
core="scanner decode trie pack encode vocabulary linear vector_ops batches"
parsers="index entries tensor_data snappy safetensors manifest journal vocabulary_file model network rows ids"
binaries=$root/build/csrc-fuzz
core_options="-max_len=4096"
if [ "$sanitize" = none ]; then
  parsers=
  binaries=$root/build/csrc-fuzz-fast
  core_options="-max_len=128 -entropic=0 -use_counters=0"
fi
wanted=" ${*:-core parsers} "
wanted=${wanted/ core / $core }
read -r -a targets <<<"${wanted/ parsers / $parsers }"
work=$root/build/fuzz
logs=$work/logs-${sanitize%%,*}
mkdir -p "$logs" "$work/failures"
for target in "${targets[@]}"; do
  case " $core " in *" $target "*)
    make --no-print-directory -C csrc fuzzers PYTHON="$python" FUZZ_SANITIZE="$sanitize"
    break ;;
  esac
done
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

fuzz() {
  local target=$1 corpus=$work/$1 log=$logs/$1
  local options="-max_total_time=$seconds -print_final_stats=1 -timeout=20 -rss_limit_mb=2048"
  options+=" -artifact_prefix=$work/failures/$target-"
  mkdir -p "$corpus"
  rm -f "$log"
  case " $core " in
  *" $target "*)
    # shellcheck disable=SC2086
    "$binaries/fuzz_$target" $options $core_options "$corpus" "$root/csrc/fuzz/corpus/$target" \
      >"$log" 2>&1 ;;
  *)
    # shellcheck disable=SC2086
    PYTHONPATH=$root/src "$python" tools/fuzz_parsers.py "$target" $options -max_len=4096 "$corpus" \
      >"$log" 2>&1 ;;
  esac || { echo "FAILED: $target (see $log)" && return 1; }
}
export -f fuzz
export root work logs seconds python core binaries core_options

status=0
printf '%s\n' "${targets[@]}" | xargs -P "${FUZZ_JOBS:-1}" -I{} bash -c 'fuzz {}' || status=1
total=0
for target in "${targets[@]}"; do
  count=$(awk '/stat::number_of_executed_units/ {print $2}' "$logs/$target")
  rate=$(awk '/stat::average_exec_per_sec/ {print $2}' "$logs/$target")
  printf '%-16s %14s executions %10s a second\n' "$target" "${count:-?}" "${rate:-?}"
  printf '%s\t%s\t%s\t%s\n' "$(date -u +%FT%TZ)" "$sanitize" "$target" "${count:-0}" \
    >>"$work/executions.txt"
  total=$((total + ${count:-0}))
done
echo "executions in all: $total"
exit $status
