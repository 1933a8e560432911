"""One function a library: how it is built from a vocabulary file, and its fastest batch call.

Each is set up as its documentation says for a BERT vocabulary. Libraries are imported when a
function is called, so that this file loads whatever is installed.
"""

import json
import tempfile
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertfast.benchmark.peers import Competitor, Setup
from bertfast.tokenizer import Tokenizer
from bertfast.vocab import CLS_TOKEN, SEP_TOKEN, UNK_TOKEN, load_vocab

_SPECIAL_TOKENS = ("[PAD]", UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, "[MASK]")


def bertfast(setup: Setup) -> Competitor:
    """`encode_ragged`: flat ids and row offsets."""
    tokenizer = Tokenizer(setup.vocab_path, do_lower_case=setup.do_lower_case)
    num_threads = setup.num_threads
    return Competitor(
        encode_batch=partial(
            tokenizer.encode_ragged, add_special_tokens=False, num_threads=num_threads
        ),
        rows=lambda result: _split(*result),
        encode_one=partial(tokenizer.encode, add_special_tokens=False),
        encode_padded=lambda texts, max_length: tokenizer(
            texts, max_length=max_length, dtype=np.int64, num_threads=num_threads
        ),
    )


def nanotoken(setup: Setup) -> Competitor:
    """`encode_batch`: flat ids and row offsets."""
    tokenizer = import_module("nanotoken").Tokenizer.from_vocab(
        str(setup.vocab_path), lowercase=setup.do_lower_case
    )
    parallel = setup.num_threads > 1
    return Competitor(
        encode_batch=partial(tokenizer.encode_batch, add_special_tokens=False, parallel=parallel),
        rows=lambda result: _split(result.ids, result.offsets),
        encode_one=partial(tokenizer.encode, add_special_tokens=False),
        encode_padded=lambda texts, max_length: tokenizer.encode_batch_padded(
            texts, max_length=max_length, padding="longest", parallel=parallel
        ),
    )


def hugging_face(setup: Setup) -> Competitor:
    """`encode_batch_fast`: encodings, whose ids are made into lists when they are read."""
    module = import_module("tokenizers")
    wrapped = module.BertWordPieceTokenizer(str(setup.vocab_path), lowercase=setup.do_lower_case)
    tokenizer, padding = (module.Tokenizer.from_str(wrapped.to_str()) for _ in range(2))
    padding.enable_padding()

    def encode_padded(texts: list[str], max_length: int) -> list[NDArray[np.int64]]:
        padding.enable_truncation(max_length)
        encodings = padding.encode_batch_fast(texts)
        return [
            np.array([getattr(encoding, name) for encoding in encodings], np.int64)
            for name in ("ids", "attention_mask", "type_ids")
        ]

    return Competitor(
        encode_batch=partial(tokenizer.encode_batch_fast, add_special_tokens=False),
        rows=lambda result: [encoding.ids for encoding in result],
        encode_one=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        encode_padded=encode_padded,
    )


def splintr(setup: Setup) -> Competitor:
    """`WordPieceTokenizer.encode_batch`: lists. It adds no special tokens."""
    tokens = _tokens(setup.vocab_path)
    tokenizer = import_module("splintr").WordPieceTokenizer(
        tokens, tokens.index(UNK_TOKEN), do_lower_case=setup.do_lower_case
    )
    return Competitor(
        encode_batch=tokenizer.encode_batch,
        rows=lambda result: [list(row) for row in result],
        encode_one=tokenizer.encode,
    )


def tokie(setup: Setup) -> Competitor:
    """`encode_batch_flat`: flat ids and row lengths."""
    contents = tokenizer_json(load_vocab(setup.vocab_path), do_lower_case=setup.do_lower_case)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokenizer.json")
        path.write_text(contents, encoding="utf-8")
        tokenizer = import_module("tokie").Tokenizer.from_json(str(path))

    def rows(result: Any) -> list[list[int]]:
        ids, lengths = result
        return _split(ids, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))))

    return Competitor(
        encode_batch=partial(tokenizer.encode_batch_flat, add_special_tokens=False),
        rows=rows,
        encode_one=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
    )


def tensorflow_text(setup: Setup) -> Competitor:
    """`FastBertTokenizer.tokenize`: a ragged tensor of int32."""
    tensorflow = import_module("tensorflow")
    tokenizer = import_module("tensorflow_text").FastBertTokenizer(
        vocab=_tokens(setup.vocab_path),
        token_out_type=tensorflow.int32,
        lower_case_nfd_strip_accents=setup.do_lower_case,
    )

    def rows(result: Any) -> list[list[int]]:
        while result.ragged_rank > 1:  # pieces of words of texts
            result = result.merge_dims(-2, -1)
        ids: list[list[int]] = result.to_list()
        return ids

    return Competitor(
        encode_batch=lambda texts: tokenizer.tokenize(tensorflow.constant(texts)),
        rows=rows,
        encode_one=lambda text: tokenizer.tokenize(tensorflow.constant([text])),
    )


def tokenizer_json(
    vocab: dict[str, int],
    *,
    do_lower_case: bool,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool = True,
) -> str:
    """Return a BERT tokenizer in Hugging Face's format, with its usual settings."""
    contents = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(vocab),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": tokenize_chinese_chars,
            "strip_accents": strip_accents,
            "lowercase": do_lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "sep": [SEP_TOKEN, vocab[SEP_TOKEN]],
            "cls": [CLS_TOKEN, vocab[CLS_TOKEN]],
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": UNK_TOKEN,
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }
    return json.dumps(contents, ensure_ascii=False)


def _added_tokens(vocab: dict[str, int]) -> list[dict[str, object]]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": vocab[token], "content": token, **flags, "special": True}
        for token in _SPECIAL_TOKENS
        if token in vocab
    ]


def _tokens(vocab_path: Path) -> list[str]:
    lines = vocab_path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    return [line.strip() for line in lines]


def _split(ids: NDArray[Any], offsets: NDArray[Any]) -> list[list[int]]:
    flat = ids.tolist()
    return [flat[start:end] for start, end in pairwise(offsets.tolist())]
