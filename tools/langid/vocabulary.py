"""A WordPiece vocabulary for all languages, the same in every run."""

import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from langid.changes import DIGITS
from langid.languages import OWN_SCRIPT
from langid.rows import Row
from langid.spelling import lower, upper

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LINES_PER_LANGUAGE = 3000
# A character that is seen less often gets no token of its own, and a piece is not made.
MIN_CHARACTER_COUNT = 3
MIN_PIECE_COUNT = 5


def write_vocab(
    path: Path, rows: Iterable[Row], *, size: int, max_piece_length: int, seed: int
) -> int:
    """Train a vocabulary of `size` tokens with Hugging Face's trainer, and return its size.

    Pieces of several characters have fewer than `max_piece_length`, "##" not counted.

    The tokens are written in alphabetical order, special ones first: the trainer's own order of
    equal counts changes from run to run.
    """
    texts = sample_texts(rows, random.Random(seed))
    tokens = train_tokens(texts, size=size, max_piece_length=max_piece_length)
    ordered = SPECIAL_TOKENS + sorted(tokens - set(SPECIAL_TOKENS))
    path.write_text("".join(f"{token}\n" for token in ordered), encoding="utf-8")
    return len(ordered)


def sample_texts(rows: Iterable[Row], rng: random.Random) -> list[str]:
    """Return as many lines of each language, without digits, half of them lower-cased."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        by_label[label].append(text)
    texts = []
    for label, lines in sorted(by_label.items()):
        # Languages with a script of their own need few pieces to be told apart.
        for i in range(LINES_PER_LANGUAGE // (4 if label in OWN_SCRIPT else 1)):
            text = DIGITS.sub(" ", lines[i % len(lines)])
            texts.append(_in_some_case(text, label, rng.random()))
    return texts


def train_tokens(texts: list[str], *, size: int, max_piece_length: int) -> set[str]:
    """Return the tokens of byte-pair merges over the words of BERT's own pre-tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    alphabet = find_alphabet(texts)
    # The trainer breaks ties by id and numbers "##x" in hash order; numbered here, two runs agree.
    following = find_following(texts) & set(alphabet)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL_TOKENS + [f"##{character}" for character in sorted(following)],
        continuing_subword_prefix="##",
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        min_frequency=MIN_PIECE_COUNT,
        max_token_length=max_piece_length,
        show_progress=False,
    )
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainer)
    return set(tokenizer.get_vocab())


def find_alphabet(texts: Iterable[str]) -> list[str]:
    """Return the characters that get a token: those seen often enough, and the digits."""
    counts = Counter(character for text in texts for character in text)
    alphabet = sorted(
        character
        for character, count in counts.items()
        if count >= MIN_CHARACTER_COUNT
        and unicodedata.category(character)[0] not in "CZ"
        and not character.isspace()
    )
    return alphabet + [digit for digit in "0123456789" if digit not in alphabet]


def find_following(texts: Iterable[str]) -> set[str]:
    """Return the characters that stand behind another one in a word."""
    return {
        second
        for text in texts
        for first, second in pairwise(text)
        if _joins(first) and _joins(second)
    }


def _in_some_case(text: str, label: str, draw: float) -> str:
    if draw < 0.5:
        return lower(text, label)
    return upper(text, label) if draw < 0.54 else text


def _joins(character: str) -> bool:
    """Whether a character can stand next to another in one word."""
    is_ideograph = "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"
    is_ascii_mark = character.isascii() and not character.isalnum()
    is_mark = is_ascii_mark or unicodedata.category(character)[0] in "PCZ"
    return not (character.isspace() or is_ideograph or is_mark)
