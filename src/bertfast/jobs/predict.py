"""Predict every row of files: read, tokenize, batch, run, write, in bounded memory."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from bertfast.errors import InputError
from bertfast.jobs.cells import cell_formatter
from bertfast.jobs.columns import Column, Columns
from bertfast.jobs.fields import Prediction, check_fields, output_for
from bertfast.jobs.formats import output_format as choose_output_format
from bertfast.jobs.job import Job, JobPlan
from bertfast.jobs.job_windows import ReadOptions
from bertfast.jobs.layout import Layout
from bertfast.jobs.parquet_reader import kept_types
from bertfast.jobs.sources import Source, find_sources
from bertfast.jobs.summary import JobSummary
from bertfast.jobs.target import Target
from bertfast.runtime.overflow import Overflow, choose_stride
from bertfast.runtime.predictor import Predictor
from bertfast.runtime.progress import Progress, Silence
from bertfast.runtime.session import import_onnxruntime
from bertfast.runtime.windows import DEFAULT_WINDOW
from bertfast.version import __version__

if TYPE_CHECKING:
    from bertfast.bundle import Bundle

Path: TypeAlias = str | os.PathLike[str]

# Four windows: at 100 rows/s, what a crash costs is three minutes of work at most.
DEFAULT_PART_ROWS = 4 * DEFAULT_WINDOW


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How files are predicted. All have defaults.

    Attributes:
        input_format: lines, tsv, csv, jsonl or parquet; None goes by the extension.
        output_format: the same or npy, as described in `bertfast.jobs.writers`.
        compression: of the output: none, gzip or zstd; None goes by the extension.
        text_column: a name, or a number from 0. See `Columns` for what None means.
        pair_column: the column of second texts, for models trained on pairs.
        header: whether the first line names the columns; None: it does if a name is given.
        keep: columns to copy to the output.
        fields: what to write: label, probability, probabilities, logits, embedding; () means
            label and scores, or the embedding.
        prefix: stands before the names of the predicted columns.
        on_error: "fail" stops at the first bad row; "reject" goes on and lists it.
        rejects: the file of rejected rows; None: beside the output.
        max_text_bytes: longer texts are bad rows; None takes them all.
        overflow: what becomes of texts beyond max_length; see `Predictor.predict`.
        stride: of overflow "window".
        part_rows: rows of a part, the unit in which a job is resumed.
        overwrite: replace the output, finished or not.
        force: resume although inputs, model or versions changed.

    Example:
        >>> options = JobOptions(text_column="text", keep=("id",), fields=("label",))
        >>> options.columns.has_header
        True
    """

    input_format: str | None = None
    output_format: str | None = None
    compression: str | None = None
    text_column: Column | None = None
    pair_column: Column | None = None
    header: bool | None = None
    keep: tuple[Column, ...] = ()
    fields: tuple[str, ...] = ()
    prefix: str = ""
    on_error: Literal["fail", "reject"] = "fail"
    rejects: str | None = None
    max_text_bytes: int | None = None
    overflow: Overflow = "truncate"
    stride: int | None = None
    part_rows: int = DEFAULT_PART_ROWS
    overwrite: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        check_fields(self.fields)
        if self.on_error not in ("fail", "reject"):
            raise InputError(f"on_error is 'fail' or 'reject', got {self.on_error!r}")
        _check_positive("part_rows", self.part_rows)
        if self.max_text_bytes is not None:
            _check_positive("max_text_bytes", self.max_text_bytes)
        if self.overwrite and self.force:
            raise InputError("overwrite starts anew and force goes on; choose one")

    @property
    def columns(self) -> Columns:
        """The columns to read."""
        return Columns(self.text_column, self.pair_column, self.header, tuple(self.keep))


def predict_files(
    inputs: Path | Sequence[Path],
    output: Path,
    model: "Predictor | Bundle | Path | None" = None,
    *,
    options: JobOptions | None = None,
    progress: Progress | None = None,
) -> JobSummary:
    """Predict every row of some files and write one row each, in the same order.

    A job that was interrupted, by whatever, goes on where it stopped when it is called again.
    If the inputs, the model, the options or the versions are not the same any more, it says
    what changed and does nothing.

    Args:
        inputs: files, patterns, folders, or "-" for standard input; see `find_sources`.
        output: a file, which appears when it is complete; a folder of parts (one that exists,
            or a path that ends in "/"), which gets a file _SUCCESS when it is complete; or
            "-" for standard output.
        model: a Predictor, or an exported model to be run on the CPU; None for the embedded
            one, which tells languages apart.
        options: see there.
        progress: told how far the job is.

    Returns:
        The counts, over all runs of the job.

    Raises:
        InputError: an input, a row of it (named by file and line), an option or the output
            cannot be used, or the job cannot be resumed.
        BundleError, DeviceError: the model cannot be used, or was replaced meanwhile.
        MissingDependencyError: Parquet or zstd without pyarrow.
        OSError: a file cannot be read or written.

    Example:
        >>> predict_files("reviews/*.tsv.gz", "predictions/", "my_model",
        ...               options=JobOptions(text_column=1, keep=(0,)))    # doctest: +SKIP
    """
    job = plan_job(inputs, output, model, options=options, progress=progress)
    return job.run()


def plan_job(
    inputs: Path | Sequence[Path],
    output: Path,
    model: "Predictor | Bundle | Path | None" = None,
    *,
    options: JobOptions | None = None,
    progress: Progress | None = None,
) -> Job:
    r"""Check everything that can be checked before the first row is read; see `predict_files`.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "texts.txt").write_text("Guten Morgen!\nΚαλημέρα!\n", "utf-8")
        >>> job = plan_job(folder / "texts.txt", folder / "languages.tsv")
        >>> job.run().rows_out
        2
    """
    options = JobOptions() if options is None else options
    names = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    paths = [os.fspath(name) for name in names]
    sources = find_sources(paths, options.input_format)
    target = Target.at(os.fspath(output), options.rejects)
    target.check_inputs(paths, sources)
    predictor = _predictor(model, options)
    layout = _layout(options, target, sources, predictor)
    window_rows = min(DEFAULT_WINDOW, predictor.largest_window)
    read = ReadOptions(
        sources=sources,
        columns=options.columns,
        cells=cell_formatter(
            layout.file_format.name,
            layout.kept_names,
            typed=layout.kept_types is not None,
        ),
        max_text_bytes=options.max_text_bytes,
        reject=options.on_error == "reject",
        window_rows=window_rows,
        part_rows=options.part_rows,
    )
    stride = choose_stride(
        options.overflow,
        options.stride,
        max_length=predictor.max_length,
        output=predictor.output,
    )
    plan = JobPlan(
        read=read,
        layout=layout,
        target=target,
        predictor=predictor,
        overflow=options.overflow,
        stride=stride,
        identity=_identity(options, read, layout, target, predictor, stride),
        overwrite=options.overwrite,
        force=options.force,
    )
    return Job(plan, Silence() if progress is None else progress)


def _predictor(model: "Predictor | Bundle | Path | None", options: JobOptions) -> Predictor:
    if isinstance(model, Predictor):
        return model
    from bertfast.bundle import Bundle

    bundle = model if isinstance(model, Bundle) else Bundle.load(model)
    return Predictor(bundle, output=output_for(options.fields, bundle.manifest))


def _layout(
    options: JobOptions, target: Target, sources: list[Source], predictor: Predictor
) -> Layout:
    kept_names = tuple(str(column) for column in options.keep)
    typed = sources[0].file_format == "parquet" and kept_names
    file_format = choose_output_format(
        target.name,
        options.output_format,
        options.compression,
        is_folder=target.kind == "folder",
    )
    # Only Parquet has one type for all rows of a column.
    paths = [source.path for source in sources[: None if file_format.name == "parquet" else 1]]
    layout = Layout(
        file_format=file_format,
        prediction=Prediction(
            output=predictor.output,
            width=predictor.width,
            labels=predictor.labels,
            source=str(predictor.bundle.path),
            fields=options.fields,
            prefix=options.prefix,
        ),
        kept_names=kept_names,
        kept_types=tuple(kept_types(paths, options.columns)) if typed else None,
    )
    layout.check()
    return layout


def _identity(
    options: JobOptions,
    read: ReadOptions,
    layout: Layout,
    target: Target,
    predictor: Predictor,
    stride: int | None,
) -> dict[str, Any]:
    """Return all that decides which bytes are written."""
    manifest = predictor.bundle.manifest
    return {
        "versions": {
            "bertfast": __version__,
            "unicode": unicodedata.unidata_version,
            **_engine_versions(predictor),
        },
        "model": {
            **manifest.sha256,
            **manifest.tokenizer_switches(),
            "normalization": manifest.normalization,
            "device": predictor.device,
            "engine": predictor.engine,
            "precision": predictor.precision,
            "kernel": predictor.kernel,
        },
        "inputs": {_place(source): source.identity for source in read.sources},
        "options": {
            "text_column": options.text_column,
            "pair_column": options.pair_column,
            "header": options.columns.has_header,
            "keep": list(options.keep),
            "output": predictor.output,
            "fields": list(layout.prediction.fields),
            "labels": list(layout.prediction.label_names) if predictor.labels else None,
            "prefix": options.prefix,
            "format": layout.file_format.name,
            "compression": layout.file_format.compression,
            "layout": target.kind,
            "max_length": predictor.max_length,
            "token_budget": predictor.token_budget,
            "max_text_bytes": options.max_text_bytes,
            "overflow": options.overflow,
            "stride": stride,
            "window_rows": read.window_rows,
            "part_rows": read.part_rows,
        },
    }


def _engine_versions(predictor: Predictor) -> dict[str, str]:
    """The native engine is bertfast's own version."""
    if predictor.engine == "native":
        return {}
    return {"onnxruntime": str(import_onnxruntime().__version__)}


def _check_positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} is a positive integer, got {value!r}")


def _place(source: Source) -> str:
    return os.path.realpath(source.path) if source.fingerprint is not None else source.name
