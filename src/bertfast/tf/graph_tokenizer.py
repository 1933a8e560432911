"""The tokenizer inside the TensorFlow graph: strings in, the reference's ids out.

    text ──► valid UTF-8, final sigmas, canonical order   only if a text of the batch needs it
         ──FastBertNormalize, our character table──►      cleaned, lowered, words apart
         ──regular expression──►                          no word over 200 characters
         ──FastWordpieceTokenize──► ──gather──►           ids

Only operators of stock TensorFlow and TF-Text, so that a SavedModel of it runs wherever those
are: no Python, nothing of ours.
"""

import unicodedata
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.core.pybinds.pywrap_fast_wordpiece_tokenizer_model_builder import (
    build_fast_wordpiece_model,
)

from bertfast.errors import InputError
from bertfast.packing import check_max_length
from bertfast.tf.canonical_order import CanonicalOrder, moving_characters, order_matters
from bertfast.tf.characters import (
    CAPITAL_SIGMA,
    FINAL_SIGMA,
    MAX_INPUT_CHARS_PER_WORD,
    SMALL_SIGMA,
    Bools,
    Characters,
    read_characters,
)
from bertfast.tf.constants import constant, constant_model
from bertfast.tf.detokenizer import Detokenizer
from bertfast.tf.final_sigma import REWRITE, final_sigma_pattern
from bertfast.tf.graph_packing import pack_rows
from bertfast.tf.graph_vocab import UNKNOWN, prepare_vocab, splitting_characters
from bertfast.tf.normalizer_model import build_normalizer_model
from bertfast.tf.patterns import character_class, no_code_points, valid_without
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN, UNK_TOKEN, VocabSource, as_vocab

Tensor: TypeAlias = Any
Ragged: TypeAlias = Any

# 200 code points of 4 bytes and room to spare; longer words never come this far.
_MAX_BYTES_PER_WORD = 1000


class GraphTokenizer(tf.Module):
    """Tokenizes string tensors, eagerly or in a graph.

    Works in `tf.function`, in `tf.data.Dataset.map` and in a SavedModel, and gives the ids of
    `bertfast.Tokenizer` for the same vocabulary. Tables are built in about a second and never
    change.

    Example:
        >>> tokenizer = GraphTokenizer("vocab.txt", do_lower_case=True)            # doctest: +SKIP
        >>> tokenizer.tokenize(["Unaffable!"])                                     # doctest: +SKIP
        <tf.RaggedTensor [[14477, 20961, 3468, 999]]>
        >>> tokenizer.pack(["a"], ["b"], max_seq_length=128)["input_ids"].shape    # doctest: +SKIP
        TensorShape([1, 128])
    """

    def __init__(self, vocab: VocabSource, do_lower_case: bool = True) -> None:
        """Build the tables.

        Args:
            vocab: a vocabulary file, a sequence of tokens, or a mapping from token to id.
            do_lower_case: lower and strip accents, as the model was trained.

        Raises:
            VocabError: the vocabulary cannot be read, lacks [UNK], [CLS] or [SEP], or has an
                entry that texts can match and that takes more than 255 bytes.
        """
        super().__init__()
        given = as_vocab(vocab)
        prepared = prepare_vocab(given, do_lower_case=do_lower_case)
        characters = read_characters(do_lower_case=do_lower_case)
        self.do_lower_case = do_lower_case
        self._given = MappingProxyType(given)  # TensorFlow would track every entry of a dict
        self._special_ids = given[CLS_TOKEN], given[SEP_TOKEN]
        self._normalizer = tf_text.FastBertNormalizer(
            model_buffer=constant_model(build_normalizer_model(prepared.values, prepared.strings))
        )
        self._wordpiece = _make_wordpiece(prepared.entries)
        self._ids = constant(prepared.ids)
        self._tokens = constant([token.encode() for token in prepared.tokens])
        self._repair = _Repair(characters, prepared.known, do_lower_case=do_lower_case)
        self._long_word = _long_word_pattern(characters)
        self._detokenizer = Detokenizer(given)

    @property
    def vocab(self) -> dict[str, int]:
        """A copy of the vocabulary, {token: id}."""
        return dict(self._given)

    @property
    def vocab_size(self) -> int:
        """The number of ids: the highest one plus 1, as a model's embedding needs it."""
        return max(self._given.values()) + 1

    @property
    def unicode_version(self) -> str:
        """The Unicode version of the tables: the running interpreter's."""
        return unicodedata.unidata_version

    def tokenize(self, text: Tensor, *, token_out_type: Any = tf.int32) -> Ragged:
        """Split texts into pieces, without special tokens.

        Args:
            text: string [n], UTF-8 with errors ignored; or one string.
            token_out_type: tf.int32 or tf.int64 for ids, tf.string for tokens.

        Returns:
            A ragged tensor [n, pieces], or a tensor [pieces] for one string.

        Raises:
            InputError: the texts have another rank or type.
        """
        text = _as_texts(text)
        if token_out_type not in (tf.int32, tf.int64, tf.string):
            raise InputError(
                f"token_out_type is tf.int32, tf.int64 or tf.string, got {token_out_type!r}"
            )
        if text.shape.rank == 0:
            return self._pieces(text[None], token_out_type).values
        return self._pieces(text, token_out_type)

    def detokenize(self, ids: Ragged) -> Tensor:
        """Join the tokens of ids with spaces, and "##" pieces to the piece before them.

        Args:
            ids: integers [n, pieces], ragged or dense, or [pieces] of one text.

        Returns:
            string [n], or one string.

        Raises:
            tf.errors.InvalidArgumentError: an id is not in the vocabulary.
        """
        ids = tf.ragged.constant(ids) if isinstance(ids, list) else ids
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.convert_to_tensor(ids)
            if ids.shape.rank == 1:
                return self.detokenize(ids[None])[0]
            ids = tf.RaggedTensor.from_tensor(ids)
        return self._detokenizer(ids)

    def pack(
        self,
        text: Tensor,
        text_pair: Tensor | None = None,
        *,
        max_seq_length: int,
        padding: Literal["max_length", "longest"] = "max_length",
    ) -> dict[str, Tensor]:
        """Return the model's inputs: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`.

        Args:
            text: string [n]; or one string, for [width] instead of [n, width].
            text_pair: as many second texts; one without pieces counts as none.
            max_seq_length: tokens a row at most, special ones included; pairs are truncated by
                the original's rule.
            padding: to `max_seq_length` or to the longest row.

        Returns:
            input_ids, input_mask and segment_ids: int32 [n, width].

        Raises:
            InputError: an argument is wrong.
        """
        check_max_length(max_seq_length, pair=text_pair is not None, special=True)
        if padding not in ("max_length", "longest"):
            raise InputError(f"padding is 'max_length' or 'longest', got {padding!r}")
        text = _as_texts(text)
        pair = None if text_pair is None else _as_texts(text_pair)
        if text.shape.rank == 0:
            pair = None if pair is None else pair[None]
            rows = self._pack(text[None], pair, max_seq_length, padding == "longest")
            return {name: row[0] for name, row in rows.items()}
        return self._pack(text, pair, max_seq_length, padding == "longest")

    def _pack(
        self, text: Tensor, pair: Tensor | None, max_seq_length: int, to_longest: bool
    ) -> dict[str, Tensor]:
        a, b = self._pieces(text, tf.int32), None
        if pair is not None:
            tf.debugging.assert_equal(
                tf.shape(text), tf.shape(pair), "text and text_pair have different numbers of rows"
            )
            b = self._pieces(pair, tf.int32)
        cls_id, sep_id = self._special_ids
        return pack_rows(a, b, max_seq_length, cls_id=cls_id, sep_id=sep_id, to_longest=to_longest)

    def _pieces(self, text: Tensor, out_type: Any) -> Ragged:
        entries = self._wordpiece.tokenize(self._words(text))
        table = self._tokens if out_type == tf.string else self._ids
        return entries.with_values(tf.cast(tf.gather(table, entries.values), out_type))

    def _words(self, text: Tensor) -> Tensor:
        """Return each text as the words of the law, in the graph's characters and spaces."""
        text = self._normalizer.normalize(self._repair(text))
        return tf.strings.regex_replace(text, self._long_word, UNKNOWN)


class _Repair:
    """What the character table cannot do: invalid UTF-8, final sigmas, canonical order.

    One pass of a regular expression tells whether a batch needs it, most do not.
    """

    def __init__(self, characters: Characters, known: Bools, *, do_lower_case: bool) -> None:
        unusual = no_code_points()
        self._sigma_pattern = self._order = None
        if do_lower_case and known[[SMALL_SIGMA, FINAL_SIGMA]].any():
            self._sigma_pattern = final_sigma_pattern(characters)
            unusual[CAPITAL_SIGMA] = True
        if do_lower_case and order_matters(characters, known):
            self._order = CanonicalOrder(characters)
            unusual |= moving_characters(characters)
        self._usual = valid_without(unusual)

    def __call__(self, text: Tensor) -> Tensor:
        is_usual = tf.reduce_all(tf.strings.regex_full_match(text, self._usual))
        return tf.cond(is_usual, lambda: text, lambda: self._repair(text))

    def _repair(self, text: Tensor) -> Tensor:
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="ignore")
        if self._sigma_pattern is not None:
            text = tf.strings.regex_replace(text, self._sigma_pattern, REWRITE)
        return text if self._order is None else self._order(text)


def _long_word_pattern(characters: Characters) -> str:
    ends = splitting_characters(characters)
    ends[ord(" ")] = True
    return f"{character_class(ends, negated=True)}{{{MAX_INPUT_CHARS_PER_WORD + 1},}}"


def _make_wordpiece(entries: tuple[str, ...]) -> Any:
    model = build_fast_wordpiece_model(
        list(entries), _MAX_BYTES_PER_WORD, "##", UNK_TOKEN, False, False
    )
    # FastWordpieceTokenizer(vocab) does the same, but makes a list of millions of ints of it.
    return tf_text.FastWordpieceTokenizer(model_buffer=constant_model(model))


def _as_texts(text: Any) -> Tensor:
    """Return `text` as a string tensor of rank 0 or 1."""
    try:
        tensor = tf.convert_to_tensor(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"texts are strings or a string tensor: {error}") from error
    if tensor.dtype != tf.string and 0 in tensor.shape:
        tensor = tf.zeros(tensor.shape, tf.string)  # an empty list says nothing of its type
    if tensor.dtype != tf.string or tensor.shape.rank not in (0, 1):
        raise InputError(
            f"texts are one string or string [n], got {tensor.dtype.name} {tensor.shape}"
        )
    return tensor
