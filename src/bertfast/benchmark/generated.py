"""Generates the corpora that need no files: the same texts on every machine.

Seed sentences are varied with a seeded `random.Random`: words give way to rarer ones drawn
from a Zipf distribution, numbers and names are put in, clauses change places. What decides
the speed of a tokenizer then comes close to real text: the length of words, the share of
words seen before, tens of thousands of distinct ones.
"""

import unicodedata
from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise, product
from random import Random

from bertfast.benchmark import noise, prose
from bertfast.benchmark.scripts import CHINESE, SCRIPTS, Script

Line = Callable[[], str]

_N_RARE_WORDS = 40_000
_KEEP_SHORT = 3  # words up to this length are mostly grammar and stay


class Zipf:
    """Draws items, the first most often: the k-th with weight 1 / (k + 2.7)."""

    def __init__(self, items: Sequence[str], random: Random) -> None:
        """Draw from `items`, which are not copied."""
        self._items = items
        self._random = random
        self._cumulative = list(accumulate(1 / (rank + 2.7) for rank in range(len(items))))

    def draw(self) -> str:
        """Return one of the items."""
        target = self._random.random() * self._cumulative[-1]
        return self._items[bisect(self._cumulative, target)]


def english(n_bytes: int) -> list[str]:
    """Return paragraphs of English-like prose."""
    return _lines(n_bytes, _EnglishText(Random(1)).paragraph)


def chinese(n_bytes: int) -> list[str]:
    """Return Chinese lines, with a Latin name or a number here and there."""
    return _lines(n_bytes, _ScriptText(CHINESE, _common_hanzi(), Random(2)).line)


def multilingual(n_bytes: int) -> list[str]:
    """Return lines in 30 languages and 24 scripts by turns."""
    random = Random(3)
    texts = [_ScriptText(script, _blends(script, random), random) for script in SCRIPTS]
    return _lines(n_bytes, lambda: random.choice(texts).line())


def tweets(n_bytes: int) -> list[str]:
    """Return short, noisy lines: emoji, hashtags, mentions, links, elongations."""
    return _lines(n_bytes, _NoisyText(Random(4)).line)


def _lines(n_bytes: int, make: Line) -> list[str]:
    lines: list[str] = []
    size = 0
    while size < n_bytes:
        lines.append(make())
        size += len(lines[-1].encode())
    return lines


def _number(random: Random) -> str:
    kind = random.random()
    if kind < 0.4:
        return str(random.randint(1, 99))
    if kind < 0.7:
        return str(random.randint(1700, 2030))
    if kind < 0.85:
        return f"{random.randint(1, 999)},{random.randint(0, 999):03d}"
    return f"{random.randint(0, 99)}.{random.randint(0, 99)}"


def _rare_english(random: Random) -> list[str]:
    """Return distinct English-like words: seed words first, then mostly shorter ones first."""
    seeds = [word.strip('.,;:!?()"') for text in prose.SENTENCES for word in text.split()]
    parts = product(prose.PREFIXES, prose.STEMS, prose.SUFFIXES)
    built = list(dict.fromkeys("".join(part) for part in parts))
    random.shuffle(built)
    built.sort(key=lambda word: len(word) + 8 * random.random())
    known = list(dict.fromkeys(word for word in seeds if len(word) > _KEEP_SHORT))
    random.shuffle(known)
    return [*known, *built[:_N_RARE_WORDS]]


def _names(random: Random) -> list[str]:
    syllables = prose.NAME_SYLLABLES
    pairs = [a + b for a, b in product(syllables, syllables)]
    longer = [pair + random.choice(syllables) for pair in pairs]
    names = list(dict.fromkeys(name.capitalize() for name in (*pairs, *longer)))
    random.shuffle(names)
    return names


class _EnglishText:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._words = Zipf(_rare_english(random), random)
        self._names = Zipf(_names(random), random)

    def paragraph(self) -> str:
        return " ".join(self.sentence() for _ in range(self._random.randint(1, 5)))

    def sentence(self) -> str:
        random = self._random
        text = random.choice(prose.SENTENCES)
        body, end = text[:-1], text[-1]
        clauses = body.split(", ")
        if random.random() < 0.3:
            random.shuffle(clauses)
        words = [self._vary(word) for word in ", ".join(clauses).split()]
        words[0] = words[0][:1].upper() + words[0][1:]
        return " ".join(words) + end

    def _vary(self, word: str) -> str:
        chance = self._random.random()
        core = word.strip(',;:()"')
        if len(core) <= _KEEP_SHORT or chance > 0.5:
            return word
        if chance < 0.06:
            return word.replace(core, self._names.draw())
        if chance < 0.1:
            return word.replace(core, _number(self._random))
        return word.replace(core, self._words.draw())


class _ScriptText:
    """Lines of one script; `rare` gives its rarer words."""

    def __init__(self, script: Script, rare: Sequence[str], random: Random) -> None:
        self._script = script
        self._rare = Zipf(rare, random)
        self._random = random

    def line(self) -> str:
        count = self._random.randint(1, 3)
        gap = " " if self._script.joiner == " " else self._random.choice(("", " "))
        return gap.join(self._sentence() for _ in range(count))

    def _sentence(self) -> str:
        words = self._random.choice(self._script.sentences).split()
        if self._random.random() < 0.5:
            middle = self._random.randrange(len(words))
            words = words[middle:] + words[:middle]
        return self._script.joiner.join(self._vary(word) for word in words)

    def _vary(self, word: str) -> str:
        chance = self._random.random()
        if chance < 0.45 and word[0].isalpha():
            return self._rare.draw()
        return _number(self._random) if chance > 0.97 else word


def _common_hanzi() -> list[str]:
    """Return words of one or two of the 3,755 characters of GB 2312's first level."""
    rows = [bytes((high, low)) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    characters = [code.decode("gb2312", "ignore") for code in rows]
    characters = [char for char in characters if char]
    random = Random(5)
    random.shuffle(characters)
    pairs = [a + b for a, b in pairwise(characters)]
    return [word for both in zip(characters, pairs, strict=False) for word in both]


def _blends(script: Script, random: Random) -> list[str]:
    """Return new words: the beginning of one word of the script with another's end."""
    words = sorted({word for text in script.sentences for word in text.split() if len(word) > 1})
    cuts = [(word[:cut], word[cut:]) for word in words for cut in _cuts(word)]
    blends = [begin + end for (begin, _), (_, end) in product(cuts, cuts)]
    random.shuffle(blends)
    blends.sort(key=len)
    return list(dict.fromkeys(blends))[:_N_RARE_WORDS]


def _cuts(word: str) -> list[int]:
    """Return where `word` may be cut in two without parting a letter from its marks."""
    return [
        index
        for index in range(1, len(word))
        if not unicodedata.category(word[index]).startswith(("M", "P", "C"))
    ]


class _NoisyText:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._words = Zipf(_rare_english(random), random)
        self._names = Zipf(_names(random), random)

    def line(self) -> str:
        random = self._random
        words = [self._vary(word) for word in random.choice(noise.SENTENCES).split()]
        if random.random() < 0.3:
            words.insert(0, self._mention())
        text = " ".join(words) + random.choice(noise.ENDINGS)
        extras = [self._hashtag() for _ in range(random.choice((0, 0, 0, 1, 2, 3)))]
        emoji = "".join(random.choices(noise.EMOJI, k=random.choice((0, 0, 1, 1, 2, 4))))
        if random.random() < 0.25:
            extras.append(self._link())
        random.shuffle(extras)
        return " ".join(part for part in (text, emoji, *extras) if part)

    def _vary(self, word: str) -> str:
        chance = self._random.random()
        if chance < 0.04 and word.isalpha():
            place = self._random.randrange(len(word))
            return word[:place] + word[place] * self._random.randint(2, 9) + word[place:]
        if chance < 0.08:
            return word.upper()
        if chance < 0.11:
            return word + self._random.choice(noise.EMOJI)
        if chance < 0.35 and len(word) > _KEEP_SHORT:
            return self._words.draw()
        return word

    def _mention(self) -> str:
        return f"@{self._names.draw()}{self._random.choice(('', '_', '__x'))}{self._tail()}"

    def _tail(self) -> str:
        return str(self._random.randint(1, 999)) if self._random.random() < 0.5 else ""

    def _hashtag(self) -> str:
        if self._random.random() < 0.5:
            return "#" + self._random.choice(noise.HASHTAGS)
        return "#" + self._words.draw() + self._words.draw().capitalize()

    def _link(self) -> str:
        alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        code = "".join(self._random.choices(alphabet, k=8))
        return f"https://{self._random.choice(noise.SITES)}/{code}"
