"""The tokenizer: text to BERT's ids, equal to Google's Python reference token for token."""

from collections.abc import Iterable
from os import PathLike
from typing import Any, Literal, NoReturn, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bertfast import _native
from bertfast.arguments import (
    Text,
    Texts,
    as_id_dtype,
    as_texts,
    check_call,
    check_lengths,
    check_same_rows,
    thread_count,
)
from bertfast.batch import Side, fill_padded, fill_ragged, padded_width
from bertfast.encoding import Encoding, TensorEncoding
from bertfast.errors import InputError
from bertfast.files import map_file
from bertfast.implementation import make_core
from bertfast.options import TokenizerOptions
from bertfast.packing import check_max_length, plan_rows, plan_windows
from bertfast.tensors import check_framework
from bertfast.token_table import TokenTable
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN, VocabSource, as_vocab


class Tokenizer(TokenTable):
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

    __slots__ = ("_core", "_options", "_special_ids")
    _core: Any
    _options: TokenizerOptions
    _special_ids: tuple[int, int]  # [CLS], [SEP]

    def __init__(
        self,
        vocab: VocabSource,
        *,
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        special_tokens_in_text: bool = False,
    ) -> None:
        """Build a tokenizer; the options are fixed by what the model was trained on.

        Args:
            vocab: path of a vocabulary file, sequence of tokens, or mapping from token to id.
            do_lower_case: lower the text, for uncased models.
            strip_accents: decompose the text (NFD) and drop its accents; None, as the original,
                does so with `do_lower_case`.
            tokenize_chinese_chars: make each CJK ideograph a word; without, they are letters.
            special_tokens_in_text: take [PAD], [UNK], [CLS], [SEP] and [MASK] for themselves
                where a text has them, as Hugging Face does; to the original they are text.

        Raises:
            VocabError: the vocabulary cannot be read, or has no [UNK], [CLS] or [SEP].
        """
        options = TokenizerOptions.of(
            do_lower_case=do_lower_case,
            strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
            special_tokens_in_text=special_tokens_in_text,
        )
        self._set_up(as_vocab(vocab), options)

    def _set_up(self, vocab: dict[str, int], options: TokenizerOptions, soon: bool = False) -> None:
        values: dict[str, Any] = {
            "_vocab": vocab,
            "_tokens": None,
            "_options": options,
            "_special_ids": (vocab[CLS_TOKEN], vocab[SEP_TOKEN]),
            "_core": make_core(vocab, options, soon=soon),
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
        return cls(bundle.vocab_path, **bundle.manifest.tokenizer_switches())

    @classmethod
    def from_pretrained(
        cls,
        folder: str | PathLike[str],
        *,
        do_lower_case: bool | None = None,
        special_tokens_in_text: bool = False,
    ) -> "Tokenizer":
        """Return the tokenizer of a model folder in Hugging Face's form; nothing is downloaded.

        The vocabulary is vocab.txt, or that of tokenizer.json. `do_lower_case`, `strip_accents`
        and `tokenize_chinese_chars` are as tokenizer_config.json says, else as tokenizer.json
        does, else the original's. The rest is Google's law as ever: words may have 200
        characters whatever the folder says.

        Args:
            folder: where the files are.
            do_lower_case: None to take it from the folder.
            special_tokens_in_text: as for `Tokenizer`; Hugging Face's own is True.

        Raises:
            InputError: no such folder, or settings that bertfast does not have.
            VocabError: no vocabulary, or not that of a BERT WordPiece model.
        """
        from bertfast.pretrained import read_pretrained

        found = read_pretrained(folder, do_lower_case)
        return cls(
            found.vocab,
            do_lower_case=found.do_lower_case,
            strip_accents=found.strip_accents,
            tokenize_chinese_chars=found.tokenize_chinese_chars,
            special_tokens_in_text=special_tokens_in_text,
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Tokenizer is immutable; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Tokenizer is immutable; {name!r} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._vocab, self._options)

    def __repr__(self) -> str:
        return f"Tokenizer({self.vocab_size} tokens, {self._options})"

    @property
    def do_lower_case(self) -> bool:
        """Whether texts are lowered."""
        return self._options.do_lower_case

    @property
    def options(self) -> TokenizerOptions:
        """What becomes of a text before it is cut into pieces."""
        return self._options

    @property
    def implementation(self) -> str:
        """Which core runs: `native`, or `reference` where its tables do not fit the interpreter."""
        return "native" if isinstance(self._core, _native.Core) else "reference"

    def tokenize(self, text: Text) -> list[str]:
        """Split `text` into vocabulary pieces, without special tokens."""
        return self.convert_ids_to_tokens(self._core.encode_one(text, -1, None))

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

    @overload
    def encode_ragged(
        self,
        texts: Texts,
        text_pair: Texts | None = ...,
        *,
        add_special_tokens: bool = ...,
        max_length: int | None = ...,
        num_threads: int | None = ...,
        return_truncated: Literal[False] = ...,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...

    @overload
    def encode_ragged(
        self,
        texts: Texts,
        text_pair: Texts | None = ...,
        *,
        add_special_tokens: bool = ...,
        max_length: int | None = ...,
        num_threads: int | None = ...,
        return_truncated: Literal[True],
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]: ...

    def encode_ragged(
        self,
        texts: Texts,
        text_pair: Texts | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        num_threads: int | None = None,
        return_truncated: bool = False,
    ) -> (
        tuple[NDArray[np.int32], NDArray[np.int64]]
        | tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]
    ):
        """Encode texts into one flat array: the fastest form.

        Row `i` is `ids[offsets[i]:offsets[i + 1]]`. Arguments as for a call.

        Returns:
            ids int32 [n] and offsets int64 [rows + 1]; with `return_truncated` also
            bool [rows], whether tokens of the row's texts were left out of it.

        Raises:
            InputError: a row is not a text (named by its number), or an option is wrong.
        """
        max_length = check_max_length(
            max_length, pair=text_pair is not None, special=add_special_tokens
        )
        specials = self._specials(add_special_tokens)
        if text_pair is None and not (max_length and return_truncated):
            room = max_length - 2 * add_special_tokens if max_length else None
            ids, rows, _ = self._encode_side(texts, room, num_threads, False, specials)
            whole = ids, rows
            return (*whole, np.zeros(len(rows) - 1, np.bool_)) if return_truncated else whole
        limit = _one_more(max_length)
        ids_a, rows_a, _ = self._encode_side(texts, limit, num_threads, False)
        ids_b, rows_b = ids_a, None
        if text_pair is not None:
            ids_b, rows_b, _ = self._encode_side(text_pair, limit, num_threads, False)
            check_same_rows(rows_a, rows_b)
        plan = plan_rows(rows_a, rows_b, max_length, special=add_special_tokens)
        ragged = fill_ragged(plan, ids_a, ids_b, specials)
        return (*ragged, plan.truncated) if return_truncated else ragged

    def encode_windows(
        self,
        texts: Texts,
        text_pair: Texts | None = None,
        *,
        max_length: int,
        stride: int,
        num_threads: int | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Encode texts whole: long ones give several windows, which share `stride` pieces.

        Of pairs the second text slides, with the first in every window; a first text that
        leaves no room is cut by the original's rule.

        Returns:
            ids int32 [n] and offsets int64 [windows + 1], as `encode_ragged`; the text of each
            window, int64 [windows], ascending; whether a text's first side was cut, bool [rows].

        Raises:
            InputError: a row is not a text (named by its number), or an option is wrong.
        """
        check_call(max_length, "longest", None, stride, True)
        pair = text_pair is not None
        max_length = check_max_length(max_length, pair=pair, special=True) or max_length
        ids_a, rows_a, _ = self._encode_side(texts, None, num_threads, False)
        ids_b, rows_b = ids_a, None
        if text_pair is not None:
            ids_b, rows_b, _ = self._encode_side(text_pair, None, num_threads, False)
            check_same_rows(rows_a, rows_b)
        plan = plan_windows(rows_a, rows_b, max_length, stride, special=True, cut_first=True)
        ids, offsets = fill_ragged(plan, ids_a, ids_b, self._special_ids)
        cut = np.zeros(len(rows_a) - 1, np.bool_)
        cut[plan.samples] = (plan.b_length > 0) & (plan.a_length < np.diff(rows_a)[plan.samples])
        return ids, offsets, plan.samples, cut

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
            add_special_tokens: False leaves [CLS] and [SEP] out.
            max_length: tokens a row at most, special ones included.
            num_threads: threads for this call; None chooses by the amount of text.

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

    @overload
    def __call__(
        self,
        texts: Texts,
        text_pair: Texts | None = ...,
        *,
        max_length: int | None = ...,
        truncation: bool = ...,
        padding: Literal["longest", "max_length"] = ...,
        pad_to_multiple_of: int | None = ...,
        return_offsets: bool = ...,
        stride: int = ...,
        add_special_tokens: bool = ...,
        dtype: DTypeLike = ...,
        num_threads: int | None = ...,
        return_tensors: Literal["np"] | None = ...,
    ) -> Encoding: ...

    @overload
    def __call__(
        self,
        texts: Texts,
        text_pair: Texts | None = ...,
        *,
        max_length: int | None = ...,
        truncation: bool = ...,
        padding: Literal["longest", "max_length"] = ...,
        pad_to_multiple_of: int | None = ...,
        return_offsets: bool = ...,
        stride: int = ...,
        add_special_tokens: bool = ...,
        dtype: DTypeLike = ...,
        num_threads: int | None = ...,
        return_tensors: Literal["pt", "tf"],
    ) -> TensorEncoding: ...

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
        return_tensors: Literal["np", "pt", "tf"] | None = None,
    ) -> Encoding | TensorEncoding:
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
            return_tensors: "pt" or "tf" for tensors of PyTorch or TensorFlow, not copied where
                the framework allows; None or "np" for numpy arrays.

        Returns:
            The arrays, as described in `Encoding`, or as tensors under the same names.

        Raises:
            InputError: a row is not a text (named by its number), or an option is wrong.
            MissingDependencyError: the framework of `return_tensors` is not installed.
        """
        pair = text_pair is not None
        check_call(max_length, padding, pad_to_multiple_of, stride, truncation)
        framework = check_framework(return_tensors)
        max_length = check_max_length(max_length, pair=pair, special=add_special_tokens)
        keep = max_length if truncation and not stride else None
        limit = _one_more(keep)
        side_a = self._encode_side(texts, limit, num_threads, return_offsets)
        side_b = side_a
        if text_pair is not None:
            side_b = self._encode_side(text_pair, limit, num_threads, return_offsets)
            check_same_rows(side_a[1], side_b[1])
        rows_b = side_b[1] if pair else None
        if stride and max_length is not None:
            plan = plan_windows(side_a[1], rows_b, max_length, stride, special=add_special_tokens)
        else:
            plan = plan_rows(side_a[1], rows_b, keep, special=add_special_tokens)
        if not truncation:
            check_lengths(plan, max_length)
        width = padded_width(
            plan, max_length if padding == "max_length" else None, pad_to_multiple_of
        )
        shape = (len(plan.lengths), width)
        specials = self._specials(add_special_tokens)
        sides = side_a, side_b
        encoding = fill_padded(plan, shape, sides, as_id_dtype(dtype), specials, framework)
        return encoding if framework is None else encoding.to_tensors(framework)

    def _encode_side(
        self,
        texts: Texts,
        limit: int | None,
        num_threads: int | None,
        offsets: bool,
        specials: tuple[int, int] | None = None,
    ) -> Side:
        """Encode at most `limit` pieces of each text, and `specials` round them."""
        most = -1 if limit is None else limit
        result: Side = self._core.encode_batch(
            as_texts(texts), most, thread_count(num_threads), offsets, specials
        )
        return result

    def _specials(self, special: bool) -> tuple[int, int] | None:
        return self._special_ids if special else None


def _one_more(max_length: int | None) -> int | None:
    """Return a limit that shows by one piece too many whether a row was truncated."""
    return None if max_length is None else max_length + 1


def open_tokenizer(
    vocab: VocabSource,
    *,
    do_lower_case: bool,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool = True,
) -> Tokenizer:
    """Return the tokenizer of a model, sooner: what only many texts need waits until they come."""
    options = TokenizerOptions.of(
        do_lower_case=do_lower_case,
        strip_accents=strip_accents,
        tokenize_chinese_chars=tokenize_chinese_chars,
    )
    tokenizer = Tokenizer.__new__(Tokenizer)
    tokenizer._set_up(as_vocab(vocab), options, soon=True)
    return tokenizer


def _rebuild(cls: type[Tokenizer], vocab: dict[str, int], options: TokenizerOptions) -> Tokenizer:
    return cls(
        vocab,
        do_lower_case=options.do_lower_case,
        strip_accents=options.strip_accents,
        tokenize_chinese_chars=options.tokenize_chinese_chars,
        special_tokens_in_text=options.special_tokens_in_text,
    )
