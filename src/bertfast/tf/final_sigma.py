r"""The final sigma of `str.lower` as a rewrite with a regular expression.

Python lowers U+03A3 to U+03C2, not U+03C3, if a cased letter is before it and none after it in
the same chunk, case-ignorable characters skipped on both sides. As RE2 has it:

    (cased ignorable*) Σ (ignorable*) (neither|end)   ->   \1 ς \2 \3

What the cleaning step drops is skipped too, since it is gone when the original lowers. Spaces
and CJK end a chunk, and are neither cased nor ignorable. Matches do not overlap: the last
group's character can be no part of the next match, which begins with a cased one.
"""

from bertfast.tf.characters import CAPITAL_SIGMA, FINAL_SIGMA, Characters, read_sigma_context
from bertfast.tf.patterns import character_class

REWRITE = f"\\1{chr(FINAL_SIGMA)}\\2\\3"


def final_sigma_pattern(characters: Characters) -> str:
    """Return the pattern of a final sigma, for RE2."""
    cased, ignorable = read_sigma_context()
    cased = cased & ~characters.dropped
    skipped = ignorable | characters.dropped
    other = character_class(cased | skipped, negated=True)
    skip = f"{character_class(skipped)}*"
    sigma = f"\\x{{{CAPITAL_SIGMA:x}}}"
    return f"({character_class(cased)}{skip}){sigma}({skip})({other}|$)"
