#!/usr/bin/env bash
# Makes the embedded language identifier from nothing but the data: other texts and a vocabulary,
# training, then what publish_model.sh does. Stopped, it goes on when it is called again.
#
# Usage: tools/langid/make_model.sh DATA_DIR WORK_DIR
#
# DATA_DIR holds train.tsv, dev.tsv and test_udhr.tsv: a text, a tab, a language code.
# WORK_DIR gets data/ (390 MB), model/ (checkpoints, 1.2 GB of records) and figures.json.
# Needs bertfast[train,export] and tokenizers, 8 GB of memory, and 80 minutes on one core.
# Variables: PYTHON and those of publish_model.sh.
set -euo pipefail
data=$(realpath "${1:?usage: make_model.sh DATA_DIR WORK_DIR}")
mkdir -p "${2:?usage: make_model.sh DATA_DIR WORK_DIR}"
work=$(realpath "$2")
cd "$(dirname "$0")/../.."
export PYTHON=${PYTHON:-python}

if [ ! -d "$work/data" ]; then
  echo "== texts and vocabulary"
  rm -rf "$work/data.tmp"
  PYTHONPATH=tools "$PYTHON" -m langid.prepare "$data" "$work/data.tmp" \
    --copies 12 --vocab_size 32768 --max_piece_length 8 --seed 7
  mv "$work/data.tmp" "$work/data"
fi

echo "== training"
"$PYTHON" -m bertfast run-classifier --task_name=tsv --text_column=text --label_column=label \
  --data_dir="$work/data" --vocab_file="$work/data/vocab.txt" \
  --bert_config_file=tools/langid/bert_config.json --do_lower_case=false \
  --max_seq_length=64 --bucket_by_length --train_batch_size=256 --eval_batch_size=256 \
  --learning_rate=3e-3 --num_train_epochs=1 --warmup_proportion=0.06 --seed=3 \
  --save_checkpoints_steps=2000 --keep_checkpoint_max=2 --do_train --do_eval \
  --output_dir="$work/model"

tools/langid/publish_model.sh "$work/model" "$data" "$work"
