"""A small vocabulary of our own, so that the suite stands without any downloaded one."""

from collections.abc import Iterable

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_WORDS = (
    "the of and to in was a un ##aff ##able aff able run ##ning ##s ##ed ##er play work ##ing "
    "hello world cafe naive uber strasse straße ##ße istanbul ﬁ ##ﬁ ﬁn e ##e ##u o "
    "don t s can we re 1 ##1 12 ##2 2024 ##24 ##00 3 "
    "The Hello World Café café Über naïve CAFE É é ##é "
    "大 学 試 験 中 国 人 \uf900 豈 日 本 す ##す し ##ま た は あ ##い カ ##タ ##カ ー "
    "ᄒ ##ᅡ ##ᆫ ᄀ ##ᄀ ##ᅮ ##ᆨ 한국 국 "
    "α ##α ##σ ##ς σ ς λ ##ο ##γ λογος οδος Λ ##ό ##ος "
    "прив ##ет мир и ##и й ש ##ל ##ו ##ם م ##ر ##ح ##ب ##ا न ##म ##स ##् ##ते ##त ก ##า "
    "😀 ##😀 👍 ##🏽 ♥ € ° × £ ≠ ##\u0338 \u0301 ##\u0301 \u302e ##\u302e ##\U0001d16d 𝐚 ##𝐚"
)

PUNCTUATION = tuple("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¿—…。、，！「」«»·")

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")


def small_vocab() -> list[str]:
    """Return about 250 distinct tokens: [PAD] is 0, and every ASCII letter stands alone."""
    tokens = [
        *SPECIAL_TOKENS,
        *_WORDS.split(),
        *PUNCTUATION,
        *LETTERS,
        *(f"##{x}" for x in LETTERS),
    ]
    return list(dict.fromkeys(tokens))


def alphabet_vocab(*texts: str, extra: Iterable[str] = ()) -> list[str]:
    """Return a vocabulary of every character of `texts`, as "c" and as "##c".

    With it WordPiece splits a word into its characters, so that pieces show all of the word.
    Lone surrogates are left out: no vocabulary file can hold them.
    """
    characters = sorted({char for text in texts for char in text if not is_surrogate(char)})
    tokens = [*SPECIAL_TOKENS, *characters, *(f"##{char}" for char in characters), *extra]
    return list(dict.fromkeys(tokens))


def is_surrogate(char: str) -> bool:
    """Tell whether `char` is a lone surrogate."""
    return "\ud800" <= char <= "\udfff"


def join_pieces(pieces: Iterable[str]) -> list[str]:
    """Join WordPiece's pieces to words.

    >>> join_pieces(["un", "##aff", "!"])
    ['unaff', '!']
    """
    words: list[str] = []
    for piece in pieces:
        if words and len(piece) > 2 and piece.startswith("##"):
            words[-1] += piece[2:]
        else:
            words.append(piece)
    return words
