#!/usr/bin/env bash
# Builds sdist and wheel in a clean environment, then uses the wheel where no compiler is found:
# one environment with [export] makes a bundle, another with the bare package tokenizes and
# predicts with it and with the embedded model.
#
# Variables: PYTHON (default .venv/bin/python or python3).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/wheel-check
python=${PYTHON:-$([ -x .venv/bin/python ] && echo "$root/.venv/bin/python" || echo python3)}

rm -rf "$work"
mkdir -p "$work"
for name in build export base; do
  "$python" -m venv "$work/$name"
  "$work/$name/bin/python" -m pip install --quiet --upgrade pip
done

echo "== build sdist, and the wheel from the sdist"
"$work/build/bin/python" -m pip install --quiet build
"$work/build/bin/python" -m build --outdir "$work/dist" . >"$work/build.log"
ls -1sh "$work/dist"
wheel=$(echo "$work"/dist/bertfast-*.whl)

without_compiler() { # ENVIRONMENT COMMAND...: run with that environment's programs alone
  local home=$work/$1
  shift
  (cd "$work" && PATH=$home/bin CC=/bin/false CXX=/bin/false "$@")
}

echo "== install with [export], make a bundle"
without_compiler export python -m pip install --quiet --only-binary :all: "${wheel}[export]"
without_compiler export python "$root/tools/write_tiny_bert.py" "$work/tiny_bert"
without_compiler export bertfast export "$work/tiny_bert" "$work/bundle"

echo "== install bare, tokenize and predict"
without_compiler base python -m pip install --quiet --only-binary :all: "$wheel"
without_compiler base python - <<'PYTHON'
import importlib.util

from bertfast import Predictor, Tokenizer

assert importlib.util.find_spec("onnx") is None, "the bare package must not need onnx"
tokenizer = Tokenizer.from_bundle("bundle")
assert tokenizer.implementation == "native"
assert tokenizer.tokenize("Good films!") == ["good", "film", "##s", "!"]
probabilities = Predictor("bundle").predict(["good films!", "a bad film"])
assert probabilities.shape == (2, 2)
assert abs(probabilities.sum() - 2) < 1e-5
print("pieces and probabilities are right")
PYTHON
printf 'good films!\na bad film\n' >"$work/texts.txt"
without_compiler base bertfast predict "$work/texts.txt" --model "$work/bundle" \
  -o "$work/predictions.tsv"
cat "$work/predictions.tsv"

echo "== the embedded model"
for file in model.onnx vocab.txt bertfast.json; do
  for archive in "$work"/dist/*; do
    "$python" - "$archive" "bertfast/models/langid/$file" <<'PYTHON'
import sys
import tarfile
import zipfile

archive, file = sys.argv[1:]
opened = zipfile.ZipFile(archive) if archive.endswith(".whl") else tarfile.open(archive)
names = opened.namelist() if archive.endswith(".whl") else opened.getnames()
assert any(name.endswith(file) for name in names), f"{archive} lacks {file}"
PYTHON
  done
done
printf 'Wir nehmen morgen den ersten Zug in die Berge.\nΗ θάλασσα ήταν ήρεμη όλη μέρα.\n' \
  >"$work/languages.txt"
without_compiler base bertfast predict "$work/languages.txt" -o "$work/languages.out.txt" --quiet
printf 'de\nel\n' | diff - "$work/languages.out.txt"
without_compiler base python "$root/examples/identify_languages.py" | tail -n 2
echo "wheel check passed"
