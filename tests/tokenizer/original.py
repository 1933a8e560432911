"""Plain Python forms of the original's batch preparation, and of our offsets: the oracles.

Source: google-research/bert run_classifier.py, `_truncate_seq_pair` and
`convert_single_example`, written again on lists of ids.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bertfast import reference

Span = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One row before padding."""

    input_ids: list[int]
    segment_ids: list[int]


def truncate_pair(ids_a: list[int], ids_b: list[int], room: int) -> None:
    """Pop from the end of the longer list, of `ids_b` on a tie, until both fit in `room`."""
    while len(ids_a) + len(ids_b) > room:
        longer = ids_a if len(ids_a) > len(ids_b) else ids_b
        longer.pop()


def prepare_row(
    ids_a: list[int], ids_b: list[int], max_length: int | None, specials: tuple[int, int] | None
) -> Row:
    """Lay out one text or pair as the original does; `specials` are the ids of [CLS], [SEP].

    An empty `ids_b` counts as no second text.
    """
    ids_a, ids_b = list(ids_a), list(ids_b)
    n_specials = 0 if specials is None else 3 if ids_b else 2
    if max_length is not None:
        truncate_pair(ids_a, ids_b, max_length - n_specials)
    if specials is not None:
        cls, sep = specials
        ids_a = [cls, *ids_a, sep]
        ids_b = [*ids_b, sep] if ids_b else []
    return Row(ids_a + ids_b, [0] * len(ids_a) + [1] * len(ids_b))


def slide_windows(ids: list[int], room: int, stride: int) -> list[list[int]]:
    """Cut `ids` to windows of `room` that start `room - stride` apart, until the last id."""
    windows = [ids[:room]]
    start = 0
    while start + room < len(ids):
        start += room - stride
        windows.append(ids[start : start + room])
    return windows


def piece_spans(text: str, vocab: Mapping[str, int], *, do_lower_case: bool) -> list[Span]:
    """Return where each piece of `text` stands, [start, end) in code points.

    A piece covers the source code points of its characters, from the least to the greatest;
    an [UNK] covers those of its word's characters. A stripped accent or a dropped character
    at a word's end belongs to no piece.
    """
    wordpiece = reference.WordpieceTokenizer(vocab)
    spans: list[Span] = []
    for word in _words(text, _lower_and_strip if do_lower_case else None):
        pieces = wordpiece.tokenize("".join(char for char, _ in word))
        sizes = [len(piece) - (2 if index else 0) for index, piece in enumerate(pieces)]
        if pieces == ["[UNK]"]:
            sizes = [len(word)]
        start = 0
        for size in sizes:
            sources = [source for _, source in word[start : start + size]]
            spans.append((min(sources), max(sources) + 1))
            start += size
    return spans


Chars = list[tuple[str, int]]  # (character, index of the code point it comes from)


def _words(text: str, normalize: Callable[[Chars], Chars] | None) -> list[Chars]:
    marked: Chars = []
    for index, char in enumerate(text):
        cleaned = reference.isolate_cjk(reference.clean_text(char))
        marked += [(part, index) for part in cleaned]
    words: list[Chars] = []
    for chunk in _split(marked, lambda char: char.isspace(), keep=False):
        chars = chunk if normalize is None else normalize(chunk)
        words += _split(chars, reference.is_punctuation, keep=True)
    return words


def _split(chars: Chars, separates: Callable[[str], bool], *, keep: bool) -> list[Chars]:
    parts: list[Chars] = [[]]
    for char, index in chars:
        if separates(char):
            parts += [[(char, index)], []] if keep else [[]]
        else:
            parts[-1].append((char, index))
    return [part for part in parts if part]


def _lower_and_strip(chunk: Chars) -> Chars:
    text = "".join(char for char, _ in chunk)
    sources = [source for char, source in chunk for _ in char.lower()]
    lowered = zip(text.lower(), sources, strict=True)
    parts = [(part, i) for char, i in lowered for part in unicodedata.normalize("NFD", char)]
    # Canonical ordering: bubble a mark before its neighbour while its class is the lower one.
    for end in range(1, len(parts)):
        for at in range(end, 0, -1):
            left, right = (unicodedata.combining(parts[at - k][0]) for k in (1, 0))
            if not 0 < right < left:
                break
            parts[at - 1], parts[at] = parts[at], parts[at - 1]
    if "".join(char for char, _ in parts) != unicodedata.normalize("NFD", text.lower()):
        raise AssertionError(f"the oracle's own decomposition of {text!r} is wrong")
    return [(char, index) for char, index in parts if unicodedata.category(char) != "Mn"]
