"""What a tokenizer does with a text: the original's switch, and Hugging Face's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenizerOptions:
    """Settings of a `Tokenizer`; see there.

    Attributes:
        do_lower_case: lower the text.
        strip_accents: decompose (NFD) and drop nonspacing marks.
        tokenize_chinese_chars: make each CJK ideograph a word of its own.
        special_tokens_in_text: take special tokens written in a text for themselves.
    """

    do_lower_case: bool
    strip_accents: bool
    tokenize_chinese_chars: bool
    special_tokens_in_text: bool

    @classmethod
    def of(
        cls,
        *,
        do_lower_case: bool,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        special_tokens_in_text: bool = False,
    ) -> "TokenizerOptions":
        """Return the settings that the arguments of `Tokenizer` mean."""
        return cls(
            do_lower_case=bool(do_lower_case),
            strip_accents=bool(do_lower_case if strip_accents is None else strip_accents),
            tokenize_chinese_chars=bool(tokenize_chinese_chars),
            special_tokens_in_text=bool(special_tokens_in_text),
        )

    def __str__(self) -> str:
        """Return the arguments that give these options, those at their defaults left out."""
        shown = f"do_lower_case={self.do_lower_case}"
        if self.strip_accents != self.do_lower_case:
            shown += f", strip_accents={self.strip_accents}"
        if not self.tokenize_chinese_chars:
            shown += ", tokenize_chinese_chars=False"
        return shown + (", special_tokens_in_text=True" if self.special_tokens_in_text else "")
