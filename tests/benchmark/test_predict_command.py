"""`bertfast benchmark predict` from end to end, over a tiny model and fake runtimes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bertfast.benchmark.predict.adapters import ours
from bertfast.benchmark.predict.peers import PEERS, Peer
from bertfast.benchmark.predict.random_model import write_random_model
from bertfast.cli.benchmark import benchmark
from bertfast.config import BertConfig
from bertfast.errors import InputError, MissingDependencyError
from tests.benchmark.conftest import TEXTS
from tests.benchmark.fake_runtimes import fake_runtime

Predict = Callable[..., Result]

CONFIG = BertConfig(
    vocab_size=150,
    hidden_size=24,
    num_hidden_layers=1,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=256,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as sentence-transformers keeps them, and a cache beside it."""
    return write_random_model(tmp_path_factory.mktemp("models") / "tiny", TEXTS, config=CONFIG)


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    """The JSON of a run with the fake runtimes, and the table as "output"."""
    peers = [
        fake_runtime("honest", (2, 8)),
        *map(fake_runtime, ("negated", "unloadable", "dying")),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bertfast.benchmark.predict.peers.PEERS", {peer.name: peer for peer in peers})
        patch.setattr("bertfast.benchmark.predict.extras.usable_cpus", lambda: 2)
        path = folder.parent / "out.json"
        result = run(folder, "--json", path, "--stream", "20")
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded | {"output": result.output}


def run(folder: Path, *arguments: str | Path) -> Result:
    """Run the command in this process, as quickly as it can."""
    quick = ("--texts", "8", "--repeat", "1", "--calls", "3", "--cache", folder.parent / "cache")
    given = ("predict", "--model", folder, *quick, *arguments)
    return CliRunner().invoke(benchmark, [str(argument) for argument in given])


def entries(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in report["models"][0]["entries"]}


def test_bertfast_comes_first_with_every_figure(report: dict[str, Any]) -> None:
    name, entry = next(iter(entries(report).items()))
    assert name == "bertfast"
    assert entry["cosine_worst"] == pytest.approx(1)
    for figure in ("tokens_per_second", "peak_share", "peak_rss_mb"):
        assert entry[figure] > 0
    assert entry["speed"]["cpu"]["median"] > 0
    assert entry["latency"]["n_calls"] == 3
    assert entry["cold_start_seconds"]["median"] > 0
    assert 0 <= entry["padding_waste"] < 1


def test_right_runtime_is_timed_at_its_best_batch(report: dict[str, Any]) -> None:
    entry = entries(report)["fake honest"]
    assert (entry["batch"], entry["unit"], entry["note"]) == (8, "texts", "")
    assert list(entry["sweep"]) == ["2", "8"]
    assert entry["padding_waste"] == pytest.approx(0.5)
    assert entry["speed"] is not None


def test_runtime_with_other_outputs_is_named_and_not_timed(report: dict[str, Any]) -> None:
    entry = entries(report)["fake negated"]
    assert entry["note"].startswith("not timed: 8 of 8 texts differ: cosine -1.0000")
    timed = ("speed", "latency", "tokens_per_second", "peak_rss_mb", "cold_start_seconds")
    assert [entry[figure] for figure in timed] == [None] * len(timed)
    assert entry["note"] in report["output"]


def test_runtime_that_dies_is_named_and_the_others_go_on(report: dict[str, Any]) -> None:
    assert "out of memory" in entries(report)["fake dying"]["note"]


def test_runtime_that_cannot_load_is_reported(report: dict[str, Any]) -> None:
    # With a single batch size the first load is the check's.
    assert "ValueError: cannot read fp32" in entries(report)["fake unloadable"]["note"]


def test_json_describes_texts_and_work(report: dict[str, Any]) -> None:
    model = report["models"][0]
    assert (model["name"], model["n_texts"]) == ("tiny", 8)
    assert model["lengths"][0] >= 7
    assert model["lengths"][-1] <= 192
    kernels = 2 * (4 * 24**2 + 2 * 24 * 40)
    assert kernels < model["flops_per_token"] <= kernels + 4 * 24 * 192
    assert report["settings"]["threads"] == 1


def test_stream_and_threads_are_compared(report: dict[str, Any]) -> None:
    cases = {case["name"]: case for case in report["models"][0]["cases"]}
    assert cases["stream, windows of 4,096"]["ratio"] > 0
    assert (cases["2 threads"]["baseline"], cases["2 threads"]["note"]) == ("1 thread", "")
    assert cases["2 threads"]["ratio"] > 0


def test_input_file_and_plot(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    texts, picture = tmp_path / "given.txt", tmp_path / "out.png"
    texts.write_text("\n".join(TEXTS), encoding="utf-8")
    result = run(folder, "--peers", "none", "--input", texts, "--plot", picture)
    assert result.exit_code == 0, result.output
    assert "tiny: 5 texts" in result.output  # one of them is blank
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_wrong_options_are_bad_input(folder: Path, tmp_path: Path) -> None:
    unknown = run(folder, "--peers", "nosuch")
    assert isinstance(unknown.exception, InputError)
    assert str(unknown.exception).startswith("unknown peer 'nosuch'; choose from all, none, onnx")
    absent = CliRunner().invoke(benchmark, ["predict", "--model", str(tmp_path / "absent")])
    assert isinstance(absent.exception, InputError)
    assert "no model folder" in str(absent.exception)


def test_named_peer_that_is_absent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    peer = Peer("far off", "far-off", ("no_such_module",), "x:y", "fp32", "fp32", (1,), "texts")
    monkeypatch.setitem(PEERS, peer.name, peer)
    result = run(folder, "--peers", "far off")
    assert isinstance(result.exception, MissingDependencyError)
    assert "run pip install no-such-module" in str(result.exception)


def test_bertfast_that_fails_ends_the_run(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    broken = fake_runtime("unloadable")
    monkeypatch.setattr("bertfast.benchmark.predict.contest.BERTFAST", broken)
    monkeypatch.setattr("bertfast.benchmark.predict.run.our_rows", lambda files: [broken])
    result = run(folder, "--peers", "none")
    assert result.exit_code == 1
    assert "bertfast is not timed: ValueError: cannot read fp32" in result.output


@pytest.mark.skipif(not ours.has_engines(), reason="this version has one engine")
def test_engines_and_precisions_have_rows(report: dict[str, Any]) -> None:
    assert {"bertfast on onnxruntime", "bertfast int8"} <= entries(report).keys()
