"""String tensors of a TensorFlow checkpoint.

    [varint length of each string] [masked crc32c of the lengths] [the strings' bytes]

The tensor's own checksum covers the lengths as fixed-width integers, then the rest.
Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc, WriteStringTensor.
"""

from bertfast.checkpoint.crc32c import masked_crc32c
from bertfast.errors import CheckpointError
from bertfast.wire_format import read_varint

_MAX_UINT32 = 2**32 - 1


def read_strings(data: bytes, n_strings: int) -> tuple[list[bytes], int]:
    """Return the strings in `data` and the masked checksum that their entry must carry.

    Raises:
        CheckpointError: `data` does not hold `n_strings` strings.
    """
    if n_strings > len(data):  # each takes a byte at least
        raise CheckpointError(f"{n_strings} strings cannot fit into {len(data)} bytes")
    lengths, at = [], 0
    for _ in range(n_strings):
        length, at = read_varint(data, at)
        lengths.append(length)
    fixed_width = b"".join(
        length.to_bytes(4 if length <= _MAX_UINT32 else 8, "little") for length in lengths
    )
    checksum, strings_at = data[at : at + 4], at + 4
    if int.from_bytes(checksum, "little") != masked_crc32c(fixed_width):
        raise CheckpointError("the lengths of its strings fail their checksum")
    if strings_at + sum(lengths) != len(data):
        raise CheckpointError(f"strings of {sum(lengths)} bytes in {len(data) - strings_at}")
    strings = []
    at = strings_at
    for length in lengths:
        strings.append(data[at : at + length])
        at += length
    return strings, masked_crc32c(fixed_width + data[strings_at - 4 :])
