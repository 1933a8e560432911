import pytest

from bertfast import reference
from bertfast.benchmark import generated
from bertfast.benchmark.checking import check, expect
from bertfast.benchmark.corpora import Corpus
from bertfast.benchmark.oracle import MemoizedReference
from bertfast.benchmark.peers import BERTFAST, Competitor, Setup, load
from bertfast.vocab import load_vocab
from tests.benchmark.conftest import TEXTS
from tests.benchmark.fake_peers import fake_peer

ODD = ["ΑΣ ΣΑ.Σ", "a\u200bb\ufffd\x00c", "\ud800x", "大a学", "é!e\u0301", "x" * 201, "[MASK] ﬁn"]


def oracle(setup: Setup) -> MemoizedReference:
    return MemoizedReference(load_vocab(setup.vocab_path), do_lower_case=setup.do_lower_case)


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_memoized_reference_equals_the_reference(setup: Setup, do_lower_case: bool) -> None:
    plain = reference.FullTokenizer(setup.vocab_path, do_lower_case)
    fast = MemoizedReference(load_vocab(setup.vocab_path), do_lower_case=do_lower_case)
    texts = [*ODD, *generated.multilingual(5000), *generated.tweets(5000)]
    for text in texts * 2:  # the second time from memory
        assert fast.ids(text) == plain.convert_tokens_to_ids(plain.tokenize(text))


def checked(competitor: Competitor, setup: Setup, texts: list[str]) -> tuple[int, int, int | None]:
    result = check(competitor, expect(Corpus.of("tiny", texts), oracle(setup)))
    return result.n_different, result.n_failed, result.first


def test_equal_ids_count_no_difference(setup: Setup) -> None:
    assert checked(load(BERTFAST.adapter, setup), setup, [*TEXTS, *ODD]) == (0, 0, None)


def test_different_ids_are_counted(setup: Setup) -> None:
    slow = load(fake_peer("slow").adapter, setup)
    assert checked(slow, setup, TEXTS) == (2, 0, 1)


def test_difference_in_a_later_call_has_its_index(setup: Setup) -> None:
    slow = load(fake_peer("slow").adapter, setup)
    assert checked(slow, setup, ["right"] * 2500 + ["wrong", "right"]) == (1, 0, 2500)


def test_texts_that_make_a_library_panic_are_counted(setup: Setup) -> None:
    panicking = load(fake_peer("panicking").adapter, setup)
    expected = expect(Corpus.of("tiny", ["fine", "a panic", "fine", "panic"]), oracle(setup))
    result = check(panicking, expected)
    assert (result.n_different, result.n_failed, result.first) == (2, 2, 1)
    assert result.error == "Panic: called `unwrap()` on a `None` value"


def test_missing_rows_are_failures(setup: Setup) -> None:
    short = load(fake_peer("short").adapter, setup)
    assert checked(short, setup, ["a", "b"]) == (2, 2, 0)


def test_interrupt_is_not_a_difference(setup: Setup) -> None:
    def interrupt(texts: list[str]) -> None:
        raise KeyboardInterrupt

    competitor = Competitor(interrupt, lambda rows: rows, lambda text: text)
    with pytest.raises(KeyboardInterrupt):
        checked(competitor, setup, TEXTS)


def test_large_corpus_is_checked_on_evenly_spaced_texts(
    monkeypatch: pytest.MonkeyPatch, setup: Setup
) -> None:
    monkeypatch.setattr("bertfast.benchmark.checking._MAX_CHECKED_BYTES", 100)
    expected = expect(Corpus.of("large", ["a" * 10] * 35), oracle(setup))
    assert list(expected.indices) == list(range(0, 35, 4))
    assert len(expected.texts) == len(expected.rows) == 9
