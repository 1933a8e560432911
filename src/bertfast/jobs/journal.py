"""The journal of a job: what it is, and which parts are complete.

A file of JSON lines. The first says what the job is made of; one more follows each completed
part. A line is written, then synced; a crash can only tear the last one, which is cut off when
the journal is opened again.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bertfast.errors import InputError
from bertfast.jobs import durable

FORMAT_VERSION = 1

_DAMAGED = "start anew with --overwrite"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the inputs: where the next row begins.

    Attributes:
        source: number of the file.
        line: lines (rows of a Parquet file) taken of it.
        offset: bytes of it, decompressed (rows of a Parquet file).
    """

    source: int = 0
    line: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class PartEntry:
    """A completed part.

    Attributes:
        part: its number, from 0.
        rows_in: rows read.
        rows_out: rows predicted.
        rows_rejected: the others.
        tokens: of the predicted rows, special ones included and padding not.
        truncated: predicted rows that were longer than the model takes.
        n_bytes: size of its file.
        next: where the next part begins.
    """

    part: int
    rows_in: int
    rows_out: int
    rows_rejected: int
    tokens: int
    truncated: int
    n_bytes: int
    next: Position


class Journal:
    """An open journal.

    Attributes:
        identity: what the job is made of.
        entries: its complete parts, in order.
        is_complete: whether the merged output stands in its place.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, Any],
        entries: list[PartEntry],
        is_complete: bool = False,
    ) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.identity = identity
        self.entries = entries
        self.is_complete = is_complete
        self._stream = durable.open_to_append(path)

    @classmethod
    def create(cls, path: Path, identity: dict[str, Any]) -> "Journal":
        """Begin a journal; an older one is replaced."""
        with durable.durable_file(path) as stream:
            stream.write(_line({"journal": FORMAT_VERSION, "identity": identity}))
        return cls(path, identity, [])

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open a journal, without the torn line that a crash may have left.

        Raises:
            InputError: it is damaged.
        """
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        identity, entries, is_complete = _parsed(path, whole)
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        return cls(path, identity, entries, is_complete)

    @property
    def position(self) -> Position:
        """Where the next part begins."""
        return self.entries[-1].next if self.entries else Position()

    def append(self, entry: PartEntry) -> None:
        """Add a completed part; it is on the disk when this returns."""
        self._write(asdict(entry))
        self.entries.append(entry)

    def replace_identity(self, identity: dict[str, Any]) -> None:
        """Note that the job goes on with something else than it began with."""
        self._write({"identity": identity})
        self.identity = identity

    def complete(self) -> None:
        """Note that the merged output stands in its place."""
        self._write({"complete": True})
        self.is_complete = True

    def total(self, name: str) -> int:
        """Return the sum of a number over all parts."""
        return sum(getattr(entry, name) for entry in self.entries)

    def close(self) -> None:
        """Close the file. What a full disk would not take was reported when it was written."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def _write(self, values: dict[str, Any]) -> None:
        with durable.naming(self.path):
            self._stream.write(_line(values))
            durable.sync(self._stream)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """Name what differs between two identities, with both values where they are short.

    >>> differences({"model": {"vocab.txt": "a" * 64}, "n": 1}, {"model": {}, "n": 2})
    ['model vocab.txt', 'n (1, now 2)']
    """
    found = []
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        name = f"{path} {key}".strip()
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, name)
        elif len(shown := f"{name} ({_short(before)}, now {_short(after)})") < 120:
            found.append(shown if key not in ("sample", *_DIGESTS) else name)
        else:
            found.append(name)
    return found


_DIGESTS = ("model.onnx", "vocab.txt")


def _short(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _identity(values: dict[str, Any]) -> dict[str, Any]:
    identity = values["identity"]
    if not isinstance(identity, dict):
        raise ValueError("its identity is no object")
    return identity


def _entry(values: dict[str, Any]) -> PartEntry:
    place, counts = values["next"], {key: values[key] for key in values if key != "next"}
    for key, value in [*counts.items(), *place.items()]:
        if type(value) is not int or value < 0:
            raise ValueError(f"{key} is {value!r:.40}")
    return PartEntry(**counts, next=Position(**place))


def _parsed(path: Path, content: bytes) -> tuple[dict[str, Any], list[PartEntry], bool]:
    try:
        head, *lines = [json.loads(line) for line in content.splitlines()]
        version, identity = head["journal"], _identity(head)
        if version != FORMAT_VERSION:
            raise InputError(f"{path} has version {version}, not {FORMAT_VERSION}; {_DAMAGED}")
        entries: list[PartEntry] = []
        is_complete = bool(lines) and "complete" in lines[-1]
        for values in lines[: len(lines) - is_complete]:
            if "identity" in values:
                identity = _identity(values)
                continue
            entries.append(_entry(values))
            if entries[-1].part != len(entries) - 1:
                raise ValueError("a part is missing")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged ({error}); {_DAMAGED}") from None
    return identity, entries, is_complete
