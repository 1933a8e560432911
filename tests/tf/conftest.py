"""Fixtures of TensorFlow's tests; all are skipped where it is not installed."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.config import BertConfig
from tests.small_bert import small_config

# The suite runs on a worker per core; each worker's TensorFlow, and its subprocesses', on one.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WITHOUT_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}

Arrays = dict[str, NDArray[Any]]


def small_batch(config: BertConfig, lengths: list[int], width: int, seed: int = 0) -> Arrays:
    """A batch as `input_pipeline` gives it: padded rows of random ids, with labels 0 and 1."""
    rng = np.random.default_rng(seed)
    mask = (np.arange(width) < np.array(lengths)[:, None]).astype(np.int32)
    n_rows = len(lengths)
    return {
        "input_ids": rng.integers(1, config.vocab_size, mask.shape).astype(np.int32) * mask,
        "input_mask": mask,
        "segment_ids": rng.integers(0, config.type_vocab_size, mask.shape).astype(np.int32) * mask,
        "label_ids": (np.arange(n_rows) % 2).astype(np.int32),
        "is_real_example": np.ones(n_rows, np.int32),
    }


@pytest.fixture
def config() -> BertConfig:
    """A two-layer BERT of width 24."""
    return small_config()


@pytest.fixture
def task_dir(tmp_path: Path) -> Path:
    """A folder of CoLA's layout whose label is whether "cat" is in the sentence."""
    return write_cola(tmp_path / "data")


def write_cola(folder: Path, n_train: int = 40, n_dev: int = 11) -> Path:
    """Write train.tsv, dev.tsv and test.tsv; lengths vary."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    words = np.array(["the", "sat", "on", "a", "mat", "unaffable", "!", ","])

    def sentence(label: int) -> str:
        chosen = rng.choice(words, rng.integers(1, 12)).tolist()
        return " ".join([*chosen, "cat"] if label else chosen)

    for name, n_rows in (("train", n_train), ("dev", n_dev)):
        rows = [f"x\t{n % 2}\t\t{sentence(n % 2)}\n" for n in range(n_rows)]
        (folder / f"{name}.tsv").write_text("".join(rows))
    rows = [f"{n}\t{sentence(n % 2)}\n" for n in range(n_dev)]
    (folder / "test.tsv").write_text("index\tsentence\n" + "".join(rows))
    return folder
