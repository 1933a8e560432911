"""What a reader of checkpoints returns."""

from dataclasses import dataclass

from bertfast.checkpoint.dtypes import Array


@dataclass(frozen=True, slots=True)
class Contents:
    """Arrays by the original's variable names, and which were widened to float32."""

    variables: dict[str, Array]
    widened: tuple[str, ...]
