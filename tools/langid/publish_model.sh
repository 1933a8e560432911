#!/usr/bin/env bash
# Puts a trained language identifier into the package, measures it, and writes the figures into
# its card, docs/langid.md.
#
# Usage: tools/langid/publish_model.sh MODEL_DIR DATA_DIR WORK_DIR
#
# MODEL_DIR is run-classifier's output folder; DATA_DIR holds dev.tsv and test_udhr.tsv; WORK_DIR
# gets figures.json. If WORK_DIR/rival.json is there (`python -m langid.baseline`), the card
# compares with it.
# Variables: PYTHON (default python), PRECISION (default int8; empty: the export's own default).
set -euo pipefail
usage="usage: publish_model.sh MODEL_DIR DATA_DIR WORK_DIR"
model=$(realpath "${1:?$usage}") data=$(realpath "${2:?$usage}") work=$(realpath "${3:?$usage}")
cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
precision=${PRECISION-int8}
bundle=src/bertfast/models/langid

# The data are in Unicode's composed form, and so are the model's tokens. In training texts come in
# every case; in lower case the model tells them apart best.
echo "== export"
"$python" -m bertfast export "$model" "$bundle" --overwrite --max-length 64 \
  --normalization NFC --do-lower-case --keep-accents ${precision:+--precision "$precision"}

echo "== evaluation"
rival=()
if [ -f "$work/rival.json" ]; then rival=(--rival "$work/rival.json"); fi
PYTHONPATH=tools:${PYTHONPATH-} "$python" -m langid.evaluate "$bundle" "$data" \
  --json "$work/figures.json" --card docs/langid.md "${rival[@]}"
ls -l "$bundle"
