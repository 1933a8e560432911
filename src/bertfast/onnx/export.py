"""From a checkpoint to a bundle: read, check, build, measure, publish."""

import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from bertfast.bundle import (
    MANIFEST_FILE,
    Bundle,
    Manifest,
    check_output_dir,
    describe_files,
    staged_directory,
)
from bertfast.checkpoint import Contents, check_variables, read_contents
from bertfast.checkpoint.dtypes import Array
from bertfast.errors import ExportError
from bertfast.manifest import MODEL_FILE, VOCAB_FILE
from bertfast.onnx.gate import DEFAULT_INPUTS, check_parity
from bertfast.onnx.graph import build_model
from bertfast.onnx.heads import choose_outputs, has_pooler, name_labels
from bertfast.onnx.source import Source, find_source
from bertfast.version import __version__
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN

StrPath = str | PathLike[str]


def export_bundle(
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
) -> Bundle:
    """Export a checkpoint as a model directory, having measured it against its source.

    Args:
        checkpoint: an original checkpoint's folder or prefix, or a folder of Hugging Face or
            sentence-transformers with safetensors.
        output_dir: the directory to write. It appears complete, or not at all.
        outputs: graph outputs, the default one first; None for what the source is for.
        labels: names of a classifier's labels, in order.
        vocab_file: the vocabulary; None for vocab.txt beside the checkpoint.
        config_file: the configuration; None for bert_config.json or config.json beside it.
        do_lower_case: None to take it from tokenizer_config.json, the directory's name, or
            the vocabulary.
        max_length: default truncation length of the model; None for the source's own.
        overwrite: replace an existing model directory.
        gate_inputs: how many inputs to compare with the source.
        tolerance: largest difference allowed, instead of the limits of each output.
        on_step: called with a line of text when a step begins.

    Raises:
        BertfastError: a subclass that says what is missing, contradictory, or too far off.
    """
    if gate_inputs < 1:
        raise ExportError(f"gate_inputs must be 1 at least, got {gate_inputs}")
    step = on_step or (lambda _: None)
    check_output_dir(output_dir, overwrite=overwrite)
    source = find_source(
        Path(checkpoint),
        vocab_file=Path(vocab_file) if vocab_file is not None else None,
        config_file=Path(config_file) if config_file is not None else None,
        do_lower_case=do_lower_case,
        max_length=max_length,
    )
    step(f"reading {source.checkpoint.name}")
    contents = read_contents(source.checkpoint)
    variables = contents.variables
    check_variables(variables, source.config, with_pooler=has_pooler(variables))
    chosen = choose_outputs(outputs, source, variables)
    label_names = name_labels(labels, chosen, source, variables)
    with staged_directory(output_dir, overwrite=overwrite) as folder:
        step("building the graph")
        _write_model(folder, source, variables, chosen)
        step(f"comparing {gate_inputs} inputs with the source")
        parity = check_parity(
            folder / MODEL_FILE,
            source.config,
            variables,
            chosen,
            cls_id=source.vocab[CLS_TOKEN],
            sep_id=source.vocab[SEP_TOKEN],
            n_inputs=gate_inputs,
            tolerance=tolerance,
        )
        _write_manifest(folder, source, contents, chosen, label_names, parity)
    return Bundle.load(output_dir, verify=False)


def _write_model(
    folder: Path, source: Source, variables: Mapping[str, Array], outputs: Sequence[str]
) -> None:
    model = build_model(source.config, variables, outputs)
    (folder / MODEL_FILE).write_bytes(model.SerializeToString())
    shutil.copyfile(source.vocab_file, folder / VOCAB_FILE)


def _write_manifest(
    folder: Path,
    source: Source,
    contents: Contents,
    outputs: tuple[str, ...],
    labels: tuple[str, ...] | None,
    parity: dict[str, Any],
) -> None:
    """Describe the files that are in `folder`."""
    sha256, sizes = describe_files(folder)
    manifest = Manifest(
        bertfast_version=__version__,
        unicode_version=unicodedata.unidata_version,
        do_lower_case=source.do_lower_case,
        max_length=source.max_length,
        config=source.config,
        outputs=outputs,
        default_output=outputs[0],
        labels=labels,
        precision="fp32",
        sha256=sha256,
        sizes=sizes,
        parity=parity,
        source=_describe(source, contents),
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json_string(), encoding="utf-8")


def _describe(source: Source, contents: Contents) -> dict[str, Any]:
    """Return what the manifest says of the source. No paths: they are nobody's business."""
    return {
        "checkpoint": source.checkpoint.name,
        "format": source.format,
        "variables": len(contents.variables),
        "parameters": sum(array.size for array in contents.variables.values()),
        "widened_to_float32": len(contents.widened),
        "decided_by": dict(source.decided_by),
    }
