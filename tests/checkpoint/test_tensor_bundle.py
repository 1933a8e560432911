"""TensorFlow checkpoints, without TensorFlow: formats, and faults of every kind."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bertfast.checkpoint import read_checkpoint
from bertfast.checkpoint.crc32c import masked_crc32c
from bertfast.errors import CheckpointError
from tests.checkpoint.tensor_bundle_writer import (
    entry,
    field,
    header,
    raw_table,
    slice_field,
    table,
    varint,
    write_tensor_bundle,
)

Tensors = dict[str, NDArray[Any]]


def some_tensors() -> Tensors:
    rng = np.random.default_rng(11)
    tensors: Tensors = {
        f"bert/encoder/layer_{n}/output/dense/kernel": rng.normal(size=(n + 2, 3)).astype("f4")
        for n in range(25)
    }
    tensors["bert/pooler/dense/bias/adam_m"] = rng.normal(size=5)
    tensors["bool"] = np.array([True])  # leaves the tensors after it unaligned
    tensors["global_step"] = np.array(12, np.int64)
    tensors["nothing"] = np.zeros((0, 3), np.float32)
    return tensors


def assert_same(given: Tensors, expected: Tensors) -> None:
    assert sorted(given) == sorted(expected)
    for name, tensor in expected.items():
        assert given[name].dtype == tensor.dtype
        assert np.array_equal(given[name], tensor)


@pytest.mark.parametrize("snappy", [False, True])
@pytest.mark.parametrize("n_shards", [1, 3])
def test_tensor_bundle_round_trips(tmp_path: Path, n_shards: int, snappy: bool) -> None:
    tensors = some_tensors()
    write_tensor_bundle(tmp_path / "m.ckpt", tensors, n_shards=n_shards, snappy=snappy)
    assert_same(read_checkpoint(tmp_path / "m.ckpt", keep_optimizer=True), tensors)
    del tensors["global_step"], tensors["bert/pooler/dense/bias/adam_m"]
    assert_same(read_checkpoint(tmp_path / "m.ckpt"), tensors)


def test_tensor_bundle_arrays_are_aligned_and_read_only(tmp_path: Path) -> None:
    write_tensor_bundle(tmp_path / "m.ckpt", some_tensors())
    for tensor in read_checkpoint(tmp_path / "m.ckpt").values():
        assert tensor.flags.aligned
        assert not tensor.flags.writeable


def test_tensor_bundle_16_bit_floats_are_widened(tmp_path: Path) -> None:
    bits = np.array([0x3F80, 0xC000, 0x7F80, 0x0001], np.uint16)
    half = np.array([1.5, -65504, 6e-8], np.float16)
    write_tensor_bundle(tmp_path / "m", {"b": bits, "h": half, "u": bits}, bfloat16=["b"])
    given = read_checkpoint(tmp_path / "m")
    assert given["b"].dtype == given["h"].dtype == np.float32
    assert given["b"].tolist() == [1.0, -2.0, np.inf, np.float32(2.0**-133)]
    assert np.array_equal(given["h"], half.astype(np.float32))
    assert given["u"].dtype == np.uint16


W_0_2 = b"\0w\0\x01\x01\x02\x80\x82\x80\x7f"  # w[0:2, :], as TensorFlow writes the key
W_2_1 = b"\0w\0\x01\x01\x02\x82\x81\x80\x7f"  # w[2:3, :]


def write_slices(folder: Path, whole: bytes, parts: list[tuple[bytes, list[int]]]) -> Path:
    """Write float32 slices of `whole` bytes in all, one after the other, of the given shapes."""
    data = np.arange(6, dtype=np.float32).tobytes()
    entries = [(b"", header(1))]
    at = 0
    for key, shape in parts:
        size = 4 * int(np.prod(shape))
        crc = masked_crc32c(data[at : at + size])
        entries.append((key, entry(1, shape, at, size, crc)))
        at += size
    (folder / "m.index").write_bytes(table([*entries, (b"w", whole)]))
    (folder / "m.data-00000-of-00001").write_bytes(data)
    return folder / "m"


def partitioned(shape: list[int], *slices: list[tuple[int, int]]) -> bytes:
    return entry(1, shape, 0, 0, 0) + b"".join(slice_field(extents) for extents in slices)


def test_tensor_bundle_partitioned_variable_is_put_together(tmp_path: Path) -> None:
    whole = partitioned([3, 2], [(2, 1), (0, -1)], [(0, 2), (0, -1)])
    prefix = write_slices(tmp_path, whole, [(W_0_2, [2, 2]), (W_2_1, [1, 2])])
    assert read_checkpoint(prefix)["w"].tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("whole", "parts", "message"),
    [
        (partitioned([3, 2], [(0, 2), (0, -1)]), [], "is missing or malformed"),
        (partitioned([3, 2], [(0, 2)]), [(W_0_2, [2, 2])], "is missing or malformed"),
        (partitioned([3, 2], [(0, 2), (0, -1)]), [(W_0_2, [2, 2])], "do not add up"),
        (partitioned([1 << 20] * 2, [(0, 2), (0, -1)]), [(W_0_2, [2, 2])], "do not add up"),
        (
            partitioned([2, 3], [(0, 2), (0, -1)], [(2, 1), (0, -1)]),
            [(W_0_2, [2, 2]), (W_2_1, [1, 2])],
            "does not fit its shape",
        ),
    ],
)
def test_tensor_bundle_slices_that_do_not_fit_are_refused(
    tmp_path: Path, whole: bytes, parts: list[tuple[bytes, list[int]]], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(write_slices(tmp_path, whole, parts))


def test_tensor_bundle_corrupt_tensors_are_all_named(tmp_path: Path) -> None:
    tensors = {name: np.full(8, 1.0) for name in "abcdefgh"}
    write_tensor_bundle(tmp_path / "m", tensors)
    data = tmp_path / "m.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[3] ^= 1
    content[64 * 2 + 5] ^= 0x80
    data.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"the checksum fails for a, c$"):
        read_checkpoint(tmp_path / "m")
    data.write_bytes(bytes(len(content)))
    with pytest.raises(CheckpointError, match=r"fails for a, b, c, d, e and 3 more$"):
        read_checkpoint(tmp_path / "m")


def test_tensor_bundle_missing_shard_is_named(tmp_path: Path) -> None:
    write_tensor_bundle(tmp_path / "m", some_tensors(), n_shards=3)
    (tmp_path / "m.data-00001-of-00003").unlink()
    with pytest.raises(CheckpointError, match=r"m\.data-00001-of-00003 is missing"):
        read_checkpoint(tmp_path / "m")


def test_tensor_bundle_truncated_data_names_the_tensor(tmp_path: Path) -> None:
    write_tensor_bundle(tmp_path / "m", some_tensors())
    data = tmp_path / "m.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"tensor 'bert/encoder.*file is truncated"):
        read_checkpoint(tmp_path / "m")


def read_or_error(prefix: Path) -> Tensors | None:
    """Read a damaged checkpoint: None for a CheckpointError; any other error fails the test."""
    try:
        return read_checkpoint(prefix)
    except CheckpointError as error:
        assert "\n" not in str(error)
        return None


@pytest.mark.parametrize("snappy", [False, True])
@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_tensor_bundle_truncated_anywhere_is_refused(
    tmp_path: Path, suffix: str, snappy: bool
) -> None:
    tensors = some_tensors()
    last = max(name for name in tensors if tensors[name].size)
    write_tensor_bundle(tmp_path / "m", tensors, snappy=snappy)
    path = Path(f"{tmp_path / 'm'}{suffix}")
    content = path.read_bytes()
    assert last == "global_step"  # not read, so its bytes need not be there
    needed = len(content) - (8 if suffix != ".index" else 0)
    for size in [*range(0, needed, 13), needed - 1]:
        path.write_bytes(content[:size])
        assert read_or_error(tmp_path / "m") is None, size


@pytest.mark.parametrize("snappy", [False, True])
@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_tensor_bundle_flipped_bits_are_refused_or_harmless(
    tmp_path: Path, suffix: str, snappy: bool
) -> None:
    write_tensor_bundle(tmp_path / "m", some_tensors(), snappy=snappy)
    expected = read_checkpoint(tmp_path / "m")
    path = Path(f"{tmp_path / 'm'}{suffix}")
    content = bytearray(path.read_bytes())
    rng = random.Random(5)
    n_refused = 0
    for at in rng.sample(range(len(content)), 400):
        content[at] ^= (bit := 1 << rng.randrange(8))
        path.write_bytes(content)
        given = read_or_error(tmp_path / "m")
        n_refused += given is None
        if given is not None:
            assert_same(given, expected)
        content[at] ^= bit
    assert n_refused > 200


def hostile(
    entries: Callable[[int, int], list[tuple[bytes, bytes]]], folder: Path, n_shards: int = 1
) -> Path:
    """Write a checkpoint of 64 zero bytes whose index says what `entries(size, crc)` gives."""
    data = bytes(64)
    Path(folder / "m.data-00000-of-00001").write_bytes(data)
    listed = [(b"", header(n_shards)), *entries(len(data), masked_crc32c(data))]
    Path(folder / "m.index").write_bytes(table(listed))
    return folder / "m"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (lambda n, crc: [(b"t", entry(1, [1 << 40, 1 << 40], 0, n, crc))], "impossible shape"),
        (lambda n, crc: [(b"t", entry(1, [0, 1 << 62], 0, 0, crc))], "impossible shape"),
        (lambda n, crc: [(b"t", entry(1, [-1], 0, n, crc))], "impossible shape"),
        (lambda n, crc: [(b"t", entry(1, [1] * 300, 0, 4, crc))], "impossible shape"),
        (lambda n, crc: [(b"t", entry(1, [1 << 30], 0, 1 << 32, crc))], "truncated"),
        (lambda n, crc: [(b"t", entry(1, [16], 8, n, crc))], "at 8 to 72 of a data file of 64"),
        (lambda n, crc: [(b"t", entry(1, [16], -8, n, crc))], "at -8 to 56"),
        (lambda n, crc: [(b"t", entry(1, [0], 0, -4, crc))], "-4 bytes for shape"),
        (lambda n, crc: [(b"t", entry(1, [17], 0, n, crc))], "64 bytes for shape .17. of float32"),
        (lambda n, crc: [(b"t", entry(99, [16], 0, n, crc))], "dtype 99 of TensorFlow"),
        (lambda n, crc: [(b"t", entry(7, [1 << 50], 0, n, crc))], "strings cannot fit"),
        (lambda n, crc: [(b"t", entry(7, [3], 0, n, crc))], "fail their checksum"),
        (lambda n, crc: [(b"t", entry(1, [16], 0, n, crc, shard=3))], "shard 3 of 1"),
        (lambda n, crc: [(b"t", entry(1, [16], 0, n, crc, shard=-1))], "shard -1 of 1"),
        (
            lambda n, crc: [(b"t%04d" % i, entry(1, [16], 0, n, crc)) for i in range(2)],
            "'t0001': overlaps another",
        ),
        (lambda n, crc: [(b"t", field(2, field(3, 1)))], "unknown rank"),
        (lambda n, crc: [(b"t", field(1, b"x"))], "text where a number"),
        (lambda n, crc: [(b"t", field(2, 1))], "number where a message"),
        (lambda n, crc: [(b"t", b"\x0b")], "unknown wire type 3"),
        (lambda n, crc: [(b"t", b"\x12\x7f")], "a field is cut off"),
        (lambda n, crc: [(b"t", b"\x08" + b"\xff" * 12)], "wider than 64 bits"),
        (lambda n, crc: [(b"\xff\xfe", entry(1, [16], 0, n, crc))], "not UTF-8"),
        (lambda n, crc: [(b"t", b""), (b"s", b"")], "not in order"),
    ],
)
def test_tensor_bundle_hostile_index_is_refused(
    tmp_path: Path, entries: Callable[[int, int], list[tuple[bytes, bytes]]], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(hostile(entries, tmp_path))


@given(content=st.binary(max_size=40))
def test_tensor_bundle_arbitrary_entries_never_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Malformed messages behind valid checksums: refused, or an empty tensor."""
    folder = tmp_path_factory.mktemp("hostile")
    given = read_or_error(hostile(lambda n, crc: [(b"t", content)], folder))
    assert given is None or given["t"].size <= 64


@given(content=st.binary(max_size=60))
def test_tensor_bundle_arbitrary_blocks_never_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """A data block of any bytes, behind valid checksums."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "m.index").write_bytes(raw_table([(b"z", content)]))
    read_or_error(folder / "m")


def test_tensor_bundle_expanding_keys_are_refused(tmp_path: Path) -> None:
    name = b"n" * 60000  # each key repeats it, in four bytes of the file
    entries = [(name + b"%05d" % n, b"") for n in range(5000)]
    index = table([(b"", header(1)), *entries], block_entries=10000)
    assert len(index) < 200_000
    (tmp_path / "m.index").write_bytes(index)
    with pytest.raises(CheckpointError, match="expands beyond"):
        read_checkpoint(tmp_path / "m")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (header(1, big_endian=True), "big-endian"),
        (header(1, min_consumer=2), "reader of version 2"),
    ],
)
def test_tensor_bundle_foreign_header_is_refused(tmp_path: Path, head: bytes, message: str) -> None:
    (tmp_path / "m.index").write_bytes(table([(b"", head)]))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "m")


@pytest.mark.parametrize("content", [b"", b"\0" * 48, b"hello" * 20, varint(5) * 60])
def test_tensor_bundle_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.index").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m\.index: is truncated or not"):
        read_checkpoint(tmp_path / "m")


def test_tensor_bundle_without_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.index").write_bytes(table([(b"t", b"")]))
    with pytest.raises(CheckpointError, match="has no header"):
        read_checkpoint(tmp_path / "m")


@pytest.mark.shared
def test_tensor_bundle_genuine_checkpoint_has_all_variables(shared_data: Path) -> None:
    folder = shared_data / "checkpoint_tf1"
    with_slots = read_checkpoint(folder, keep_optimizer=True)
    model = read_checkpoint(folder)
    assert (len(with_slots), len(model)) == (139, 46)
    assert model["bert/embeddings/word_embeddings"].shape == (15, 4)
    assert with_slots["global_step"].shape == ()
    assert "bert/pooler/dense/kernel/adam_v" in with_slots
