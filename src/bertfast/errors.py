"""Every error that bertfast raises on purpose.

All derive from `BertfastError`; each also derives from the built-in that a caller
would expect (`ValueError`, `KeyError`, ...). The message is one line: what was wrong,
what was given, what to do. The command line prints it and exits with code 2.
"""


class BertfastError(Exception):
    """Base of every error that bertfast raises on purpose.

    >>> from bertfast import Tokenizer
    >>> try:
    ...     Tokenizer(["only", "words"])
    ... except BertfastError as error:
    ...     print(error)
    vocabulary 'the given sequence' has no [UNK] and no [CLS] and no [SEP]; BERT needs them
    """


class VocabError(BertfastError, ValueError):
    """A vocabulary cannot be read or lacks a token that BERT needs."""


class UnknownTokenError(BertfastError, KeyError):
    """A token or an id is not in the vocabulary."""

    def __str__(self) -> str:  # KeyError shows repr(message); users want the message.
        return Exception.__str__(self)


class ConfigError(BertfastError, ValueError):
    """A BERT configuration is missing, malformed or contradicts the weights."""


class CheckpointError(BertfastError, ValueError):
    """A checkpoint is missing, truncated, corrupt or lacks a tensor."""


class BundleError(BertfastError, ValueError):
    """A model directory is missing, incomplete or does not match its manifest."""


class ExportError(BertfastError, ValueError):
    """A model cannot be exported, or its export failed the parity gate."""


class InputError(BertfastError, ValueError):
    """A text, a row, a column or an option given by the caller cannot be used."""


class TrainingError(BertfastError, RuntimeError):
    """A training run cannot go on: its loss is no number, or it is not the run it resumes."""


class DeviceError(BertfastError, RuntimeError):
    """The requested device is unknown or cannot be used here."""


class MissingDependencyError(BertfastError, ImportError):
    """An optional dependency is not installed; the message names the pip command."""
