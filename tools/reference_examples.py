"""Shows the docstrings' examples as code in the reference; mkdocs.yml names it.

Griffe reads `Examples:`, and takes `Example:` and lines of `>>> ` on their own for text.
"""

import re
from typing import Any

import griffe

_TITLE = re.compile(r"^( *)Example:$", re.MULTILINE)
# A paragraph that begins with ">>> " at the margin.
_BARE = re.compile(r"(?:(?<=\n\n)|\A)>>> .*(?:\n.+)*")


def titled(docstring: str) -> str:
    r"""Return a docstring whose examples are all under `Examples:`.

    >>> titled("Text.\n\n>>> 1 + 1\n2\n\nExample:\n    >>> 2")
    'Text.\n\nExamples:\n    >>> 1 + 1\n    2\n\nExamples:\n    >>> 2'
    """
    bare = _BARE.sub(lambda found: "Examples:\n    " + found[0].replace("\n", "\n    "), docstring)
    return _TITLE.sub(r"\1Examples:", bare)


class TitledExamples(griffe.Extension):  # type: ignore[misc]
    """Griffe's extension."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = titled(obj.docstring.value)
