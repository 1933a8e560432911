import json
from pathlib import Path

import pytest
from langid.evaluate import BEGIN, END, measure_sets, replace_tables
from langid.figures import join_lines, measure
from langid.report import write_report
from langid.rows import Row, read_tsv, write_tsv

from bertfast.models import LANGUAGE_NAMES

ROWS: list[Row] = [
    ("hr jedan", "hr"),
    ("sr dva", "sr"),
    ("hr три", "sr"),
    ("hr tri a to je dug redak teksta", "sr"),
    ("de eins", "de"),
]


def by_first_word(texts: list[str]) -> list[str]:
    """A classifier that believes what a text begins with."""
    return [text.lower().split()[0] for text in texts]


def test_figures_count_what_was_found() -> None:
    figures = measure(by_first_word, ROWS)
    assert figures["variants"]["as they are"] == pytest.approx(
        {"n": 5, "accuracy": 0.6, "macro_recall": (1 + 1 / 3 + 1) / 3}
    )
    assert figures["languages"]["sr"] == pytest.approx({"n": 3, "recall": 1 / 3, "precision": 1})
    assert figures["languages"]["hr"]["precision"] == pytest.approx(1 / 3)
    assert figures["confusions"] == {
        "de": {"de": 1},
        "hr": {"hr": 1},
        "sr (Cyrillic)": {"hr": 1},
        "sr (Latin)": {"hr": 1, "sr": 1},
    }
    assert {name: score["n"] for name, score in figures["lengths"].items()} == {
        "0-24": 4, "25-39": 1, "40-59": 0, "60-89": 0, "90 and more": 0,
    }  # fmt: skip
    assert set(figures["variants"]) == {
        "as they are", "lower case", "UPPER CASE", "no punctuation", "two lines joined",
    }  # fmt: skip


def test_joined_lines_are_of_one_language_and_alphabet() -> None:
    rows = [("а", "sr"), ("b", "sr"), ("в", "sr"), ("d", "sr"), ("e", "hr")]
    assert join_lines(rows) == [("а в", "sr"), ("b d", "sr")]


def test_report_has_every_figure_of_both() -> None:
    figures = {"dev": measure(by_first_word, ROWS)}
    rival = {"dev": measure(lambda texts: ["sr"] * len(texts), ROWS)}
    report = write_report(figures, rival, LANGUAGE_NAMES)
    assert "logistic regression on hashed character 1-3-grams" in report
    assert "| dev | as they are | 5 | 60.00 | 77.78 | 60.00 |" in report
    assert "| dev | sr (Latin) | 1 | 1 | 0 | 0 |" in report
    assert "| sr | Serbian | 33.33 | 100.00 | 100.00 |" in report
    alone = write_report(figures, None, LANGUAGE_NAMES)
    assert "| dev | as they are | 5 | 60.00 | 77.78 |\n" in alone
    assert "regression" not in alone


def test_tables_of_a_page_are_replaced_and_the_rest_stays() -> None:
    page = f"# Card\n{BEGIN}\n\nold\n\n{END}\nend\n"
    assert replace_tables(page, "new\n") == f"# Card\n{BEGIN}\n\nnew\n\n{END}\nend\n"
    with pytest.raises(ValueError, match="needs the lines"):
        replace_tables("# Card\n", "new\n")


def test_model_card_has_the_marks() -> None:
    card = Path(__file__).resolve().parent.parent.parent / "docs" / "langid.md"
    page = card.read_text("utf-8")
    assert replace_tables(page, "new\n").count("new") >= 1


def test_rows_survive_a_file_and_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    write_tsv(path, ROWS)
    assert read_tsv(path) == [("text", "label"), *ROWS]
    path.write_text("a\tde\nb\n", "utf-8")
    with pytest.raises(ValueError, match=r"rows\.tsv line 2: expected a text, a tab and a label"):
        read_tsv(path)


def test_sets_are_measured_with_the_embedded_model(tmp_path: Path) -> None:
    from bertfast import Predictor

    lines = "Wir fahren morgen früh in die Berge.\tde\nΚαλημέρα σας\tel\n"
    for name in ("dev.tsv", "test_udhr.tsv"):
        (tmp_path / name).write_text(lines, "utf-8")
    figures = measure_sets(Predictor(threads=1), tmp_path)
    assert figures["dev"] == figures["UDHR"]
    assert figures["dev"]["variants"]["as they are"]["accuracy"] == 1
    assert json.loads(json.dumps(figures)) == figures


def test_names_are_those_of_the_data(shared_data: Path) -> None:
    rows = read_tsv(shared_data / "langid" / "dev.tsv")
    assert {label for _, label in rows} == set(LANGUAGE_NAMES)
