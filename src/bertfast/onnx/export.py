"""From a checkpoint to a bundle: read, check, build, measure, publish."""

import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

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
from bertfast.manifest import MODEL_FILE, NORMAL_FORMS, VOCAB_FILE, NormalForm
from bertfast.onnx.gate import DEFAULT_INPUTS, check_parity, compare_runners, run_graph
from bertfast.onnx.graph import build_model
from bertfast.onnx.heads import choose_outputs, has_pooler, name_labels
from bertfast.onnx.native_gate import check_native
from bertfast.onnx.precision import Conversion, Precision, check_precision, lower_precision
from bertfast.onnx.source import Source, find_source
from bertfast.version import __version__
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN

if TYPE_CHECKING:
    from bertfast.onnx.portable import TensorFlowTwin

StrPath = str | PathLike[str]
GraphKind: TypeAlias = Literal["fused", "portable"]

_FLOAT32_MODEL_FILE = "float32.onnx"  # while the graph in a lower precision is compared with it


class SpecialIds(TypedDict):
    """The ids that the gate's inputs begin and end with."""

    cls_id: int
    sep_id: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source that was read and checked, and what of it is exported."""

    source: Source
    contents: Contents
    outputs: tuple[str, ...]
    labels: tuple[str, ...] | None

    @property
    def variables(self) -> Mapping[str, Array]:
        """The weights by the original's names."""
        return self.contents.variables

    def describe(self) -> dict[str, Any]:
        """Return what the manifest says of the source. No paths: they are nobody's business."""
        variables = self.contents.variables
        return {
            "checkpoint": self.source.checkpoint.name,
            "format": self.source.format,
            "variables": len(variables),
            "parameters": sum(array.size for array in variables.values()),
            "widened_to_float32": len(self.contents.widened),
            "decided_by": dict(self.source.decided_by),
        }


def export_bundle(
    checkpoint: StrPath,
    output_dir: StrPath,
    *,
    graph: GraphKind = "fused",
    precision: Precision = "fp32",
    float_embeddings: bool = False,
    outputs: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    vocab_file: StrPath | None = None,
    config_file: StrPath | None = None,
    do_lower_case: bool | None = None,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool | None = None,
    max_length: int | None = None,
    normalization: NormalForm | None = None,
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
        graph: "fused" for ONNX Runtime's own operators, the fastest; "portable" for standard
            operators only, converted from the TensorFlow model (needs bertfast[train]).
        precision: "fp32"; "int8" for 8-bit weights and products on the CPU; "fp16" for GPUs.
            A lower one is compared with the float32 graph, which passes its own gate first.
        float_embeddings: leave the word embeddings in float32 where the rest is int8.
        outputs: graph outputs, the default one first; None for what the source is for.
        labels: names of a classifier's labels, in order.
        vocab_file: the vocabulary; None for vocab.txt beside the checkpoint.
        config_file: the configuration; None for bert_config.json or config.json beside it.
        do_lower_case: None to take it from tokenizer_config.json, the directory's name, or
            the vocabulary.
        strip_accents: decompose texts and drop their accents; None to take it from
            tokenizer_config.json, else with `do_lower_case`, as the original.
        tokenize_chinese_chars: make each CJK ideograph a word; None to take it from
            tokenizer_config.json, else as the original, which does.
        max_length: default truncation length of the model; None for the source's own.
        normalization: NFC, NFD, NFKC or NFKD if the model was trained on texts in this Unicode
            form alone: a Predictor puts texts into it. None leaves them as they are.
        overwrite: replace an existing model directory.
        gate_inputs: how many inputs to compare with the source.
        tolerance: largest difference allowed, instead of the limits of each output; for a lower
            precision what cosines and the share of equal labels may lack to 1.
        on_step: called with a line of text when a step begins.

    Raises:
        BertfastError: a subclass that says what is missing, contradictory, or too far off.

    Example:
        >>> export_bundle("uncased_L-12_H-768_A-12", "my_model")   # doctest: +SKIP
    """
    step = on_step or (lambda _: None)
    sources = (checkpoint, vocab_file, config_file)
    check_output_dir(output_dir, overwrite=overwrite, sources=sources)
    if graph not in ("fused", "portable"):
        raise ExportError(f"graph is 'fused' or 'portable', got {graph!r}")
    check_precision(precision, graph)
    if normalization is not None and normalization not in NORMAL_FORMS:
        raise ExportError(f"normalization is {', '.join(NORMAL_FORMS)}, got {normalization!r}")
    prepared = prepare_export(
        checkpoint,
        outputs=outputs,
        labels=labels,
        vocab_file=vocab_file,
        config_file=config_file,
        do_lower_case=do_lower_case,
        strip_accents=strip_accents,
        tokenize_chinese_chars=tokenize_chinese_chars,
        max_length=max_length,
        gate_inputs=gate_inputs,
        on_step=step,
    )
    specials = special_ids(prepared)
    with staged_directory(output_dir, overwrite=overwrite) as folder:
        step("building the graph")
        twin = _write_model(folder, prepared, graph)
        step(f"comparing {gate_inputs} inputs with the source")
        config, chosen = prepared.source.config, prepared.outputs
        parity = check_parity(
            folder / MODEL_FILE,
            config,
            prepared.variables,
            chosen,
            n_inputs=gate_inputs,
            tolerance=tolerance if precision == "fp32" else None,
            **specials,
        )
        if twin is not None:
            step(f"comparing {gate_inputs} inputs with TensorFlow")
            parity["tensorflow"] = compare_runners(
                lambda batches: run_graph(folder / MODEL_FILE, batches, chosen),
                twin.run,
                config,
                chosen,
                n_inputs=gate_inputs,
                tolerance=tolerance,
                **specials,
            )
        if graph == "fused":
            step(f"comparing {gate_inputs} inputs with the native engine")
            parity["native"] = check_native(
                folder / MODEL_FILE,
                config,
                chosen,
                n_inputs=gate_inputs,
                tolerance=tolerance if precision == "fp32" else None,
                **specials,
            )
        if precision != "fp32":
            conversion = Conversion(
                config=config,
                variables=prepared.variables,
                outputs=chosen,
                n_inputs=gate_inputs,
                tolerance=tolerance,
                word_embeddings=not float_embeddings,
                on_step=step,
                **specials,
            )
            parity = _lower(folder, precision, conversion) | {"float32": parity}
        _write_manifest(folder, prepared, graph, precision, parity, normalization)
    return Bundle.load(output_dir, verify=False)


def prepare_export(
    checkpoint: StrPath,
    *,
    outputs: Sequence[str] | None,
    labels: Sequence[str] | None,
    vocab_file: StrPath | None,
    config_file: StrPath | None,
    do_lower_case: bool | None,
    max_length: int | None,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool | None = None,
    gate_inputs: int,
    on_step: Callable[[str], None],
) -> Prepared:
    """Find, read and check a checkpoint; the arguments are `export_bundle`'s, so are errors."""
    if gate_inputs < 1:
        raise ExportError(f"gate_inputs must be 1 at least, got {gate_inputs}")
    source = find_source(
        Path(checkpoint),
        vocab_file=Path(vocab_file) if vocab_file is not None else None,
        config_file=Path(config_file) if config_file is not None else None,
        do_lower_case=do_lower_case,
        strip_accents=strip_accents,
        tokenize_chinese_chars=tokenize_chinese_chars,
        max_length=max_length,
    )
    on_step(f"reading {source.checkpoint.name}")
    contents = read_contents(source.checkpoint)
    variables = contents.variables
    check_variables(variables, source.config, with_pooler=has_pooler(variables))
    chosen = choose_outputs(outputs, source, variables)
    return Prepared(source, contents, chosen, name_labels(labels, chosen, source, variables))


def special_ids(prepared: Prepared) -> SpecialIds:
    """Return the ids that the gate's inputs begin and end with, by the gate's names."""
    vocab = prepared.source.vocab
    return {"cls_id": vocab[CLS_TOKEN], "sep_id": vocab[SEP_TOKEN]}


def _write_model(folder: Path, prepared: Prepared, graph: GraphKind) -> "TensorFlowTwin | None":
    """Write graph and vocabulary; return the TensorFlow model if the graph comes from it."""
    source, twin = prepared.source, None
    if graph == "portable":
        from bertfast.onnx.portable import TensorFlowTwin

        twin = TensorFlowTwin(source.config, prepared.variables, prepared.outputs)
        model = twin.convert()
    else:
        model = build_model(source.config, prepared.variables, prepared.outputs)
    (folder / MODEL_FILE).write_bytes(model.SerializeToString())
    shutil.copyfile(source.vocab_file, folder / VOCAB_FILE)
    return twin


def _lower(folder: Path, precision: Precision, conversion: Conversion) -> dict[str, Any]:
    """Replace the float32 graph in `folder`; return what was measured."""
    float32_model = (folder / MODEL_FILE).rename(folder / _FLOAT32_MODEL_FILE)
    measured = lower_precision(folder / MODEL_FILE, float32_model, precision, conversion)
    float32_model.unlink()
    return measured


def _write_manifest(
    folder: Path,
    prepared: Prepared,
    graph: GraphKind,
    precision: Precision,
    parity: dict[str, Any],
    normalization: NormalForm | None,
) -> None:
    """Describe the files that are in `folder`."""
    sha256, sizes = describe_files(folder)
    source = prepared.source
    manifest = Manifest(
        bertfast_version=__version__,
        unicode_version=unicodedata.unidata_version,
        do_lower_case=source.do_lower_case,
        max_length=source.max_length,
        config=source.config,
        outputs=prepared.outputs,
        default_output=prepared.outputs[0],
        labels=prepared.labels,
        precision=precision,
        sha256=sha256,
        sizes=sizes,
        parity=parity,
        source={**prepared.describe(), "graph": graph},
        normalization=normalization,
        strip_accents=source.strip_accents,
        tokenize_chinese_chars=source.tokenize_chinese_chars,
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json_string(), encoding="utf-8")
