"""BertConfig: the original's fields and defaults, checked."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bertfast import BertConfig
from bertfast.config import GeluKind
from bertfast.errors import ConfigError

GELUS: tuple[GeluKind, ...] = ("tanh", "erf")


def test_config_defaults_are_the_originals() -> None:
    assert BertConfig(vocab_size=30522).to_dict() == {
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu_tanh",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 16,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
    }


def test_config_is_frozen_and_hashable() -> None:
    config = BertConfig(vocab_size=8)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.vocab_size = 9  # type: ignore[misc]
    assert {config} == {BertConfig(8)}
    assert config.head_size == 64


@pytest.mark.parametrize(
    ("word", "from_google", "from_hugging_face"),
    [
        ("gelu", "gelu_tanh", "gelu_erf"),
        ("GELU", "gelu_tanh", "gelu_erf"),
        ("gelu_new", "gelu_tanh", "gelu_tanh"),
        ("gelu_pytorch_tanh", "gelu_tanh", "gelu_tanh"),
        ("gelu_erf", "gelu_erf", "gelu_erf"),
        ("relu", "relu", "relu"),
        ("tanh", "tanh", "tanh"),
        ("linear", "linear", "linear"),
        ("", "linear", "linear"),
        (None, "linear", "linear"),
    ],
)
def test_config_activation_depends_on_the_files_origin(
    word: str | None, from_google: str, from_hugging_face: str
) -> None:
    values = {"vocab_size": 8, "hidden_act": word}
    assert BertConfig.from_dict(values, gelu="tanh").hidden_act == from_google
    assert BertConfig.from_dict(values, gelu="erf").hidden_act == from_hugging_face


def test_config_without_activation_means_the_origins_gelu() -> None:
    assert BertConfig.from_dict({"vocab_size": 8}).hidden_act == "gelu_tanh"
    assert BertConfig.from_dict({"vocab_size": 8}, gelu="erf").hidden_act == "gelu_erf"
    assert BertConfig(vocab_size=8, hidden_act="gelu").hidden_act == "gelu_tanh"


def test_config_round_trips_through_json(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=8, hidden_act="gelu_erf", layer_norm_eps=1e-6)
    path = tmp_path / "bert_config.json"
    path.write_text(config.to_json_string())
    assert config.to_json_string().endswith("}\n")
    for gelu in GELUS:
        assert BertConfig.from_json_file(path, gelu=gelu) == config


def test_config_ignores_keys_that_change_nothing() -> None:
    values = {"vocab_size": 8, "pooler_type": "first_token_transform", "directionality": "bidi"}
    assert BertConfig.from_dict(values) == BertConfig(vocab_size=8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no vocab_size"),
        ({"vocab_size": 0}, "vocab_size must be an integer from 1 to .*, got 0"),
        ({"vocab_size": True}, "vocab_size must be an integer"),
        ({"vocab_size": 8.0}, "vocab_size must be an integer"),
        ({"vocab_size": 1 << 40}, "vocab_size must be an integer"),
        ({"hidden_size": "768"}, "hidden_size must be an integer .* got '768'"),
        ({"hidden_size": 770}, "hidden_size 770 is not a multiple of num_attention_heads 12"),
        ({"hidden_act": "swish"}, "hidden_act must be one of gelu_tanh, .* got 'swish'"),
        ({"hidden_act": 3}, "hidden_act must be a string, got 3"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob .* below 1, got 1.0"),
        ({"hidden_dropout_prob": None}, "hidden_dropout_prob must be a number"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps must be a number"),
        ({"layer_norm_eps": -1e-12}, "layer_norm_eps must be a number"),
        ({"model_type": "roberta"}, "model_type must be 'bert', got 'roberta'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type must be 'absolute'"),
        ({"is_decoder": True}, "is_decoder is set"),
        ({"embedding_size": 128, "hidden_size": 768}, "embedding_size 128 differs"),
    ],
)
def test_config_bad_value_is_refused(values: dict[str, Any], message: str) -> None:
    given = values if not values or "vocab_size" in values else {"vocab_size": 8} | values
    with pytest.raises(ConfigError, match=message):
        BertConfig.from_dict(given)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read '.*config.json': No such file"),
        (b"{", "config.json is not JSON"),
        (b"\xff", "config.json is not JSON"),
        (b"[" * 100_000, "config.json is not JSON"),
        (b"[1]", "config.json must hold a JSON object, got list"),
        (b"{}", "config.json: the configuration has no vocab_size"),
    ],
)
def test_config_bad_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as raised:
        BertConfig.from_json_file(path)
    assert str(raised.value).count("config.json") == 1
    assert "\n" not in str(raised.value)


@pytest.mark.shared
def test_config_of_genuine_checkpoint(shared_data: Path) -> None:
    path = shared_data / "checkpoint_tf1" / "bert_config.json"
    config = BertConfig.from_json_file(path)
    assert json.loads(path.read_text())["hidden_act"] == "gelu"
    assert (config.hidden_act, config.hidden_size, config.type_vocab_size) == ("gelu_tanh", 4, 2)
