"""Everything an export must know of its source: which files, which tokens, which outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertfast.checkpoint import is_safetensors, locate
from bertfast.config import BertConfig, GeluKind, read_json_object
from bertfast.errors import ConfigError, ExportError, VocabError
from bertfast.onnx.casing import check_tokenizer_config, decide_do_lower_case, decide_switch
from bertfast.onnx.sentence_transformers import SentenceTransformer, read_sentence_transformer
from bertfast.vocab import as_vocab

# Keys that only Hugging Face writes into a configuration.
_HUGGING_FACE_KEYS = ("model_type", "architectures", "transformers_version")


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint and the files about it, all found and checked, weights not yet read.

    `strip_accents` is None where accents are stripped with `do_lower_case`, as in the original.
    `decided_by` says where do_lower_case and max_length come from.
    """

    checkpoint: Path
    config: BertConfig
    raw_config: Mapping[str, Any]
    vocab_file: Path
    vocab: Mapping[str, int]
    do_lower_case: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool
    max_length: int
    sentence_transformer: SentenceTransformer | None
    decided_by: Mapping[str, str]

    @property
    def format(self) -> str:
        """What kind of files the weights are in."""
        return "safetensors" if is_safetensors(self.checkpoint) else "tensorflow"


def find_source(
    path: Path,
    *,
    vocab_file: Path | None = None,
    config_file: Path | None = None,
    do_lower_case: bool | None = None,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool | None = None,
    max_length: int | None = None,
) -> Source:
    """Find and read everything beside the weights that `path` means.

    Files that are not given are looked for beside the checkpoint: bert_config.json or
    config.json, vocab.txt, tokenizer_config.json. `max_length` comes from the caller, from
    sentence-transformers, from tokenizer_config.json, or is all the positions there are.

    Raises:
        CheckpointError: no checkpoint there, or several.
        ConfigError: no configuration, or a bad one.
        VocabError: no vocabulary, or one without [UNK], [CLS] or [SEP].
        ExportError: the files contradict each other or ask for what we cannot give.
    """
    library = read_sentence_transformer(path) if path.is_dir() else None
    checkpoint = locate(library.transformer_folder if library else path)
    folder = checkpoint.parent
    raw_config, config = _read_config(checkpoint, config_file)
    vocab_file = _find_vocab(folder, vocab_file)
    vocab = as_vocab(vocab_file)
    _check_vocab_size(vocab, vocab_file, config)
    tokenizer = _read_optional(folder / "tokenizer_config.json")
    lower, lower_by = decide_do_lower_case(
        do_lower_case, tokenizer, _model_name(path, folder), vocab
    )
    check_tokenizer_config(tokenizer)
    strips = decide_switch(strip_accents, tokenizer, "strip_accents")
    chinese = decide_switch(tokenize_chinese_chars, tokenizer, "tokenize_chinese_chars")
    if library and library.lowers_text and not lower:
        raise ExportError(
            "sentence_bert_config.json lowercases texts before a cased tokenizer, "
            "which cannot be given exactly"
        )
    length, length_by = _decide_max_length(max_length, library, tokenizer, config)
    return Source(
        checkpoint=checkpoint,
        config=config,
        raw_config=raw_config,
        vocab_file=vocab_file,
        vocab=vocab,
        do_lower_case=lower,
        strip_accents=None if strips == lower else strips,
        tokenize_chinese_chars=chinese is not False,
        max_length=length,
        sentence_transformer=library,
        decided_by={"do_lower_case": lower_by, "max_length": length_by},
    )


def _read_config(checkpoint: Path, given: Path | None) -> tuple[dict[str, Any], BertConfig]:
    """Read the configuration; "gelu" means erf in Hugging Face's files, tanh in Google's."""
    folder = checkpoint.parent
    is_hugging_face = is_safetensors(checkpoint)
    names = ["bert_config.json", "config.json"]
    candidates = [folder / name for name in (names[::-1] if is_hugging_face else names)]
    path = given or next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise ConfigError(f"no bert_config.json or config.json in {folder}; pass --config FILE")
    values = read_json_object(path)
    has_its_keys = any(key in values for key in _HUGGING_FACE_KEYS)
    gelu: GeluKind = "erf" if is_hugging_face or has_its_keys else "tanh"
    return values, BertConfig.from_json_file(path, gelu=gelu)


def _find_vocab(folder: Path, given: Path | None) -> Path:
    path = given or folder / "vocab.txt"
    if not given and not path.is_file():
        raise VocabError(f"no vocab.txt in {folder}; pass --vocab FILE")
    return path


def _check_vocab_size(vocab: Mapping[str, int], path: Path, config: BertConfig) -> None:
    """A token's id is its line number, so lines and embedding rows must be as many."""
    n_lines = max(vocab.values()) + 1  # of equal tokens the last counts, so none is beyond
    if n_lines != config.vocab_size:
        raise VocabError(
            f"{path} has {n_lines} lines, but the embedding has {config.vocab_size} rows; "
            "a token's id is its line number, so this is not the model's vocabulary"
        )


def _read_optional(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.is_file() else {}


def _model_name(path: Path, folder: Path) -> str:
    """Name of the directory that the model came in."""
    return (path if path.is_dir() else folder).resolve().name


def _decide_max_length(
    given: int | None,
    library: SentenceTransformer | None,
    tokenizer_config: Mapping[str, Any],
    config: BertConfig,
) -> tuple[int, str]:
    positions = config.max_position_embeddings
    if given is not None:
        if not 2 <= given <= positions:
            raise ExportError(
                f"max_length must be from 2 ([CLS] and [SEP]) to {positions}, got {given}"
            )
        return given, "the caller"
    stated = tokenizer_config.get("model_max_length")
    choices: Sequence[tuple[object, str]] = (
        (library.max_seq_length if library else None, "sentence_bert_config.json"),
        (stated, "tokenizer_config.json"),
    )
    for length, origin in choices:
        if isinstance(length, int) and 2 <= length <= positions:
            return length, origin
    return positions, "max_position_embeddings"
