"""`bertfast export`: turn a checkpoint into a model directory."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import click

from bertfast.cli.flags import require_tensorflow
from bertfast.cli.task_options import read_labels
from bertfast.errors import ExportError, InputError
from bertfast.manifest import NORMAL_FORMS

_MEGABYTE = 1_000_000
_DEFAULT_GATE_INPUTS = 1000  # equals bertfast.onnx.gate.DEFAULT_INPUTS, which is slow to import


@click.command()
@click.argument("checkpoint")
@click.argument("output_dir")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["fused", "portable", "savedmodel"]),
    default="fused",
    show_default=True,
    help="fused: ONNX with ONNX Runtime's own operators; portable: ONNX with standard operators "
    "only; savedmodel: for TensorFlow Serving, raw texts in.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "int8", "fp16"]),
    default="fp32",
    show_default=True,
    help="int8: 8-bit weights and products, a quarter of the size, faster on CPUs; fp16: for GPUs "
    "only. Both for --format fused.",
)
@click.option(
    "--float-embeddings", is_flag=True, help="Leave the word embeddings of int8 in float32."
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME",
    help="pooled_output, sequence_output, mean_embedding, logits or probabilities; may be "
    "repeated, the first is the default one [default: what the checkpoint is for].",
)
@click.option("--vocab", metavar="FILE", help="Vocabulary [vocab.txt beside the checkpoint].")
@click.option(
    "--config", metavar="FILE", help="Configuration [bert_config.json or config.json there]."
)
@click.option(
    "--labels",
    callback=read_labels,
    metavar="A,B,...",
    help="A classifier's labels in order [from config.json, else LABEL_0, LABEL_1, ...].",
)
@click.option(
    "--do-lower-case/--cased",
    default=None,
    help="Whether texts are lowercased [by tokenizer_config.json, the directory's name, or "
    "the vocabulary].",
)
@click.option(
    "--strip-accents/--keep-accents",
    default=None,
    help="Whether accents are dropped [by tokenizer_config.json, else if texts are lowercased].",
)
@click.option(
    "--chinese-words/--chinese-letters",
    "tokenize_chinese_chars",
    default=None,
    help="Whether each CJK ideograph is a word [by tokenizer_config.json, else it is].",
)
@click.option(
    "--max-length", type=int, metavar="N", help="Default truncation length [the model's own]."
)
@click.option(
    "--normalization",
    type=click.Choice(NORMAL_FORMS),
    help="Unicode form of the texts that the model was trained on; texts are put into it before "
    "they are tokenized [as they are].",
)
@click.option("--overwrite", is_flag=True, help="Replace the model in OUTPUT_DIR.")
@click.option(
    "--gate-inputs",
    type=click.IntRange(min=1),
    default=_DEFAULT_GATE_INPUTS,
    show_default=True,
    metavar="N",
    help="Inputs on which the export is compared with its source.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Largest difference to the source that is accepted [by output: 1e-5 to 1e-4]; for int8 "
    "and fp16: what cosines and the share of equal labels may lack to 1 [by figure].",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def export(
    *,
    checkpoint: str,
    output_dir: str,
    kind: Literal["fused", "portable", "savedmodel"],
    precision: Literal["fp32", "int8", "fp16"],
    float_embeddings: bool,
    outputs: Sequence[str],
    vocab: str | None,
    config: str | None,
    labels: list[str] | None,
    do_lower_case: bool | None,
    strip_accents: bool | None,
    tokenize_chinese_chars: bool | None,
    max_length: int | None,
    normalization: str | None,
    overwrite: bool,
    gate_inputs: int,
    tolerance: float | None,
    quiet: bool,
) -> None:
    """Turn a checkpoint into a model directory, measured against its source.

    CHECKPOINT is the folder or the prefix of an original TensorFlow checkpoint
    (bert_model.ckpt), or a Hugging Face or sentence-transformers folder with safetensors.
    OUTPUT_DIR then holds model.onnx, vocab.txt and bertfast.json, or a SavedModel; it appears
    only if the exported model gives the checkpoint's numbers.
    """
    started = time.monotonic()
    if kind == "savedmodel" and precision != "fp32":
        raise ExportError(f"precision {precision} needs the fused graph, got 'savedmodel'")
    if float_embeddings and precision != "int8":
        raise ExportError("--float-embeddings goes with --precision int8")
    options: dict[str, Any] = {
        "outputs": list(outputs) or None,
        "labels": labels,
        "vocab_file": vocab,
        "config_file": config,
        "do_lower_case": do_lower_case,
        "max_length": max_length,
        "overwrite": overwrite,
        "gate_inputs": gate_inputs,
        "tolerance": tolerance,
    }
    if kind != "savedmodel":
        options |= {"precision": precision, "float_embeddings": float_embeddings}
        options |= {"normalization": normalization, "strip_accents": strip_accents}
        options["tokenize_chinese_chars"] = tokenize_chinese_chars
    else:
        _check_saved_model(normalization, strip_accents, tokenize_chinese_chars)
    with _steps(quiet) as on_step:
        report = _run(checkpoint, output_dir, kind, {**options, "on_step": on_step})
    if not quiet:
        _print_report(report, output_dir, time.monotonic() - started)


def _check_saved_model(normalization: str | None, *switches: bool | None) -> None:
    if normalization is not None:
        raise InputError("a SavedModel takes texts as they are; drop --normalization")
    if switches != (None, None):
        raise InputError(
            "the tokenizer in a SavedModel is the original's; drop --strip-accents, "
            "--keep-accents, --chinese-words and --chinese-letters"
        )


def _run(
    checkpoint: str,
    output_dir: str,
    kind: Literal["fused", "portable", "savedmodel"],
    options: dict[str, Any],
) -> list[tuple[str, str]]:
    """Export, and return what to say of it: names and values."""
    if kind != "fused":
        require_tensorflow(f"export --format {kind}")
    if kind == "savedmodel":
        from bertfast.onnx import export_saved_model

        manifest = export_saved_model(checkpoint, output_dir, **options).manifest
        size = sum(manifest["sizes"].values())
        model = [("model", f"{_size(size)}, SavedModel"), *_signatures(manifest["signatures"])]
        return [*_description(manifest, model), *_measurements(manifest["parity"])]
    from bertfast.onnx import export_bundle

    bundle = export_bundle(checkpoint, output_dir, graph=kind, **options)
    size = bundle.manifest.sizes[bundle.model_path.name]
    model = [("model", f"{_size(size)}, {bundle.manifest.precision}, {kind}")]
    values = dataclasses.asdict(bundle.manifest)
    return [*_description(values, model), *_measurements(bundle.manifest.parity)]


@contextmanager
def _steps(quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """Show the current step on a terminal; leave nothing behind, so that errors are one line."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("looking for the checkpoint") as status:
        yield lambda step: status.update(f"{step} ...")


def _print_report(rows: Sequence[tuple[str, str]], path: str, seconds: float) -> None:
    """Print what was exported, what was measured, and how long it took."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    console = Console()
    console.print(table)
    console.print(Text(f"Exported to {path} in {seconds:.1f} s"), soft_wrap=True)


def _description(
    manifest: Mapping[str, Any], model: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    source, decided_by = manifest["source"], manifest["source"]["decided_by"]
    kind = f"{source['format']}, {source['parameters']:,} parameters"
    yield "source", f"{source['checkpoint']} ({kind})"
    if source["widened_to_float32"]:
        yield "widened", f"{source['widened_to_float32']} 16-bit tensors to float32, exactly"
    yield from model
    casing = "lowercased" if manifest["do_lower_case"] else "cased"
    strips = manifest.get("strip_accents")
    if strips is not None:
        casing += ", accents dropped" if strips else ", accents kept"
    if not manifest.get("tokenize_chinese_chars", True):
        casing += ", ideographs as letters"
    yield "texts", f"{casing} (by {decided_by['do_lower_case']})"
    if manifest.get("normalization") is not None:
        yield "normalization", manifest["normalization"]
    yield "length", f"{manifest['max_length']} tokens (by {decided_by['max_length']})"
    default, *others = manifest["outputs"]
    yield "outputs", f"{default} (default){''.join(f', {name}' for name in others)}"
    if manifest["labels"] is not None:
        yield "labels", ", ".join(manifest["labels"])


def _signatures(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield "signatures", ", ".join(names)


def _size(n_bytes: int) -> str:
    if n_bytes < _MEGABYTE:
        return f"{n_bytes / 1000:.1f} kB"
    return f"{n_bytes / _MEGABYTE:.1f} MB"


def _measurements(parity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        "compared",
        f"{parity['inputs']:,} inputs in {parity['batches']} batches, 1 to {parity['longest']} "
        f"tokens, with {parity['reference']}",
    )
    limits = parity["limits"]
    if "cosine" in parity:
        yield from _cosines(parity)
    else:
        for name, difference in parity["max_abs_difference"].items():
            yield name, f"differs by {difference:.1e} at most (limit {limits[name]:.1e})"
    if "label_agreement" in parity:
        yield "labels agree", f"{parity['label_agreement']:.2%}"
    if "cosine" in parity.get("native", {}):
        yield from _native_cosines(parity["native"])
        return
    for key, title in (("tensorflow", "TensorFlow"), ("native", "native engine")):
        for name, difference in parity.get(key, {}).get("max_abs_difference", {}).items():
            yield f"{name}, {title}", f"differs by {difference:.1e} at most"


def _native_cosines(native: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say how the native engine's numbers compare with the float32 graph's."""
    for name, cosine in native["cosine"].items():
        worst = f", worst {cosine['worst']:.4f}" if "worst" in cosine else ""
        yield f"{name}, native engine", f"cosine {cosine['mean']:.4f}{worst}"
    if "label_agreement" in native:
        yield "labels agree, native engine", f"{native['label_agreement']:.2%}"


def _cosines(parity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say how a graph in a lower precision compares with its float32 graph."""
    limits = parity["limits"]
    for name, cosine in parity["cosine"].items():
        line = f"cosine {cosine['mean']:.4f} (limit {limits['mean_cosine']:.4f})"
        if "worst" in cosine:
            line += f", worst {cosine['worst']:.4f} (limit {limits['worst_cosine']:.4f})"
        yield name, line
    yield "speed", f"{parity['speed_ratio']:.2f} times float32's on the {parity['device']}"
    kept = parity.get("quantization", {}).get("float32_layers")
    if kept:
        yield "in float32", f"layers {', '.join(map(str, kept))}, the most sensitive ones"
