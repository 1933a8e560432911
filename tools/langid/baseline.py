"""Trains and measures the rival: logistic regression on hashed character 1-3-grams.

    pip install scikit-learn
    PYTHONPATH=tools python -m langid.baseline DATA_DIR RIVAL.json

It needs scikit-learn and nothing of bertfast. One classifier a language (one against the rest),
trained by stochastic gradient descent on train.tsv as it is.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langid.figures import Classify, measure
from langid.rows import SETS, Row, read_tsv

N_FEATURES = 2**18
N_EPOCHS = 8
# The weight of the L2 penalty, and N_EPOCHS, were not tuned.
ALPHA = 1e-6


def main() -> None:
    """Train, count, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--alpha", type=float, default=ALPHA, help="weight of the L2 penalty")
    parser.add_argument("--epochs", type=int, default=N_EPOCHS)
    arguments = parser.parse_args()
    started = time.monotonic()
    rows = read_tsv(arguments.data_dir / "train.tsv")
    classify = train(rows, alpha=arguments.alpha, epochs=arguments.epochs)
    print(f"trained on {len(rows):,} lines in {time.monotonic() - started:.0f} s")
    figures = {
        name: measure(classify, read_tsv(arguments.data_dir / file)) for name, file in SETS.items()
    }
    for name, values in figures.items():
        print(f"{name}: accuracy {values['variants']['as they are']['accuracy']:.2%}")
    arguments.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def train(rows: Sequence[Row], *, alpha: float, epochs: int) -> Classify:
    """Return a classifier trained on the rows."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    vectorizer: Any = HashingVectorizer(
        analyzer="char", ngram_range=(1, 3), n_features=N_FEATURES, alternate_sign=False
    )
    regression: Any = SGDClassifier(
        loss="log_loss", alpha=alpha, max_iter=epochs, tol=None, random_state=0
    )
    regression.fit(vectorizer.transform([text for text, _ in rows]), [label for _, label in rows])

    def classify(texts: list[str]) -> list[str]:
        labels: list[str] = regression.predict(vectorizer.transform(texts)).tolist()
        return labels

    return classify


if __name__ == "__main__":
    main()
