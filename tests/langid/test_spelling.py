import random
import unicodedata

import pytest
from langid.changes import decorate, drop_words, insert_names, recase, redigit, strip_punctuation
from langid.spelling import add_transliterations, lower, respell, to_cyrillic, to_latin, upper


class Always(random.Random):
    """A generator whose draws are all 0, so that every chance is taken."""

    def random(self) -> float:
        return 0.0


SERBIAN = "абвгдђежзијклљмнњопрстћуфхцчџш"


@pytest.mark.parametrize(
    "text", [SERBIAN, SERBIAN.upper(), "Ђорђе и Џонатан иду у Њујорк", "123 !"]
)
def test_serbian_survives_both_ways(text: str) -> None:
    latin = to_latin(text)
    assert not any("CYRILLIC" in unicodedata.name(letter, "") for letter in latin)
    assert to_cyrillic(latin) == text


def test_serbian_digraphs_follow_the_case_of_their_neighbours() -> None:
    assert to_latin("Љубав ЉУБАВ Љ") == "Ljubav LJUBAV Lj"


def test_serbian_lines_come_in_both_alphabets_and_others_stay() -> None:
    rows = [("Добар дан", "sr"), ("Dobar dan", "sr"), ("Windows", "sr"), ("Dobar dan", "hr")]
    assert add_transliterations(rows) == [*rows, ("Dobar dan", "sr"), ("Добар дан", "sr")]


@pytest.mark.parametrize("label", ["tr", "az"])
def test_turkish_i_keeps_its_dot(label: str) -> None:
    assert lower("ISPARTA İZMİR", label) == "ısparta izmir"
    assert upper("ısparta izmir", label) == "ISPARTA İZMİR"
    assert lower("ISPARTA", "de") == "isparta"


def test_respelling_changes_the_letters_that_have_two_code_points() -> None:
    assert respell("și ța", "ro", Always()) == "\u015fi \u0163a"
    assert respell("\u015fi", "ro", Always()) == "și"
    assert respell("don't", "en", Always()) == "don\u2019t"
    assert respell("și", "en", Always()) == "și"


def test_punctuation_goes_but_not_from_within_words() -> None:
    assert strip_punctuation("(l'arte) — «vent-cinq» + 3,5 $") == "l'arte vent-cinq 3 5"
    assert strip_punctuation("...") == ""


def test_digits_are_replaced_by_digits_of_the_language() -> None:
    rng = random.Random(1)
    seen = {letter for _ in range(200) for letter in redigit("12 34", "hi", rng) if letter != " "}
    assert seen == set("0123456789०१२३४५६७८९")
    assert redigit("abc 12", "de", Always()) == "abc"


def test_decoration_and_names_add_to_a_text_and_take_nothing() -> None:
    rng = random.Random(2)
    for _ in range(300):
        decorated = decorate("one two three", rng)
        assert strip_punctuation(decorated) == "one two three"
        words = insert_names("one two three", ["Anna"], rng).split()
        assert sorted(words) == ["Anna", "one", "three", "two"]
        assert drop_words("one", rng) == "one"


def test_case_changes_in_a_quarter_of_the_texts() -> None:
    rng = random.Random(3)
    texts = [recase("ab Cd", "en", rng) for _ in range(4000)]
    shares = {text: texts.count(text) / len(texts) for text in set(texts)}
    expected = {"ab Cd": 0.74, "ab cd": 0.12, "AB CD": 0.07, "Ab Cd": 0.07}
    assert shares == pytest.approx(expected, abs=0.02)
    assert recase("ab", "en", Always()) == "ab"
