"""Who competes: our own rows, and the runtimes that we know, each as its users run it."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from bertfast.benchmark.peers import ALL, NONE
from bertfast.benchmark.predict.adapters import ours
from bertfast.benchmark.predict.batches import NAIVE_BATCH
from bertfast.benchmark.predict.embedder import ModelFiles
from bertfast.errors import InputError, MissingDependencyError

TOKENS = "tokens"
TEXTS = "texts"

_ADAPTERS = "bertfast.benchmark.predict.adapters"
_BUDGETS = (64, 128, 256, 512, 1024, 2048)
_TEXT_BATCHES = (4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Peer:
    """A row of the table.

    Attributes:
        name: what the table calls it.
        distribution: what holds it on PyPI.
        modules: what must be importable.
        adapter: "module:function" that makes an `Embedder` from a `Setup`.
        variant: passed to the adapter.
        precision: "fp32" or "int8": decides how near its outputs must be to ours.
        batches: sizes to try; 0 is the runtime's own choice.
        unit: what they count, `TOKENS` or `TEXTS`.
        needs_source: whether it reads the folder that the bundle was made from.
    """

    name: str
    distribution: str
    modules: tuple[str, ...]
    adapter: str
    variant: str
    precision: str
    batches: tuple[int, ...]
    unit: str
    needs_source: bool = True

    @property
    def is_installed(self) -> bool:
        """Whether its modules can be found; nothing is imported."""
        return all(find_spec(module) is not None for module in self.modules)

    @property
    def version(self) -> str:
        """Its version as installed."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return "unknown"

    @property
    def install(self) -> str:
        """The command that installs what is missing."""
        absent = [name for name in self.modules if find_spec(name) is None]
        return f"pip install {' '.join(name.replace('_', '-') for name in absent)}"

    @property
    def is_ours(self) -> bool:
        """Whether it is bertfast."""
        return self.distribution == "bertfast"


def _ours(name: str, variant: str) -> Peer:
    precision = variant.partition(" ")[0]
    adapter = f"{_ADAPTERS}.ours:load"
    batches = (0, *_BUDGETS)
    return Peer(
        name, "bertfast", ("bertfast",), adapter, variant, precision, batches, TOKENS, False
    )


BERTFAST = _ours("bertfast", "fp32")


def our_rows(files: ModelFiles) -> list[Peer]:
    """Return the rows of bertfast: every engine and precision that it has for this model."""
    rows = [BERTFAST]
    if ours.has_engines():
        rows.append(_ours("bertfast on onnxruntime", f"fp32 {ours.ON_ONNXRUNTIME}"))
    if files.int8_bundle is not None or ours.quantizes_at_load():
        rows.append(_ours("bertfast int8", ours.INT8))
    if files.int8_bundle is not None and ours.has_engines():
        rows.append(_ours("bertfast int8 on onnxruntime", f"{ours.INT8} {ours.ON_ONNXRUNTIME}"))
    return rows


def _peer(  # the usual: in float32, with Hugging Face's tokenizer
    name: str,
    library: str,
    adapter: str,
    *,
    variant: str = "fp32",
    batches: tuple[int, ...] = _BUDGETS,
    unit: str = TOKENS,
    also: tuple[str, ...] = ("tokenizers",),
    needs_source: bool = True,
) -> Peer:
    distribution = library.replace("_", "-")
    return Peer(
        name=name,
        distribution=distribution,
        modules=(library, *also),
        adapter=f"{_ADAPTERS}.{adapter}",
        variant=variant,
        precision=variant,
        batches=batches,
        unit=unit,
        needs_source=needs_source,
    )


_TORCH = ("torch", "transformers")

PEERS = {
    peer.name: peer
    for peer in (
        _peer(
            "onnxruntime naive",
            "onnxruntime",
            "onnxruntime:naive",
            batches=(NAIVE_BATCH,),
            unit=TEXTS,
            needs_source=False,
        ),
        _peer(
            "onnxruntime sorted",
            "onnxruntime",
            "onnxruntime:sorted_by_length",
            needs_source=False,
        ),
        _peer(
            "onnxruntime sorted int8",
            "onnxruntime",
            "onnxruntime:sorted_by_length",
            variant="int8",
            also=("tokenizers", "onnx", "ml_dtypes"),  # which older releases of onnx do not bring
            needs_source=False,
        ),
        _peer(
            "transformers sorted",
            "transformers",
            "transformers:load",
            also=("torch", "tokenizers"),
        ),
        _peer(
            "sentence-transformers default",
            "sentence_transformers",
            "sentence_transformers:load",
            batches=(NAIVE_BATCH,),
            unit=TEXTS,
            also=("torch",),
        ),
        _peer(
            "sentence-transformers",
            "sentence_transformers",
            "sentence_transformers:load",
            batches=_TEXT_BATCHES,
            unit=TEXTS,
            also=("torch",),
        ),
        _peer(
            "fastembed",
            "fastembed",
            "fastembed:load",
            batches=_TEXT_BATCHES,
            unit=TEXTS,
            also=("onnx",),
        ),
        _peer(
            "openvino sorted",
            "openvino",
            "openvino:load",
            also=("tokenizers", *_TORCH),
        ),
        _peer(
            "ctranslate2 sorted",
            "ctranslate2",
            "ctranslate2:load",
            also=("tokenizers", *_TORCH),
        ),
        _peer(
            "ctranslate2 sorted int8",
            "ctranslate2",
            "ctranslate2:load",
            variant="int8",
            also=("tokenizers", *_TORCH),
        ),
    )
}


def choose_peers(names: str = ALL) -> tuple[list[Peer], list[Peer]]:
    """Return the peers to compare with, and those left out because they are not installed.

    Args:
        names: "all" (whichever are installed), "none", or names parted by commas; a library's
            name takes all its rows.

    Raises:
        InputError: a name is unknown.
        MissingDependencyError: a peer that was named is not installed.
    """
    if names == NONE:
        return [], []
    if names == ALL:
        missing = [peer for peer in PEERS.values() if not peer.is_installed]
        return [peer for peer in PEERS.values() if peer.is_installed], missing
    chosen = [peer for name in names.split(",") for peer in _find(name.strip(), PEERS.values())]
    for peer in chosen:
        if not peer.is_installed:
            raise MissingDependencyError(f"{peer.name} is not installed; run {peer.install}")
    return list(dict.fromkeys(chosen)), []


def _find(name: str, peers: Iterable[Peer]) -> list[Peer]:
    found = [peer for peer in peers if name in (peer.name, peer.distribution)]
    if not found:
        raise InputError(f"unknown peer {name!r}; choose from {ALL}, {NONE}, {', '.join(PEERS)}")
    return found
