"""Jobs that were interrupted: they go on to the same bytes, or refuse and say why."""

import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bertfast.errors import BundleError, InputError
from bertfast.jobs import JobOptions, JobSummary, plan_job, predict_files
from bertfast.jobs.job import Job
from bertfast.runtime.windows import DEFAULT_WINDOW
from tests.jobs.stub import StubPredictor, contents, rows, stub_predictor, table, write_input

INPUTS = ("in.tsv", "in.csv", "in.jsonl", "in.parquet")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StubPredictor:
    return stub_predictor(tmp_path_factory.mktemp("job") / "bundle")


class Interrupt(BaseException):
    """Stops a job in the middle."""


def interrupted(job: Job, monkeypatch: pytest.MonkeyPatch, after_parts: int) -> None:
    """Run a job until it has completed some parts."""
    from bertfast.jobs.journal import Journal, PartEntry

    real = Journal.append

    def append(journal: Journal, entry: PartEntry) -> None:
        real(journal, entry)
        if len(journal.entries) == after_parts:
            raise Interrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", append)
        with pytest.raises(Interrupt):
            job.run()


def uninterrupted(
    source: Path, folder: Path, target: str, model: StubPredictor, options: JobOptions
) -> tuple[JobSummary, dict[str, bytes]]:
    folder.mkdir()
    summary = predict_files(source, f"{folder}/{target}", model, options=options)
    return summary, contents(folder)


@pytest.mark.parametrize("source", [*INPUTS, "in.csv.gz"])
@pytest.mark.parametrize("target", ["out.jsonl", "out.csv.gz", "out.parquet", "out/"])
def test_resumed_job_writes_the_same_bytes(
    model: StubPredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    target: str,
) -> None:
    path = write_input(tmp_path / source.removesuffix(".gz"), rows(100, bad_every=10))
    if source.endswith(".gz"):
        (tmp_path / source).write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / source
    options = JobOptions(text_column="text", keep=("id",), on_error="reject", part_rows=30)
    whole, expected = uninterrupted(path, tmp_path / "whole", target, model, options)
    for stop in (1, 2, 3):
        folder = tmp_path / str(stop)
        folder.mkdir()
        output = f"{folder}/{target}"
        job = plan_job(path, output, model, options=options)
        interrupted(job, monkeypatch, stop)
        assert job.rows_kept == stop * 30
        assert not (folder / "out.jsonl").exists()
        summary = predict_files(path, output, model, options=options)
        assert contents(folder) == expected
        assert summary.rows_resumed == stop * 30
        for name in ("rows_in", "rows_out", "rows_rejected", "tokens", "rows_truncated", "parts"):
            assert getattr(summary, name) == getattr(whole, name), name


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"text_column": "id"}, 'options text_column (null, now "id")'),
    "parts": ({"part_rows": 31}, "options part_rows (30, now 31)"),
    "fields": (
        {"fields": ("label",)},
        'options fields (["label", "probabilities"], now ["label"])',
    ),
    "overflow": ({"overflow": "window"}, 'options overflow ("truncate", now "window")'),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_resume_with_other_options_refuses_and_names_them(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    changes, message = CHANGES[name]
    path = write_input(tmp_path / "in.jsonl", rows(100))
    interrupted(
        plan_job(path, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=30)),
        monkeypatch, 2,
    )  # fmt: skip
    values = {"part_rows": 30, **changes}
    before = contents(tmp_path)
    with pytest.raises(InputError) as caught:
        predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(**values))
    assert message in str(caught.value)
    with pytest.raises(InputError):  # options cannot be forced: the parts would not fit
        options = JobOptions(**values, force=True)
        predict_files(path, tmp_path / "o.jsonl", model, options=options)
    assert contents(tmp_path) == before
    if name != "column":
        options = JobOptions(**values, overwrite=True)
        assert predict_files(path, tmp_path / "o.jsonl", model, options=options).rows_resumed == 0


def test_resume_with_changed_input_refuses_unless_forced(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(100))
    options = JobOptions(part_rows=30, keep=("id",))
    interrupted(plan_job(path, tmp_path / "o.jsonl", model, options=options), monkeypatch, 2)
    with path.open("a") as file:
        file.write('{"id": 100, "text": "a"}\n')
    with pytest.raises(InputError, match=r"inputs .*in\.jsonl size .*or go on with --force"):
        predict_files(path, tmp_path / "o.jsonl", model, options=options)
    forced = JobOptions(part_rows=30, keep=("id",), force=True)
    summary = predict_files(path, tmp_path / "o.jsonl", model, options=forced)
    assert (summary.rows_resumed, summary.rows_in) == (60, 101)
    assert [row["id"] for row in table(tmp_path / "o.jsonl")] == list(range(101))


def test_resume_with_another_model_or_version_refuses(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(100))
    options = JobOptions(part_rows=30)
    interrupted(plan_job(path, tmp_path / "o.jsonl", model, options=options), monkeypatch, 1)
    with monkeypatch.context() as patched:
        patched.setattr("bertfast.jobs.predict.__version__", "9.9")
        with pytest.raises(InputError, match=r"versions bertfast \(.*, now \"9.9\"\)"):
            predict_files(path, tmp_path / "o.jsonl", model, options=options)
    from tests.runtime.probe_model import write_probe_bundle

    folder = write_probe_bundle(tmp_path / "other", outputs=("probabilities",),
                                default_output="probabilities")  # fmt: skip
    with pytest.raises(InputError, match=r"what has changed: model model\.onnx;"):
        predict_files(path, tmp_path / "o.jsonl", StubPredictor(folder), options=options)
    assert predict_files(path, tmp_path / "o.jsonl", model, options=options).rows_resumed == 30


def test_damaged_part_or_journal_refuses(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(100))
    options = JobOptions(part_rows=30)
    interrupted(plan_job(path, tmp_path / "o.jsonl", model, options=options), monkeypatch, 3)
    part = tmp_path / "o.jsonl.parts" / "part-00001.jsonl"
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"part-00001\.jsonl has .* bytes, but was written with"):
        predict_files(path, tmp_path / "o.jsonl", model, options=options)
    part.unlink()
    with pytest.raises(InputError, match=r"part-00001\.jsonl is missing"):
        predict_files(path, tmp_path / "o.jsonl", model, options=options)
    part.write_bytes(content)
    journal = tmp_path / "o.jsonl.parts" / "_journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    for damaged in (b"", b"nonsense\n", lines[0] + lines[2], b"[]\n", lines[0] + b"{}\n"):
        journal.write_bytes(damaged)
        with pytest.raises(InputError, match=r"_journal\.jsonl is damaged .*--overwrite"):
            predict_files(path, tmp_path / "o.jsonl", model, options=options)
    journal.write_bytes(b"".join(lines) + lines[1][:20])  # as a crash leaves it
    summary = predict_files(path, tmp_path / "o.jsonl", model, options=options)
    assert (summary.rows_resumed, summary.rows_out) == (90, 100)


def test_second_job_on_one_output_is_refused(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(100))
    entered, leave = threading.Event(), threading.Event()
    real = Job._write_parts

    def slow(*arguments: Any) -> None:
        entered.set()
        assert leave.wait(30)
        real(*arguments)

    job = plan_job(path, tmp_path / "o.jsonl", model)
    monkeypatch.setattr(Job, "_write_parts", slow)
    running = threading.Thread(target=job.run)
    running.start()
    assert entered.wait(30)
    try:
        with pytest.raises(InputError, match=rf"in use by another job \(process {os.getpid()} on"):
            predict_files(path, tmp_path / "o.jsonl", model)
        with pytest.raises(InputError, match="in use by another job"):
            predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(overwrite=True))
    finally:
        leave.set()
        running.join()
    assert len(table(tmp_path / "o.jsonl")) == 100


def test_pipe_cannot_be_resumed_and_is_begun_anew(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    lines = write_input(tmp_path / "in.jsonl", rows(100)).read_bytes()
    options = JobOptions(part_rows=30, input_format="jsonl", keep=("id",))

    def feed() -> threading.Thread:
        writer = threading.Thread(target=lambda: pipe.write_bytes(lines), daemon=True)
        writer.start()
        return writer

    writer = feed()
    job = plan_job(pipe, tmp_path / "o.jsonl", model, options=options)
    interrupted(job, monkeypatch, 2)
    writer.join(30)
    assert job.rows_kept == 0
    assert not (tmp_path / "o.jsonl.parts").exists()
    writer = feed()
    summary = predict_files(pipe, tmp_path / "o.jsonl", model, options=options)
    writer.join(30)
    assert (summary.rows_resumed, summary.rows_out) == (0, 100)
    assert [row["id"] for row in table(tmp_path / "o.jsonl")] == list(range(100))


def test_folder_of_others_is_not_written(model: StubPredictor, tmp_path: Path) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(3))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("dear")
    for options in (JobOptions(), JobOptions(overwrite=True)):
        with pytest.raises(InputError, match=r"holds other files \(thesis\.tex\)"):
            predict_files(path, tmp_path / "out", model, options=options)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_input_that_changes_while_it_is_read_stops_the_job(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(3 * DEFAULT_WINDOW))
    job = plan_job(path, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=500))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(InputError, match=r"in\.jsonl (changed while it was read|line \d+: not)"):
        job.run()
    assert not (tmp_path / "o.jsonl").exists()


def test_model_replaced_while_running_stops_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = stub_predictor(tmp_path / "bundle")
    path = write_input(tmp_path / "in.jsonl", rows(100))
    options = JobOptions(part_rows=30)
    job = plan_job(path, tmp_path / "o.jsonl", model, options=options)
    interrupted(job, monkeypatch, 2)
    before = contents(tmp_path / "o.jsonl.parts")
    content = (tmp_path / "bundle" / "model.onnx").read_bytes()
    job = plan_job(path, tmp_path / "o.jsonl", model, options=options)
    (tmp_path / "bundle" / "model.onnx").unlink()
    (tmp_path / "bundle" / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="was replaced while the job ran; put the old model back"):
        job.run()
    assert contents(tmp_path / "o.jsonl.parts") == before
    assert predict_files(path, tmp_path / "o.jsonl", model, options=options).rows_resumed == 60


def test_job_that_rejected_rows_does_not_go_on_without_rejecting(
    model: StubPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_input(tmp_path / "in.jsonl", rows(100, bad_every=50))
    with pytest.raises(InputError, match=r"in\.jsonl line 4: no key 'text'"):
        predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=30))
    options = JobOptions(part_rows=30, on_error="reject")
    interrupted(plan_job(path, tmp_path / "o.jsonl", model, options=options), monkeypatch, 1)
    with pytest.raises(InputError, match="1 rejected rows already; go on with --on-error reject"):
        predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=30))


def test_job_stopped_by_a_bad_row_goes_on_when_told_to_reject(
    model: StubPredictor, tmp_path: Path
) -> None:
    values = rows(100)
    values[70]["text"] = None
    path = write_input(tmp_path / "in.jsonl", values)
    with pytest.raises(InputError, match=r"in\.jsonl line 71: no key 'text'"):
        predict_files(path, tmp_path / "o.jsonl", model, options=JobOptions(part_rows=30))
    options = JobOptions(part_rows=30, on_error="reject")
    summary = predict_files(path, tmp_path / "o.jsonl", model, options=options)
    assert (summary.rows_resumed, summary.rows_out, summary.rows_rejected) == (60, 99, 1)
