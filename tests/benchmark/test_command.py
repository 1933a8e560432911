import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bertfast.benchmark.peers import Setup
from bertfast.cli.benchmark import benchmark
from bertfast.errors import InputError, MissingDependencyError
from tests.benchmark.conftest import TEXTS
from tests.benchmark.fake_peers import WRONG, fake_peer
from tests.cli.command import one_line_error, run

QUICK = ("--repeat", "1")


def tokenize(*arguments: str | Path) -> Result:
    """Run `bertfast benchmark tokenize` in this process."""
    return CliRunner().invoke(benchmark, ["tokenize", *map(str, arguments)])


def keys(value: dict[str, Any]) -> str:
    """Return the keys of a JSON object, in order."""
    return " ".join(value)


@pytest.fixture
def report(fake_peers: None, corpus_path: Path, setup: Setup, tmp_path: Path) -> dict[str, Any]:
    """The JSON of a run with the fake peers."""
    output = tmp_path / "out.json"
    given = ("--vocab", setup.vocab_path, "--corpus", corpus_path, "--json", output)
    result = tokenize(*given, *QUICK)
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return loaded


def test_json_names_machine_versions_and_settings(report: dict[str, Any], setup: Setup) -> None:
    assert keys(report) == "format_version machine versions settings corpora cases missing"
    assert report["format_version"] == 1
    assert keys(report["machine"]) == "cpu n_cpus architecture system"
    assert {"bertfast", "python", "unicode", "fake-slow"} <= report["versions"].keys()
    settings = report["settings"]
    assert settings["vocabulary"] == setup.vocab_path.name
    assert settings["do_lower_case"] is True
    assert settings["implementation"] == "native"
    assert (settings["threads"], settings["rounds"]) == (1, 1)
    assert settings["kernel"]


def test_json_counts_the_texts_on_which_each_differs(report: dict[str, Any]) -> None:
    (corpus,) = report["corpora"]
    assert keys(corpus) == "name n_texts n_bytes n_checked n_ids_checked competitors"
    assert (corpus["name"], corpus["n_texts"]) == ("tiny", len(TEXTS))
    assert corpus["n_checked"] == len(TEXTS)
    assert corpus["n_bytes"] == sum(len(text.encode()) for text in TEXTS)
    different = {entry["name"]: entry["n_different"] for entry in corpus["competitors"]}
    n_wrong = sum(WRONG in text for text in TEXTS)
    assert different == {"bertfast": 0, "fake-slow": n_wrong, "fake-panicking": n_wrong}


def test_json_holds_warm_and_first_pass_rates(report: dict[str, Any]) -> None:
    for entry in report["corpora"][0]["competitors"]:
        assert keys(entry) == "name n_different n_failed warm first_pass note"
        for rates in (entry["warm"], entry["first_pass"]):
            assert keys(rates) == "cpu wall"
            for spread in rates.values():
                assert 0 < spread["q1"] <= spread["median"] <= spread["q3"]


def test_json_holds_the_other_cases(report: dict[str, Any]) -> None:
    by_name = {(case["case"], case["competitor"]): case for case in report["cases"]}
    for case in by_name.values():
        assert keys(case) == "case competitor unit value minimum baseline ratio note"
        assert (case["value"] is None) == bool(case["note"])
    assert by_name["encode, 20 words", "fake-slow"]["unit"] == "ns"
    names = {name for name, competitor in by_name if competitor == "bertfast"}
    assert {"ragged", "padded int32", "padded int64", "padded, with offsets"} <= names
    assert {"padded, stride 32", "Arrow string", "file, by line"} <= names
    assert "2 MB a call, 2 threads" in names


def test_peer_that_cannot_load_is_reported(report: dict[str, Any]) -> None:
    (missing,) = report["missing"]
    assert missing["name"] == "fake-unloadable"
    assert missing["reason"].endswith("ValueError: cannot read vocab.txt")


def test_tables_show_differences_beside_rates(
    fake_peers: None, corpus_path: Path, setup: Setup
) -> None:
    peers = ("--peers", "fake-slow")
    result = tokenize("--vocab", setup.vocab_path, "--corpus", corpus_path, *peers, *QUICK)
    assert result.exit_code == 0, result.output
    assert "texts that differ" in result.output
    (row,) = [line for line in result.output.splitlines() if "fake-slow" in line and "x " in line]
    assert row.split("│")[2].strip() == "2"


def test_wrong_ids_of_bertfast_fail_before_any_time(
    monkeypatch: pytest.MonkeyPatch, corpus_path: Path, setup: Setup
) -> None:
    monkeypatch.setattr("bertfast.benchmark.run.BERTFAST", fake_peer("slow"))
    given = ("--vocab", setup.vocab_path, "--corpus", corpus_path, "--peers", "none")
    result = tokenize(*given, *QUICK)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "differs from the reference on 2 texts of tiny; the first is text 1: 'wrong'" in line


def test_unknown_peer_is_bad_input() -> None:
    message = one_line_error(run("benchmark", "tokenize", "--peers", "nosuch"))
    assert message.startswith("unknown peer 'nosuch'; choose from all, none, nanotoken")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--corpus", "absent.txt"], "cannot read corpus 'absent.txt'"),
        (["--vocab", "absent.txt"], "cannot read vocabulary 'absent.txt'"),
        (["--threads", "0"], "0 is not in the range"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], expected: str) -> None:
    assert expected in one_line_error(run("benchmark", "tokenize", *arguments))


def test_no_subcommand_prints_help_and_fails() -> None:
    done = run("benchmark")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"tokenize" in done.stderr


def test_plot_without_matplotlib_fails_before_measuring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bertfast.benchmark.plot.find_spec", lambda name: None)
    result = tokenize("--plot", tmp_path / "out.png")
    assert isinstance(result.exception, MissingDependencyError)
    assert "pip install 'bertfast[bench]'" in str(result.exception)


def test_two_corpora_of_one_name_are_bad_input(corpus_path: Path) -> None:
    result = tokenize("--corpus", corpus_path, "--corpus", corpus_path)
    assert isinstance(result.exception, InputError)
    assert "two corpora are called 'tiny'" in str(result.exception)
