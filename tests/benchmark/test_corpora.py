import unicodedata
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from bertfast import Tokenizer
from bertfast.benchmark import generated
from bertfast.benchmark.corpora import Corpus, generated_corpora, read_corpus, write_corpus
from bertfast.benchmark.corpora import read_texts as read_written
from bertfast.benchmark.vocabulary import derive_vocabulary
from bertfast.errors import InputError

MAKERS = {
    generated.english: "b5c43f21b16cc598",
    generated.chinese: "f92cd02687548b03",
    generated.multilingual: "e9246cec2f22ddf2",
    generated.tweets: "187a359b25ef0fcd",
}


@pytest.mark.parametrize(("make", "digest"), MAKERS.items())
def test_generated_texts_are_the_same_everywhere(
    make: Callable[[int], list[str]], digest: str
) -> None:
    lines = make(20_000)
    assert sha256("\n".join(lines).encode()).hexdigest()[:16] == digest
    assert make(10_000) == lines[: len(make(10_000))]


def test_generated_corpora_hold_tens_of_thousands_of_distinct_words() -> None:
    corpora = generated_corpora()
    assert [corpus.name for corpus in corpora] == ["english", "chinese", "multilingual", "tweets"]
    distinct = {word for corpus in corpora for text in corpus.texts for word in text.split()}
    assert len(distinct) > 30_000
    assert all(corpus.n_bytes >= 500_000 for corpus in corpora)


def test_multilingual_texts_hold_more_than_twenty_scripts() -> None:
    text = "".join(generated.multilingual(50_000))
    letters = {char for char in text if char.isalpha()}
    assert len({unicodedata.name(char).split()[0] for char in letters}) > 20


def test_no_generated_text_holds_a_line_end() -> None:
    for corpus in generated_corpora(20_000):
        assert not any("\n" in text or "\r" in text for text in corpus.texts)


def test_corpus_file_is_named_after_its_stem(tmp_path: Path) -> None:
    path = tmp_path / "en.part.txt"
    path.write_bytes(b"one\n\ncaf\xc3\xa9 \xff\r\n")
    assert read_corpus(str(path)) == Corpus("en.part", ["one", "", "café \r"], 10)


def test_corpus_files_mix_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a1\na2\na3\na4\n", encoding="utf-8")
    (tmp_path / "b").write_text("b1\nb2", encoding="utf-8")
    corpus = read_corpus(f"both={tmp_path / 'a'},{tmp_path / 'b'}")
    assert corpus.name == "both"
    assert corpus.texts == ["a1", "b1", "a2", "a3", "b2", "a4"]


def test_corpus_file_with_an_equals_sign_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "k=v.txt"
    path.write_text("text\n", encoding="utf-8")
    assert read_corpus(str(path)).name == "k=v"


def test_corpus_without_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("\n\n", encoding="utf-8")
    with pytest.raises(InputError, match="holds no text"):
        read_corpus(str(path))


def test_corpus_survives_the_way_to_another_process(tmp_path: Path) -> None:
    corpus = Corpus.of("odd", ["", "a\ud800b", "tab\tcr\r", ""])
    assert corpus.n_bytes == 12
    write_corpus(corpus, tmp_path / "corpus")
    assert read_written(tmp_path / "corpus") == corpus.texts


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_derived_vocabulary_splits_every_word(do_lower_case: bool) -> None:
    texts = [text for corpus in generated_corpora(20_000) for text in corpus.texts]
    tokens = derive_vocabulary(texts, do_lower_case=do_lower_case)
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(tokens) == len(set(tokens))
    assert tokens == derive_vocabulary(texts, do_lower_case=do_lower_case)
    ids, _ = Tokenizer(tokens, do_lower_case=do_lower_case).encode_ragged(texts)
    assert tokens.index("[UNK]") not in ids


def test_derived_vocabulary_leaves_lone_surrogates_out() -> None:
    tokens = derive_vocabulary(["a\ud800 word"], do_lower_case=True)
    assert "word" in tokens
    assert "\ud800" not in "".join(tokens)
