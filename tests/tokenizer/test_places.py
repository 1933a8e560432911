"""Texts read where they lie: Arrow arrays and mapped files give what a list gives."""

import shutil
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertfast import Tokenizer
from bertfast.errors import InputError
from tests.conftest import TokenizerFactory
from tests.tokenizer.vocabulary import small_vocab

TEXTS = ["Hello, world!", "", "大学 Σίσυφος", "a" * 40 + " é \U0001f600", "x"] * 7
ARROW_TYPES = ["string", "large_string", "string_view", "binary", "large_binary", "binary_view"]


@pytest.fixture
def tokenizer(make_tokenizer: TokenizerFactory) -> Tokenizer:
    return make_tokenizer(small_vocab())


def arrow_array(type_name: str, texts: list[str] = TEXTS) -> Any:
    pyarrow = pytest.importorskip("pyarrow")
    values = [text.encode() for text in texts] if "binary" in type_name else texts
    return pyarrow.array(values, getattr(pyarrow, type_name)())


def check_equal(
    result: tuple[np.ndarray, np.ndarray], expected: tuple[np.ndarray, np.ndarray]
) -> None:
    np.testing.assert_array_equal(result[0], expected[0])
    np.testing.assert_array_equal(result[1], expected[1])


@pytest.mark.parametrize("type_name", ARROW_TYPES)
def test_arrow_array_gives_what_its_list_gives(tokenizer: Tokenizer, type_name: str) -> None:
    array = arrow_array(type_name)
    check_equal(tokenizer.encode_ragged(array), tokenizer.encode_ragged(TEXTS))
    check_equal(tokenizer.encode_ragged(array.slice(3, 9)), tokenizer.encode_ragged(TEXTS[3:12]))


@pytest.mark.parametrize("type_name", ARROW_TYPES)
def test_chunked_array_is_one_list(tokenizer: Tokenizer, type_name: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    array = arrow_array(type_name)
    chunked = pyarrow.chunked_array([array.slice(0, 4), array.slice(4, 0), array.slice(4)])
    check_equal(tokenizer.encode_ragged(chunked), tokenizer.encode_ragged(TEXTS))


def test_arrow_pairs_pad_with_offsets(tokenizer: Tokenizer) -> None:
    array = arrow_array("string")
    result = tokenizer(array, array, max_length=12, return_offsets=True)
    expected = tokenizer(TEXTS, TEXTS, max_length=12, return_offsets=True)
    np.testing.assert_array_equal(result.input_ids, expected.input_ids)
    np.testing.assert_array_equal(result.offsets, expected.offsets)


def test_arrow_null_is_refused_by_its_row(tokenizer: Tokenizer) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match="row 2: expected str or bytes, got null"):
        tokenizer.encode_ragged(pyarrow.array(["a", "b", None, "c"]))
    chunked = pyarrow.chunked_array([["a"], ["b", None]])
    with pytest.raises(InputError, match="row 2: expected str or bytes, got null"):
        tokenizer.encode_ragged(chunked)


def test_arrow_slice_without_its_null_is_accepted(tokenizer: Tokenizer) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    array = pyarrow.array(["a", None, "hello", "b"]).slice(2)
    check_equal(tokenizer.encode_ragged(array), tokenizer.encode_ragged(["hello", "b"]))


def test_other_arrow_types_are_refused(tokenizer: Tokenizer) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    array = pyarrow.array(["a", "a"])
    for other in (pyarrow.array([1, 2]), array.dictionary_encode(), pyarrow.table({"t": array})):
        with pytest.raises(InputError, match="expected an Arrow array of strings"):
            tokenizer.encode_ragged(other)


def test_stream_of_another_type_is_refused_unread(tokenizer: Tokenizer) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    batch = pyarrow.record_batch({"t": ["a"]})
    read = []

    def batches() -> Iterator[Any]:
        read.append(batch)
        yield batch

    reader = pyarrow.RecordBatchReader.from_batches(batch.schema, batches())
    with pytest.raises(InputError, match="expected an Arrow array of strings"):
        tokenizer.encode_ragged(reader)
    assert read == []


def test_stream_may_read_on_threads_that_want_the_lock(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    include = Path(sysconfig.get_paths()["include"])
    if compiler is None or not (include / "Python.h").exists():
        pytest.skip("needs a C compiler and Python.h")
    library = tmp_path / "stream.so"
    source = Path(__file__).parent / "arrow_stream.c"
    command = [compiler, "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(library)]
    subprocess.run([*command, "-pthread"], check=True)
    code = """
        import ctypes, sys
        from bertfast import Tokenizer
        library = ctypes.PyDLL(sys.argv[1])
        library.make_stream.restype = ctypes.py_object
        class Texts:
            def __arrow_c_stream__(self, requested_schema=None):
                return library.make_stream()
        print(Tokenizer(["[UNK]", "[CLS]", "[SEP]", "hello", "a"])(Texts()).input_ids.tolist())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(library)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[[1, 3, 2], [1, 4, 2]]\n", "")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"hello\nworld", ["hello", "world"]),
        (b"hello\r\n\nworld\n", ["hello\r", "", "world"]),
        ("大学\u2028é\x85a\x0bb\n".encode(), ["大学\u2028é\x85a\x0bb"]),
        (b"a\xff\xc3\nb\x00c", [b"a\xff\xc3", b"b\x00c"]),
    ],
)
def test_files_give_what_their_lines_give(
    tokenizer: Tokenizer, tmp_path: Path, content: bytes, lines: list[str | bytes]
) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    check_equal(tokenizer.encode_files([path]), tokenizer.encode_ragged(lines))
    check_equal(tokenizer.encode_files([path, str(path)]), tokenizer.encode_ragged(lines * 2))


def test_file_is_one_row_by_file(tokenizer: Tokenizer, tmp_path: Path) -> None:
    for name, text in (("a", "hello\nworld\n"), ("b", "")):
        (tmp_path / name).write_text(text)
    result = tokenizer.encode_files([tmp_path / "a", tmp_path / "b"], by="file", max_length=3)
    check_equal(result, tokenizer.encode_ragged(["hello\nworld\n", ""], max_length=3))


def test_file_that_cannot_be_read_is_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*missing"):
        tokenizer.encode_files([tmp_path / "missing"])
    with pytest.raises(InputError, match="cannot read"):
        tokenizer.encode_files([tmp_path])
    with pytest.raises(InputError, match="by is 'line' or 'file'"):
        tokenizer.encode_files([], by="word")  # type: ignore[arg-type]
