"""Damaged files give predictions, rejects or one line of error; the counts always add up."""

import csv
import gzip
import io
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertfast.errors import BertfastError
from bertfast.jobs import JobOptions, predict_files
from tests.jobs.stub import StubPredictor, stub_predictor, write_input

TIMEOUT_SECONDS = 60
REAL_ID, REAL_TEXT = "#1 ID", "#1 String"
TEXTS = (
    "a b c",
    "",
    "\u00e9t\u00e9 \U0001f600",
    'say "a", b',
    "\u5927\u5b66 a\u0301",
    "tab\\t",
    "a" * 300,
    "\u2028line",
    "d, e; f",
    "null",
    '{"text": 1}',
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StubPredictor:
    return stub_predictor(tmp_path_factory.mktemp("fuzz") / "bundle")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good file of each format, by its extension."""
    folder = tmp_path_factory.mktemp("samples")
    values: list[dict[str, object]] = [
        {"id": number, "text": TEXTS[number % len(TEXTS)]} for number in range(30)
    ]
    names = (".tsv", ".csv", ".jsonl", ".parquet")
    files = {name: write_input(folder / f"in{name}", values).read_bytes() for name in names}
    return files | {".jsonl.gz": gzip.compress(files[".jsonl"]), ".txt": "\n".join(TEXTS).encode()}


@pytest.fixture(scope="module")
def real_files(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The first rows of MRPC's dev set in each format; the TSV as it was published."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    lines = (shared_data / "glue" / "MRPC" / "dev.tsv").read_bytes().splitlines(keepends=True)[:50]
    cells = [line.decode("utf-8-sig").rstrip("\r\n").split("\t") for line in lines]
    values = [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
    table = io.StringIO(newline="")
    csv.writer(table).writerows(cells)
    parquet = tmp_path_factory.mktemp("real") / "in.parquet"
    pq.write_table(pa.Table.from_pylist(values), parquet, row_group_size=13)
    objects = "".join(json.dumps(row) + "\n" for row in values).encode()
    return {
        ".tsv": b"".join(lines),
        ".csv": table.getvalue().encode(),
        ".jsonl": objects,
        ".parquet": parquet.read_bytes(),
        ".tsv.gz": gzip.compress(b"".join(lines)),
        ".jsonl.zst": pa.Codec("zstd").compress(objects, asbytes=True),
    }


Mutation = Callable[[bytes], bytes]


def mutations() -> st.SearchStrategy[list[Mutation]]:
    """Changes of bytes: replaced, removed, doubled, cut off."""
    place = st.floats(0, 1, exclude_max=True)
    junk = st.binary(max_size=6) | st.sampled_from(
        [b'"', b"\n", b"\r\n", b"\t", b",", b"\0", b"\xff", b"\\u", b"{", b"[" * 2000, b"null"]
    )

    def at(data: bytes, share: float) -> int:
        return int(share * (len(data) + 1))

    def replace(share: float, new: bytes, n_bytes: int) -> Mutation:
        return lambda data: data[: at(data, share)] + new + data[at(data, share) + n_bytes :]

    def double(first: float, second: float) -> Mutation:
        def mutate(data: bytes) -> bytes:
            start, end = sorted((at(data, first), at(data, second)))
            return data[:end] + data[start:]

        return mutate

    return st.lists(
        st.builds(replace, place, junk, st.integers(0, 8))
        | st.builds(double, place, place)
        | st.builds(lambda share: lambda data: data[: at(data, share)], place),
        min_size=1,
        max_size=4,
    )


@contextmanager
def no_hang() -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def fail(signum: int, frame: FrameType | None) -> NoReturn:
        raise AssertionError(f"no answer within {TIMEOUT_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@given(
    name=st.sampled_from([".tsv", ".csv", ".jsonl", ".parquet", ".jsonl.gz", ".txt"]),
    changes=mutations(),
    keep=st.booleans(),
    target=st.sampled_from(["out.jsonl", "out.tsv", "out.csv", "out.parquet"]),
)
def test_damaged_file_is_predicted_rejected_or_refused(
    model: StubPredictor,
    samples: dict[str, bytes],
    name: str,
    changes: list[Mutation],
    keep: bool,
    target: str,
) -> None:
    column = None if name == ".txt" else "text"
    check(model, samples[name], name, changes, target, column, ("id",) if keep and column else ())


@pytest.mark.shared
@given(
    name=st.sampled_from([".tsv", ".csv", ".jsonl", ".parquet", ".tsv.gz", ".jsonl.zst"]),
    changes=mutations(),
    keep=st.booleans(),
    target=st.sampled_from(["out.jsonl", "out.csv", "out.parquet"]),
)
def test_damaged_real_file_is_predicted_rejected_or_refused(
    model: StubPredictor,
    real_files: dict[str, bytes],
    name: str,
    changes: list[Mutation],
    keep: bool,
    target: str,
) -> None:
    kept = (REAL_ID,) if keep else ()
    check(model, real_files[name], name, changes, target, REAL_TEXT, kept)


def check(
    model: StubPredictor,
    data: bytes,
    name: str,
    changes: list[Mutation],
    target: str,
    column: str | None,
    keep: tuple[str, ...],
) -> None:
    """Predict a changed file: the counts add up, or the error names the file."""
    for change in changes:
        data = change(data)
    options = JobOptions(
        text_column=column, keep=keep, on_error="reject", part_rows=11, max_text_bytes=200
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        source, output = Path(folder, f"in{name}"), Path(folder, target)
        source.write_bytes(data)
        with no_hang():
            try:
                summary = predict_files(source, output, model, options=options)
            except BertfastError as error:
                assert str(source) in str(error)
                assert len(str(error)) < 2000
                assert not output.exists()
                return
        assert summary.rows_in == summary.rows_out + summary.rows_rejected
        assert _rows(output) == summary.rows_out
        rejects = Path(folder, f"{target}.rejects.jsonl")
        listed = rejects.read_bytes().splitlines() if rejects.exists() else []
        assert len(listed) == summary.rows_rejected
        for line in listed:
            reject = json.loads(line)
            assert reject["file"] == str(source)
            assert reject["line"] > 0
            assert reject["reason"]


def _rows(path: Path) -> int:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        n_rows: int = pq.ParquetFile(path).metadata.num_rows
        return n_rows
    if path.suffix == ".csv":
        return len(list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))) - 1
    return path.read_bytes().count(b"\n") - (path.suffix == ".tsv")
