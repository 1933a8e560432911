"""Texts longer than the model: windows, and how their predictions are pooled."""

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bertfast import Tokenizer
from bertfast.errors import InputError
from bertfast.runtime import Predictor
from bertfast.runtime.overflow import choose_stride, pool_pieces
from bertfast.runtime.progress import Silence
from tests.runtime.probe_model import write_probe_bundle

LONG = "a b c d e f g"  # ids 4 to 10


def predictor(folder: Path, output: str = "pooled_output", max_length: int = 6) -> Predictor:
    """A model whose pooled_output is sum of ids, tokens, tokens of segment 1, first id."""
    return Predictor(write_probe_bundle(folder / "m", max_length=max_length), output=output)


def test_window_pools_by_tokens(tmp_path: Path) -> None:
    model = predictor(tmp_path)
    given = model.predict([LONG, "a"], overflow="window", stride=1)
    # [CLS] a b c d [SEP], [CLS] d e f g [SEP]: sums 27 and 39, six tokens each.
    assert given.tolist() == [[33.0, 6.0, 0.0, 2.0], [9.0, 3.0, 0.0, 2.0]]
    given = model.predict([LONG], overflow="window", stride=0)
    # [CLS] a b c d [SEP], [CLS] e f g [SEP]: sums 27 of 6 tokens, 32 of 5.
    assert given[0, 0] == pytest.approx((27 * 6 + 32 * 5) / 11)


def test_window_of_pairs_slides_over_the_second_text(tmp_path: Path) -> None:
    model = predictor(tmp_path, max_length=7)
    given = model.predict(["a"], ["b c d e f"], overflow="window", stride=1)
    # [CLS] a [SEP] b c d [SEP], [CLS] a [SEP] d e f [SEP]
    sums = [2 + 4 + 3 + 5 + 6 + 7 + 3, 2 + 4 + 3 + 7 + 8 + 9 + 3]
    assert given[0].tolist() == [np.mean(sums), 7.0, 4.0, 2.0]


def test_window_cuts_and_counts_a_first_text_without_room(tmp_path: Path) -> None:
    model = predictor(tmp_path, max_length=7)
    rows = [("a b c d e f", "a b c d"), ("a", "b c d e f"), ("a b c", "d")]
    windows = list(model.predict_windows(rows, overflow="window", stride=0))
    # Row 0: [CLS] a b [SEP] a b [SEP] and [CLS] a b [SEP] c d [SEP].
    assert windows[0].n_truncated == 1
    sums = [2 + 4 + 5 + 3 + 4 + 5 + 3, 2 + 4 + 5 + 3 + 6 + 7 + 3]
    assert windows[0].values[0][0] == np.mean(sums)


@pytest.mark.parametrize("stride", range(4))
def test_windows_of_pairs_hold_every_second_text(tmp_path: Path, stride: int) -> None:
    tokenizer = Tokenizer(predictor(tmp_path, max_length=7).bundle.vocab_path)
    sides = [" ".join("abcdefgh"[n % 8] for n in range(count)) for count in range(9)]
    rows = [(a, b) for a in sides for b in sides]
    ids, offsets, samples, cut = tokenizer.encode_windows(
        [a for a, _ in rows], [b for _, b in rows], max_length=7, stride=stride
    )
    for row, (first, second) in enumerate(rows):
        pieces = [ids[offsets[n] : offsets[n + 1]].tolist() for n in np.flatnonzero(samples == row)]
        assert all(len(piece) <= 7 for piece in pieces)
        if not second:
            assert not cut[row]
            continue
        seconds = [piece[piece.index(3) + 1 : -1] for piece in pieces]
        whole = seconds[0] + [one for piece in seconds[1:] for one in piece[stride:]]
        assert whole == tokenizer.encode(second, add_special_tokens=False)
        n_first = {piece.index(3) - 1 for piece in pieces}
        assert n_first == {len(first.split())} or (cut[row] and max(n_first) < len(first.split()))


def test_short_texts_are_what_they_are_without_windows(tmp_path: Path) -> None:
    model = predictor(tmp_path, "probabilities")
    texts = ["", "a", "a b", "a b c d", "g g g"]
    expected = model.predict(texts)
    assert np.array_equal(model.predict(texts, overflow="window"), expected)
    pairs = ["", "a", "b", "", "c"]
    expected = model.predict(texts[:2], pairs[:2])
    assert np.array_equal(model.predict(texts[:2], pairs[:2], overflow="window"), expected)


def test_probabilities_of_windows_sum_to_one(tmp_path: Path) -> None:
    model = predictor(tmp_path, "probabilities")
    given = model.predict([LONG, LONG + LONG, "a"], overflow="window", stride=2)
    np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-6)


def test_predict_iter_gives_what_predict_gives(tmp_path: Path) -> None:
    model = predictor(tmp_path)
    texts = [" ".join("abcdefgh"[n % 8] for n in range(count)) for count in range(30)]
    expected = model.predict(texts, overflow="window", stride=1)
    given = list(model.predict_iter(texts, window=4, overflow="window", stride=1))
    assert np.array_equal(np.stack(given), expected)


def test_progress_counts_rows_once(tmp_path: Path) -> None:
    class Counter(Silence):
        rows = tokens = 0

        def advance(self, n_rows: int, n_tokens: int) -> None:
            self.rows += n_rows
            self.tokens += n_tokens

    counter = Counter()
    model = predictor(tmp_path)
    window = next(
        iter(model.predict_windows([LONG, "a"], overflow="window", stride=1, progress=counter))
    )
    assert (counter.rows, counter.tokens) == (2, 15)
    assert window.n_tokens == 15


def test_no_texts_give_no_rows(tmp_path: Path) -> None:
    assert predictor(tmp_path).predict([], overflow="window").shape == (0, 4)


def test_truncated_texts_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = predictor(tmp_path)
    with caplog.at_level(logging.INFO, "bertfast"):
        model.predict([LONG, "a", LONG])
        assert caplog.messages == ["2 of 3 texts were truncated"]
        model.predict([LONG], overflow="window")
        model.predict(["a"])
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("overflow", "stride", "message"),
    [
        ("cut", None, "overflow is 'truncate' or 'window', got 'cut'"),
        ("truncate", 3, "stride goes with overflow='window'"),
        ("window", 13, "stride is an integer from 0 to 12 with max_length=16, got 13"),
        ("window", -1, "stride is an integer from 0 to 12"),
        ("window", True, "stride is an integer from 0 to 12"),
    ],
)
def test_bad_options_are_refused(overflow: str, stride: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_stride(overflow, stride, max_length=16, output="logits")


def test_token_vectors_are_not_pooled(tmp_path: Path) -> None:
    model = predictor(tmp_path, "sequence_output")
    with pytest.raises(InputError, match="cannot be pooled over windows"):
        next(model.predict_iter(["a"], overflow="window"))


def test_max_length_without_room_is_refused() -> None:
    with pytest.raises(InputError, match="stride is an integer from 0 to -1 with max_length=3"):
        choose_stride("window", None, max_length=3, output="logits")


def test_pool_brings_means_back_to_unit_length_and_leaves_single_pieces_alone() -> None:
    values: NDArray[np.float32] = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    given = pool_pieces(values, np.array([0, 0, 1]), np.array([1, 1, 3]), to_unit_length=True)
    np.testing.assert_allclose(given[0], [0.5**0.5, 0.5**0.5], rtol=1e-6)
    assert np.array_equal(given[1], values[2])
