"""What the recipe knows of the 72 languages: scripts, alphabets, close relatives."""

import re

# Written without spaces between words.
UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})

# Told apart by their script alone: they need fewer texts and fewer vocabulary entries.
OWN_SCRIPT = frozenset({
    "ta", "pa", "gu", "ka", "si", "km", "te", "he", "my", "th", "am", "el", "kn", "hy", "ko",
    "ml", "lo", "ja", "zh", "bn",
})  # fmt: skip

# Easily taken for a sister: they get more texts.
CLOSE = frozenset({
    "ms", "id", "hr", "sr", "sl", "da", "no", "af", "nl", "gl", "pt", "es", "ca", "sk", "cs",
    "mk", "bg", "hi", "mr", "ne",
})  # fmt: skip

# Whose mistakes the evaluation shows as tables, each group by itself. Serbian counts by alphabet.
SERBIAN_LATIN, SERBIAN_CYRILLIC = "sr (Latin)", "sr (Cyrillic)"
CLOSE_GROUPS = (
    ("ms", "id"),
    ("hr", SERBIAN_LATIN, "sl"),
    ("da", "no", "sv"),
    ("af", "nl"),
    ("gl", "pt"),
    ("es", "ca", "pt"),
    ("sk", "cs"),
    ("mk", "bg", SERBIAN_CYRILLIC),
    ("hi", "mr", "ne"),
)

CYRILLIC = re.compile("[\u0400-\u052f]")
# Latin, Greek, Cyrillic, Armenian: scripts with two cases.
CASED_SCRIPTS = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u0530-\u058f]")

# The code point of 0 where a language has digits of its own.
NATIVE_ZEROS = {
    "ar": 0x660,
    "fa": 0x6F0,
    "ur": 0x6F0,
    "hi": 0x966,
    "mr": 0x966,
    "ne": 0x966,
    "bn": 0x9E6,
    "my": 0x1040,
    "km": 0x17E0,
    "gu": 0xAE6,
    "pa": 0xA66,
}


def is_written_in_two_alphabets(label: str) -> bool:
    """Whether the data has the language in Latin and in Cyrillic letters."""
    return label in ("sr", "uz")


def name_with_alphabet(text: str, label: str) -> str:
    """Return the label as `CLOSE_GROUPS` has it.

    Example:
        >>> name_with_alphabet("Dobar dan", "sr"), name_with_alphabet("Dober dan", "sl")
        ('sr (Latin)', 'sl')
    """
    if label != "sr":
        return label
    return SERBIAN_CYRILLIC if CYRILLIC.search(text) else SERBIAN_LATIN
