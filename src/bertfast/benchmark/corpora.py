"""What is tokenized: generated corpora, or files of the user's, a text a line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertfast.benchmark import generated
from bertfast.errors import InputError

TEXTS_PER_CALL = 1000

_DEFAULT_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts under a name.

    Attributes:
        n_bytes: size of the texts in UTF-8, line ends left out.
    """

    name: str
    texts: list[str]
    n_bytes: int

    @classmethod
    def of(cls, name: str, texts: list[str]) -> "Corpus":
        """Count the bytes of `texts` (lone surrogates, which no UTF-8 has, as three each)."""
        n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        return cls(name, texts, n_bytes)


def in_calls(texts: list[str], n_texts: int = TEXTS_PER_CALL) -> list[list[str]]:
    """Cut texts into the lists that are passed to one call each.

    >>> in_calls(["a", "b", "c"], 2)
    [['a', 'b'], ['c']]
    """
    return [texts[start : start + n_texts] for start in range(0, len(texts), n_texts)]


def generated_corpora(n_bytes: int = _DEFAULT_BYTES) -> list[Corpus]:
    """Return four corpora of `n_bytes` each, the same on every machine."""
    makers = {
        "english": generated.english,
        "chinese": generated.chinese,
        "multilingual": generated.multilingual,
        "tweets": generated.tweets,
    }
    return [Corpus.of(name, make(n_bytes)) for name, make in makers.items()]


def read_corpora(specifications: Sequence[str]) -> list[Corpus]:
    """Read the corpora that the user names; see `read_corpus`.

    Raises:
        InputError: a file cannot be read or is empty, or two corpora have one name.
    """
    corpora = [read_corpus(specification) for specification in specifications]
    names = [corpus.name for corpus in corpora]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two corpora are called {name!r}; name one: --corpus NAME=FILE")
    return corpora


def read_corpus(specification: str) -> Corpus:
    """Read FILE, NAME=FILE, or NAME=FILE,FILE,...: a text a line, files mixed line by line.

    Files are UTF-8; invalid bytes are ignored, as the original tokenizer does.
    """
    if "=" in specification and not Path(specification).is_file():
        name, _, given = specification.partition("=")
        paths = [Path(path) for path in given.split(",")]
    else:
        paths = [Path(specification)]
        name = paths[0].stem
    texts = mix([_read_lines(path) for path in paths])
    if not any(texts):
        raise InputError(f"corpus {specification!r} holds no text; give a text a line")
    return Corpus.of(name, texts)


def _read_lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read corpus {str(path)!r}: {error.strerror}") from error
    return data.decode("utf-8", "ignore").removesuffix("\n").split("\n")


def mix(files: Sequence[Sequence[str]]) -> list[str]:
    """Interleave files evenly, so that every stretch holds lines of each.

    >>> mix([["a", "b", "c", "d"], ["1", "2"]])
    ['a', '1', 'b', 'c', '2', 'd']
    """
    return [line for _, _, line in sorted(_places(files), key=lambda place: place[:2])]


def _places(files: Sequence[Sequence[str]]) -> Iterator[tuple[float, int, str]]:
    for number, lines in enumerate(files):
        for index, line in enumerate(lines):
            yield (index + 0.5) / len(lines), number, line


def write_corpus(corpus: Corpus, path: Path) -> None:
    """Write a corpus for another process to read with `read_texts`."""
    path.write_bytes("\n".join(corpus.texts).encode("utf-8", "surrogatepass"))


def read_texts(path: Path) -> list[str]:
    """Read what `write_corpus` wrote."""
    return path.read_bytes().decode("utf-8", "surrogatepass").split("\n")
