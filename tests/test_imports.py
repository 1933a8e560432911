"""What importing the package loads, and what it leaves alone."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import bertfast

HEAVY = ("tensorflow", "tensorflow_text", "onnx", "onnxruntime", "safetensors", "click", "rich")
SCRIPT = "import json, sys; {0}; print(json.dumps(sorted(sys.modules)))"


def modules_after(statement: str) -> set[str]:
    """Return the names in `sys.modules` after a statement in a fresh process."""
    command = [sys.executable, "-c", SCRIPT.format(statement)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import bertfast",
        "from bertfast import Tokenizer; Tokenizer(['[UNK]', '[CLS]', '[SEP]'])(['a'])",
        "from bertfast import FullTokenizer, tokenization",
        "from bertfast import BertConfig, Bundle, errors",
        "from bertfast.glue import features, make_processor, metrics, pretraining",
    ],
)
def test_import_loads_nothing_heavy(statement: str) -> None:
    loaded = modules_after(statement)
    assert {"bertfast", "bertfast._native", "numpy"} <= loaded
    assert loaded.isdisjoint(HEAVY)


def test_import_does_not_load_the_reference() -> None:
    assert "bertfast.reference" not in modules_after("import bertfast")


def test_predictor_needs_neither_onnx_nor_tensorflow() -> None:
    loaded = modules_after("from bertfast import Predictor")
    assert loaded.isdisjoint({"tensorflow", "onnx"})


def test_runs_are_checked_without_tensorflow() -> None:
    loaded = modules_after(
        "from bertfast.tf import classifier_task, pretraining_task; "
        "from bertfast.cli import run_classifier, run_pretraining"
    )
    assert "bertfast.tf.classifier_task" in loaded
    assert loaded.isdisjoint({"tensorflow", "onnx"})


def test_reference_imports_the_standard_library_alone() -> None:
    source = Path(bertfast.__file__).with_name("reference.py").read_text(encoding="utf-8")
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
    assert imported
    assert imported <= sys.stdlib_module_names


def test_every_public_name_is_importable() -> None:
    names = [name for name in dir(bertfast) if not name.startswith("_")]
    assert {"Tokenizer", "Encoding", "Predictor", "BertConfig", "Bundle"} <= set(names)
    for name in names:
        assert getattr(bertfast, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        bertfast.no_such_name  # noqa: B018
