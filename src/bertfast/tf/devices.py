"""What a user says about devices. Without TensorFlow, so that it is checked at once."""

from dataclasses import dataclass

from bertfast.errors import DeviceError

STRATEGIES = ("auto", "one_device", "mirrored", "tpu")


@dataclass(frozen=True, slots=True)
class Devices:
    """What the user says about devices; the names are the original's flags.

    `strategy`: "auto" takes a TPU if `use_tpu`, every GPU if there are several, else one device.
    `n_cpu_devices`: split the CPU into that many logical devices, to try out "mirrored".
    `master`: address of the TPU, if it is not known by its name.

    Raises:
        DeviceError: an unknown strategy, or one that contradicts `use_tpu`.
    """

    strategy: str = "auto"
    use_tpu: bool = False
    tpu_name: str | None = None
    tpu_zone: str | None = None
    gcp_project: str | None = None
    master: str | None = None
    num_tpu_cores: int = 8
    n_cpu_devices: int = 1

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise DeviceError(
                f"unknown strategy {self.strategy!r}; choose from {', '.join(STRATEGIES)}"
            )
        if self.use_tpu and self.strategy not in ("auto", "tpu"):
            raise DeviceError(f"--use_tpu contradicts the strategy {self.strategy!r}")
        if self.n_cpu_devices < 1 or self.num_tpu_cores < 1:
            raise DeviceError("there must be at least one CPU device and one TPU core")

    @property
    def is_tpu(self) -> bool:
        """Whether a TPU is asked for."""
        return self.use_tpu or self.strategy == "tpu"
