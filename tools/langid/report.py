"""Figures as Markdown tables, for the model card."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from langid.figures import Figures, Score
from langid.languages import CLOSE_GROUPS

_RIVAL = (
    "For comparison: a logistic regression on hashed character 1-3-grams (262,144 features, one "
    "against the rest), trained on the same lines (tools/langid/baseline.py)."
)

Sets: TypeAlias = Mapping[str, Figures]  # a classifier's figures on each set of rows


def write_report(model: Sets, rival: Sets | None, names: Mapping[str, str]) -> str:
    """Return the tables: overall, by length, close relatives, by language.

    Args:
        model: figures of the model.
        rival: figures of the classifier it is compared with, on the same sets.
        names: English names of the languages by code.
    """
    sections = {
        "Accuracy": score_table(model, rival, "variants"),
        "By length in characters": score_table(model, rival, "lengths"),
        "Close relatives": confusion_tables(model),
        "By language": language_table(model, rival, names),
    }
    tables = "\n\n".join(f"### {title}\n\n{body}" for title, body in sections.items()) + "\n"
    return f"{_RIVAL}\n\n{tables}" if rival else tables


def score_table(model: Sets, rival: Sets | None, kind: str) -> str:
    """Return the accuracy on parts or changed forms of the sets.

    `kind` is "variants" or "lengths". Variants get the mean recall too; a length has too few
    rows of some languages for it.
    """
    means = ["mean recall %"] if kind == "variants" else []
    rivals = ["logistic regression: accuracy %"] if rival else []
    lines = []
    for set_name, figures in model.items():
        others = _scores(rival[set_name], kind) if rival else {}
        for name, score in _scores(figures, kind).items():
            line = [set_name, name, f"{score['n']:,}", _percent(score["accuracy"])]
            line += [_percent(score["macro_recall"])] if means else []
            lines.append(line + ([_percent(others[name]["accuracy"])] if rivals else []))
    return table(["set", "texts", "rows", "accuracy %", *means, *rivals], lines)


def language_table(model: Sets, rival: Sets | None, names: Mapping[str, str]) -> str:
    """Return recall and precision of each language on each set, and the rival's recall."""
    header = ["code", "language"]
    for set_name in model:
        header += [f"{set_name}: recall %", "precision %"]
        header += ["logistic regression: recall %"] if rival else []
    codes = sorted({code for figures in model.values() for code in figures["languages"]})
    lines = []
    for code in codes:
        line = [code, names[code]]
        for set_name, figures in model.items():
            score = figures["languages"].get(code)
            line += [_percent(score["recall"]), _percent(score["precision"])] if score else ["", ""]
            if rival:
                other = rival[set_name]["languages"].get(code)
                line.append(_percent(other["recall"]) if other else "")
        lines.append(line)
    return table(header, lines)


def confusion_tables(model: Sets) -> str:
    """Return for each group of relatives a table: rows by truth, columns by prediction."""
    return "\n\n".join(_confusion_table(model, group) for group in CLOSE_GROUPS)


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Example:
        >>> print(table(["a", "b"], [["1", "2"]]))
        | a | b |
        |---|---|
        | 1 | 2 |
    """
    rows = [f"| {' | '.join(line)} |" for line in [header, *lines]]
    return "\n".join([rows[0], "|---" * len(header) + "|", *rows[1:]])


def _confusion_table(model: Sets, group: Sequence[str]) -> str:
    columns = [truth.partition(" ")[0] for truth in group]
    lines = []
    for set_name, figures in model.items():
        for truth in group:
            found = figures["confusions"].get(truth, {})
            counts = [found.get(column, 0) for column in columns]
            others = sum(found.values()) - sum(counts)
            lines.append([set_name, truth, *(str(count) for count in (*counts, others))])
    return table(["set", "text is in", *(f"taken for {name}" for name in columns), "others"], lines)


def _scores(figures: Figures, kind: str) -> Mapping[str, Score]:
    return figures["variants"] if kind == "variants" else figures["lengths"]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
