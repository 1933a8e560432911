"""Disks that are full, broken, read-only or limited: an error, and all earlier parts intact."""

import contextlib
import errno
import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from bertfast.errors import InputError
from bertfast.jobs import JobOptions, durable, predict_files
from tests.jobs.stub import StubPredictor, contents, rows, stub_predictor, write_input

OPTIONS = JobOptions(part_rows=30, keep=("id",))
TARGETS = ("out.jsonl", "out.csv.gz", "out.parquet", "out/")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StubPredictor:
    return stub_predictor(tmp_path_factory.mktemp("faults") / "bundle")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in.jsonl", rows(100))


class Disk:
    """Lets the n-th write or fsync fail, and all after it."""

    def __init__(self, operation: str, code: int, good: int) -> None:
        self._operation = operation
        self._code = code
        self._left = good

    def use(self, operation: str) -> None:
        if operation == self._operation:
            self._left -= 1
            if self._left < 0:
                raise OSError(self._code, os.strerror(self._code))

    @contextlib.contextmanager
    def __call__(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        fsync = os.fsync

        def failing_fsync(descriptor: int) -> None:
            self.use("fsync")
            fsync(descriptor)

        def opened(mode: str) -> Any:
            return lambda path: cast("BinaryIO", io.BufferedWriter(_File(self, path, mode)))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", failing_fsync)
            patched.setattr(durable, "create", opened("wb"))
            patched.setattr(durable, "open_to_append", opened("ab"))
            yield


class _File(io.FileIO):
    def __init__(self, disk: Disk, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._disk = disk

    def write(self, data: Any) -> int:
        self._disk.use("write")
        return super().write(data)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("operation", "code"),
    [("write", errno.ENOSPC), ("write", errno.EDQUOT), ("write", errno.EIO), ("fsync", errno.EIO)],
)
def test_disk_that_fails_stops_the_job_and_it_can_go_on(
    model: StubPredictor,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    operation: str,
    code: int,
) -> None:
    (tmp_path / "good").mkdir()
    predict_files(source, f"{tmp_path}/good/{target}", model, options=OPTIONS)
    failures = 0
    for good in range(0, 100, 4):
        folder = tmp_path / str(good)
        folder.mkdir()
        with Disk(operation, code, good)(monkeypatch):
            try:
                predict_files(source, f"{folder}/{target}", model, options=OPTIONS)
            except OSError as error:
                failures += 1
                assert error.errno == code
                assert str(folder) in str(error.filename)
            else:
                break
        predict_files(source, f"{folder}/{target}", model, options=OPTIONS)
        assert contents(folder) == contents(tmp_path / "good")
    assert failures > 2


def test_input_that_cannot_be_read_to_its_end_stops_the_job(
    model: StubPredictor, tmp_path: Path
) -> None:
    import gzip

    whole = gzip.compress(_random_lines())
    for damaged in (whole[:-20], whole[:-20] + b"x" * 20):
        path = tmp_path / "in.jsonl.gz"
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"in\.jsonl\.gz is damaged or cut off"):
            options = JobOptions(part_rows=20_000)
            predict_files(path, tmp_path / "o.jsonl", model, options=options)
        assert (tmp_path / "o.jsonl.parts" / "part-00000.jsonl").exists()
        options = JobOptions(overwrite=True)
        path.write_bytes(gzip.compress(b'{"text": "a"}\n'))
        predict_files(path, tmp_path / "o.jsonl", model, options=options)
        (tmp_path / "o.jsonl").unlink()


def _random_lines() -> bytes:
    return b"".join(b'{"text": "a", "id": %d}\n' % (n * n) for n in range(100_000))


def limited(script: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run lines of Python that use the command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_file_size_limit_is_one_line_and_keeps_what_is_done(tmp_path: Path, source: Path) -> None:
    from tests.runtime.probe_model import write_probe_bundle

    bundle = write_probe_bundle(tmp_path / "bundle", default_output="probabilities")
    script = (
        "import resource, sys; from bertfast.cli import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (6000, {resource.RLIM_INFINITY}))\n"
        "main(sys.argv[1:])"
    )
    arguments = ("predict", source, "-m", bundle, "-o", tmp_path / "o.jsonl", "--part-rows", "30")
    done = limited(script, *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"bertfast: error: {tmp_path / 'o.jsonl'}: File too large"]
    assert len(list((tmp_path / "o.jsonl.parts").glob("part-*"))) == 4
    done = limited("import sys; from bertfast.cli import main; main(sys.argv[1:])", *arguments)
    assert done.returncode == 0
    assert "(100 by earlier runs)" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_full_file_system_is_one_line_and_keeps_what_is_done(
    model: StubPredictor, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        source = write_input(tmp_path / "in.jsonl", rows(6000))
        options = JobOptions(part_rows=300)
        with pytest.raises(OSError, match="No space left on device") as caught:
            predict_files(source, disk / "o.jsonl", model, options=options)
        assert "o.jsonl.parts" in str(caught.value.filename)
        kept = len(list((disk / "o.jsonl.parts").glob("part-*")))
        assert kept > 2
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        summary = predict_files(source, disk / "o.jsonl", model, options=options)
        assert summary.rows_resumed >= (kept - 1) * 300
        predict_files(source, tmp_path / "o.jsonl", model)
        assert (disk / "o.jsonl").read_bytes() == (tmp_path / "o.jsonl").read_bytes()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OSError, match="Read-only file system"):
            predict_files(source, disk / "p.jsonl", model, options=options)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
