"""Exports a checkpoint as a SavedModel that takes raw strings, measured against its source."""

import dataclasses
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertfast.bundle import MANIFEST_FILE, check_output_dir, describe_files, staged_directory
from bertfast.errors import ExportError, MissingDependencyError
from bertfast.manifest import FORMAT_VERSION, SAVED_MODEL_FORMAT
from bertfast.onnx.export import Prepared, StrPath, prepare_export, special_ids
from bertfast.onnx.gate import DEFAULT_INPUTS, Batch, check_runner
from bertfast.onnx.oracle import Floats
from bertfast.version import __version__


@dataclass(frozen=True, slots=True)
class SavedModelExport:
    """An exported SavedModel: its directory and what its manifest says."""

    path: Path
    manifest: Mapping[str, Any]


def export_saved_model(
    checkpoint: StrPath,
    output_dir: StrPath,
    *,
    outputs: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    vocab_file: StrPath | None = None,
    config_file: StrPath | None = None,
    do_lower_case: bool | None = None,
    max_length: int | None = None,
    overwrite: bool = False,
    gate_inputs: int = DEFAULT_INPUTS,
    tolerance: float | None = None,
    on_step: Callable[[str], None] | None = None,
) -> SavedModelExport:
    """Export a checkpoint as a SavedModel for TensorFlow Serving, having measured it.

    Signatures: serving_default (text), pair (text, text_pair), tokenized (input_ids,
    input_mask, segment_ids) and tokenize (text to ids). The directory also holds
    bertfast.json: what was exported and what was measured. TensorFlow Serving wants it under a
    version number, as in models/bert/1.

    Args:
        checkpoint: as for `export_bundle`, and so are the other arguments.
        output_dir: the directory to write. It appears complete, or not at all.
        outputs: the model's outputs.
        labels: names of a classifier's labels, in order.
        vocab_file: the vocabulary.
        config_file: the configuration.
        do_lower_case: whether texts are lowercased.
        max_length: tokens a text at most.
        overwrite: replace an existing model directory.
        gate_inputs: how many inputs to compare with the source.
        tolerance: largest difference allowed, instead of the limits of each output.
        on_step: called with a line of text when a step begins.

    Raises:
        BertfastError: a subclass that says what is missing, contradictory, or too far off.

    Example:
        >>> export_saved_model("my_checkpoint", "models/bert/1")   # doctest: +SKIP
    """
    step = on_step or (lambda _: None)
    sources = (checkpoint, vocab_file, config_file)
    check_output_dir(output_dir, overwrite=overwrite, sources=sources)
    _check_tensorflow()
    prepared = prepare_export(
        checkpoint,
        outputs=outputs,
        labels=labels,
        vocab_file=vocab_file,
        config_file=config_file,
        do_lower_case=do_lower_case,
        max_length=max_length,
        gate_inputs=gate_inputs,
        on_step=step,
    )
    _check_tokenizer(prepared)
    with staged_directory(output_dir, overwrite=overwrite) as folder:
        step("building the graph")
        signatures = _write(folder, prepared)
        step(f"comparing {gate_inputs} inputs with the source")
        parity = check_runner(
            lambda batches: _run(folder, batches),
            prepared.source.config,
            prepared.variables,
            prepared.outputs,
            n_inputs=gate_inputs,
            tolerance=tolerance,
            **special_ids(prepared),
        )
        manifest = _describe(folder, prepared, signatures, parity)
        text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n"
        (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    return SavedModelExport(Path(output_dir), manifest)


def _check_tensorflow() -> None:
    try:
        import bertfast.tf.saved_model  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            'the SavedModel export needs an extra: pip install "bertfast[train,export]"'
        ) from error


def _check_tokenizer(prepared: Prepared) -> None:
    """The tokenizer in the graph is the original's alone."""
    source = prepared.source
    if source.strip_accents is not None or not source.tokenize_chinese_chars:
        raise ExportError(
            "the tokenizer in a SavedModel is the original's: it strips accents exactly when it "
            "lowercases, and splits Chinese characters; export this model as a bundle"
        )


def _write(folder: Path, prepared: Prepared) -> list[str]:
    """Write the SavedModel; return the names of its signatures."""
    from bertfast.tf.graph_tokenizer import GraphTokenizer
    from bertfast.tf.network import Network
    from bertfast.tf.saved_model import ServedModel, write_saved_model

    source = prepared.source
    served = ServedModel(
        Network(source.config, prepared.variables, prepared.outputs),
        GraphTokenizer(source.vocab, source.do_lower_case),
        max_length=source.max_length,
        labels=prepared.labels,
    )
    return write_saved_model(folder, served)


def _run(folder: Path, batches: Sequence[Batch]) -> list[dict[str, Floats]]:
    from bertfast.tf.saved_model import TOKENIZED_SIGNATURE, run_saved_model

    try:
        return run_saved_model(folder, TOKENIZED_SIGNATURE, [batch.feeds() for batch in batches])
    except Exception as error:  # TensorFlow's own errors have no base class but Exception
        summary = str(error).splitlines()[0]
        raise ExportError(f"TensorFlow cannot run the SavedModel: {summary}") from error


def _describe(
    folder: Path, prepared: Prepared, signatures: Sequence[str], parity: Mapping[str, Any]
) -> dict[str, Any]:
    sha256, sizes = describe_files(folder)
    source = prepared.source
    return {
        "format": SAVED_MODEL_FORMAT,
        "format_version": FORMAT_VERSION,
        "bertfast_version": __version__,
        "unicode_version": unicodedata.unidata_version,
        "do_lower_case": source.do_lower_case,
        "max_length": source.max_length,
        "config": dataclasses.asdict(source.config),
        "signatures": sorted(signatures),
        "outputs": list(prepared.outputs),
        "labels": None if prepared.labels is None else list(prepared.labels),
        "sha256": sha256,
        "sizes": sizes,
        "parity": parity,
        "source": prepared.describe(),
    }
