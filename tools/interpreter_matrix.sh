#!/usr/bin/env bash
# Runs the suites of the tokenizer, the engine and the runtime and the parity checks on every CPython
# 3.10-3.13 found (pyenv or PATH), each with another Unicode version, in a fresh environment and
# from the sdist.
#
# Usage: tools/interpreter_matrix.sh [--exhaustive] [VERSION...]
# Counts of the parity checks go to build/parity-VERSION.json. Missing interpreters are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/matrix
export BERTFAST_SHARED_DATA=${BERTFAST_SHARED_DATA:-$root/../shared/data}
versions=()
options=()
for argument in "$@"; do
  case $argument in
    -*) options+=("$argument") ;;
    *) versions+=("$argument") ;;
  esac
done
[ ${#versions[@]} != 0 ] || versions=(3.10 3.11 3.12 3.13)

find_python() { # VERSION: print the first interpreter of that version
  local candidate
  for candidate in "$(command -v "python$1" || true)" \
    "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1."*/bin/python; do
    if [ -x "$candidate" ] &&
      "$candidate" -c "import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" \
        2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

check() { # VERSION PYTHON OPTIONS...: install from the sdist and test there
  local version=$1 python=$2 home=$work/$1
  shift 2
  "$python" -m venv "$home/venv"
  "$home/venv/bin/python" -m pip install --quiet --upgrade pip
  # pip caches what it builds from an archive by its path: never here.
  "$home/venv/bin/python" -m pip wheel --quiet --no-cache-dir --no-deps \
    --wheel-dir "$home/dist" "$work"/dist/bertfast-*.tar.gz
  "$home/venv/bin/python" -m pip install --quiet "$(echo "$home"/dist/bertfast-*.whl)[test]"
  mkdir "$home/source"
  tar -xzf "$work"/dist/bertfast-*.tar.gz -C "$home/source" --strip-components 1
  cd "$home/source"
  "$home/venv/bin/python" -m pytest -q -n auto tests/tokenizer tests/engine tests/runtime tests/parity \
    --parity-json "$root/build/parity-$version.json" "$@"
}

rm -rf "$work"
mkdir -p "$work/dist"
failed=0
summary=()
for version in "${versions[@]}"; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    summary+=("$version: skipped, no such interpreter here")
    continue
  fi
  if ! ls "$work"/dist/*.tar.gz >/dev/null 2>&1; then
    "$python" -m venv "$work/build"
    "$work/build/bin/python" -m pip install --quiet build
    "$work/build/bin/python" -m build --sdist --outdir "$work/dist" . >"$work/sdist.log"
  fi
  unicode=$("$python" -c 'import unicodedata; print(unicodedata.unidata_version)')
  mkdir -p "$work/$version"
  echo "== Python $version, Unicode $unicode"
  set +e
  (set -e && check "$version" "$python" "${options[@]}") 2>&1 | tee "$work/$version/log"
  status=${PIPESTATUS[0]}
  set -e
  summary+=("$version (Unicode $unicode): $(tail -n 1 "$work/$version/log")")
  if [ "$status" != 0 ]; then
    summary+=("  FAILED, see $work/$version/log")
    failed=1
  fi
done
printf '%s\n' "" "${summary[@]}"
exit $failed
