"""The readable BERT tokenizer: plain Python, the oracle for everything faster.

Three steps, as in Google's `tokenization.py`, whose results this module gives:

    "Unaffable, 試す!"  --BasicTokenizer-->      ["unaffable", ",", "試", "す", "!"]
    "unaffable"         --WordpieceTokenizer-->  ["un", "##aff", "##able"]
    tokens              --vocab-->               ids

It depends on the running interpreter's `unicodedata` and on nothing of ours.
Source: google-research/bert tokenization.py (names and results).
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TypeVar

MAX_INPUT_CHARS_PER_WORD = 200

# Written in a text they are ordinary text to the original, and tokens to Hugging Face.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# First and last code point of each block that is split into single characters.
CJK_RANGES = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)

_ASCII_PUNCTUATION = ((33, 47), (58, 64), (91, 96), (123, 126))

# Release names of the original checkpoints and the casing each was trained with.
_LOWER_MODELS = (
    "uncased_L-24_H-1024_A-16",
    "uncased_L-12_H-768_A-12",
    "multilingual_L-12_H-768_A-12",
    "chinese_L-12_H-768_A-12",
)
_CASED_MODELS = (
    "cased_L-12_H-768_A-12",
    "cased_L-24_H-1024_A-16",
    "multi_cased_L-12_H-768_A-12",
)

Key = TypeVar("Key")
Value = TypeVar("Value")


def validate_case_matches_checkpoint(do_lower_case: bool, init_checkpoint: str | None) -> None:
    """Check `do_lower_case` against the casing in an original checkpoint's name.

    A path without a known release name is accepted.

    >>> validate_case_matches_checkpoint(True, "uncased_L-12_H-768_A-12/bert_model.ckpt")

    Raises:
        ValueError: the name says one casing, `do_lower_case` the other.
    """
    if not init_checkpoint:
        return
    match = re.match("^.*?([A-Za-z0-9_-]+)/bert_model.ckpt", init_checkpoint)
    if match is None:
        return
    name = match.group(1)
    if name in _LOWER_MODELS and not do_lower_case:
        given, kind, wanted = "False", "lowercased", "True"
    elif name in _CASED_MODELS and do_lower_case:
        given, kind, wanted = "True", "cased", "False"
    else:
        return
    raise ValueError(
        f"do_lower_case={given} was given, but {init_checkpoint!r} names the {kind} model "
        f"{name!r}; pass do_lower_case={wanted}, or rename the directory if it is another model."
    )


def convert_to_unicode(text: str | bytes) -> str:
    r"""Return `text` as `str`; bytes decode as UTF-8 and invalid bytes are ignored.

    >>> convert_to_unicode(b"caf\xc3\xa9\xff")
    'café'
    """
    if isinstance(text, str):
        return text
    if isinstance(text, bytes):
        return text.decode("utf-8", "ignore")
    raise ValueError(f"Unsupported string type: {type(text)}")


def printable_text(text: str | bytes) -> str:
    r"""Return `text` as a `str` fit for `print` and logging.

    >>> printable_text(b"caf\xc3\xa9")
    'café'
    """
    return convert_to_unicode(text)


def load_vocab(vocab_file: str | PathLike[str]) -> "OrderedDict[str, int]":
    r"""Read a vocabulary file into an ordered mapping from token to id.

    The id is the line number from 0; lines end at "\n" only; each token is stripped;
    of equal tokens the last line wins.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "vocab.txt"
    >>> _ = path.write_text("[UNK]\nun\n##able\n")
    >>> dict(load_vocab(path))
    {'[UNK]': 0, 'un': 1, '##able': 2}
    """
    vocab: OrderedDict[str, int] = OrderedDict()
    with Path(vocab_file).open(encoding="utf-8", newline="\n") as reader:
        for index, line in enumerate(reader):
            vocab[line.strip()] = index
    return vocab


def convert_by_vocab(vocab: Mapping[Key, Value], items: Iterable[Key]) -> list[Value]:
    """Map each of `items` (tokens or ids) through `vocab`; KeyError on an unknown one.

    >>> convert_by_vocab({"un": 0, "##able": 1}, ["##able", "un"])
    [1, 0]
    """
    return [vocab[item] for item in items]


def convert_tokens_to_ids(vocab: Mapping[str, int], tokens: Iterable[str]) -> list[int]:
    """Map tokens to ids; KeyError on an unknown one.

    >>> convert_tokens_to_ids({"un": 0, "##able": 1}, ["un", "##able"])
    [0, 1]
    """
    return convert_by_vocab(vocab, tokens)


def convert_ids_to_tokens(inv_vocab: Mapping[int, str], ids: Iterable[int]) -> list[str]:
    """Map ids to tokens; KeyError on an unknown one.

    >>> convert_ids_to_tokens({0: "un", 1: "##able"}, [0, 1])
    ['un', '##able']
    """
    return convert_by_vocab(inv_vocab, ids)


def whitespace_tokenize(text: str) -> list[str]:
    r"""Strip and split at whitespace (what `str.isspace` says).

    >>> whitespace_tokenize("  a\u2028b ")
    ['a', 'b']
    """
    return text.split()


class FullTokenizer:
    """Text to pieces to ids: BasicTokenizer, then WordpieceTokenizer."""

    def __init__(
        self,
        vocab_file: str | PathLike[str],
        do_lower_case: bool = True,
        *,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        special_tokens_in_text: bool = False,
    ) -> None:
        """Read `vocab_file`, one token a line; the switches are `BasicTokenizer`'s.

        With `special_tokens_in_text` the vocabulary's `SPECIAL_TOKENS` are pieces wherever a
        text holds them, which the original does not do.
        """
        self.vocab = load_vocab(vocab_file)
        self.inv_vocab = {index: token for token, index in self.vocab.items()}
        self.basic_tokenizer = BasicTokenizer(
            do_lower_case,
            strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
        )
        self.wordpiece_tokenizer = WordpieceTokenizer(vocab=self.vocab)
        known = [token for token in SPECIAL_TOKENS if token in self.vocab]
        self.special_tokens = known if special_tokens_in_text else []

    def tokenize(self, text: str | bytes) -> list[str]:
        """Split `text` into vocabulary pieces."""
        pieces: list[str] = []
        for part in split_at_special_tokens(convert_to_unicode(text), self.special_tokens):
            if part in self.special_tokens:
                pieces.append(part)
                continue
            for word in self.basic_tokenizer.tokenize(part):
                pieces.extend(self.wordpiece_tokenizer.tokenize(word))
        return pieces

    def convert_tokens_to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Map tokens to ids; KeyError on an unknown one."""
        return convert_by_vocab(self.vocab, tokens)

    def convert_ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Map ids to tokens; KeyError on an unknown one."""
        return convert_by_vocab(self.inv_vocab, ids)


class BasicTokenizer:
    """Clean, isolate CJK, split at whitespace, lower and strip accents, split at punctuation.

    >>> BasicTokenizer().tokenize("Héllo, 大学!")
    ['hello', ',', '大', '学', '!']
    """

    def __init__(
        self,
        do_lower_case: bool = True,
        *,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
    ) -> None:
        """The original has the first switch only; the others keep its results by default.

        `strip_accents` decomposes (NFD) and drops accents: by default if `do_lower_case` does
        its part, as in the original. Without `tokenize_chinese_chars` ideographs are letters.
        """
        self.do_lower_case = do_lower_case
        self.strip_accents = do_lower_case if strip_accents is None else strip_accents
        self.tokenize_chinese_chars = tokenize_chinese_chars

    def tokenize(self, text: str | bytes) -> list[str]:
        r"""Split `text` into words.

        >>> BasicTokenizer().tokenize(" \tHeLLo!how  \n Are yoU? Ünïted 大学")
        ['hello', '!', 'how', 'are', 'you', '?', 'united', '大', '学']
        >>> BasicTokenizer(strip_accents=False).tokenize("Ünïted")
        ['ünïted']
        >>> BasicTokenizer(tokenize_chinese_chars=False).tokenize("Ünïted大学")
        ['united大学']
        """
        text = clean_text(convert_to_unicode(text))
        if self.tokenize_chinese_chars:
            text = isolate_cjk(text)
        words: list[str] = []
        for token in whitespace_tokenize(text):
            words.extend(split_on_punctuation(self.normalize(token)))
        # No step above can make whitespace inside a word, but the original splits again.
        return whitespace_tokenize(" ".join(words))

    def normalize(self, token: str) -> str:
        """Lower and strip accents, as far as the switches say."""
        if self.do_lower_case:
            token = token.lower()
        return strip_accents(token) if self.strip_accents else token


class WordpieceTokenizer:
    """Greedy longest match first, left to right, with "##" before every piece but the first.

    >>> WordpieceTokenizer({"un": 0, "##aff": 1, "##able": 2}).tokenize("unaffable")
    ['un', '##aff', '##able']
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        unk_token: str = "[UNK]",
        max_input_chars_per_word: int = MAX_INPUT_CHARS_PER_WORD,
    ) -> None:
        """`max_input_chars_per_word` is in code points; longer words become `unk_token`."""
        self.vocab = vocab
        self.unk_token = unk_token
        self.max_input_chars_per_word = max_input_chars_per_word

    def tokenize(self, text: str | bytes) -> list[str]:
        """Split whitespace-separated words into pieces.

        >>> vocab = {"[UNK]": 0, "un": 1, "##aff": 2, "##able": 3}
        >>> WordpieceTokenizer(vocab).tokenize("unaffable unseen")
        ['un', '##aff', '##able', '[UNK]']
        """
        pieces: list[str] = []
        for word in whitespace_tokenize(convert_to_unicode(text)):
            pieces.extend(self._split_word(word))
        return pieces

    def _split_word(self, word: str) -> list[str]:
        if len(word) > self.max_input_chars_per_word:
            return [self.unk_token]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            piece = self._longest_piece(word, start)
            if piece is None:
                return [self.unk_token]
            pieces.append(piece)
            start += len(piece) - (2 if start > 0 else 0)
        return pieces

    def _longest_piece(self, word: str, start: int) -> str | None:
        prefix = "##" if start > 0 else ""
        for end in range(len(word), start, -1):
            piece = prefix + word[start:end]
            if piece in self.vocab:
                return piece
        return None


def split_at_special_tokens(text: str, special_tokens: Iterable[str]) -> list[str]:
    """Cut `text` before and after every special token in it, the leftmost first.

    >>> split_at_special_tokens("a [[MASK]]b[mask]", ["[MASK]", "[SEP]"])
    ['a [', '[MASK]', ']b[mask]']
    """
    pattern = "|".join(map(re.escape, special_tokens))
    parts = re.split(f"({pattern})", text) if pattern else [text]
    return [part for part in parts if part]


def clean_text(text: str) -> str:
    r"""Drop NUL, U+FFFD and control characters; make every whitespace character a space.

    >>> clean_text("a\x00b\u200bc\td")
    'abc d'
    """
    kept: list[str] = []
    for char in text:
        if char in "\x00\ufffd" or is_control(char):
            continue
        kept.append(" " if is_whitespace(char) else char)
    return "".join(kept)


def isolate_cjk(text: str) -> str:
    """Put a space on both sides of every CJK ideograph.

    >>> isolate_cjk("a大b")
    'a 大 b'
    """
    return "".join(f" {char} " if is_cjk(ord(char)) else char for char in text)


def strip_accents(text: str) -> str:
    """Decompose (NFD) and drop nonspacing marks (Mn).

    >>> strip_accents("éa")
    'ea'
    """
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")


def split_on_punctuation(text: str) -> list[str]:
    """Make every punctuation character a word of its own.

    >>> split_on_punctuation("don't!")
    ['don', "'", 't', '!']
    """
    words: list[str] = []
    start = 0  # of the word being read
    for index, char in enumerate(text):
        if is_punctuation(char):
            words += [text[start:index], char]
            start = index + 1
    words.append(text[start:])
    return [word for word in words if word]


def is_whitespace(char: str) -> bool:
    """Tell whether the cleaning step makes `char` a space: tab, line ends and Zs."""
    return char in " \t\n\r" or unicodedata.category(char) == "Zs"


def is_control(char: str) -> bool:
    """Tell whether the cleaning step drops `char`: Cc and Cf, but not tab and line ends."""
    return char not in "\t\n\r" and unicodedata.category(char) in ("Cc", "Cf")


def is_punctuation(char: str) -> bool:
    """Tell whether `char` splits words: every ASCII symbol and every category P*."""
    code_point = ord(char)
    if any(first <= code_point <= last for first, last in _ASCII_PUNCTUATION):
        return True
    return unicodedata.category(char).startswith("P")


def is_cjk(code_point: int) -> bool:
    """Tell whether `code_point` lies in a CJK ideograph block (Hangul and kana do not)."""
    return any(first <= code_point <= last for first, last in CJK_RANGES)
