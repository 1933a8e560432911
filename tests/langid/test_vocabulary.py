import random
from pathlib import Path

import pytest
from langid.rows import Row
from langid.vocabulary import (
    SPECIAL_TOKENS,
    find_alphabet,
    find_following,
    sample_texts,
    write_vocab,
)

from bertfast import Tokenizer

ROWS: list[Row] = [
    *[(f"der gute Bäcker backt gutes Brot {i}", "de") for i in range(40)],
    *[(f"добрый день дорогие друзья {i}", "ru") for i in range(40)],
    *[(f"今天天气很好 {i}", "zh") for i in range(40)],
]


def test_vocabulary_is_complete_ordered_and_the_same_again(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    n_tokens = write_vocab(tmp_path / "one", ROWS, size=150, max_piece_length=4, seed=1)
    write_vocab(tmp_path / "two", ROWS, size=150, max_piece_length=4, seed=1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    tokens = (tmp_path / "one").read_text("utf-8").splitlines()
    assert len(tokens) == len(set(tokens)) == n_tokens <= 150
    assert tokens[:5] == SPECIAL_TOKENS
    assert tokens[5:] == sorted(tokens[5:])
    assert max(len(token.removeprefix("##")) for token in tokens[5:]) == 3
    tokenizer = Tokenizer(tmp_path / "one", do_lower_case=False)
    for text, _ in ROWS[::7]:
        assert "[UNK]" not in tokenizer.tokenize(text.rstrip("0123456789"))


def test_samples_have_no_digits_and_are_lowered_half_the_time() -> None:
    texts = sample_texts([("Brot 12", "de"), ("ГОРОД", "ru")], random.Random(0))
    assert len(texts) == 6000
    assert not any(character.isdigit() for text in texts for character in text)
    assert 0.45 < sum(text.strip() == "brot" for text in texts) / 3000 < 0.55


def test_alphabet_leaves_out_rare_and_invisible_characters() -> None:
    assert find_alphabet(["aab", "a b\u200d\u200d\u200d", "b"]) == ["a", "b", *"0123456789"]


def test_only_characters_within_words_get_a_following_piece() -> None:
    assert find_following(["ab-c d天e"]) == {"b"}
