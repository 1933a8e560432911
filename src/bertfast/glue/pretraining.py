"""Pretraining data: pairs of sentences with masked tokens, from documents of plain text.

    [CLS] the [MASK] sat . [SEP] it was [MASK] . [SEP]      tokens
      0    0    0     0  0   0    1  1    1    1   1         segment_ids
                2                         8                  masked_lm_positions
               cat                      happy                masked_lm_labels

Randomness is drawn from one `random.Random` in the original's order, so that a seed gives the
original's instances, one for one.

Source: google-research/bert create_pretraining_data.py.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike, fspath
from typing import TypeAlias

from bertfast.errors import InputError, VocabError
from bertfast.glue.tsv import read_lines
from bertfast.tokenizer import Tokenizer
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN

Tokens: TypeAlias = list[str]
Document: TypeAlias = list[Tokens]  # a list of sentences

MASK_TOKEN = "[MASK]"
_CONTINUED = "##"
_LEAST_LENGTH = 5  # [CLS] a [SEP] b [SEP]
_LINES_AT_ONCE = 10_000
_TRIES_FOR_ANOTHER_DOCUMENT = 10


@dataclass(frozen=True, slots=True)
class TrainingInstance:
    """A pair of sentences to learn from.

    Attributes:
        tokens: at most max_seq_length, [CLS] and both [SEP] included, some of them masked.
        segment_ids: as many; 1 for the second sentence and its [SEP], else 0.
        masked_lm_positions: places in `tokens` whose token is to be predicted, ascending.
        masked_lm_labels: the tokens that stood there.
        is_random_next: the second sentence does not follow the first.
    """

    tokens: Tokens
    segment_ids: list[int]
    masked_lm_positions: list[int]
    masked_lm_labels: Tokens
    is_random_next: bool


@dataclass(frozen=True, slots=True)
class _Recipe:
    max_seq_length: int
    short_seq_prob: float
    masked_lm_prob: float
    max_predictions_per_seq: int
    do_whole_word_mask: bool
    vocab_words: Tokens

    @property
    def max_num_tokens(self) -> int:
        return self.max_seq_length - 3  # [CLS], [SEP], [SEP]


def create_training_instances(
    input_files: Sequence[str | PathLike[str]],
    tokenizer: Tokenizer,
    max_seq_length: int,
    dupe_factor: int,
    short_seq_prob: float,
    masked_lm_prob: float,
    max_predictions_per_seq: int,
    rng: random.Random,
    *,
    do_whole_word_mask: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[TrainingInstance]:
    """Return shuffled instances from files of one sentence a line, documents parted by blank lines.

    Everything is held in memory, as in the original: about 2 kB an instance of 128 tokens.

    Args:
        input_files: UTF-8 text. The end of a file does not end a document.
        tokenizer: its vocabulary needs [MASK].
        max_seq_length: tokens of an instance at most.
        dupe_factor: how often each document is used, masked differently each time.
        short_seq_prob: how often (0 to 1) a document is cut into shorter instances than fit.
        masked_lm_prob: share of tokens to predict.
        max_predictions_per_seq: tokens to predict in an instance at most.
        rng: the source of all randomness.
        do_whole_word_mask: mask all pieces of a word or none.
        on_progress: told after each document how many have been used, and of how many.

    Raises:
        InputError: a file cannot be read or is not UTF-8 (named by its line), there is no
            text, or a number is out of range.
        VocabError: the vocabulary has no [MASK].
    """
    recipe = _Recipe(
        max_seq_length,
        short_seq_prob,
        masked_lm_prob,
        max_predictions_per_seq,
        do_whole_word_mask,
        list(tokenizer.vocab),
    )
    _check(recipe, dupe_factor)
    documents = read_documents(input_files, tokenizer)
    rng.shuffle(documents)
    instances: list[TrainingInstance] = []
    total = dupe_factor * len(documents)
    for used in range(total):
        instances += _document_instances(documents, used % len(documents), recipe, rng)
        if on_progress is not None:
            on_progress(used + 1, total)
    rng.shuffle(instances)
    return instances


def _check(recipe: _Recipe, dupe_factor: int) -> None:
    if recipe.max_seq_length < _LEAST_LENGTH:
        raise InputError(
            f"max_seq_length={recipe.max_seq_length} is too small: at least {_LEAST_LENGTH}"
        )
    if dupe_factor < 1 or recipe.max_predictions_per_seq < 1:
        raise InputError(
            f"dupe_factor and max_predictions_per_seq are at least 1, "
            f"got {dupe_factor} and {recipe.max_predictions_per_seq}"
        )
    for name in ("short_seq_prob", "masked_lm_prob"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise InputError(f"{name} is from 0 to 1, got {getattr(recipe, name)}")
    if MASK_TOKEN not in recipe.vocab_words:
        raise VocabError(f"the vocabulary has no {MASK_TOKEN}; pretraining needs it")


def read_documents(
    input_files: Sequence[str | PathLike[str]], tokenizer: Tokenizer
) -> list[Document]:
    """Return the tokens of every sentence of every document that has any.

    Raises:
        InputError: a file cannot be read or is not UTF-8, or there is no text at all.
    """
    documents: list[Document] = [[]]
    for input_file in input_files:
        lines = [line.strip() for line in read_lines(input_file)]
        for line, tokens in zip(lines, _tokenized(lines, tokenizer), strict=True):
            if not line:
                documents.append([])
            if tokens:
                documents[-1].append(tokens)
    documents = [document for document in documents if document]
    if not documents:
        names = ", ".join(fspath(input_file) for input_file in input_files)
        raise InputError(f"there is no text in {names or 'no file'}")
    return documents


def _tokenized(lines: Sequence[str], tokenizer: Tokenizer) -> Iterator[Tokens]:
    for start in range(0, len(lines), _LINES_AT_ONCE):
        ids, offsets = tokenizer.encode_ragged(
            lines[start : start + _LINES_AT_ONCE], add_special_tokens=False
        )
        tokens = tokenizer.convert_ids_to_tokens(ids.tolist())
        edges = offsets.tolist()
        for begin, end in pairwise(edges):
            yield tokens[begin:end]


def _document_instances(
    documents: Sequence[Document], index: int, recipe: _Recipe, rng: random.Random
) -> Iterator[TrainingInstance]:
    document = documents[index]
    target_length = recipe.max_num_tokens
    if rng.random() < recipe.short_seq_prob:
        target_length = rng.randint(2, recipe.max_num_tokens)
    chunk: Document = []
    length = place = 0
    while place < len(document):
        chunk.append(document[place])
        length += len(document[place])
        if place == len(document) - 1 or length >= target_length:
            tokens_a, tokens_b, unused = _pair(documents, index, chunk, target_length, rng)
            place -= 0 if unused is None else unused
            truncate_seq_pair(tokens_a, tokens_b, recipe.max_num_tokens, rng)
            yield _instance(tokens_a, tokens_b, unused is not None, recipe, rng)
            chunk = []
            length = 0
        place += 1


def _pair(
    documents: Sequence[Document],
    index: int,
    chunk: Document,
    target_length: int,
    rng: random.Random,
) -> tuple[Tokens, Tokens, int | None]:
    """Return two sentences, and how many of the chunk were not used, None if B follows A.

    B is random half of the time; then the rest of the chunk is left for the next instance.
    """
    a_end = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
    tokens_a = [token for sentence in chunk[:a_end] for token in sentence]
    if len(chunk) == 1 or rng.random() < 0.5:
        tokens_b = _random_tokens(documents, index, target_length - len(tokens_a), rng)
        return tokens_a, tokens_b, len(chunk) - a_end
    return tokens_a, [token for sentence in chunk[a_end:] for token in sentence], None


def _random_tokens(
    documents: Sequence[Document], index: int, target_length: int, rng: random.Random
) -> Tokens:
    """Return sentences from a random place of another document, if there is another."""
    for _ in range(_TRIES_FOR_ANOTHER_DOCUMENT):
        other = rng.randint(0, len(documents) - 1)
        if other != index:
            break
    document = documents[other]
    tokens: Tokens = []
    for sentence in document[rng.randint(0, len(document) - 1) :]:
        tokens += sentence
        if len(tokens) >= target_length:
            break
    return tokens


def _instance(
    tokens_a: Tokens, tokens_b: Tokens, is_random_next: bool, recipe: _Recipe, rng: random.Random
) -> TrainingInstance:
    tokens = [CLS_TOKEN, *tokens_a, SEP_TOKEN, *tokens_b, SEP_TOKEN]
    masked, positions, labels = create_masked_lm_predictions(
        tokens,
        recipe.masked_lm_prob,
        recipe.max_predictions_per_seq,
        recipe.vocab_words,
        rng,
        do_whole_word_mask=recipe.do_whole_word_mask,
    )
    segment_ids = [0] * (len(tokens_a) + 2) + [1] * (len(tokens_b) + 1)
    return TrainingInstance(masked, segment_ids, positions, labels, is_random_next)


def create_masked_lm_predictions(
    tokens: Sequence[str],
    masked_lm_prob: float,
    max_predictions_per_seq: int,
    vocab_words: Sequence[str],
    rng: random.Random,
    *,
    do_whole_word_mask: bool = False,
) -> tuple[Tokens, list[int], Tokens]:
    """Mask tokens to be predicted: 80 % become [MASK], 10 % a random one, 10 % stay.

    [CLS] and [SEP] are never masked.

    Returns:
        The tokens after masking, the places of the masked ones, ascending, and what stood there.
    """
    candidates = _candidates(tokens, do_whole_word_mask)
    rng.shuffle(candidates)
    n_masked = min(max_predictions_per_seq, max(1, round(len(tokens) * masked_lm_prob)))
    output = list(tokens)
    positions: list[int] = []
    for word in candidates:
        if len(positions) >= n_masked:
            break
        if len(positions) + len(word) > n_masked:
            continue  # a later, shorter word may fit
        for position in word:
            output[position] = _masked(tokens[position], vocab_words, rng)
        positions += word
    positions.sort()
    return output, positions, [tokens[position] for position in positions]


def _candidates(tokens: Sequence[str], do_whole_word_mask: bool) -> list[list[int]]:
    """Return what may be masked: the places of each token, or of each word's tokens.

    >>> _candidates(["[CLS]", "un", "##able", "[SEP]"], True)
    [[1, 2]]
    """
    candidates: list[list[int]] = []
    for position, token in enumerate(tokens):
        if token in (CLS_TOKEN, SEP_TOKEN):
            continue
        if do_whole_word_mask and candidates and token.startswith(_CONTINUED):
            candidates[-1].append(position)
        else:
            candidates.append([position])
    return candidates


def _masked(token: str, vocab_words: Sequence[str], rng: random.Random) -> str:
    if rng.random() < 0.8:
        return MASK_TOKEN
    if rng.random() < 0.5:
        return token
    return vocab_words[rng.randint(0, len(vocab_words) - 1)]


def truncate_seq_pair(
    tokens_a: Tokens, tokens_b: Tokens, max_num_tokens: int, rng: random.Random
) -> None:
    """Shorten two lists in place: the longer one (b on a tie), at a random end, token by token."""
    length_a, length_b = len(tokens_a), len(tokens_b)
    begin_a = begin_b = 0
    while length_a + length_b > max_num_tokens:
        from_front = rng.random() < 0.5
        if length_a > length_b:
            length_a -= 1
            begin_a += from_front
        else:
            length_b -= 1
            begin_b += from_front
    tokens_a[:] = tokens_a[begin_a : begin_a + length_a]
    tokens_b[:] = tokens_b[begin_b : begin_b + length_b]
