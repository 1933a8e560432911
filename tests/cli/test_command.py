import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bertfast.version import __version__
from tests.cli.command import one_line_error, run


def test_help_lists_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == b""
    for word in (b"export", b"predict", b"--version"):
        assert word in done.stdout


def test_no_arguments_print_help_and_fail() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"predict" in done.stderr


def test_version_is_the_packages() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"bertfast, version {__version__}\n")


def test_script_and_module_are_the_same() -> None:
    script = Path(sys.executable).with_name("bertfast")
    if not script.exists():
        pytest.skip("bertfast is not installed as a script here")
    help_text = subprocess.run([script, "--help"], capture_output=True, timeout=60, check=True)
    assert help_text.stdout == run("--help").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
        import contextlib, io, sys
        from bertfast.cli import main
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            main({arguments!r})
        print(sorted({{"onnx", "onnxruntime", "tensorflow", "rich"}} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["predict"], "Missing argument 'INPUT...'."),
        (["predict", "in.txt"], "Missing option '--output'"),
        (["predict", "in.txt", "--nonsense"], "No such option"),
        (["predict", "a", "-m", "b", "-o", "c", "--threads", "0"], "Invalid value for '--threads'"),
        (["predict", "a", "-m", "b", "-o", "c", "--format", "xml"], "Invalid value for '--format'"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str) -> None:
    assert one_line_error(run(*arguments)).startswith(message)
