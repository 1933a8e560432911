"""The tokenizer: text to BERT's ids, equal to Google's Python reference token for token."""

import os
import unicodedata
import warnings
from collections.abc import Iterable
from os import PathLike
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bertfast import _native
from bertfast.encoding import Encoding
from bertfast.errors import InputError, UnknownTokenError, VocabError
from bertfast.files import map_file
from bertfast.packing import Plan, check_max_length, plan_rows, plan_windows
from bertfast.vocab import CLS_TOKEN, PAD_ID, SEP_TOKEN, UNK_TOKEN, VocabSource, as_vocab

Text = str | bytes
Texts = Iterable[Text]

_SPECIAL_TOKENS = frozenset((UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, "[PAD]", "[MASK]"))


class Tokenizer:
    """BasicTokenizer + WordPiece of the original BERT, in native code.

    Immutable and safe to share between threads; pickles; survives fork. `bytes` texts are
    UTF-8 whose invalid bytes are ignored, as in the original.

    Example:
        >>> from bertfast import Tokenizer
        >>> tok = Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able"])
        >>> tok.tokenize("Unaffable!")
        ['un', '##aff', '##able', '[UNK]']
        >>> tok.encode("unaffable")
        [2, 4, 5, 6, 3]
    """

    __slots__ = ("_core", "_do_lower_case", "_special_ids", "_tokens", "_vocab")
    _core: Any
    _vocab: dict[str, int]
    _tokens: dict[int, str]
    _do_lower_case: bool
    _special_ids: tuple[int, int]  # [CLS], [SEP]

    def __init__(self, vocab: VocabSource, *, do_lower_case: bool = True) -> None:
        """Build a tokenizer.

        Args:
            vocab: path of a vocabulary file, sequence of tokens, or mapping from token to id.
            do_lower_case: lower the text and strip its accents, for uncased models.

        Raises:
            VocabError: the vocabulary cannot be read, or has no [UNK], [CLS] or [SEP].
        """
        self._set_up(as_vocab(vocab), bool(do_lower_case))

    def _set_up(self, vocab: dict[str, int], do_lower_case: bool) -> None:
        values: dict[str, Any] = {
            "_vocab": vocab,
            "_tokens": {index: token for token, index in vocab.items()},
            "_do_lower_case": do_lower_case,
            "_special_ids": (vocab[CLS_TOKEN], vocab[SEP_TOKEN]),
            "_core": _make_core(vocab, do_lower_case),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_bundle(cls, path: str | PathLike[str]) -> "Tokenizer":
        """Return the tokenizer of an exported model directory.

        Raises:
            BundleError: the directory is missing, incomplete or damaged.
        """
        from bertfast.bundle import Bundle

        bundle = Bundle.load(path)
        return cls(bundle.vocab_path, do_lower_case=bundle.manifest.do_lower_case)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Tokenizer is immutable; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Tokenizer is immutable; {name!r} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._vocab, self._do_lower_case)

    def __repr__(self) -> str:
        return f"Tokenizer({self.vocab_size} tokens, do_lower_case={self._do_lower_case})"

    @property
    def vocab(self) -> dict[str, int]:
        """A copy of the vocabulary, {token: id}."""
        return dict(self._vocab)

    @property
    def vocab_size(self) -> int:
        """The number of ids: the highest one plus 1, as a model's embedding needs it."""
        return max(self._vocab.values()) + 1

    @property
    def do_lower_case(self) -> bool:
        """Whether texts are lowered and stripped of accents."""
        return self._do_lower_case

    @property
    def implementation(self) -> str:
        """Which core runs: `native`, or `reference` where its tables do not fit the interpreter."""
        return "native" if isinstance(self._core, _native.Core) else "reference"

    def tokenize(self, text: Text) -> list[str]:
        """Split `text` into vocabulary pieces, without special tokens."""
        return [self._tokens[index] for index in self._core.encode_one(text, -1, None)]

    def encode(
        self,
        text: Text,
        text_pair: Text | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
    ) -> list[int]:
        """Return the ids of one text or pair: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`.

        Args:
            text: the text.
            text_pair: a second text; one without any piece counts as none.
            add_special_tokens: False leaves [CLS] and [SEP] out.
            max_length: tokens to keep, special ones included, by the original's rule.

        Raises:
            InputError: not a text, or `max_length` has no room for the special tokens.
        """
        if max_length is None and text_pair is None:
            ids: list[int] = self._core.encode_one(
                text, -1, self._special_ids if add_special_tokens else None
            )
            return ids
        pairs = None if text_pair is None else [text_pair]
        ragged, _ = self.encode_ragged(
            [text], pairs, add_special_tokens=add_special_tokens, max_length=max_length
        )
        result: list[int] = ragged.tolist()
        return result

    def encode_ragged(
        self,
        texts: Texts,
        text_pair: Texts | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        num_threads: int | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode texts into one flat array: the fastest form.

        Row `i` is `ids[offsets[i]:offsets[i + 1]]`. Arguments as for a call.

        Returns:
            ids int32 [n] and offsets int64 [rows + 1].

        Raises:
            InputError: a row is not a text (named by its number), or an option is wrong.
        """
        check_max_length(max_length, pair=text_pair is not None, special=add_special_tokens)
        ids_a, rows_a, _ = self._encode_side(texts, max_length, num_threads, False)
        if text_pair is None and not add_special_tokens and max_length is None:
            return ids_a, rows_a
        ids_b, rows_b = ids_a, None
        if text_pair is not None:
            ids_b, rows_b, _ = self._encode_side(text_pair, max_length, num_threads, False)
            _check_same_rows(rows_a, rows_b)
        plan = plan_rows(rows_a, rows_b, max_length, special=add_special_tokens)
        offsets = np.zeros(len(plan.lengths) + 1, np.int64)
        np.cumsum(plan.lengths, out=offsets[1:])
        ids = np.empty(int(offsets[-1]), np.int32)
        _native.pack_ragged(
            ids, offsets, ids_a, ids_b, *_slices(plan), self._specials(add_special_tokens)
        )
        return ids, offsets

    def encode_files(
        self,
        paths: Iterable[str | PathLike[str]],
        *,
        by: Literal["line", "file"] = "line",
        add_special_tokens: bool = True,
        max_length: int | None = None,
        num_threads: int | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Encode files of UTF-8 text, mapped into memory, without making Python strings.

        Args:
            paths: the files, encoded one behind the other.
            by: a row for each line (ended by a line feed), or for each file.
            add_special_tokens, max_length, num_threads: as in `encode_ragged`.

        Returns:
            ids int32 [n] and offsets int64 [rows + 1], as `encode_ragged`.

        Raises:
            InputError: a file cannot be read, or an option is wrong.
        """
        if by not in ("line", "file"):
            raise InputError(f"by is 'line' or 'file', got {by!r}")
        texts: Any = _native.FileTexts([map_file(path) for path in paths], by == "line")
        return self.encode_ragged(
            texts,
            add_special_tokens=add_special_tokens,
            max_length=max_length,
            num_threads=num_threads,
        )

    def __call__(
        self,
        texts: Texts,
        text_pair: Texts | None = None,
        *,
        max_length: int | None = None,
        truncation: bool = True,
        padding: Literal["longest", "max_length"] = "longest",
        pad_to_multiple_of: int | None = None,
        return_offsets: bool = False,
        stride: int = 0,
        add_special_tokens: bool = True,
        dtype: DTypeLike = np.int32,
        num_threads: int | None = None,
    ) -> Encoding:
        """Encode texts, or pairs of texts, into padded arrays.

        Args:
            texts: any iterable of str or bytes (one str alone is refused), or an Arrow string
                array, chunked or not, which is read in place.
            text_pair: as many second texts.
            max_length: tokens a row at most, special ones included.
            truncation: False makes a row longer than `max_length` an error.
            padding: to the longest row, or to `max_length`.
            pad_to_multiple_of: round the width up to a multiple of this.
            return_offsets: also return where each token stands in its text, in code points.
            stride: with `max_length`, give long texts several windows that share this many
                pieces, instead of truncating. For pairs the windows slide over the second.
            add_special_tokens: False leaves [CLS] and [SEP] out.
            dtype: np.int32 or np.int64.
            num_threads: threads for this call; None chooses by the amount of text.

        Returns:
            The arrays, as described in `Encoding`.

        Raises:
            InputError: a row is not a text (named by its number), or an option is wrong.
        """
        pair = text_pair is not None
        _check_call(max_length, padding, pad_to_multiple_of, stride, truncation)
        check_max_length(max_length, pair=pair, special=add_special_tokens)
        keep = max_length if truncation and not stride else None
        side_a = self._encode_side(texts, keep, num_threads, return_offsets)
        side_b = side_a
        if text_pair is not None:
            side_b = self._encode_side(text_pair, keep, num_threads, return_offsets)
            _check_same_rows(side_a[1], side_b[1])
        rows_b = side_b[1] if pair else None
        if stride and max_length is not None:
            plan = plan_windows(side_a[1], rows_b, max_length, stride, special=add_special_tokens)
        else:
            plan = plan_rows(side_a[1], rows_b, keep, special=add_special_tokens)
        if not truncation:
            _check_lengths(plan, max_length)
        width = _width(plan, max_length if padding == "max_length" else None, pad_to_multiple_of)
        shape = (len(plan.lengths), width)
        return self._fill(plan, shape, (side_a, side_b), _id_dtype(dtype), add_special_tokens)

    def _fill(
        self,
        plan: Plan,
        shape: tuple[int, int],
        sides: "tuple[_Side, _Side]",
        dtype: "np.dtype[Any]",
        special: bool,
    ) -> Encoding:
        side_a, side_b = sides
        input_ids, input_mask, segment_ids = (np.empty(shape, dtype) for _ in range(3))
        rows = _slices(plan)
        specials = self._specials(special)
        _native.pack_padded(
            input_ids, input_mask, segment_ids, side_a[0], side_b[0], *rows, specials, PAD_ID
        )
        offsets = None
        if side_a[2] is not None and side_b[2] is not None:
            offsets = np.zeros((*shape, 2), np.int32)
            _native.pack_offsets(offsets, side_a[2], side_b[2], *rows, special)
        return Encoding(
            input_ids=input_ids,
            input_mask=input_mask,
            segment_ids=segment_ids,
            lengths=plan.lengths.astype(np.int32),
            truncated=plan.truncated,
            overflow_to_sample=plan.samples,
            offsets=offsets,
        )

    def _encode_side(
        self, texts: Texts, max_length: int | None, num_threads: int | None, offsets: bool
    ) -> "_Side":
        # One piece beyond max_length tells whether the row was truncated.
        limit = -1 if max_length is None else int(max_length) + 1
        result: _Side = self._core.encode_batch(
            _as_texts(texts), limit, _thread_count(num_threads), offsets
        )
        return result

    def _specials(self, special: bool) -> tuple[int, int] | None:
        return self._special_ids if special else None

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """Join the tokens of `ids` with spaces, and "##" pieces to the piece before them.

        Raises:
            UnknownTokenError: an id is not in the vocabulary.
        """
        tokens = self.convert_ids_to_tokens(ids)
        if skip_special_tokens:
            tokens = [token for token in tokens if token not in _SPECIAL_TOKENS]
        words: list[str] = []
        for token in tokens:
            if words and token.startswith("##"):
                words[-1] += token[2:]
            else:
                words.append(token)
        return " ".join(words)

    def convert_tokens_to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Map tokens to ids.

        Raises:
            UnknownTokenError: a token is not in the vocabulary.
        """
        try:
            return [self._vocab[token] for token in tokens]
        except KeyError as error:
            raise UnknownTokenError(f"{error.args[0]!r} is not in the vocabulary") from None

    def convert_ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Map ids to tokens.

        Raises:
            UnknownTokenError: an id is not in the vocabulary.
        """
        try:
            return [self._tokens[int(index)] for index in ids]
        except KeyError as error:
            raise UnknownTokenError(f"id {error.args[0]} is not in the vocabulary") from None


_Longs = NDArray[np.int64]
_Side = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32] | None]


def _rebuild(cls: type[Tokenizer], vocab: dict[str, int], do_lower_case: bool) -> Tokenizer:
    return cls(vocab, do_lower_case=do_lower_case)


def _make_core(vocab: dict[str, int], do_lower_case: bool) -> Any:
    wanted = os.environ.get("BERTFAST_IMPLEMENTATION", "native")
    if wanted not in ("native", "reference"):
        raise VocabError(f"BERTFAST_IMPLEMENTATION is native or reference, got {wanted!r}")
    fits = unicodedata.unidata_version == _native.UNICODE_VERSION
    if wanted == "native" and fits:
        return _native.Core(vocab, vocab[UNK_TOKEN], do_lower_case)
    if not fits:
        warnings.warn(
            f"bertfast was built for Unicode {_native.UNICODE_VERSION} but this interpreter has "
            f"{unicodedata.unidata_version}: using the slow pure-Python tokenizer; reinstall "
            f"bertfast with this interpreter",
            RuntimeWarning,
            stacklevel=4,
        )
    from bertfast._fallback import ReferenceCore

    return ReferenceCore(vocab, vocab[UNK_TOKEN], do_lower_case)


def _as_texts(texts: Texts) -> tuple[Text, ...] | _native.TextViews:
    if isinstance(texts, _native.TextViews):
        return texts
    if hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__"):
        return _native.ArrowTexts(texts)
    if isinstance(texts, str | bytes):
        raise InputError("expected a list of texts, got one text; pass [text], or use encode()")
    if isinstance(texts, list | tuple):
        return tuple(texts)  # a private copy: the caller's list may change while we read
    try:
        iterator = iter(texts)
    except TypeError:
        given = type(texts).__name__
        raise InputError(f"expected an iterable of texts, got {given}") from None
    return tuple(iterator)


def _thread_count(num_threads: int | None) -> int:
    """Return the threads asked for; 0 lets the core choose by the amount of text."""
    if num_threads is None:
        return 0
    if isinstance(num_threads, bool) or not isinstance(num_threads, int) or num_threads < 1:
        raise InputError(f"num_threads is a positive integer or None, got {num_threads!r}")
    return num_threads


def _check_call(
    max_length: int | None,
    padding: str,
    pad_to_multiple_of: int | None,
    stride: int,
    truncation: bool,
) -> None:
    if padding not in ("longest", "max_length"):
        raise InputError(
            f"padding is 'longest' or 'max_length', got {padding!r}; for rows without padding "
            f"use encode_ragged()"
        )
    if padding == "max_length" and max_length is None:
        raise InputError("padding='max_length' needs max_length")
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 0:
        raise InputError(f"stride is an integer from 0, got {stride!r}")
    if stride and (max_length is None or not truncation):
        raise InputError(f"stride={stride} makes windows of max_length; pass max_length too")
    if pad_to_multiple_of is not None and (
        isinstance(pad_to_multiple_of, bool)
        or not isinstance(pad_to_multiple_of, int)
        or pad_to_multiple_of < 1
    ):
        raise InputError(f"pad_to_multiple_of is a positive integer, got {pad_to_multiple_of!r}")


def _check_same_rows(rows_a: NDArray[np.int64], rows_b: NDArray[np.int64]) -> None:
    if len(rows_a) != len(rows_b):
        raise InputError(f"{len(rows_a) - 1} texts but {len(rows_b) - 1} second texts")


def _check_lengths(plan: Plan, max_length: int | None) -> None:
    if max_length is None:
        return
    long = np.flatnonzero(plan.lengths > max_length)
    if len(long):
        row = int(long[0])
        raise InputError(
            f"row {row} has {int(plan.lengths[row])} tokens, more than max_length={max_length}; "
            f"pass truncation=True"
        )


def _width(plan: Plan, max_length: int | None, multiple: int | None) -> int:
    longest = int(plan.lengths.max(initial=0))
    width = longest if max_length is None else max_length
    return width if multiple is None else -(-width // multiple) * multiple


def _id_dtype(dtype: DTypeLike) -> "np.dtype[Any]":
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        wanted = np.dtype(object)
    if wanted not in (np.dtype(np.int32), np.dtype(np.int64)):
        raise InputError(f"dtype is int32 or int64, got {dtype!r}")
    return wanted


def _slices(plan: Plan) -> tuple[_Longs, _Longs, _Longs, _Longs]:
    return plan.a_begin, plan.a_length, plan.b_begin, plan.b_length
