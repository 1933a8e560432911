"""Switches as absl reads them, and the options that choose a task."""

from typing import Any

import click
import pytest

from bertfast.cli import flags
from bertfast.cli.flags import FlagsCommand, bool_flag, require_tensorflow
from bertfast.cli.task_options import task_options
from bertfast.errors import MissingDependencyError
from bertfast.glue import make_processor
from bertfast.glue.processors import TsvProcessor


@click.command(cls=FlagsCommand)
@bool_flag("do_lower_case", True, "Lower.")
@bool_flag("do_train", False, "Train.")
@click.option("--quiet", is_flag=True)
def switches(**values: Any) -> dict[str, Any]:
    return values


@click.command()
@task_options
def task(**values: Any) -> dict[str, Any]:
    return values


def read(command: click.Command, *arguments: str) -> dict[str, Any]:
    values: dict[str, Any] = command.main(list(arguments), standalone_mode=False)
    return values


@pytest.mark.parametrize(
    ("arguments", "do_lower_case", "do_train"),
    [
        ((), True, False),
        (("--do_train", "--nodo_lower_case"), False, True),
        (("--do_train=true", "--do_lower_case=False"), False, True),
        (("--do_train", "--quiet"), True, True),
        (("--do_train", "1", "--do_lower_case", "f"), False, True),
        (("--do_train", "--nodo_train"), True, False),
    ],
)
def test_switches_are_read_as_absl_does(
    arguments: tuple[str, ...], do_lower_case: bool, do_train: bool
) -> None:
    values = read(switches, *arguments)
    assert (values["do_lower_case"], values["do_train"]) == (do_lower_case, do_train)


@pytest.mark.parametrize("argument", ["--do_train=maybe", "--noquiet", "--nodo_eval"])
def test_other_switches_are_refused(argument: str) -> None:
    with pytest.raises(click.UsageError):
        read(switches, argument)


def test_help_shows_a_switch_once() -> None:
    text = switches.get_help(click.Context(switches))
    assert text.count("do_lower_case") == 1
    assert "default: True" in text


def test_task_options_are_the_arguments_of_make_processor() -> None:
    values = read(
        task, "--task_name=tsv", "--text_column=body", "--text_b_column", "3",
        "--label_column=verdict", "--labels=no, yes",
    )  # fmt: skip
    expected = TsvProcessor("body", 3, "verdict", ("no", "yes"))
    assert make_processor(values.pop("task_name"), **values) == expected
    values = read(task, "--task_name=tsv", "--header", "--labels=x")
    assert make_processor(**values) == TsvProcessor(labels=("x",), header=True)
    values = read(task, "--task_name=CoLA")
    assert make_processor(**values).get_labels() == ["0", "1"]


def test_missing_tensorflow_is_named_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flags, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bertfast\[train\]'"):
        require_tensorflow("run-classifier")
