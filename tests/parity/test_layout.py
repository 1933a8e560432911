"""Where a chunk stands, how it is stored and what came before must not matter.

The core reads texts in blocks of 64 bytes and windows of some thousand, many rows in one, and
remembers chunks; each of these has edges, and here texts lie across all of them.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from bertfast import Tokenizer
from tests.conftest import build_tokenizer
from tests.parity.conftest import Finish
from tests.parity.oracle import Comparison, Twins, make_twins, revealing_vocab
from tests.tokenizer.original import piece_spans

PROBE = " Unaffable Σίσυφος naïve\u2028ΛΟΓΟΣ. a≠b \U0001d15f\u302e 大学"
FILLERS = ("a ", "ab, ", "ab\t\n", "é ", "é", "a", "大", "大 ", "😀 ", "\u3000", "Σ ", "\x00 ")
SIZES = (*range(134), 255, 256, 1023, 4095, 4096, *range(8085, 8200, 5), 16384, 70000)
MODES = pytest.mark.parametrize("do_lower_case", [True, False], ids=["uncased", "cased"])


def shifted_texts(sizes: tuple[int, ...] = SIZES) -> Iterator[str]:
    """Yield a probe after so many characters of every filler, and fillers alone."""
    for filler in FILLERS:
        for size in sizes:
            start = (filler * (size // len(filler) + 1))[:size]
            yield f"{start}{PROBE} end"
            yield start


def chunks_of_every_length() -> Iterator[str]:
    """Yield chunks of 1 to 70 bytes, with and without what is dropped, all of them twice."""
    random = Random("bertfast parity chunks")
    for length in range(1, 71):
        for alphabet in ("ab", "aé", "aΣ.", "大a", "a\x00", "a\u200b!", "😀a", "\ud800a"):
            word = "".join(random.choice(alphabet) for _ in range(length))
            yield from (word, f"{word} {word}", f"{word}\x00", f"{word}\x00\x00 {word}")
            yield from (f"{word[:-1]} {word} {word}a", f"x {word}\u2028{word} x")


def make_layout_twins(*, do_lower_case: bool) -> Twins:
    texts = [PROBE, *FILLERS, "ab😀.!x end"]
    return make_twins(revealing_vocab("".join(texts)), do_lower_case=do_lower_case)


@MODES
def test_text_at_every_position(do_lower_case: bool, finish: Finish) -> None:
    twins = make_layout_twins(do_lower_case=do_lower_case)
    comparison = Comparison()
    comparison.add(twins, shifted_texts())
    finish("texts across blocks and windows", comparison)


@MODES
def test_chunk_of_every_length(do_lower_case: bool, finish: Finish) -> None:
    twins = make_layout_twins(do_lower_case=do_lower_case)
    comparison = Comparison()
    comparison.add(twins, chunks_of_every_length())
    finish("chunks of 1–70 bytes, new and seen", comparison)


@MODES
def test_offsets_at_every_position(do_lower_case: bool, finish: Finish) -> None:
    tokenizer = make_layout_twins(do_lower_case=do_lower_case).native
    vocab = tokenizer.vocab
    sizes = (*range(0, 130, 7), 256, 4096, 8190)
    texts = [*shifted_texts(sizes), *list(chunks_of_every_length())[::3]]
    rows = [piece_spans(text, vocab, do_lower_case=do_lower_case) for text in texts]
    comparison = Comparison()
    comparison.add_offsets(tokenizer, texts, rows)
    finish("offsets across blocks and windows", comparison)


@MODES
def test_rows_packed_together(do_lower_case: bool, finish: Finish) -> None:
    # Thousands of tiny rows, empty ones among them, and now and then a large one.
    random = Random("bertfast parity rows")
    probes = ["", " ", "a", "Σ", "\x00", "é", "大", "ΑΣ", "a b", "\u2028", "ab " * 3000, "b" * 8200]
    texts = random.choices(probes, weights=[*[10] * 10, 0.05, 0.05], k=30_000)
    twins = make_twins(revealing_vocab("".join(probes)), do_lower_case=do_lower_case)
    comparison = Comparison()
    comparison.add(twins, texts)
    finish("tiny and large rows packed together", comparison)


@pytest.mark.parametrize("length", [1, 2, 5, 30, 126, 1000, 1100])
def test_truncated_text_is_a_prefix_wherever_it_is_cut(length: int, finish: Finish) -> None:
    twins = make_layout_twins(do_lower_case=True)
    texts = list(shifted_texts((0, 5, 60, 64, 70, 500, 1000, 4096, 8190, 8200, 70000)))
    expected = [twins.oracle.ids(text)[:length] for text in texts]
    comparison = Comparison(cases=len(texts))
    encoding = twins.native(texts, max_length=length, add_special_tokens=False)
    for row, ids in enumerate(expected):
        if encoding.input_ids[row, : encoding.lengths[row]].tolist() != ids:
            comparison.fail(f"{texts[row][-60:]!a} ({len(texts[row])} characters) cut to {length}")
    finish("texts across windows, truncated", comparison)


@pytest.mark.parametrize("num_threads", [2, 3, 8])
def test_threads_give_the_same_rows_in_order(num_threads: int) -> None:
    tokenizer = make_layout_twins(do_lower_case=True).native
    texts = [*shifted_texts(), *chunks_of_every_length()]
    one = tokenizer.encode_ragged(texts, num_threads=1)
    many = tokenizer.encode_ragged(texts, num_threads=num_threads)
    assert np.array_equal(one[0], many[0])
    assert np.array_equal(one[1], many[1])


def test_ids_are_the_same_whatever_was_encoded_before() -> None:
    # More distinct chunks than any cache of some megabytes holds, then the first ones again.
    tokens = ["[UNK]", "[CLS]", "[SEP]", *"0123456789", *(f"##{digit}" for digit in "0123456789")]
    tokenizer = build_tokenizer("native", tokens)
    early = [f"{n:05d} {n:017d}" for n in range(2000)]
    first = tokenizer.encode_ragged(early, num_threads=1)
    tokenizer.encode_ragged([f"{n} {n:020d}" for n in range(600_000)], num_threads=1)
    again = tokenizer.encode_ragged(early, num_threads=1)
    fresh = build_tokenizer("native", tokens).encode_ragged(early, num_threads=1)
    for ids, offsets in (again, fresh):
        assert np.array_equal(ids, first[0])
        assert np.array_equal(offsets, first[1])


@pytest.mark.parametrize("highest", [2**24 - 1, 2**24, 2**24 + 5, 2**31 - 1])
def test_large_ids_survive_being_remembered(highest: int) -> None:
    letters = "abcdefghijkl"
    vocab = {"[UNK]": highest - 40, "[CLS]": 1, "[SEP]": 2, "a": highest - 20}
    vocab |= {f"##{letter}": highest - at for at, letter in enumerate(letters)}
    tokenizer = build_tokenizer("native", vocab)
    words = [letters[:size] for size in range(1, 13)] + ["x", "ax", "a" * 20, "aa.", "a" * 201]
    words = [word[:1].replace("b", "a") + word[1:] for word in words]
    reference = build_tokenizer("reference", vocab)
    expected = [reference.encode(word) for word in words]
    for _ in range(3):
        assert [tokenizer.encode(word) for word in words] == expected
        ids, offsets = tokenizer.encode_ragged([" ".join(words)] * 2)
        assert ids[: offsets[1]].tolist() == ids[offsets[1] :].tolist()
        assert ids[1 : offsets[1] - 1].tolist() == [i for row in expected for i in row[1:-1]]


KERNEL_SCRIPT = """
from tests.parity.test_layout import layout_digest
print(layout_digest())
"""


def layout_digest() -> str:
    """Return a digest of the ids of all layout texts."""
    tokenizer: Tokenizer = make_layout_twins(do_lower_case=True).native
    ids, offsets = tokenizer.encode_ragged([*shifted_texts(), *chunks_of_every_length()])
    return hashlib.sha256(ids.tobytes() + offsets.tobytes()).hexdigest()


@pytest.mark.parametrize("kernel", ["portable", "avx2", "avx512"])
def test_every_kernel_gives_the_same_ids(kernel: str, pytestconfig: pytest.Config) -> None:
    # A kernel that this processor cannot run is ignored, and the test then tells nothing new.
    result = subprocess.run(
        [sys.executable, "-c", KERNEL_SCRIPT],
        env={**os.environ, "BERTFAST_KERNEL": kernel},
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert result.stdout.strip() == layout_digest()
