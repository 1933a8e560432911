"""Hugging Face's switches: every combination of them, and tokenizers built with one."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import pytest

from bertfast import Tokenizer
from bertfast.vocab import VocabSource
from tests.conftest import IMPLEMENTATION_VARIABLE


@dataclass(frozen=True)
class Switches:
    """Arguments of `Tokenizer` and of `reference.BasicTokenizer`."""

    do_lower_case: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool

    def __str__(self) -> str:
        """Return a name for a test."""
        accents = {None: "default", True: "strip", False: "keep"}[self.strip_accents]
        return (
            f"{'lower' if self.do_lower_case else 'cased'}-{accents}"
            f"-{'cjk' if self.tokenize_chinese_chars else 'letters'}"
        )


# strip_accents=None is one of the others, which `test_switches.py` shows.
COMBINATIONS = [Switches(*values) for values in product((True, False), repeat=3)]
EVERY_COMBINATION = pytest.mark.parametrize("switches", COMBINATIONS, ids=str)


def build_switched(
    implementation: str,
    vocab: VocabSource,
    switches: Switches,
    *,
    special_tokens_in_text: bool = False,
) -> Tokenizer:
    """Return a tokenizer that really runs on `implementation` ("native" or "reference")."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(IMPLEMENTATION_VARIABLE, implementation)
        tokenizer = Tokenizer(
            vocab,
            do_lower_case=switches.do_lower_case,
            strip_accents=switches.strip_accents,
            tokenize_chinese_chars=switches.tokenize_chinese_chars,
            special_tokens_in_text=special_tokens_in_text,
        )
    assert tokenizer.implementation == implementation
    return tokenizer


def spans_of(tokenizer: Tokenizer, texts: Iterable[str | bytes]) -> list[list[tuple[int, ...]]]:
    """Return (id, start, end) of each piece of each text, without special tokens around."""
    encoding = tokenizer(texts, return_offsets=True, add_special_tokens=False)
    assert encoding.offsets is not None
    return [
        [
            (index, *span)
            for index, span in zip(ids[:length].tolist(), offsets[:length].tolist(), strict=True)
        ]
        for ids, offsets, length in zip(
            encoding.input_ids, encoding.offsets, encoding.lengths.tolist(), strict=True
        )
    ]
