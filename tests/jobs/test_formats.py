import pytest

from bertfast.errors import InputError
from bertfast.jobs.formats import input_format, output_format


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", "lines"),
        ("a.TSV", "tsv"),
        ("b/c.csv", "csv"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
    ],
)
def test_format_goes_by_the_extension(path: str, expected: str) -> None:
    assert input_format(path, None) == output_format(path, None).name == expected


def test_format_given_overrules_the_extension() -> None:
    assert input_format("a.txt", "csv") == output_format("a.txt", "csv").name == "csv"


def test_format_of_standard_streams() -> None:
    assert (input_format("-", None), output_format("-", None).name) == (
        "lines",
        "jsonl",
    )


@pytest.mark.parametrize("path", ["a", "a.xml", "a.gz", "a.parq", ".txt"])
def test_format_unknown_extension_raises_and_names_the_option(path: str) -> None:
    with pytest.raises(InputError, match=r"no format is known .* lines, tsv, .*\(--format\)$"):
        input_format(path, None)
    with pytest.raises(InputError, match=r"\(--output-format\)$"):
        output_format(path, None)


def test_format_npy_is_for_output_only() -> None:
    assert output_format("a.npy", None).name == "npy"
    with pytest.raises(InputError):
        input_format("a.npy", None)
    with pytest.raises(InputError, match="unknown format 'npy'; use one of lines, tsv, "):
        input_format("a.txt", "npy")


@pytest.mark.parametrize(
    ("path", "name", "compression"),
    [
        ("a.tsv.gz", "tsv", "gzip"),
        ("a.JSONL.ZST", "jsonl", "zstd"),
        ("a.parquet", "parquet", "none"),
    ],
)
def test_compression_goes_by_the_extension(path: str, name: str, compression: str) -> None:
    found = output_format(path, None)
    assert (found.name, found.compression) == (name, compression)
    assert found.extension == path.lower()[1:]
    assert input_format(path, None) == name


@pytest.mark.parametrize("path", ["a.parquet.gz", "a.npy.zst"])
def test_format_with_an_index_inside_is_not_compressed(path: str) -> None:
    with pytest.raises(InputError, match="cannot be compressed"):
        output_format(path, None)


def test_folder_is_json_lines_unless_told_otherwise() -> None:
    assert output_format("a.tsv", None, is_folder=True).extension == ".jsonl"
    assert output_format("a", "csv", "gzip", is_folder=True).extension == ".csv.gz"
    with pytest.raises(InputError, match="unknown compression 'xz'; use one of none, gzip, zstd"):
        output_format("a", "csv", "xz", is_folder=True)
