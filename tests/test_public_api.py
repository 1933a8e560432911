"""What `bertfast` exports is documented: a docstring with an example, a place in the reference."""

import inspect
import re
from pathlib import Path

import pytest

import bertfast

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLE = re.compile(r">>> |^\s*Examples?:|```", re.MULTILINE)
PUBLIC = sorted(
    name
    for name in dir(bertfast)
    if (name[0].isupper() or name in bertfast._LAZY)
    and name not in {"TYPE_CHECKING", "Any", "__version__"}
)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_symbol_has_a_docstring_with_an_example(name: str) -> None:
    document = inspect.getdoc(getattr(bertfast, name)) or ""
    assert len(document) > 30, name
    assert EXAMPLE.search(document), f"{name} has no example"


def test_reference_pages_name_modules_that_exist() -> None:
    pages = sorted((REPOSITORY / "docs" / "api").glob("*.md"))
    assert pages
    for page in pages:
        for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE):
            parts = name.split(".")
            found = [
                REPOSITORY / "src" / Path(*parts[:length]).with_suffix(".py")
                for length in (len(parts), len(parts) - 1)
            ]
            packages = [path.with_suffix("") / "__init__.py" for path in found]
            assert any(path.is_file() for path in found + packages), f"{page.name}: {name}"
