"""The recipe of the embedded language identifier: data, training, evaluation, rival.

`make_model.sh` runs it from beginning to end; docs/langid.md tells what came out.
"""
