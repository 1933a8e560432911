"""`bertfast export` as a user runs it."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from bertfast.bundle import Bundle
from tests.cli.command import one_line_error, run
from tests.small_bert import random_variables, small_config, write_original

CONFIG = small_config()
GATE = ("--gate-inputs", "20")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    variables = random_variables(CONFIG, n_labels=2)
    return write_original(tmp_path / "model", CONFIG, variables)


def test_export_command_reports_what_it_did(source: Path, tmp_path: Path) -> None:
    done = run("export", source, tmp_path / "out", *GATE, "--labels", "neg, pos")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    report = done.stdout.decode()
    for expected in (
        "bert_model.ckpt (tensorflow",
        "lowercased (by the vocabulary)",
        "64 tokens (by max_position_embeddings)",
        "probabilities (default), logits",
        "neg, pos",
        "20 inputs in",
        "differs by",
        "limit",
        f"Exported to {tmp_path / 'out'} in ",
    ):
        assert expected in report, expected
    assert Bundle.load(tmp_path / "out").manifest.labels == ("neg", "pos")


def test_export_command_reports_a_lower_precision(source: Path, tmp_path: Path) -> None:
    options = ("--output", "mean_embedding", "--gate-inputs", "60", "--quiet")
    done = run("export", source, tmp_path / "out", *options[:-1], "--precision", "int8")
    assert done.returncode == 0, done.stderr
    report = done.stdout.decode()
    for expected in ("int8, fused", "cosine 0.99", "worst", "times float32's on the cpu"):
        assert expected in report, expected
    assert Bundle.load(tmp_path / "out").manifest.precision == "int8"
    half = tmp_path / "half"
    run("export", source, half, *options, "--precision", "fp16", "--tolerance", "0.01")
    (tmp_path / "in.txt").write_text("the cat\n")
    done = run("predict", tmp_path / "in.txt", "-m", half, "-o", tmp_path / "out.npy")
    assert "is in fp16, which is for GPUs" in one_line_error(done)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "int8", "--format", "savedmodel"), "needs the fused graph"),
        (("--float-embeddings",), "--float-embeddings goes with --precision int8"),
    ],
)
def test_export_command_refuses_what_does_not_fit(
    source: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    assert message in one_line_error(run("export", source, tmp_path / "out", *options))


def test_export_command_notes_the_normal_form(source: Path, tmp_path: Path) -> None:
    done = run("export", source, tmp_path / "out", *GATE, "--normalization", "NFC")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^normalization +NFC\b", done.stdout.decode(), re.MULTILINE)
    assert Bundle.load(tmp_path / "out").manifest.normalization == "NFC"
    refused = run("export", source, "x", "--format", "savedmodel", "--normalization", "NFC")
    assert "takes texts as they are" in one_line_error(refused)


def test_export_command_notes_the_tokenizers_switches(source: Path, tmp_path: Path) -> None:
    switches = ("--do-lower-case", "--keep-accents", "--chinese-letters")
    done = run("export", source, tmp_path / "out", *GATE, *switches)
    assert done.returncode == 0, done.stderr
    assert "lowercased, accents kept, ideographs as letters" in done.stdout.decode()
    refused = run("export", source, "x", "--format", "savedmodel", "--keep-accents")
    assert "the tokenizer in a SavedModel is the original's" in one_line_error(refused)


@pytest.mark.skipif(find_spec("tensorflow_text") is None, reason="tensorflow-text is missing")
def test_export_command_writes_a_saved_model(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "models" / "1"
    done = run("export", source, out, *GATE, "--format", "savedmodel", "--labels", "neg,pos")
    assert done.returncode == 0, done.stderr
    report = done.stdout.decode()
    for expected in ("SavedModel", "serving_default", "neg, pos", "20 inputs in", "differs by"):
        assert expected in report, expected
    assert (out / "saved_model.pb").is_file()
    assert "TensorFlow SavedModel" in one_line_error(
        run("predict", source / "vocab.txt", "--model", out, "-o", tmp_path / "x.tsv")
    )


@pytest.mark.skipif(find_spec("tf2onnx") is None, reason="tf2onnx is missing")
def test_export_command_writes_a_portable_graph(source: Path, tmp_path: Path) -> None:
    done = run("export", source, tmp_path / "out", *GATE, "--format", "portable")
    assert done.returncode == 0, done.stderr
    assert "fp32, portable" in done.stdout.decode()
    assert "logits, TensorFlow" in done.stdout.decode()
    assert Bundle.load(tmp_path / "out").manifest.source["graph"] == "portable"


def test_export_command_takes_every_option(source: Path, tmp_path: Path) -> None:
    config, vocab = tmp_path / "c.json", tmp_path / "v.txt"
    (source / "bert_config.json").rename(config)
    (source / "vocab.txt").rename(vocab)
    arguments = (
        "export", source / "bert_model.ckpt", tmp_path / "out", *GATE, "--quiet",
        "--config", config, "--vocab", vocab, "--cased", "--max-length", "20",
        "--output", "mean_embedding", "--output", "pooled_output", "--tolerance", "0.001",
    )  # fmt: skip
    for extra in ((), ("--overwrite",)):
        done = run(*arguments, *extra)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    manifest = Bundle.load(tmp_path / "out").manifest
    assert manifest.outputs == ("mean_embedding", "pooled_output")
    assert (manifest.do_lower_case, manifest.max_length) == (False, 20)
    assert manifest.parity["limits"]["mean_embedding"] == 0.001
    assert "is not empty" in one_line_error(run(*arguments))


def test_export_command_names_what_is_missing(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "no such checkpoint: " in one_line_error(run("export", tmp_path / "none", out))
    assert "Missing argument 'OUTPUT_DIR'" in one_line_error(run("export", source))
    assert "unknown output 'x'" in one_line_error(run("export", source, out, "--output", "x"))
    (source / "vocab.txt").unlink()
    assert "no vocab.txt" in one_line_error(run("export", source, out))
    assert not out.exists()


def test_export_command_refuses_damage(source: Path, tmp_path: Path) -> None:
    data = source / "bert_model.ckpt.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[100] ^= 4
    data.write_bytes(content)
    assert "the checksum fails for bert/embeddings/" in one_line_error(
        run("export", source, tmp_path / "out")
    )
    data.write_bytes(content[:200])
    assert "truncated" in one_line_error(run("export", source, tmp_path / "out"))


def test_export_command_names_both_sizes_of_a_wrong_vocabulary(
    source: Path, tmp_path: Path
) -> None:
    with (source / "vocab.txt").open("a") as file:
        file.write("extra\n")
    message = one_line_error(run("export", source, tmp_path / "out"))
    assert "has 18 lines, but the embedding has 17 rows" in message


def test_export_command_refuses_a_failed_gate(source: Path, tmp_path: Path) -> None:
    done = run("export", source, tmp_path / "out", *GATE, "--tolerance", "1e-15")
    assert "the limit is 1e-15; it was not published" in one_line_error(done)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_export_command_manifest_is_json_with_parity(source: Path, tmp_path: Path) -> None:
    assert run("export", source, tmp_path / "out", *GATE).returncode == 0
    values = json.loads((tmp_path / "out" / "bertfast.json").read_text())
    assert values["parity"]["inputs"] == 20
    assert values["precision"] == "fp32"
    assert set(values["sizes"]) == set(values["sha256"]) == {"model.onnx", "vocab.txt"}
