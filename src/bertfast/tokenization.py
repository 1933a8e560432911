"""Drop-in names of the original `tokenization.py`.

`from bertfast import tokenization` serves code written for google-research/bert:
`FullTokenizer` runs on the native core; the rest is the readable reference.
"""

from collections.abc import Iterable
from os import PathLike

from bertfast.reference import BasicTokenizer as BasicTokenizer
from bertfast.reference import WordpieceTokenizer as WordpieceTokenizer
from bertfast.reference import convert_by_vocab as convert_by_vocab
from bertfast.reference import convert_ids_to_tokens as convert_ids_to_tokens
from bertfast.reference import convert_to_unicode as convert_to_unicode
from bertfast.reference import convert_tokens_to_ids as convert_tokens_to_ids
from bertfast.reference import load_vocab as load_vocab
from bertfast.reference import printable_text as printable_text
from bertfast.reference import (
    validate_case_matches_checkpoint as validate_case_matches_checkpoint,
)
from bertfast.reference import whitespace_tokenize as whitespace_tokenize
from bertfast.tokenizer import Tokenizer


class FullTokenizer:
    r"""The original's end-to-end tokenizer, on the native core.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "vocab.txt"
        >>> _ = path.write_text("[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n")
        >>> FullTokenizer(path).tokenize("UNaffable")
        ['un', '##aff', '##able']
    """

    def __init__(
        self,
        vocab_file: str | PathLike[str],
        do_lower_case: bool = True,
        *,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        special_tokens_in_text: bool = False,
    ) -> None:
        """Read `vocab_file`; unlike the original it must hold [UNK], [CLS] and [SEP].

        The original has the first two arguments; the others are `Tokenizer`'s.
        """
        self._tokenizer = Tokenizer(
            vocab_file,
            do_lower_case=do_lower_case,
            strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars,
            special_tokens_in_text=special_tokens_in_text,
        )
        self.vocab = self._tokenizer.vocab
        self.inv_vocab = {index: token for token, index in self.vocab.items()}

    def tokenize(self, text: str | bytes) -> list[str]:
        """Split `text` into vocabulary pieces."""
        return self._tokenizer.tokenize(text)

    def convert_tokens_to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Map tokens to ids; KeyError on an unknown one."""
        return convert_by_vocab(self.vocab, tokens)

    def convert_ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Map ids to tokens; KeyError on an unknown one."""
        return convert_by_vocab(self.inv_vocab, ids)
