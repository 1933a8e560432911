"""Which implementation runs: the compiled core, or the reference where it does not fit."""

import unicodedata

import pytest

from bertfast import Tokenizer
from bertfast.errors import VocabError
from tests.tokenizer.vocabulary import small_vocab

TEXTS = ["Hello unaffable café", "ΣΟΦΟΣ 大学, ok!", ""]


def test_core_of_another_unicode_version_gives_way_to_the_reference_and_warns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BERTFAST_IMPLEMENTATION", raising=False)
    native = Tokenizer(small_vocab())
    assert native.implementation == "native"
    monkeypatch.setattr("bertfast._native.UNICODE_VERSION", "1.1.5")
    here = unicodedata.unidata_version
    with pytest.warns(RuntimeWarning, match=rf"for Unicode 1\.1\.5 .* has {here}: .*reinstall"):
        other = Tokenizer(small_vocab())
    assert other.implementation == "reference"
    assert [other.encode(text) for text in TEXTS] == [native.encode(text) for text in TEXTS]


def test_unknown_implementation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTFAST_IMPLEMENTATION", "rust")
    with pytest.raises(VocabError, match="is native or reference, got 'rust'"):
        Tokenizer(small_vocab())
