"""How often a classifier is right, and where it is wrong."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias, TypedDict

from langid.changes import strip_punctuation
from langid.languages import name_with_alphabet
from langid.rows import Row
from langid.spelling import lower, upper

Classify: TypeAlias = Callable[[list[str]], list[str]]  # texts to labels

# Texts are grouped by their length in characters: below the first, up to the next, ...
LENGTH_LIMITS = (25, 40, 60, 90)


class Score(TypedDict):
    """Shares of rows from 0 to 1; `macro_recall` is the mean of the languages' recalls."""

    n: int
    accuracy: float
    macro_recall: float


class LanguageScore(TypedDict):
    """Rows of a language, the share of them found, and the share of right ones among findings."""

    n: int
    recall: float
    precision: float


class Figures(TypedDict):
    """What a classifier reaches on one set of rows.

    `variants` holds the score on the texts as they are and on changed ones; the rest is of the
    texts as they are. `confusions[truth][prediction]` counts rows.
    """

    variants: dict[str, Score]
    languages: dict[str, LanguageScore]
    lengths: dict[str, Score]
    confusions: dict[str, dict[str, int]]


def measure(classify: Classify, rows: Sequence[Row]) -> Figures:
    """Classify the rows, and changed forms of them, and count."""
    predicted = classify([text for text, _ in rows])
    return Figures(
        variants=_measure_variants(classify, rows, predicted),
        languages=_by_language([label for _, label in rows], predicted),
        lengths=_by_length(rows, predicted),
        confusions=_count_confusions(rows, predicted),
    )


def make_variants(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return changed forms of the rows, by name.

    Example:
        >>> variants = make_variants([("Ja, gut!", "de"), ("Nein.", "de"), ("Yes", "en")])
        >>> variants["UPPER CASE"][0], variants["two lines joined"]
        (('JA, GUT!', 'de'), [('Ja, gut! Nein.', 'de')])
    """
    return {
        "lower case": [(lower(text, label), label) for text, label in rows],
        "UPPER CASE": [(upper(text, label), label) for text, label in rows],
        "no punctuation": [(strip_punctuation(text), label) for text, label in rows],
        "two lines joined": join_lines(rows),
    }


def join_lines(rows: Sequence[Row]) -> list[Row]:
    """Join each two lines that follow each other in a language; an odd last one is left out."""
    lines_of: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        lines_of[name_with_alphabet(text, label)].append(text)
    return [
        (f"{first} {second}", name.partition(" ")[0])
        for name, lines in sorted(lines_of.items())
        for first, second in zip(lines[::2], lines[1::2], strict=False)
    ]


def score(truths: Sequence[str], predicted: Sequence[str]) -> Score:
    """Compare labels.

    Example:
        >>> score(["de", "de", "de", "en"], ["de", "de", "nl", "en"])
        {'n': 4, 'accuracy': 0.75, 'macro_recall': 0.8333333333333333}
    """
    recalls = [language["recall"] for language in _by_language(truths, predicted).values()]
    n_right = sum(truth == label for truth, label in zip(truths, predicted, strict=True))
    return Score(
        n=len(truths),
        accuracy=_share(n_right, len(truths)),
        macro_recall=_share(sum(recalls), len(recalls)),
    )


def _measure_variants(
    classify: Classify, rows: Sequence[Row], predicted: Sequence[str]
) -> dict[str, Score]:
    scores = {"as they are": score([label for _, label in rows], predicted)}
    for name, changed in make_variants(rows).items():
        labels = [label for _, label in changed]
        scores[name] = score(labels, classify([text for text, _ in changed]))
    return scores


def _by_language(truths: Sequence[str], predicted: Sequence[str]) -> dict[str, LanguageScore]:
    n_rows, n_found = Counter(truths), Counter(predicted)
    right = Counter(truth for truth, label in zip(truths, predicted, strict=True) if truth == label)
    return {
        language: LanguageScore(
            n=n,
            recall=right[language] / n,
            precision=_share(right[language], n_found[language]),
        )
        for language, n in sorted(n_rows.items())
    }


def _by_length(rows: Sequence[Row], predicted: Sequence[str]) -> dict[str, Score]:
    limits = (0, *LENGTH_LIMITS, max((len(text) for text, _ in rows), default=0) + 1)
    scores = {}
    for least, limit in pairwise(limits):
        pairs = [
            (label, found)
            for (text, label), found in zip(rows, predicted, strict=True)
            if least <= len(text) < limit
        ]
        name = f"{least}-{limit - 1}" if limit in LENGTH_LIMITS else f"{least} and more"
        scores[name] = score([label for label, _ in pairs], [found for _, found in pairs])
    return scores


def _count_confusions(rows: Sequence[Row], predicted: Sequence[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (text, label), found in zip(rows, predicted, strict=True):
        counts[name_with_alphabet(text, label)][found] += 1
    return {truth: dict(sorted(found.items())) for truth, found in sorted(counts.items())}


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0
