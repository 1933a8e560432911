"""The manifest of a model directory, `bertfast.json`: what the model is and what was measured.

Standard library and numpy only, as everything that loads a model.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, get_args

from bertfast.config import BertConfig
from bertfast.errors import BundleError, ConfigError

FORMAT_VERSION = 1
SAVED_MODEL_FORMAT = "savedmodel"
MODEL_FILE = "model.onnx"
VOCAB_FILE = "vocab.txt"
NormalForm: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]
NORMAL_FORMS: tuple[NormalForm, ...] = get_args(NormalForm)

_SHA256 = re.compile(r"[0-9a-f]{64}")
# One path component that cannot leave the directory: no separators, no leading dot.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

Value = TypeVar("Value")


class TokenizerSwitches(TypedDict):
    """The arguments of `Tokenizer` that a model was trained with."""

    do_lower_case: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model directory holds.

    `unicode_version` is that of the exporting interpreter: the newest characters may be
    tokenized differently under another. `do_lower_case`, `strip_accents` (None: with
    `do_lower_case`, as the original) and `tokenize_chinese_chars` are the tokenizer's.
    `max_length` is the length to which this model's texts are truncated unless the caller says
    otherwise. `labels` name the columns of `logits` and `probabilities`. `normalization` is the
    Unicode normal form that a Predictor puts texts into before it tokenizes them, for models
    trained on texts in that form alone; None leaves them as they are, as the original does.
    `parity` holds what the export measured against its source. `sha256` and `sizes` (bytes)
    cover every file but the manifest itself, by name.
    """

    bertfast_version: str
    unicode_version: str
    do_lower_case: bool
    max_length: int
    config: BertConfig
    outputs: tuple[str, ...]
    default_output: str
    labels: tuple[str, ...] | None
    precision: str
    sha256: dict[str, str]
    sizes: dict[str, int]
    parity: dict[str, Any]
    source: dict[str, Any]
    format_version: int = FORMAT_VERSION
    normalization: NormalForm | None = None
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool = True

    def tokenizer_switches(self) -> TokenizerSwitches:
        """Return the arguments of `Tokenizer` that the model was trained with."""
        return {
            "do_lower_case": self.do_lower_case,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
        }

    def to_json_string(self) -> str:
        """Return indented JSON with sorted keys; equal manifests give equal text."""
        content = dataclasses.asdict(self)
        return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json_bytes(cls, content: bytes) -> "Manifest":
        """Parse and check a manifest. Keys that this version does not know are ignored.

        Raises:
            BundleError: not JSON, another format version, or a missing or bad value.
        """
        try:
            values = json.loads(content.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BundleError(f"is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise BundleError(f"must hold a JSON object, got {type(values).__name__}")
        _check_version(values)
        try:
            manifest = cls(
                bertfast_version=_get(values, "bertfast_version", str),
                unicode_version=_get(values, "unicode_version", str),
                do_lower_case=_get(values, "do_lower_case", bool),
                max_length=_get(values, "max_length", int),
                config=BertConfig.from_dict(_get(values, "config", dict)),
                outputs=_get_strings(values, "outputs"),
                default_output=_get(values, "default_output", str),
                labels=_get_labels(values),
                precision=_get(values, "precision", str),
                sha256=_get(values, "sha256", dict),
                sizes=_get(values, "sizes", dict),
                parity=_get(values, "parity", dict),
                source=_get(values, "source", dict),
                normalization=_get_normalization(values),
                strip_accents=_get_switch(values, "strip_accents"),
                tokenize_chinese_chars=_get_switch(values, "tokenize_chinese_chars") is not False,
            )
        except ConfigError as error:
            raise BundleError(f"has a bad config: {error}") from error
        _check(manifest)
        return manifest


def _check_version(values: Mapping[str, Any]) -> None:
    if values.get("format") == SAVED_MODEL_FORMAT:
        raise BundleError(
            "describes a TensorFlow SavedModel, which TensorFlow Serving runs; for bertfast's own "
            "Predictor export without --format savedmodel"
        )
    version = _get(values, "format_version", int)
    if version != FORMAT_VERSION:
        raise BundleError(
            f"has format_version {version}, but this bertfast reads {FORMAT_VERSION}; "
            "export the model again or install the version that wrote it "
            f"({values.get('bertfast_version')})"
        )


def _check(manifest: Manifest) -> None:
    """Check what types alone do not say."""
    if not manifest.outputs or len(set(manifest.outputs)) != len(manifest.outputs):
        raise BundleError(f"must name each output once, got {list(manifest.outputs)}")
    if manifest.default_output not in manifest.outputs:
        raise BundleError(f"has default_output {manifest.default_output!r}, which is no output")
    longest = manifest.config.max_position_embeddings
    if not 1 <= manifest.max_length <= longest:
        raise BundleError(f"has max_length {manifest.max_length}; positions go from 1 to {longest}")
    for name, digest in manifest.sha256.items():
        if not _FILE_NAME.fullmatch(name):
            raise BundleError(f"names the file {name!r}, which is not directly in the directory")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise BundleError(f"has {digest!r} as the sha256 of {name}")
        size = manifest.sizes.get(name)
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise BundleError(f"has {size!r} as the size of {name}")
    for name in (MODEL_FILE, VOCAB_FILE):
        if name not in manifest.sha256:
            raise BundleError(f"has no sha256 of {name}")


def _get_any(values: Mapping[str, Any], key: str) -> Any:
    if key not in values:
        raise BundleError(f"lacks {key!r}")
    return values[key]


def _get(values: Mapping[str, Any], key: str, kind: type[Value]) -> Value:
    value = _get_any(values, key)
    # bool is an int to Python, but not to us.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BundleError(f"must have {_KINDS[kind]} as {key!r}, got {type(value).__name__}")
    return value


def _get_strings(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    strings = _get(values, key, list)
    if not all(isinstance(string, str) for string in strings):
        raise BundleError(f"must have a list of strings as {key!r}")
    if any("\ud800" <= character <= "\udfff" for string in strings for character in string):
        raise BundleError(f"has a lone surrogate, which is no text, in {key!r}")
    return tuple(strings)


def _get_labels(values: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None if _get_any(values, "labels") is None else _get_strings(values, "labels")


def _get_normalization(values: Mapping[str, Any]) -> NormalForm | None:
    form = values.get("normalization")
    for known in (None, *NORMAL_FORMS):
        if form == known:
            return known
    raise BundleError(
        f"must have one of {', '.join(NORMAL_FORMS)} as 'normalization', got {form!r}"
    )


def _get_switch(values: Mapping[str, Any], key: str) -> bool | None:
    """Return a switch that older manifests do not have; None where it is absent or null."""
    return None if values.get(key) is None else _get(values, key, bool)


_KINDS: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    dict: "an object",
    list: "a list",
}
