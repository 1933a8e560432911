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
    assert input_format(path, None) == output_format(path, None) == expected


def test_format_given_overrules_the_extension() -> None:
    assert input_format("a.txt", "csv") == output_format("a.txt", "csv") == "csv"


def test_format_of_standard_streams() -> None:
    assert (input_format("-", None), output_format("-", None)) == ("lines", "jsonl")


@pytest.mark.parametrize("path", ["a", "a.parquet", "a.txt.gz", ".txt"])
def test_format_unknown_extension_raises_and_names_the_option(path: str) -> None:
    with pytest.raises(InputError, match=r"no format is known .* lines, tsv, .*\(--format\)$"):
        input_format(path, None)
    with pytest.raises(InputError, match=r"\(--output-format\)$"):
        output_format(path, None)


def test_format_npy_is_for_output_only() -> None:
    assert output_format("a.npy", None) == "npy"
    with pytest.raises(InputError):
        input_format("a.npy", None)
    with pytest.raises(InputError, match="unknown format 'npy'; use one of lines, tsv, csv, jsonl"):
        input_format("a.txt", "npy")
