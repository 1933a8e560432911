"""The optimizer against an independent statement of the original's equations."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast.errors import InputError

tf = pytest.importorskip("tensorflow")

from bertfast.tf.optimization import (  # noqa: E402
    EXCLUDED_FROM_DECAY,
    AdamWeightDecay,
    LearningRate,
    clip,
)

Floats = NDArray[np.float64]


def constant_rate(rate: float) -> LearningRate:
    """Decays so slowly that it does not decay."""
    return LearningRate(rate, 10**9)


def test_adam_minimises_to_the_known_weights() -> None:
    # The original's own test.
    weight = tf.Variable([0.1, -0.2, -0.1], name="w")
    target = tf.constant([0.4, 0.2, -0.5])
    optimizer = AdamWeightDecay([weight], constant_rate(0.2), weight_decay_rate=0.0)
    for _ in range(100):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(target - weight))
        optimizer.apply([tape.gradient(loss, weight)])
    np.testing.assert_allclose(weight.numpy(), [0.4, 0.2, -0.5], rtol=1e-2, atol=1e-2)


def adam_in_float64(
    weight: Floats, gradients: list[Floats], rates: list[float], decay: float
) -> tuple[Floats, Floats, Floats]:
    """AdamWeightDecayOptimizer.apply_gradients, line by line."""
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for gradient, rate in zip(gradients, rates, strict=True):
        next_m = 0.9 * m + (1.0 - 0.9) * gradient
        next_v = 0.999 * v + (1.0 - 0.999) * gradient**2
        update = next_m / (np.sqrt(next_v) + 1e-6)
        update += decay * weight
        weight = weight - rate * update
        m, v = next_m, next_v
    return weight, m, v


@pytest.mark.parametrize(
    ("name", "decay"),
    [
        ("bert/encoder/layer_0/output/dense/kernel", 0.01),
        ("bert/embeddings/word_embeddings", 0.01),
        ("output_weights", 0.01),
        ("bert/encoder/layer_0/output/dense/bias", 0.0),
        ("bert/embeddings/LayerNorm/gamma", 0.0),
        ("bert/embeddings/layer_norm/gamma", 0.0),
        ("output_bias", 0.0),
    ],
)
def test_adam_equals_the_equations_in_numpy(name: str, decay: float) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3))
    gradients = [rng.normal(0, 10.0 ** rng.integers(-4, 2), (5, 3)) for _ in range(30)]
    schedule = LearningRate(0.05, 30, 7)
    rates = [rate_in_float64(0.05, 30, 7, step) for step in range(30)]
    weight = tf.Variable(start.astype(np.float32), name=name)
    optimizer = AdamWeightDecay([weight], schedule)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)])
        optimizer.global_step.assign_add(1)
    expected, m, v = adam_in_float64(start, gradients, rates, decay)
    # 1 - 0.999 in float32 is off by 1.3e-5 of itself.
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(optimizer.m[0].numpy(), m, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(optimizer.v[0].numpy(), v, rtol=2e-5, atol=1e-9)
    other, _, _ = adam_in_float64(start, gradients, rates, 0.01 - decay)
    assert np.abs(other - expected).max() > 1e-4  # the test tells decay from none


def test_adam_slots_have_the_original_names() -> None:
    optimizer = AdamWeightDecay([tf.Variable([1.0], name="bert/x")], constant_rate(0.1))
    names = {variable.name for variable in optimizer.variables}
    assert names == {"bert/x:0", "bert/x/adam_m:0", "bert/x/adam_v:0", "global_step:0"}
    assert optimizer.global_step.dtype == tf.int64
    assert [v.name for v in optimizer.trainable_variables] == ["bert/x:0"]


def test_adam_excludes_from_decay_what_the_original_excludes() -> None:
    assert EXCLUDED_FROM_DECAY == ("LayerNorm", "layer_norm", "bias")
    assert re.search(EXCLUDED_FROM_DECAY[2], "cls/predictions/output_bias")


def rate_in_float64(peak: float, n_steps: int, n_warmup: int, step: int) -> float:
    """create_optimizer's learning rate, as its lines say."""
    decayed = peak * (1 - min(step, n_steps) / n_steps)
    if not n_warmup:
        return decayed
    is_warmup = float(step < n_warmup)
    return (1.0 - is_warmup) * decayed + is_warmup * peak * (step / n_warmup)


@pytest.mark.parametrize(("n_steps", "n_warmup"), [(100, 10), (7, 0), (5, 5), (10, 30)])
def test_learning_rate_equals_the_originals(n_steps: int, n_warmup: int) -> None:
    schedule = LearningRate(3e-4, n_steps, n_warmup)
    for step in range(n_steps + 3):
        expected = rate_in_float64(3e-4, n_steps, n_warmup, step)
        given = float(schedule(tf.constant(step, tf.int64)))
        assert given == pytest.approx(expected, rel=1e-5, abs=1e-10), step


@pytest.mark.parametrize("options", [(0.1, 0, 0), (-0.1, 5, 0), (0.1, 5, -1)])
def test_learning_rate_refuses_what_makes_no_sense(options: tuple[float, int, int]) -> None:
    with pytest.raises(InputError):
        LearningRate(*options)


def test_clip_scales_to_norm_one_and_leaves_small_gradients() -> None:
    large: list[Any] = [tf.constant([3.0, 0.0]), tf.constant([[4.0]])]
    clipped, norm = clip(large)
    assert float(norm) == 5.0
    np.testing.assert_allclose(clipped[0], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], [[0.8]], rtol=1e-6)
    small, _ = clip([tf.constant([0.3, 0.4])])
    np.testing.assert_allclose(small[0], [0.3, 0.4], rtol=1e-6)
