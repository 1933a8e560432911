"""Write the native core's character tables from the running interpreter's Unicode data.

Every property is read off `bertfast.reference` and `str.lower()`, so that the core follows
the same law as the oracle. The format is described in csrc/include/bertfast/unicode.h.

Usage: python tools/generate_unicode_tables.py OUTPUT.inc
"""

import importlib.util
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

PAGE_BITS = 7
CODE_POINTS = 0x110000

# Code points that one can become; twin of kMaxParts in csrc/include/bertfast/normal_form.h.
MAX_PARTS = 4

# Bits of a record; twins of the constants in csrc/include/bertfast/unicode.h.
MAPPING_BITS = 15
COMBINING_SHIFT = 15
SPACE, DROP, CJK, PUNCTUATION, MARK, CASED, IGNORABLE = (1 << bit for bit in range(23, 30))

SIGMA = "\u03a3"
FINAL_SIGMA = "\u03c2"


def load_reference() -> ModuleType:
    """Load reference.py by path: the package itself cannot be imported before it is built."""
    path = Path(__file__).parents[1] / "src" / "bertfast" / "reference.py"
    spec = importlib.util.spec_from_file_location("bertfast_reference", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lower(char: str) -> str:
    """Return the lower case of `char` alone, the empty string if it is `char`."""
    lowered = char.lower()
    return "" if lowered == char else lowered


def decompose(char: str) -> str:
    """Return the canonical decomposition (NFD) of `char`, the empty string if it is `char`."""
    decomposed = unicodedata.normalize("NFD", char)
    return "" if decomposed == char else decomposed


def flags(reference: ModuleType, char: str) -> int:
    """Return the property bits of `char`."""
    cleaned = reference.clean_text(char)
    result = 0
    if not cleaned:
        result |= DROP
    elif cleaned.isspace():
        result |= SPACE
    if reference.is_cjk(ord(char)):
        result |= CJK
    if reference.is_punctuation(char):
        result |= PUNCTUATION
    if unicodedata.category(char) == "Mn":
        result |= MARK
    return result | case_flags(char)


def case_flags(char: str) -> int:
    """Read Cased and Case_Ignorable off the final-sigma rule of `str.lower()`.

    After "a", a sigma behind an ignorable character still sees the letter; after nothing, a
    sigma is final only behind a cased character that is not ignorable.
    """
    after_letter = ("a" + char + SIGMA).lower()[-1] == FINAL_SIGMA
    alone = (char + SIGMA).lower()[-1] == FINAL_SIGMA
    if after_letter and alone:
        return CASED
    return IGNORABLE if after_letter else 0


class Mappings:
    """The pool of distinct pairs (lower case, decomposition); index 0 is the pair of nothing.

    Mapping i has its lower case at pool[starts[2 * i] : starts[2 * i + 1]] and its decomposition
    behind it, up to starts[2 * i + 2].
    """

    def __init__(self) -> None:
        """Start with the empty pair at index 0."""
        self.pool: list[int] = []
        self.starts: list[int] = [0, 0, 0]
        self._index: dict[tuple[str, str], int] = {("", ""): 0}

    def index(self, char: str) -> int:
        """Return the index of `char`'s mapping."""
        pair = (lower(char), decompose(char))
        if pair not in self._index:
            check_mapping(char, *pair)
            self._index[pair] = len(self._index)
            for part in pair:
                self.pool.extend(map(ord, part))
                self.starts.append(len(self.pool))
        return self._index[pair]


def check_mapping(char: str, lowered: str, decomposed: str) -> None:
    """Raise ValueError if the core's format cannot hold what becomes of `char`."""
    both = "".join(decompose(part) or part for part in lowered)
    for result in (lowered, decomposed, both):
        if len(result) > MAX_PARTS or any(part.isspace() for part in result):
            raise ValueError(f"U+{ord(char):04X} becomes {result!r}, which breaks the format")


def build_records() -> tuple[list[int], Mappings]:
    """Return a record for every code point, and the mappings that they index."""
    reference = load_reference()
    mappings = Mappings()
    records = []
    for code_point in range(CODE_POINTS):
        char = chr(code_point)
        record = flags(reference, char) | unicodedata.combining(char) << COMBINING_SHIFT
        if not record & (DROP | SPACE):
            record |= mappings.index(char)
        records.append(record)
    if len(mappings.starts) // 2 > 1 << MAPPING_BITS or len(mappings.pool) >= 1 << 16:
        raise ValueError(f"{len(mappings.starts) // 2} mappings do not fit the format")
    return records, mappings


def share_pages(records: Sequence[int]) -> tuple[list[int], list[int]]:
    """Cut `records` into pages and keep one of each: (page of each block, records)."""
    size = 1 << PAGE_BITS
    seen: dict[tuple[int, ...], int] = {}
    pages: list[int] = []
    kept: list[int] = []
    for start in range(0, len(records), size):
        page = tuple(records[start : start + size])
        if page not in seen:
            seen[page] = len(seen)
            kept.extend(page)
        pages.append(seen[page])
    return pages, kept


def array(kind: str, name: str, values: Iterable[int]) -> str:
    """Return a C++ array definition."""
    numbers = [str(value) for value in values]
    lines = [",".join(numbers[start : start + 16]) for start in range(0, len(numbers), 16)]
    return f"const {kind} {name}[{len(numbers)}] = {{\n" + ",\n".join(lines) + "};\n"


def write_tables(path: Path) -> None:
    """Write the tables to `path`, unless they are there for this generator already."""
    stamp = f"// Unicode {unicodedata.unidata_version}; {source_hash()}\n"
    if path.exists() and path.open(encoding="ascii").readline() == stamp:
        return
    records, mappings = build_records()
    pages, kept = share_pages(records)
    text = stamp
    text += "// Generated by tools/generate_unicode_tables.py.\n"
    text += f'const char kUnicodeVersion[] = "{unicodedata.unidata_version}";\n'
    text += array("std::uint16_t", "kPages", pages)
    text += array("std::uint32_t", "kRecords", kept)
    text += array("std::uint16_t", "kMappingStarts", mappings.starts)
    text += array("std::uint32_t", "kMappingPool", mappings.pool)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def source_hash() -> str:
    """Return a hash of the generator and of the law that it reads."""
    import hashlib

    digest = hashlib.sha256()
    for path in (Path(__file__), Path(__file__).parents[1] / "src" / "bertfast" / "reference.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]))
