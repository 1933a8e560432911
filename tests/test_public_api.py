"""What is public is documented: a docstring with an example, a place in the reference.

Public is what `bertfast` and the packages below export, and what a page of the reference shows.
All but `bertfast` itself is read and not imported: some of it needs TensorFlow, Spark or Ray.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

import bertfast

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = REPOSITORY / "src"
EXAMPLE = re.compile(r"^\s*>>> \S|^(\s*)Examples?:\n\1\s+\S", re.MULTILINE)
PUBLIC = sorted(
    name
    for name in dir(bertfast)
    if (name[0].isupper() or name in bertfast._LAZY)
    and name not in {"TYPE_CHECKING", "Any", "__version__"}
)
PACKAGES = (
    "bertfast",
    "bertfast.distributed",
    "bertfast.glue",
    "bertfast.jobs",
    "bertfast.tf",
    "bertfast.tokenization",
)
# A page's line, with the members if it chooses some.
SHOWN = re.compile(r"^::: (\S+)$((?:\n[ ]+.*)*)", re.MULTILINE)
MEMBERS = re.compile(r"^ +members: \[(.*?)\]", re.MULTILINE | re.DOTALL)

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef


@cache
def syntax(module: str) -> ast.Module | None:
    """Return a module's or package's syntax, or None where there is no such module."""
    path = SOURCES.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return ast.parse(file.read_text("utf-8"))
    return None


def definitions(module: str) -> dict[str, Definition]:
    """Return the public classes and functions that a module defines."""
    tree = syntax(module)
    assert tree is not None, module
    kinds = (ast.ClassDef, ast.FunctionDef)
    found = {node.name: node for node in tree.body if isinstance(node, kinds)}
    return {name: node for name, node in found.items() if not name.startswith("_")}


def exports(module: str) -> dict[str, str]:
    """Return what a module imports to export it, as `name as name`: {name: module it is from}."""
    tree = syntax(module)
    assert tree is not None, module
    return {
        alias.name: str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == alias.asname
    }


def where_defined(module: str, name: str) -> str | None:
    """Return the module whose class or function it is; None for a constant or a type's name."""
    if name in definitions(module):
        return module
    exported = exports(module)
    return where_defined(exported[name], name) if name in exported else None


def exported_symbols() -> Iterator[str]:
    """Yield the dotted names of what the packages export, where it is defined."""
    for package in PACKAGES:
        for name in [*exports(package), *definitions(package)]:
            module = where_defined(package, name)
            if module is not None:
                yield f"{module}.{name}"


def shown_symbols() -> Iterator[str]:
    """Yield the dotted names of the classes and functions that the reference shows."""
    for page in sorted((REPOSITORY / "docs" / "api").glob("*.md")):
        for name, options in SHOWN.findall(page.read_text("utf-8")):
            if syntax(name) is None:
                module, _, symbol = name.rpartition(".")
                assert syntax(module) is not None, f"{page.name}: {name}"
                assert symbol in definitions(module), f"{page.name}: {name}"
                yield name
                continue
            chosen = MEMBERS.search(options)
            members = chosen[1].replace(",", " ").split() if chosen else definitions(name)
            for symbol in members:
                assert symbol in definitions(name), f"{page.name}: {name}.{symbol}"
                yield f"{name}.{symbol}"


def documented(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    return ast.get_docstring(definitions(module)[name]) or ""


SYMBOLS = sorted(
    dotted
    for dotted in {*exported_symbols(), *shown_symbols()}
    if not dotted.startswith("bertfast.errors.")  # the exceptions are their docstrings
)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_symbol_has_a_docstring_with_an_example(name: str) -> None:
    document = inspect.getdoc(getattr(bertfast, name)) or ""
    assert len(document) > 30, name
    assert EXAMPLE.search(document), f"{name} has no example"


@pytest.mark.parametrize("dotted", SYMBOLS)
def test_symbol_of_the_reference_has_a_docstring_with_an_example(dotted: str) -> None:
    assert len(documented(dotted)) > 30, dotted
    assert EXAMPLE.search(documented(dotted)), f"{dotted} has no example"


def test_the_reference_shows_what_the_packages_export() -> None:
    missing = sorted({*exported_symbols()} - {*shown_symbols()})
    assert not missing, f"on no page of docs/api: {', '.join(missing)}"


def test_pages_of_the_reference_are_in_the_navigation() -> None:
    navigation = (REPOSITORY / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    for page in sorted((REPOSITORY / "docs" / "api").glob("*.md")):
        assert f": api/{page.name}\n" in navigation, page.name


def test_the_reference_shows_every_example_as_code() -> None:
    pytest.importorskip("griffe")
    from reference_examples import titled

    bare = "Text.\n\n>>> 1 + 1\n2\n\nRaises:\n    ValueError: never."
    assert titled(bare) == (
        "Text.\n\nExamples:\n    >>> 1 + 1\n    2\n\nRaises:\n    ValueError: never."
    )
    assert titled("Text.\n\nExample:\n    >>> 1\n    1") == "Text.\n\nExamples:\n    >>> 1\n    1"
