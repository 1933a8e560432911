import csv
import io
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bertfast.errors import InputError
from bertfast.jobs.columns import Columns
from bertfast.jobs.readers import LineReader
from bertfast.jobs.records import Record, Reject
from bertfast.jobs.records import Row as ReaderRow
from bertfast.jobs.sources import READERS
from bertfast.jobs.streams import InputStream
from bertfast.runtime.windows import Row

NO_COLUMNS = Columns()


def reader(file_format: str, data: bytes, columns: Columns = NO_COLUMNS) -> LineReader:
    stream = InputStream(io.BufferedReader(io.BytesIO(data)), "input", "none")
    return READERS[file_format](stream, "input", columns)


def read_all(file_format: str, data: bytes, columns: Columns = NO_COLUMNS) -> list[ReaderRow]:
    return list(reader(file_format, data, columns).rows())


def read(file_format: str, data: bytes, columns: Columns = NO_COLUMNS) -> list[Row]:
    """Return texts or pairs of texts; the first rejected row raises, as it stops a job."""
    rows: list[Row] = []
    for row in read_all(file_format, data, columns):
        if isinstance(row, Reject):
            raise InputError(f"input line {row.line}: {row.reason}")
        rows.append(row.text if row.pair is None else (row.text, row.pair))
    return rows


def is_compressed(data: bytes) -> bool:
    return data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


def fails(file_format: str, data: bytes, columns: Columns = NO_COLUMNS) -> str:
    with pytest.raises(InputError) as caught:
        read(file_format, data, columns)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"one\n\n\ntwo\n", ["one", "", "", "two"]),
        (b"a\rb\r\r\nc\n", ["a\rb\r", "c"]),
        (b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", ["one", "\ufefftwo"]),
        (b"a\xffb\xe5\xa4\nc\n", ["ab", "c"]),
        (b"a\x00b\n", ["a\x00b"]),
        ("a\u2028b\x85c\x0b\n".encode(), ["a\u2028b\x85c\x0b"]),
        (b'say "hi", a\tb\n', ['say "hi", a\tb']),
    ],
)
def test_lines_every_line_is_a_row(data: bytes, rows: list[Row]) -> None:
    assert read("lines", data) == rows


@given(st.binary(max_size=60))
def test_lines_of_any_bytes_are_as_many_as_line_ends(data: bytes) -> None:
    assume(not is_compressed(data))
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        assert "UTF-16" in fails("lines", data)
        return
    expected = data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    assert len(read("lines", data)) == expected


@pytest.mark.parametrize("columns", [Columns(text=0), Columns(pair="b"), Columns(header=True)])
def test_lines_with_columns_raise(columns: Columns) -> None:
    assert fails("lines", b"a\n", columns) == (
        "input: plain lines have no columns; for columns use tsv or csv"
    )


@pytest.mark.parametrize("file_format", sorted(READERS))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_is_named_instead_of_read_as_nonsense(file_format: str, encoding: str) -> None:
    data = "\ufefftext\n".encode(encoding) if encoding == "utf-16-be" else "text\n".encode(encoding)
    assert fails(file_format, data).startswith("input is UTF-16; convert it to UTF-8")


def test_tsv_quotes_are_ordinary_characters() -> None:
    assert read("tsv", b'0\t"one\n1\ttwo "2"\t"\n', Columns(text=1)) == ['"one', 'two "2"']


@pytest.mark.shared
@pytest.mark.parametrize("name", ["MRPC/train.tsv", "CoLA/dev.tsv", "SST-2/dev.tsv"])
def test_tsv_reads_as_the_original_does(shared_data: Path, name: str) -> None:
    path = shared_data / "glue" / name
    with path.open(encoding="utf-8-sig", newline="\n") as stream:
        # google-research/bert run_classifier.py, DataProcessor._read_tsv
        lines = list(csv.reader(stream, delimiter="\t", quotechar=None))
    rows = read("tsv", path.read_bytes(), Columns(text=0, pair=1))
    assert rows == [(line[0], line[1]) for line in lines]


TABLES = {
    "tsv": b"id\tone\ttwo\n0\ta b\tc\n1\td\te\tmore\n",
    "csv": b"id,one,two\n0,a b,c\n1,d,e,more\n",
}


@pytest.mark.parametrize("file_format", sorted(TABLES))
@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (Columns(), ["id", "0", "1"]),
        (Columns(header=True), ["0", "1"]),
        (Columns(text=1), ["one", "a b", "d"]),
        (Columns(text=1, header=True), ["a b", "d"]),
        (Columns(text="one"), ["a b", "d"]),
        (Columns(text="two", pair="one"), [("c", "a b"), ("e", "d")]),
        (Columns(text="one", pair=2), [("a b", "c"), ("d", "e")]),
        (Columns(text=1, pair=2, header=False), [("one", "two"), ("a b", "c"), ("d", "e")]),
        (Columns(pair=2, header=True), [("0", "c"), ("1", "e")]),
    ],
)
def test_table_columns_are_picked_by_name_or_number(
    file_format: str, columns: Columns, rows: list[Row]
) -> None:
    assert read(file_format, TABLES[file_format], columns) == rows
    assert read(file_format, TABLES[file_format].replace(b"\n", b"\r\n"), columns) == rows
    assert read(file_format, b"\xef\xbb\xbf" + TABLES[file_format].rstrip(b"\n"), columns) == rows


@pytest.mark.parametrize("file_format", sorted(TABLES))
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(text="three"), "input: no column 'three' in the header: 'id', 'one', 'two'"),
        (Columns(text=3), "input line 1: 3 columns, but column 3 (counted from 0) is wanted"),
        (Columns(text=0, pair=9), "input line 1: 3 columns, but column 9 (counted from 0)"),
        (Columns(text=3, header=True), "input line 2: 3 columns, but column 3 (counted from 0)"),
    ],
)
def test_table_missing_column_raises(file_format: str, columns: Columns, message: str) -> None:
    assert fails(file_format, TABLES[file_format], columns).startswith(message)


@pytest.mark.parametrize("file_format", ["tsv", "csv"])
def test_table_name_used_twice_raises(file_format: str) -> None:
    data = TABLES[file_format].replace(b"two", b"one")
    assert fails(file_format, data, Columns(text="one")) == (
        "input: 2 columns are named 'one' (numbers 1, 2); give a number"
    )
    assert read(file_format, data, Columns(text=2, header=True)) == ["c", "e"]


@pytest.mark.parametrize("file_format", ["tsv", "csv"])
@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_table_empty_file_has_no_rows_or_lacks_its_header(file_format: str, data: bytes) -> None:
    if not data:
        assert read(file_format, data) == []
        assert fails(file_format, data, Columns(text="a")) == (
            "input is empty; its first line should name the columns"
        )
    assert read(file_format, data + b"a\n", Columns(text="a")) == []


@pytest.mark.parametrize("file_format", ["tsv", "csv"])
def test_table_invalid_bytes_and_nul_do_not_move_columns(file_format: str) -> None:
    separator = b"\t" if file_format == "tsv" else b","
    data = b"a\xe5\xa4" + separator + b"\xffb\x00c\n"
    row = read(file_format, data, Columns(text=0, pair=1))[0]
    assert row in (("a", "bc"), ("a", "b\0c"))


def test_tsv_blank_line_has_one_empty_column() -> None:
    assert read("tsv", b"a\n\nb\n") == ["a", "", "b"]
    assert fails("tsv", b"a\tb\n\n", Columns(text=1)) == (
        "input line 2: 1 column, but column 1 (counted from 0) is wanted"
    )


def test_csv_quoted_fields_hold_separators_quotes_and_line_ends() -> None:
    data = b'"a, ""b""","c\nd\r\ne"\r\nf,"g\rh"\r\n'
    assert read("csv", data, Columns(text=0, pair=1)) == [('a, "b"', "c\nd\r\ne"), ("f", "g\rh")]


def test_csv_blank_lines_are_skipped_and_quoted_empty_fields_are_not() -> None:
    assert read("csv", b'\n""\n\nb\n\n') == ["", "b"]


def test_csv_error_names_the_first_line_of_the_record() -> None:
    data = b'a,b\n"c\nd",e\nf\n'
    assert fails("csv", data, Columns(text=1)).startswith("input line 4: 1 column, ")
    data = b'a,b\n"c\nd"\nf,g\n'
    assert fails("csv", data, Columns(text=1)).startswith("input line 2: 1 column, ")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'a\n"b" c\n', 2),
        (b'a\nb\n"never closed\nc\nd\n', 3),
        (b"a\nb\rc\n", 2),
    ],
)
def test_csv_malformed_record_raises_with_its_line(data: bytes, line: int) -> None:
    message = fails("csv", data)
    assert message.startswith(f"input line {line}: not CSV: ")
    assert "\n" not in message


def test_csv_large_field_is_read() -> None:
    assert read("csv", b'"' + b"x" * 1_000_000 + b'"\n') == ["x" * 1_000_000]


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))).filter(
            len
        ),
        max_size=8,
    )
)
def test_csv_reads_what_python_writes(table: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(table)
    assert read("csv", b"\xef\xbb\xbf" + stream.getvalue().encode()) == [row[0] for row in table]


def test_jsonl_objects_and_arrays_are_read() -> None:
    objects = b'{"text": "a", "b": "c"}\r\n\n  \n{"b": "d\\n", "text": ""}'
    assert read("jsonl", objects) == ["a", ""]
    assert read("jsonl", objects, Columns(text="b", pair="text")) == [("c", "a"), ("d\n", "")]
    assert read("jsonl", b'["a", "b"]\n["c", "d", 1]\n', Columns(text=1, pair=0)) == [
        ("b", "a"),
        ("d", "c"),
    ]
    assert read("jsonl", b'\xef\xbb\xbf{"text": "a\xff"}') == ["a"]
    assert read("jsonl", b'{"text": "\\ud800\\u0000"}') == ["\ud800\0"]
    assert read("jsonl", b"") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "a"', "not JSON: Expecting ',' delimiter at column 13"),
        (b"nonsense", "not JSON: Expecting value at column 1"),
        (b"[" * 100_000, "not JSON: "),
        (b'{"text": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
        (b'{"label": 1}', "no key 'text'; it has 'label'"),
        (b"{}", "no key 'text'; it has "),
        (b'{"text": null}', "'text' is null, expected a string"),
        (b'{"text": NaN}', "'text' is a number, expected a string"),
        (b'{"text": 3}', "'text' is a number, expected a string"),
        (b'{"text": true}', "'text' is true or false, expected a string"),
        (b'{"text": ["a"]}', "'text' is an array, expected a string"),
        (b'{"text": {}}', "'text' is an object, expected a string"),
        (b'["a"]', "expected an object with 'text', got an array"),
        (b'"a"', "expected an object with 'text', got a string"),
        (b"null", "expected an object with 'text', got null"),
    ],
)
def test_jsonl_bad_line_is_named_by_its_number(line: bytes, message: str) -> None:
    raised = fails("jsonl", b'{"text": "fine"}\n\n' + line + b'\n{"text": "never read"}\n')
    assert raised.startswith(f"input line 3: {message}")
    assert "\n" not in raised


def test_jsonl_bad_array_is_named_by_its_number() -> None:
    assert fails("jsonl", b'["a"]\n[]\n', Columns(text=0)) == (
        "input line 2: 0 values, but value 0 is wanted"
    )
    assert fails("jsonl", b'{"0": "a"}\n', Columns(text=0)) == (
        "input line 1: expected an array with 0, got an object"
    )


def test_jsonl_with_header_option_raises() -> None:
    assert fails("jsonl", b"{}", Columns(header=True)) == "input: JSON lines have no header"


@pytest.mark.parametrize(
    ("text", "header", "message"),
    [
        (-1, None, "columns are numbered from 0, got -1"),
        (True, None, "a column is a name or a number from 0, got True"),
        (1.0, None, "a column is a name or a number from 0, got 1.0"),
        ("a", False, "column 'a' is a name, but the file is said to have no header"),
    ],
)
def test_columns_that_cannot_be_raise(text: object, header: bool | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Columns(text=text, header=header)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


@given(
    st.sampled_from(sorted(READERS)),
    st.binary(max_size=80) | st.text('{}[]":,\t\n\r\\ texu0é', max_size=80).map(str.encode),
    st.sampled_from([NO_COLUMNS, Columns(text="text", pair="b"), Columns(text=1), Columns(pair=0)]),
)
def test_any_bytes_give_rows_or_one_line_of_input_error(
    file_format: str, data: bytes, columns: Columns
) -> None:
    try:
        rows = read(file_format, data, columns)
    except InputError as error:
        assert str(error).startswith("input")
        assert "\n" not in str(error)
    else:
        kind = str if columns.pair is None else tuple
        assert all(isinstance(row, kind) for row in rows)


KEPT = {
    "tsv": b"id\ttext\n1\ta\n\n2\tb\n",
    "csv": b'id,text\n1,a\n"x\n2,b\n',
    "jsonl": b'{"id": 1, "text": "a"}\n{"id": null}\n{"id": [2], "text": "b", "c": 3}\n',
}


@pytest.mark.parametrize("file_format", sorted(KEPT))
def test_kept_columns_come_with_their_row_and_bad_rows_are_told(file_format: str) -> None:
    rows = read_all(file_format, KEPT[file_format], Columns(text="text", keep=("id",)))
    records = [row for row in rows if isinstance(row, Record)]
    assert [row.text for row in records] == ["a", "b"]
    assert [row.kept for row in records] == (
        [(1,), ([2],)] if file_format == "jsonl" else [("1",), ("2",)]
    )
    rejects = [row for row in rows if isinstance(row, Reject)]
    assert [row.line for row in rejects] == [2 if file_format == "jsonl" else 3]


def test_csv_quote_that_is_never_closed_costs_one_line() -> None:
    data = b'a\n"b\nc\n' + b"d\n" * 1000
    rows = read_all("csv", data)
    assert rows[1] == Reject(2, "not CSV: unexpected end of data")
    assert [row.text for row in rows if isinstance(row, Record)] == ["a", "c", *["d"] * 1000]
    assert [row.line for row in rows] == list(range(1, 1004))


@pytest.mark.parametrize("file_format", sorted(READERS))
def test_line_that_is_too_long_is_rejected_without_being_held(
    file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bertfast.jobs.readers.MAX_LINE_BYTES", 40)
    line = b'{"text": "a"}\n' if file_format == "jsonl" else b"a\n"
    data = line + b"x" * 95 + b"\n" + line + b"y" * 39 + b"\n"
    rows = read_all(file_format, data)
    assert [row.line for row in rows] == [1, 2, 3, 4]
    assert [isinstance(row, Record) for row in rows] == [True, False, True, file_format != "jsonl"]


@given(
    st.sampled_from(sorted(READERS)),
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b'"', b'{"text": "a"}', b"a\tb", b'"a\nb",c']),
        max_size=12,
    ),
    st.data(),
)
def test_reader_goes_on_from_any_row_as_if_it_had_never_stopped(
    file_format: str, lines: list[bytes], data: st.DataObject
) -> None:
    content = b"first" + b"\n".join(lines)
    rows, places = rows_and_places(file_format, content)
    stop = data.draw(st.integers(0, len(rows)))
    assert rows_from(file_format, content, places[stop]) == rows[stop:]


def test_csv_reader_goes_on_behind_a_quote_that_is_never_closed() -> None:
    content = b'a\n"\nb'
    rows, places = rows_and_places("csv", content)
    assert [row.line for row in rows] == [1, 2, 3]
    for stop, place in enumerate(places):
        assert rows_from("csv", content, place) == rows[stop:]


def rows_and_places(
    file_format: str, content: bytes
) -> tuple[list[Record | Reject], list[tuple[int, int]]]:
    """Read all rows; also return where the reader stands before the first and after each."""
    whole = reader(file_format, content)
    rows, places = [], [(0, 0)]
    for row in whole.rows():
        rows.append(row)
        places.append((whole.line, whole.offset))
    return rows, places


def rows_from(file_format: str, content: bytes, place: tuple[int, int]) -> list[Record | Reject]:
    rest = reader(file_format, content)
    rest.start_at(*place)
    return list(rest.rows())
