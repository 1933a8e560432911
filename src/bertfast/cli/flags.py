"""The original scripts' flags on click: underscored names, and switches as absl reads them."""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, TypeVar

import click

from bertfast.errors import MissingDependencyError

Command = TypeVar("Command", bound=Callable[..., Any])


def bool_flag(name: str, default: bool, text: str) -> Callable[[Command], Command]:
    """Return a decorator that adds a switch: --name, --name=true, --name=false.

    `--name false` is read too; absl would take "false" for an argument and ignore it. For
    --noname the command must be a `FlagsCommand`.
    """
    return click.option(
        f"--{name}",
        name,
        is_flag=False,
        flag_value="true",
        type=click.BOOL,
        default=default,
        show_default=True,
        help=text,
    )


class FlagsCommand(click.Command):
    """A command whose switches can also be turned off as --noname."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, with --noname put as --name=false."""
        off = {f"--no{switch}": f"--{switch}=false" for switch in self._switches()}
        return super().parse_args(ctx, [off.get(argument, argument) for argument in args])

    def _switches(self) -> Iterator[str]:
        for param in self.params:
            if isinstance(param, click.Option) and param.type is click.BOOL and not param.is_flag:
                yield str(param.name)


def require_tensorflow(command: str) -> None:
    """Check that TensorFlow can be imported, and keep its start quiet.

    Raises:
        MissingDependencyError: it is not installed.
    """
    if find_spec("tensorflow") is None:
        raise MissingDependencyError(
            f"bertfast {command} needs TensorFlow, which is not installed; "
            f"run pip install 'bertfast[train]'"
        )
    # 3: that a machine has no GPU is an error in TensorFlow's log; real ones are raised too.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
