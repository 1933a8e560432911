"""Texts in the Unicode normal form that a model was trained on.

BERT's own rules leave a cased text as it is written: "é" of one code point and "é" of two are
other tokens. A model that has seen only one of them can ask for it in its manifest.
"""

import unicodedata
from collections.abc import Iterable, Iterator

from bertfast.manifest import NormalForm
from bertfast.runtime.windows import Text, Window


def normalize_windows(windows: Iterable[Window], form: NormalForm | None) -> Iterator[Window]:
    """Yield the windows with every text in a normal form; None leaves them as they are."""
    if form is None:
        yield from windows
        return
    for window in windows:
        pairs = window.pairs
        yield Window(
            window.first_row,
            [normalize_text(text, form) for text in window.texts],
            None if pairs is None else [normalize_text(text, form) for text in pairs],
        )


def normalize_text(text: Text, form: NormalForm) -> Text:
    r"""Return a text in a normal form; invalid bytes are ignored, as the tokenizer does.

    Example:
        >>> normalize_text("cafe\u0301", "NFC"), normalize_text(b"caf\xc3\xa9", "NFC")
        ('café', 'café')
    """
    if text.isascii():
        return text
    string = text if isinstance(text, str) else text.decode("utf-8", "ignore")
    return unicodedata.normalize(form, string)
