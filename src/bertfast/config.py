"""The configuration of a BERT: the original's fields and defaults, checked on construction.

One word needs care: `hidden_act: "gelu"` means the tanh approximation in Google's current
code and the exact erf form in Hugging Face's files. `BertConfig` holds one of the two
unambiguous names `gelu_tanh` and `gelu_erf`; readers say where the file comes from.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, TypeAlias

from bertfast.errors import ConfigError
from bertfast.files import read_limited

GeluKind: TypeAlias = Literal["tanh", "erf"]

HIDDEN_ACTS = ("gelu_tanh", "gelu_erf", "relu", "tanh", "linear")

# Other names for the same functions; "gelu" alone is resolved by the file's origin.
_ACT_ALIASES = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "": "linear"}

_POSITIVE = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_MAX_FILE_BYTES = 1 << 26
_MAX_SIZE = 2**31 - 1  # ids are int32


@dataclass(frozen=True, slots=True)
class BertConfig:
    """Sizes and functions of a BERT, named as in the original `bert_config.json`.

    Raises:
        ConfigError: a value has the wrong type or range, or contradicts another.

    >>> BertConfig(vocab_size=30522, hidden_size=384, num_attention_heads=12).head_size
    32
    """

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_tanh"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 16
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            _check_size(name, getattr(self, name))
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            _check_number(name, getattr(self, name), below=1.0)
        _check_number("initializer_range", self.initializer_range)
        _check_number("layer_norm_eps", self.layer_norm_eps)
        if self.hidden_act == "gelu":
            object.__setattr__(self, "hidden_act", "gelu_tanh")  # the original's meaning
        if self.hidden_act not in HIDDEN_ACTS:
            raise ConfigError(
                f"hidden_act must be one of {', '.join(HIDDEN_ACTS)}, got {self.hidden_act!r}"
            )
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"hidden_size {self.hidden_size} is not a multiple of "
                f"num_attention_heads {self.num_attention_heads}"
            )

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, gelu: GeluKind = "tanh") -> "BertConfig":
        """Build a configuration from a parsed `bert_config.json` or Hugging Face `config.json`.

        Keys that change nothing here are ignored, as the original does.

        Args:
            values: field name to value; `vocab_size` is required.
            gelu: what the bare word "gelu" means: "tanh" in the original's files, "erf" in
                Hugging Face's.

        Raises:
            ConfigError: no vocab_size, a bad value, or a model that is not a plain BERT.

        >>> BertConfig.from_dict({"vocab_size": 8, "hidden_act": "gelu"}, gelu="erf").hidden_act
        'gelu_erf'
        """
        _refuse_other_models(values)
        if "vocab_size" not in values:
            raise ConfigError("the configuration has no vocab_size; is it a BERT configuration?")
        known = {
            field.name: values[field.name]
            for field in dataclasses.fields(cls)
            if field.name in values
        }
        if "hidden_act" in known:
            known["hidden_act"] = _resolve_act(known["hidden_act"], gelu)
        else:
            known["hidden_act"] = f"gelu_{gelu}"
        return cls(**known)

    @classmethod
    def from_json_file(cls, path: str | PathLike[str], *, gelu: GeluKind = "tanh") -> "BertConfig":
        """Read a configuration from a JSON file; see `from_dict`.

        Raises:
            ConfigError: no such file, not a JSON object, or a bad value; it names the file.
        """
        try:
            return cls.from_dict(read_json_object(path), gelu=gelu)
        except ConfigError as error:
            message = str(error)
            named = message if str(path) in message else f"{path}: {message}"
            raise ConfigError(named) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name; `from_dict` of it gives an equal configuration."""
        return dataclasses.asdict(self)

    def to_json_string(self) -> str:
        """Return the fields as sorted, indented JSON that ends with a line feed."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


def read_json_object(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a UTF-8 JSON file that holds one object.

    Raises:
        ConfigError: cannot be read, is not JSON, or holds something else.
    """
    try:
        value = json.loads(read_limited(path, _MAX_FILE_BYTES).decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} must hold a JSON object, got {type(value).__name__}")
    return value


def _check_size(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_SIZE:
        raise ConfigError(f"{name} must be an integer from 1 to {_MAX_SIZE}, got {value!r}")


def _check_number(name: str, value: object, below: float = float("inf")) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
        bound = f" and below {below:g}" if below < float("inf") else ""
        raise ConfigError(f"{name} must be a number of at least 0{bound}, got {value!r}")


def _resolve_act(name: object, gelu: GeluKind) -> str:
    """Return the unambiguous name of an activation; None and "" are the identity.

    >>> _resolve_act("gelu_new", "erf"), _resolve_act("GELU", "tanh"), _resolve_act(None, "tanh")
    ('gelu_tanh', 'gelu_tanh', 'linear')
    """
    if name is None:
        return "linear"  # the original's get_activation(None)
    if not isinstance(name, str):
        raise ConfigError(f"hidden_act must be a string, got {name!r}")
    lowered = name.lower()
    return f"gelu_{gelu}" if lowered == "gelu" else _ACT_ALIASES.get(lowered, lowered)


def _refuse_other_models(values: Mapping[str, Any]) -> None:
    """Refuse Hugging Face configurations whose graph is not the original BERT's."""
    needed = (("model_type", "bert"), ("position_embedding_type", "absolute"))
    for name, value in needed:
        if values.get(name, value) != value:
            raise ConfigError(f"{name} must be {value!r}, got {values[name]!r}")
    for name in ("is_decoder", "add_cross_attention"):
        if values.get(name):
            raise ConfigError(f"{name} is set: only the BERT encoder is supported")
    embedding_size = values.get("embedding_size", values.get("hidden_size"))
    if embedding_size != values.get("hidden_size"):
        raise ConfigError(
            f"embedding_size {embedding_size!r} differs from hidden_size "
            f"{values.get('hidden_size')!r}: a factorised embedding is not BERT's"
        )
