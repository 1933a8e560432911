"""The tokenizer in the graph as one of two twins, so that the parity checks can compare it."""

import unicodedata
import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast import reference
from tests.parity.code_points import CONTEXTS, N_CODE_POINTS
from tests.parity.oracle import (
    BATCH_SIZE,
    MAX_SHOWN,
    Comparison,
    MemoizedReference,
    batches,
    shrink,
)
from tests.tokenizer.vocabulary import SPECIAL_TOKENS

Ragged = tuple[NDArray[np.int32], NDArray[np.int64]]

SURROGATES = range(0xD800, 0xE000)


def import_tensorflow() -> Any:
    """Import TensorFlow and TF-Text, whose own warnings are no failures of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("tensorflow_text")
        return import_module("tensorflow")


class GraphTwin:
    """A `GraphTokenizer` in a traced function, and its oracle."""

    def __init__(self, vocab: Mapping[str, int], *, do_lower_case: bool) -> None:
        tf = import_tensorflow()
        tokenizer = import_module("bertfast.tf").GraphTokenizer(vocab, do_lower_case)
        self.oracle = MemoizedReference(vocab, do_lower_case=do_lower_case)
        self.vocab = vocab
        self._tokens = {index: token for token, index in vocab.items()}
        signature = [tf.TensorSpec([None], tf.string)]
        self._run = tf.function(tokenizer.tokenize, input_signature=signature)

    def encode(self, texts: Sequence[bytes]) -> Ragged:
        """Return flat ids and row offsets."""
        pieces = self._run(np.array(texts, object))
        return pieces.values.numpy(), pieces.row_splits.numpy()

    def ids(self, text: bytes) -> list[int]:
        """Return the ids of one text."""
        result: list[int] = self.encode([text])[0].tolist()
        return result

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids."""
        return [self._tokens[index] for index in ids]


def compare(twin: GraphTwin, texts: Iterable[bytes]) -> Comparison:
    """Compare the graph's ids of every text with the reference's, a batch at a time."""
    comparison = Comparison()
    for batch in batches(texts):
        given = [text for text in batch if isinstance(text, bytes)]
        _compare_batch(comparison, twin, given, [twin.oracle.ids(text) for text in given])
    return comparison


def _compare_batch(
    comparison: Comparison, twin: GraphTwin, texts: Sequence[bytes], rows: Sequence[Sequence[int]]
) -> None:
    comparison.cases += len(texts)
    ids, offsets = twin.encode(texts)
    sizes = [len(row) for row in rows]
    flat = np.fromiter(chain.from_iterable(rows), np.int32, sum(sizes))
    if np.array_equal(np.diff(offsets), sizes) and np.array_equal(ids, flat):
        return
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    for text, row, (begin, end) in zip(texts, rows, bounds, strict=True):
        if ids[begin:end].tolist() != row:
            _note(comparison, twin, text)


def compare_in_contexts(
    twin: GraphTwin, code_points: Iterable[int], *, check_every: int = 101
) -> Comparison:
    """Compare every code point in every context, a context at a time.

    A batch is of one context, so that it takes the graph's short road where the context needs
    no repair (`bertfast.tf.graph_tokenizer`). The reference is asked once for all characters
    that it cannot tell apart (`class_in`); of every `check_every`-th it is asked anyway, which
    must not give another answer.
    """
    comparison = Comparison()
    characters = [chr(code) for code in code_points if code not in SURROGATES]
    known = set("".join(twin.vocab))
    for begin in range(0, len(characters), BATCH_SIZE):
        batch = characters[begin : begin + BATCH_SIZE]
        classes = [class_in(known, char) for char in batch]
        for context in CONTEXTS:
            texts = [context.format(char).encode() for char in batch]
            first: dict[tuple[object, ...], list[int]] = {}
            rows = []
            for number, (text, kind) in enumerate(zip(texts, classes, strict=True)):
                row = first.get(kind)
                if row is None or number % check_every == 0:
                    asked = twin.oracle.ids(text)
                    assert row in (None, asked), f"{text!a} is not like others of {kind}"
                    row = first[kind] = asked
                rows.append(row)
            _compare_batch(comparison, twin, texts, rows)
    return comparison


def class_in(known: Container[str], char: str) -> tuple[object, ...]:
    """Return all that the reference looks at in a character that no token has.

    A character that a token has, or that lowering or decomposition changes, is a class of its
    own. So are the others' category, combining class, block, and how they look to a sigma.
    """
    if char in known or char.lower() != char or unicodedata.normalize("NFD", char) != char:
        return (char,)
    return (
        unicodedata.category(char),
        unicodedata.combining(char),
        reference.is_cjk(ord(char)),
        reference.is_punctuation(char),
        reference.is_whitespace(char),
        reference.is_control(char),
        char.isspace(),
        char in "\0\ufffd",
        f"A\u03a3{char}A".lower()[1],  # seen through after a sigma?
        f"A{char}\u03a3".lower()[-1],  # before it?
        f"{char}\u03a3".lower()[-1],  # cased?
    )


def _note(comparison: Comparison, twin: GraphTwin, text: bytes) -> None:
    def differs(candidate: Any) -> bool:
        return twin.ids(candidate) != twin.oracle.ids(candidate)

    if len(comparison.shown) >= MAX_SHOWN or not differs(text):
        comparison.fail(f"{text!a} differs in its batch")
        return
    least: Any = shrink(text, differs)
    graph, expected = (twin.tokens(ids) for ids in (twin.ids(least), twin.oracle.ids(least)))
    comparison.fail(f"{least!a}: graph {graph!a}, reference {expected!a}")


def in_contexts(code_points: Iterable[int]) -> Iterable[bytes]:
    """Yield every code point in every context, as UTF-8; surrogates have none."""
    for code_point in code_points:
        if code_point not in SURROGATES:
            for context in CONTEXTS:
                yield context.format(chr(code_point)).encode()


@cache
def assigned_vocab() -> list[str]:
    """Return every assigned character, private use and surrogates aside, as "c" and "##c"."""
    every = map(chr, range(N_CODE_POINTS))
    assigned = [char for char in every if unicodedata.category(char) not in ("Cn", "Co", "Cs")]
    return list(dict.fromkeys([*SPECIAL_TOKENS, *assigned, *(f"##{char}" for char in assigned)]))


def numbered(tokens: Iterable[str]) -> dict[str, int]:
    """Return ids by position; of equal tokens the last counts, as in a file."""
    return {token: index for index, token in enumerate(tokens)}


MakeTwin = Callable[[], GraphTwin]
