import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masktune.data.tables import read_table
from masktune.errors import DataDamaged, DataNotFound, InputError, MissingExtra, StorageError

TEXT = "path,label\na.png,Käuzchen\nb.png,dog\n"


def table_of(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path)


def refusal(tmp_path, content, error=InputError):
    with pytest.raises(error) as caught:
        table_of(tmp_path, content)
    return str(caught.value).replace(str(tmp_path), "DIR")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_ends_of_lines_and_delimiters(tmp_path, encoding, end, delimiter):
    text = TEXT.replace("\n", end).replace(",", delimiter)
    table = table_of(tmp_path, text.encode(encoding))
    assert table.columns == {"path": ["a.png", "b.png"], "label": ["Käuzchen", "dog"]}
    assert table.numbers == [2, 3]


def test_utf_16_with_the_other_byte_order(tmp_path):
    table = table_of(tmp_path, b"\xfe\xff" + TEXT.encode("utf-16-be"))
    assert table.columns["label"] == ["Käuzchen", "dog"]


def test_quotes_spaces_and_blank_rows(tmp_path):
    text = '\n"path", label ,"note; of, all"\n"a,1.png", cat ,"two\nlines"\n\n , ,\n"b ""b"".png",dog,x\n'
    table = table_of(tmp_path, text)
    assert table.columns == {
        "path": ["a,1.png", 'b "b".png'],
        "label": ["cat", "dog"],
        "note; of, all": ["two\nlines", "x"],
    }
    assert table.numbers == [3, 7]


def test_the_delimiter_is_the_header_s_whatever_the_rows_hold(tmp_path):
    table = table_of(tmp_path, "path;label\na,b,c.png;1,5\n")
    assert table.columns == {"path": ["a,b,c.png"], "label": ["1,5"]}


def test_what_programs_add(tmp_path):
    assert table_of(tmp_path, "sep=;\r\npath;label\r\na.png;cat\r\n").columns["label"] == ["cat"]  # Excel.
    assert table_of(tmp_path, ",path,label\n0,a.png,cat\n").columns == {"path": ["a.png"], "label": ["cat"]}


def test_values_of_parquet_become_text(tmp_path):
    columns = {"path": ["a", " b "], "label": [1.0, None], "split": [0, 2], "ok": [True, False]}
    pq.write_table(pa.table(columns | {"__index_level_0__": [5, 6]}), tmp_path / "t.anything")
    table = read_table(tmp_path / "t.anything")
    assert table.columns == {
        "path": ["a", "b"],
        "label": ["1.0", ""],
        "split": ["0", "2"],
        "ok": ["True", "False"],
    }
    assert table.numbers == [1, 2]


def test_parquet_of_pandas_with_categories(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": ["a", "b"], "label": pandas.Categorical(["x", "y"])}, index=[7, 3])
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns == {"path": ["a", "b"], "label": ["x", "y"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "DIR/table.csv is empty; write a first row path,label, then a row for each image"),
        ("\n \n", "DIR/table.csv is empty; write a first row path,label, then a row for each image"),
        ("path,label\n", "DIR/table.csv has names of columns, but no rows; write a row for each image"),
        (
            "path,label, PATH\na,b,c\n",
            "expected names of columns that differ in DIR/table.csv, got 'path' and 'PATH'; rename one",
        ),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, message):
    assert refusal(tmp_path, content) == message


@pytest.mark.parametrize(("rows", "got", "row"), [("a,b\na,b,c\n", 3, 3), ("\na\n", 1, 3)])
def test_rows_that_are_too_long_or_too_short(tmp_path, rows, got, row):
    assert refusal(tmp_path, f"path,label\n{rows}") == (
        "expected 2 fields in each row of DIR/table.csv, as in the row of names, got "
        f"{got} in row {row}; put fields with commas or quotes in them into quotes"
    )


def test_what_is_no_table(tmp_path):
    assert refusal(tmp_path, b"PK\x03\x04 rest", DataDamaged) == (
        "DIR/table.csv is a workbook or an archive, not a table; save it as CSV"
    )
    assert refusal(tmp_path, "path,label\na,b\nKäuz,b\n".encode("cp1252"), DataDamaged) == (
        "expected UTF-8 in DIR/table.csv, got the byte 0xe4 in row 3; save it as UTF-8"
    )
    message = refusal(tmp_path, 'path,label\na,b\n"c,d\ne,f\n', DataDamaged)
    assert message == (
        "DIR/table.csv cannot be read from row 3 on: unexpected end of data; is a quote not closed, or one "
        "too many?"
    )
    assert refusal(tmp_path, b"PAR1 but no more", DataDamaged).startswith(
        "DIR/table.csv cannot be read as Parquet ("
    )


def test_parquet_with_images_is_another_thing(tmp_path):
    pq.write_table(pa.table({"image": [{"bytes": b"1", "path": "a"}], "label": [0]}), tmp_path / "t.parquet")
    with pytest.raises(
        InputError, match=r"column 'image' of .* holds struct.*; a table that holds the images"
    ):
        read_table(tmp_path / "t.parquet")


def test_where_there_is_no_file(tmp_path):
    (tmp_path / "labels.csv").touch()
    with pytest.raises(DataNotFound) as caught:
        read_table(tmp_path / "label.csv")
    assert str(caught.value) == f"no file {tmp_path}/label.csv (did you mean 'labels.csv'?)"
    with pytest.raises(InputError, match="expected a CSV or Parquet file, got the folder"):
        read_table(tmp_path)


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.touch()

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refused)
    with pytest.raises(StorageError, match=r"cannot read .*a\.csv: permission denied"):
        read_table(path)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra) as caught:
        read_table(tmp_path / "t.parquet")
    assert str(caught.value) == "Parquet files need pyarrow; type: pip install 'masktune[tables]'"
