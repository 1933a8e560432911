"""The `bertfast` command. Subcommands load when they run, so that `--help` is fast."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from bertfast.errors import BertfastError
from bertfast.version import __version__

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_BROKEN_PIPE = 128 + 13  # SIGPIPE, which not every platform has

# Name: module and command object, and the line of help that is shown without loading it.
_COMMANDS = {
    "benchmark": ("bertfast.cli.benchmark:benchmark", "Measure speed against others."),
    "create-pretraining-data": (
        "bertfast.cli.create_pretraining_data:create_pretraining_data",
        "Make masked, paired sentences of plain text.",
    ),
    "export": ("bertfast.cli.export:export", "Turn a checkpoint into a model directory."),
    "predict": ("bertfast.cli.predict:predict", "Run a model over a file of texts."),
    "run-classifier": (
        "bertfast.cli.run_classifier:run_classifier",
        "Fine-tune a BERT on a task, evaluate, predict.",
    ),
    "run-pretraining": (
        "bertfast.cli.run_pretraining:run_pretraining",
        "Train a BERT on masked words and next sentences.",
    ),
}


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand; None for an unknown name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="bertfast")
@click.pass_context
def bertfast(context: click.Context) -> None:
    """From a TensorFlow BERT checkpoint to predictions, exactly and fast."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(EXIT_BAD_INPUT)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Exit codes: 0 done, 2 bad input or a file that cannot be used (one line on standard
    error), 130 after Ctrl-C, 143 after SIGTERM, 141 when the reader of our output went away.
    """
    _occupy_standard_streams()
    signal.signal(signal.SIGTERM, _terminate)
    code = _run(sys.argv[1:] if arguments is None else list(arguments))
    if code in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        # All is cleaned up. The interpreter's own exit would wait for threads, and one of them
        # may be in the middle of a large matrix.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _occupy_standard_streams() -> None:
    """Let no file that is opened get the number of a standard stream that was closed.

    `sys.stdin` and `sys.stdout` stay None then, as Python has it, which tells that they cannot
    be used; messages go nowhere.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _run(arguments: list[str]) -> int:
    try:
        code = _invoke(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except SystemExit as ended:
        if ended.code != EXIT_TERMINATED:
            raise
        return EXIT_TERMINATED
    except BrokenPipeError:
        # Python would flush standard output once more at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except click.ClickException as error:
        message = error.format_message()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror or error}"
    except BertfastError as error:
        message = str(error)
    # One line, whatever was quoted in the message.
    click.echo(f"bertfast: error: {' '.join(message.split())}", err=True)
    return EXIT_BAD_INPUT


def _invoke(arguments: list[str]) -> int:
    try:
        with bertfast.make_context("bertfast", arguments) as context:
            bertfast.invoke(context)
    except click.exceptions.Exit as done:  # --help and --version
        return done.exit_code
    return 0


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    # SystemExit unwinds the stack, so that unfinished output is removed.
    sys.exit(EXIT_TERMINATED)
