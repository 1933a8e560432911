"""The configuration, the vocabulary and the initial weights that the flags mean.

Without TensorFlow, so that wrong files are refused at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bertfast.checkpoint import check_variables, is_safetensors, locate, read_checkpoint
from bertfast.config import BertConfig, GeluKind, read_json_object
from bertfast.errors import CheckpointError, ConfigError, InputError, VocabError

POOLER = "bert/pooler/"

# Keys that only Hugging Face writes into a configuration.
_HUGGING_FACE_KEYS = ("model_type", "architectures", "transformers_version")


@dataclass(frozen=True, slots=True, eq=False)
class InitialWeights:
    """Weights by the original's names, read and checked."""

    checkpoint: Path
    variables: dict[str, NDArray[Any]]


def find_config(given: Path | None, init_checkpoint: Path | None) -> BertConfig:
    """Read the configuration, from beside the initial checkpoint if none is given.

    "gelu" means erf in Hugging Face's files and tanh in Google's.

    Raises:
        ConfigError: there is none, or a bad one.
        CheckpointError: the configuration is to be found beside a checkpoint that is not there.
    """
    path, is_hugging_face = given, False
    if path is None:
        if init_checkpoint is None:
            raise ConfigError("no configuration: pass --bert_config_file or --init_checkpoint")
        checkpoint = locate(init_checkpoint)
        is_hugging_face = is_safetensors(checkpoint)
        names = ("bert_config.json", "config.json")
        candidates = [checkpoint.parent / name for name in names]
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            raise ConfigError(
                f"no {' or '.join(names)} in {checkpoint.parent}; pass --bert_config_file"
            )
    has_its_keys = any(key in read_json_object(path) for key in _HUGGING_FACE_KEYS)
    gelu: GeluKind = "erf" if is_hugging_face or has_its_keys else "tanh"
    return BertConfig.from_json_file(path, gelu=gelu)


def find_vocab(given: Path | None, init_checkpoint: Path | None) -> Path:
    """Return the vocabulary's path, beside the initial checkpoint if none is given.

    Raises:
        VocabError: there is none.
    """
    if given is not None:
        return given
    if init_checkpoint is not None:
        path = locate(init_checkpoint).parent / "vocab.txt"
        if path.is_file():
            return path
    raise VocabError("no vocabulary: pass --vocab_file")


def read_initial_weights(path: Path | None, config: BertConfig) -> InitialWeights | None:
    """Read the weights to start from, and check those of the encoder; the pooler may be missing.

    Raises:
        CheckpointError: missing or damaged, or it does not fit the configuration.
    """
    if path is None:
        return None
    checkpoint = locate(path)
    variables = read_checkpoint(checkpoint)
    with_pooler = any(name.startswith(POOLER) for name in variables)
    try:
        check_variables(variables, config, with_pooler=with_pooler)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint}: {error}") from error
    return InitialWeights(checkpoint, variables)


def check_casing(do_lower_case: bool, init_checkpoint: Path | None, vocab_file: Path) -> None:
    """Check that the texts are lowercased exactly if the checkpoint's were.

    By the checkpoint's name, as the original does, and by Hugging Face's tokenizer_config.json.

    Raises:
        InputError: they contradict each other.
    """
    from bertfast.tokenization import validate_case_matches_checkpoint

    try:
        validate_case_matches_checkpoint(
            do_lower_case, None if init_checkpoint is None else str(init_checkpoint)
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    beside = vocab_file.parent / "tokenizer_config.json"
    if not beside.is_file():
        return
    stated = read_json_object(beside).get("do_lower_case")
    if isinstance(stated, bool) and stated != do_lower_case:
        raise InputError(
            f"--do_lower_case={str(do_lower_case).lower()} contradicts {beside}, which says "
            f"{str(stated).lower()}"
        )
