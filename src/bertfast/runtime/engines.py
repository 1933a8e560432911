"""Which engine runs a model: our own where it can, else ONNX Runtime."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bertfast.errors import InputError

if TYPE_CHECKING:
    from bertfast.manifest import Manifest

Engine: TypeAlias = Literal["auto", "native", "onnxruntime"]
Precision: TypeAlias = Literal["fp32", "int8"]

ENGINES = ("auto", "native", "onnxruntime")
PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What a model is run with; all of it decides the last bits of the numbers.

    Attributes:
        engine: "native" or "onnxruntime".
        precision: of the weights: the bundle's own, or "int8" made of it.
        kernel: the native engine's instruction set; None for ONNX Runtime, which keeps its own
            to itself.
    """

    engine: str
    precision: str
    kernel: str | None

    def quantizes(self, manifest: "Manifest") -> bool:
        """Whether float32 weights become int8 as they are loaded."""
        return self.precision == "int8" and manifest.precision != "int8"


def choose_engine(
    manifest: "Manifest", *, device: str, engine: str, precision: str | None
) -> EngineChoice:
    """Decide what runs a model.

    "auto" takes the native engine on the CPU if the graph is our fused one and the CPU has
    AVX2 at least; "native" takes it on any CPU.

    Raises:
        InputError: an option is unknown, or the model cannot be run like that.
    """
    if engine not in ENGINES:
        raise InputError(f"engine is one of {', '.join(ENGINES)}, got {engine!r}")
    if precision is not None and precision not in PRECISIONS:
        raise InputError(f"precision is one of {', '.join(PRECISIONS)} or None, got {precision!r}")
    obstacle = _obstacle(manifest, device)
    if engine == "native" and obstacle:
        raise InputError(f"engine 'native' cannot run this model: {obstacle}")
    kernel = None if engine == "onnxruntime" or obstacle else _kernel()
    if kernel is None or (engine == "auto" and kernel == "portable"):
        _check_precision(manifest, precision)
        return EngineChoice("onnxruntime", manifest.precision, None)
    if precision == "fp32" and manifest.precision == "int8":
        _check_precision(manifest, precision)
    return EngineChoice("native", precision or manifest.precision, kernel)


def _obstacle(manifest: "Manifest", device: str) -> str | None:
    """Return why the native engine cannot run a model, None if it can."""
    if device != "cpu":
        return f"it runs on the CPU, not on {device!r}"
    if manifest.source.get("graph") != "fused":
        return "its graph is not the fused one of `bertfast export`"
    if manifest.precision not in PRECISIONS:
        return f"its weights are {manifest.precision}"
    return None


def _check_precision(manifest: "Manifest", precision: str | None) -> None:
    if precision not in (None, manifest.precision):
        raise InputError(
            f"precision {precision!r}: the model holds {manifest.precision} weights, and only "
            f"the native engine makes int8 of fp32 as it loads them; export the model with "
            f"that precision"
        )


def _kernel() -> str:
    from bertfast.engine import native_kernel

    return native_kernel()
