"""The check of variables against a configuration names what is wrong."""

import numpy as np
import pytest

from bertfast.checkpoint import check_variables, expected_variables
from bertfast.checkpoint.names import is_bookkeeping
from bertfast.config import BertConfig
from bertfast.errors import CheckpointError
from tests.small_bert import random_variables, small_config

KERNEL = "bert/encoder/layer_1/intermediate/dense/kernel"


def test_variables_of_bert_base_are_199() -> None:
    expected = expected_variables(BertConfig(vocab_size=30522, type_vocab_size=2))
    assert len(expected) == 5 + 12 * 16 + 2
    n_parameters = sum(int(np.prod(shape)) for shape in expected.values())
    assert n_parameters == 109_482_240


def test_variables_complete_pass_with_extras() -> None:
    config = small_config()
    variables = random_variables(config, n_labels=3)
    variables["cls/predictions/output_bias"] = np.zeros(17, np.float32)
    check_variables(variables, config)


def test_variables_without_pooler_pass_if_it_is_not_needed() -> None:
    config = small_config()
    variables = random_variables(config)
    del variables["bert/pooler/dense/kernel"], variables["bert/pooler/dense/bias"]
    check_variables(variables, config, with_pooler=False)
    with pytest.raises(CheckpointError, match=r"lacks bert/pooler/dense/kernel and 1 more$"):
        check_variables(variables, config)


def test_variables_missing_tensor_is_named() -> None:
    config = small_config()
    variables = random_variables(config)
    del variables[KERNEL]
    with pytest.raises(CheckpointError, match=f"the checkpoint lacks {KERNEL}$"):
        check_variables(variables, config)


def test_variables_of_wrong_shape_are_named_with_both_shapes() -> None:
    config = small_config()
    variables = random_variables(config)
    variables[KERNEL] = variables[KERNEL].T
    with pytest.raises(
        CheckpointError, match=rf"{KERNEL} has shape \[40, 24\].*expects \[24, 40\]"
    ):
        check_variables(variables, config)


def test_variables_embedding_rows_must_be_the_vocabulary_size() -> None:
    variables = random_variables(small_config())
    with pytest.raises(CheckpointError, match=r"word_embeddings has shape \[17, 24\].*\[18, 24\]"):
        check_variables(variables, small_config(vocab_size=18))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_variables_that_are_not_finite_are_named(bad: float) -> None:
    config = small_config()
    variables = random_variables(config)
    variables[KERNEL][3, 3] = bad
    with pytest.raises(CheckpointError, match=f"{KERNEL} holds NaN or infinity"):
        check_variables(variables, config)


def test_variables_of_integers_are_refused() -> None:
    config = small_config()
    variables = random_variables(config)
    variables[KERNEL] = variables[KERNEL].astype(np.int32)
    with pytest.raises(CheckpointError, match="must hold real numbers, got int32"):
        check_variables(variables, config)


def test_variables_of_more_layers_than_configured_are_refused() -> None:
    variables = random_variables(small_config())
    with pytest.raises(CheckpointError, match="has layer_1, but the configuration says 1 layers"):
        check_variables(variables, small_config(num_hidden_layers=1))


def test_variables_of_absurdly_many_layers_are_refused_at_once() -> None:
    variables = random_variables(small_config())
    with pytest.raises(CheckpointError, match="2147483647 layers, but the checkpoint has 39"):
        check_variables(variables, small_config(num_hidden_layers=2**31 - 1))


def test_variables_of_object_based_checkpoint_are_explained() -> None:
    names = [f"model/layers/{n}/.ATTRIBUTES/VARIABLE_VALUE" for n in range(5)]
    variables = {name: np.ones(2, np.float32) for name in names}
    expected = r"lacks bert/.* and 38 more; unmapped there: model/layers/0/.*, \.\.\. \(a tf\.train"
    with pytest.raises(CheckpointError, match=expected):
        check_variables(variables, small_config())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bert/pooler/dense/kernel/adam_m", True),
        ("bert/pooler/dense/kernel/adam_v", True),
        ("bert/pooler/dense/kernel/Adam_1", True),
        ("global_step", True),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", True),
        ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", True),
        ("optimizer/_variables/1/.ATTRIBUTES/VARIABLE_VALUE", True),
        ("kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE", True),
        ("model/kernel/.ATTRIBUTES/VARIABLE_VALUE", False),
        ("bert/pooler/dense/kernel", False),
        ("adam_model/kernel", False),
        ("output_weights", False),
    ],
)
def test_bookkeeping_is_told_from_the_model(name: str, expected: bool) -> None:
    assert is_bookkeeping(name) is expected
