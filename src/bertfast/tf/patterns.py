"""Regular expressions of RE2 over code points."""

import numpy as np

from bertfast.tf.characters import N_CODE_POINTS, Bools

_SURROGATES = slice(0xD800, 0xE000)


def character_class(chosen: Bools, *, negated: bool = False) -> str:
    """Return a class of the code points of which `chosen`, bool [N_CODE_POINTS], is True."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).reshape(-1, 2)
    ranges = "".join(f"\\x{{{first:x}}}-\\x{{{end - 1:x}}}" for first, end in edges.tolist())
    return f"[{'^' if negated else ''}{ranges}]"


def valid_without(excluded: Bools) -> str:
    """Return a pattern that matches strings of valid UTF-8 with no `excluded` code point."""
    allowed = ~excluded
    allowed[_SURROGATES] = False
    return f"{character_class(allowed)}*"


def no_code_points() -> Bools:
    """Return bool [N_CODE_POINTS], all False."""
    return np.zeros(N_CODE_POINTS, np.bool_)
