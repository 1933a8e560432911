"""Gives a model the weights of a checkpoint, by name, and says what became of each variable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bertfast.errors import CheckpointError
from bertfast.tf.model_source import InitialWeights
from bertfast.tf.optimization import name_of

Variable: TypeAlias = Any
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

_NAMES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Names of the variables, sorted.

    `loaded`: they have the checkpoint's values. `fresh`: they are initialised and must be
    trained. `unused`: the checkpoint has them, the model does not.
    """

    checkpoint: Path
    loaded: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the report for people."""
        parts = (
            ("freshly initialised", self.fresh),
            ("unused in the checkpoint", self.unused),
        )
        first = f"{self.checkpoint}: {len(self.loaded)} variables loaded"
        return [first, *(f"{title}: {_listed(names)}" for title, names in parts if names)]


def initialize(variables: Sequence[Variable], weights: InitialWeights) -> LoadReport:
    """Assign weights to the model variables of the same names; the others stay as they are.

    Raises:
        CheckpointError: one has another shape than the model's variable.
    """
    arrays = weights.variables
    named = {name_of(variable): variable for variable in variables}
    present = [name for name in named if name in arrays]
    _check_shapes(named, arrays, present)
    for name in present:
        named[name].assign(arrays[name])
    return LoadReport(
        checkpoint=weights.checkpoint,
        loaded=tuple(sorted(present)),
        fresh=tuple(sorted(set(named) - set(arrays))),
        unused=tuple(sorted(set(arrays) - set(named))),
    )


def restore(variables: Sequence[Variable], arrays: Arrays) -> None:
    """Assign a checkpoint's values to every one of the variables; it may hold more.

    Raises:
        CheckpointError: a variable is missing or has another shape.
    """
    named = {name_of(variable): variable for variable in variables}
    missing = sorted(set(named) - set(arrays))
    if missing:
        raise CheckpointError(f"the checkpoint lacks {_listed(missing)}; it is another model's")
    _check_shapes(named, arrays, list(named))
    for name, variable in named.items():
        variable.assign(arrays[name])


def snapshot(variables: Sequence[Variable]) -> dict[str, NDArray[Any]]:
    """Return the variables' values by name, as they are now."""
    return {name_of(variable): np.asarray(variable.numpy()) for variable in variables}


def _check_shapes(named: Mapping[str, Variable], arrays: Arrays, names: Sequence[str]) -> None:
    for name in names:
        wanted, given = tuple(named[name].shape), arrays[name].shape
        if wanted != given:
            raise CheckpointError(
                f"{name} has shape {list(given)} in the checkpoint, but the model's is "
                f"{list(wanted)}"
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if names[_NAMES_SHOWN:] else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
