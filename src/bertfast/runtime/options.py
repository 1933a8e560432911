"""What a Predictor was asked for, and whether the model can do it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertfast.errors import DeviceError, InputError
from bertfast.runtime.batching import check_token_budget
from bertfast.runtime.engines import Engine, EngineChoice, Precision, choose_engine
from bertfast.runtime.memory import MemoryPlan, plan_memory
from bertfast.runtime.session import MAX_THREADS, available_threads, check_device, check_threads
from bertfast.runtime.windows import DEFAULT_WINDOW

if TYPE_CHECKING:
    from bertfast.bundle import Bundle
    from bertfast.manifest import Manifest


@dataclass(frozen=True, slots=True)
class PredictorOptions:
    """The arguments of a Predictor, which says what they mean; what it pickles as.

    `max_memory` is a number of bytes here, and `path` is absolute.
    """

    path: str
    device: str
    threads: int | None
    max_length: int | None
    token_budget: int
    output: str | None
    engine: Engine
    precision: Precision | None
    workers: int | None
    max_memory: int | None

    def check(self) -> None:
        """Raise InputError or DeviceError for what no model could do."""
        check_device(self.device)
        check_threads(self.threads)
        check_token_budget(self.token_budget)
        check_workers(self.workers, self.device)

    def check_against(self, bundle: "Bundle") -> None:
        """Raise InputError or DeviceError if the model cannot do what is asked."""
        manifest = bundle.manifest
        if manifest.precision == "fp16" and self.device == "cpu":
            raise DeviceError(
                f"{bundle.path} is in fp16, which is for GPUs; pass device='cuda', or export it "
                f"with --precision fp32 or int8 for CPUs"
            )
        if manifest.precision == "int8" and self.device != "cpu":
            raise DeviceError(
                f"{bundle.path} is in int8, whose operators ONNX Runtime has for CPUs only; "
                f"export it with --precision fp16 for device {self.device!r}"
            )
        if self.output is not None and self.output not in manifest.outputs:
            raise InputError(
                f"{bundle.path} has no output {self.output!r}; it has {', '.join(manifest.outputs)}"
            )
        longest = manifest.config.max_position_embeddings
        length = self.max_length
        if length is None:
            return
        if isinstance(length, bool) or not isinstance(length, int) or not 2 <= length <= longest:
            raise InputError(
                f"max_length is an integer from 2 to {longest}, the model's number of positions; "
                f"got {length!r}"
            )

    def choose_engine(self, manifest: "Manifest") -> EngineChoice:
        """Decide what runs the model; in another process, on its CPU."""
        return choose_engine(
            manifest, device=self.device, engine=self.engine, precision=self.precision
        )

    def plan(self, manifest: "Manifest", engine: str) -> MemoryPlan:
        """Return the sizes of batches and windows, and how many batches run at a time.

        Raises:
            InputError: `max_memory` is too small.
        """
        workers = self.workers or (self.n_threads if self.device == "cpu" else 1)
        if self.max_memory is None:
            return MemoryPlan(self.token_budget, workers, DEFAULT_WINDOW * 1024)
        return plan_memory(
            self.max_memory,
            manifest,
            engine=engine,
            output=self.output or manifest.default_output,
            max_length=self.max_length or manifest.max_length,
            token_budget=self.token_budget,
            workers=workers,
        )

    def side_by_side(self, plan: MemoryPlan) -> int | None:
        """Return how many batches the native engine runs at a time; None leaves it to it."""
        fits = plan.workers >= self.n_threads
        return None if self.workers is None and fits else plan.workers

    @property
    def n_threads(self) -> int:
        """CPU threads in all."""
        return self.threads or available_threads()


def check_workers(workers: int | None, device: str) -> None:
    """Raise InputError unless `workers` is None or a positive integer, on a GPU 1."""
    if workers is None:
        return
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is a positive integer or None, got {workers!r}")
    if workers > MAX_THREADS:
        raise InputError(f"workers is {MAX_THREADS} at most, got {workers}")
    if device != "cpu" and workers > 1:
        raise InputError(f"workers are for the CPU: device {device!r} runs one batch at a time")
