#!/usr/bin/env bash
# Looks at an exported SavedModel and runs it with TensorFlow's own tool, saved_model_cli.
#
# Usage: examples/serving/check_saved_model.sh [SAVED_MODEL]
# Without an argument, a small classifier with random weights is exported first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=${1:-$work/models/bert/1}
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}
if [ $# = 0 ]; then
  python "$(dirname "$0")/make_small_model.py" "$work/checkpoint"
  bertfast export "$work/checkpoint" "$model" --format savedmodel --gate-inputs 100 --labels no,yes
fi
# The tool knows no TF-Text: a module of that name, imported first, registers its operators.
cli() {
  python -c 'import sys, tensorflow_text
from tensorflow.python.tools.saved_model_cli import main
sys.exit(main())' "$@"
}
echo "== signatures"
cli show --dir "$model" --tag_set serve --signature_def serving_default
cli show --dir "$model" --tag_set serve --signature_def pair
echo "== serving_default"
cli run --dir "$model" --tag_set serve --signature_def serving_default \
  --input_exprs 'text=["the cat sat on the mat!", "unaffable"]'
echo "== pair"
cli run --dir "$model" --tag_set serve --signature_def pair \
  --input_exprs 'text=["the cat"];text_pair=["on the mat"]'
echo "== tokenize"
cli run --dir "$model" --tag_set serve --signature_def tokenize \
  --input_exprs 'text=["the cat sat on the mat!"]'
