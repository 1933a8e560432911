from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bertfast import Tokenizer
from bertfast.benchmark.cases import measure_cases
from bertfast.benchmark.corpora import Corpus
from bertfast.benchmark.measurement import Spread
from bertfast.benchmark.peers import BERTFAST, Setup, load
from bertfast.benchmark.plot import plot_report
from bertfast.benchmark.report import print_report
from bertfast.benchmark.results import (
    CaseResult,
    CompetitorResult,
    CorpusResult,
    Missing,
    Rates,
    Report,
)
from bertfast.errors import InputError
from tests.benchmark.conftest import TEXTS


def rates(median: float) -> Rates:
    spread = Spread(median, 0.9 * median, 1.1 * median)
    return Rates(cpu=spread, wall=spread)


REPORT = Report(
    machine={"cpu": "A Processor", "n_cpus": 2, "architecture": "x86_64", "system": "Linux"},
    versions={"bertfast": "1.2", "python": "3.11.7"},
    settings={
        "vocabulary": "vocab.txt",
        "vocabulary_size": 30522,
        "do_lower_case": True,
        "implementation": "native",
        "kernel": "avx2",
        "threads": 1,
        "texts_per_call": 1000,
        "rounds": 5,
    },
    corpora=[
        CorpusResult(
            name="english",
            n_texts=2000,
            n_bytes=1_500_000,
            n_checked=1000,
            n_ids_checked=30_000,
            competitors=[
                CompetitorResult("bertfast", 0, 0, rates(500.0), rates(200.0)),
                CompetitorResult("rival", 12, 0, rates(50.0), rates(8.0)),
                CompetitorResult("broken", 7, 7, None, None, "not timed: fails on 7 texts"),
            ],
        )
    ],
    cases=[
        CaseResult("encode, 20 words", "bertfast", "ns", Spread(900.0, 880.0, 950.0), 870.0),
        CaseResult("Arrow string", "bertfast", "MB/s", note="not accepted"),
    ],
    missing=[Missing("elsewhere", "not installed; pip install elsewhere")],
)


def test_tables_name_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(REPORT)
    output = capsys.readouterr().out
    for part in (
        "bertfast 1.2, python 3.11.7",
        "A Processor (2 CPUs, x86_64), 1 thread; native core, kernel avx2",
        "vocabulary vocab.txt: 30,522 tokens, lowercased",
        "english: 1.5 MB in 2,000 texts",
        "500 [450-550]",
        "8.00 [7.20-8.80]",
        "x 10.0",
        "x 25.0",
        "ids were compared on 1,000 evenly spaced texts of these",
        "broken: not timed: fails on 7 texts",
        "not accepted",
        "elsewhere did not take part: not installed; pip install elsewhere",
    ):
        assert part in output


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
@pytest.mark.filterwarnings("ignore")  # of the library
def test_plot_is_a_small_png(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    plot_report(REPORT, path)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) < 200_000


class ListsOnly(Tokenizer):
    """A tokenizer that does not read Arrow arrays."""

    __slots__ = ()

    def encode_ragged(self, texts: Any, *args: Any, **options: Any) -> Any:
        if hasattr(texts, "type"):
            raise InputError(f"{texts.type} is not read")
        return super().encode_ragged(texts, *args, **options)


def arrow_notes(tokenizer: Tokenizer, setup: Setup, tmp_path: Path) -> set[str]:
    path = tmp_path / "corpus"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    competitors = {BERTFAST.name: load(BERTFAST.adapter, setup)}
    cases = measure_cases(tokenizer, competitors, Corpus.of("tiny", TEXTS), path, 1)
    return {case.note for case in cases if case.case.startswith("Arrow")}


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
@pytest.mark.filterwarnings("ignore")  # of the library
def test_arrow_case_that_is_refused_is_a_note(setup: Setup, tmp_path: Path) -> None:
    notes = arrow_notes(ListsOnly(setup.vocab_path), setup, tmp_path)
    assert {"string is not read", "large_string is not read"} <= notes


def test_arrow_case_without_pyarrow_is_a_note(
    monkeypatch: pytest.MonkeyPatch, setup: Setup, tmp_path: Path
) -> None:
    monkeypatch.setattr("bertfast.benchmark.cases.find_spec", lambda name: None)
    notes = arrow_notes(Tokenizer(setup.vocab_path), setup, tmp_path)
    assert notes == {"pyarrow is not installed; run pip install pyarrow"}
