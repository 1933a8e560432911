"""A session on a GPU: batches are put there and results fetched, with nothing copied between.

GPUs multiply in tiles, so widths are rounded up to a multiple of 8; the padding is masked.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

WIDTH_MULTIPLE = 8

Ids: TypeAlias = NDArray[np.int32]


class BoundSession:
    """An ONNX Runtime session whose inputs and outputs are bound to a device's memory.

    Args:
        session: an `onnxruntime.InferenceSession` that runs on the device.
        device: "cuda" (or "cpu", to try the rest without a GPU).
        device_id: which one.
        max_width: the model's number of positions: no batch is padded beyond it.
    """

    def __init__(
        self, session: Any, *, device: str, device_id: int = 0, max_width: int | None = None
    ) -> None:
        self._session = session
        self._place = (device, device_id)
        self._max_width = max_width

    def run(
        self, output_names: Sequence[str], input_feed: dict[str, Ids], run_options: Any = None
    ) -> list[NDArray[np.float32]]:
        """Return the named outputs; those with a length are as wide as the padded batch."""
        from onnxruntime import OrtValue  # type: ignore[import-untyped]

        binding = self._session.io_binding()
        # Held until the run is over: on the CPU a value is the array's own memory, which the
        # binding does not keep.
        values = {
            name: OrtValue.ortvalue_from_numpy(pad_width(array, self._max_width), *self._place)
            for name, array in input_feed.items()
        }
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for name in output_names:
            binding.bind_output(name, *self._place)
        self._session.run_with_iobinding(binding, run_options)
        outputs: list[NDArray[np.float32]] = binding.copy_outputs_to_cpu()
        return outputs

    def get_outputs(self) -> Sequence[Any]:
        """Return the outputs, each with `name` and `shape`."""
        outputs: Sequence[Any] = self._session.get_outputs()
        return outputs

    def get_providers(self) -> list[str]:
        """Return the names of the execution providers in use."""
        names: list[str] = self._session.get_providers()
        return names


def pad_width(array: Ids, max_width: int | None = None) -> Ids:
    """Return int32 [rows, width] with zeros on the right, up to a multiple of 8 columns.

    >>> pad_width(np.ones((2, 9), np.int32)).shape
    (2, 16)
    >>> pad_width(np.ones((2, 9), np.int32), max_width=12).shape
    (2, 12)
    """
    width = -(-array.shape[1] // WIDTH_MULTIPLE) * WIDTH_MULTIPLE
    if max_width is not None:
        width = max(min(width, max_width), array.shape[1])
    padded = np.zeros((array.shape[0], width), np.int32)
    padded[:, : array.shape[1]] = array
    return padded
