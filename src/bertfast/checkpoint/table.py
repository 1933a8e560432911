"""Reader of TensorFlow's sorted string tables (LevelDB's format): the `.index` file.

    [data block][type, crc] ... [index block][type, crc] [footer: 48 bytes]
    footer = handle of the metaindex block, handle of the index block, padding, magic
    block  = entries, restart offsets (uint32 each), their count (uint32)
    entry  = varints (shared, unshared, value size), unshared key bytes, value bytes;
             a key starts with the first `shared` bytes of the key before it

Source: tensorflow/core/lib/io/table_format.txt.
"""

from collections.abc import Iterator

from bertfast.checkpoint.crc32c import masked_crc32c
from bertfast.checkpoint.snappy import decompress
from bertfast.errors import CheckpointError
from bertfast.wire_format import read_varint

_FOOTER_SIZE = 48
_TRAILER_SIZE = 5
_MAGIC = bytes.fromhex("57fb808b247547db")
_NO_COMPRESSION, _SNAPPY = 0, 1
# Shared prefixes let a small hostile file expand without end; BERT-large needs 0.1 MB.
_MAX_EXPANDED_BYTES = 1 << 28


def read_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) entries of a table in key order.

    Raises:
        CheckpointError: not a table, truncated, or a block fails its checksum.
    """
    if len(table) < _FOOTER_SIZE or table[-len(_MAGIC) :] != _MAGIC:
        raise CheckpointError("is truncated or not a TensorFlow checkpoint index")
    footer = table[-_FOOTER_SIZE:]
    _, at = _read_handle(footer, 0)  # the metaindex block holds nothing we need
    index_handle, _ = _read_handle(footer, at)
    expanded = 0
    previous = None
    for _, value in _entries(_block(table, index_handle)):
        handle, _ = _read_handle(value, 0)
        for key, content in _entries(_block(table, handle)):
            if previous is not None and key <= previous:
                raise CheckpointError("its keys are not in order")
            previous = key
            expanded += len(key) + len(content)
            if expanded > _MAX_EXPANDED_BYTES:
                raise CheckpointError(f"expands beyond {_MAX_EXPANDED_BYTES} bytes")
            yield key, content


def _read_handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Read (offset, size) of a block; return it and the position after it."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (offset, size), at


def _block(table: bytes, handle: tuple[int, int]) -> bytes:
    """Return the checked, decompressed block at `handle`."""
    offset, size = handle
    end = offset + size
    if end + _TRAILER_SIZE > len(table) - _FOOTER_SIZE:
        raise CheckpointError(f"names a block at {offset} of {size} bytes beyond its end")
    stored = int.from_bytes(table[end + 1 : end + _TRAILER_SIZE], "little")
    if masked_crc32c(table[offset : end + 1]) != stored:
        raise CheckpointError(f"is corrupt: the block at {offset} fails its checksum")
    compression = table[end]
    if compression == _NO_COMPRESSION:
        return table[offset:end]
    if compression == _SNAPPY:
        return decompress(table[offset:end])
    raise CheckpointError(f"has a block of unknown compression {compression}")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    n_restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * n_restarts
    if end < 0:
        raise CheckpointError("has a block too short for its restart points")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        unshared, at = read_varint(block, at)
        value_size, at = read_varint(block, at)
        value_at = at + unshared
        if shared > len(key) or value_at + value_size > end:
            raise CheckpointError("has a malformed block entry")
        key = key[:shared] + block[at:value_at]
        at = value_at + value_size
        yield key, block[value_at:at]
