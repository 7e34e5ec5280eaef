"""Tables from CSV, ARFF and KEEL files, frames and arrays; each error says where."""

import numpy as np
import pandas as pd
import pytest

import tamecheck as tc
from tamecheck.loaders.tables.table import read_table

CSV = "age,colour,ill\n31,red,y\n36,blue,n\n"
ARFF = """% a comment
@relation 'cars'
@attribute 'number of doors' numeric
@attribute colour {red, 'dark blue'}
@ATTRIBUTE price real
@attribute sold {0,1}

@data
2, red, 1e3, 1
4, 'dark blue', 2e3, 0
"""
KEEL = """@relation x
@attribute Age real [18.0, 90.0]
@attribute Class {yes, no}
@inputs Age
@outputs Class
@data
20.5, yes
30, no
"""


def table_of(tmp_path, text, name="table.csv", **options):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_table(path, **options)


def test_csv(tmp_path):
    table = table_of(tmp_path, CSV)
    assert table.names == ("age", "colour")
    assert table.columns[1].categories == ("blue", "red")
    assert table.rows.tolist() == [[31.0, "red"], [36.0, "blue"]]
    assert (table.target, table.labels.tolist()) == ("ill", ["y", "n"])


@pytest.mark.parametrize("target", ["age", 0, "0", -3])
def test_the_target_by_name_and_by_number(tmp_path, target):
    table = table_of(tmp_path, CSV, target=target)
    assert table.names == ("colour", "ill")
    assert table.labels.tolist() == [31, 36]
    assert table.labels.dtype == np.int64


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_quotes_and_no_header(tmp_path, delimiter):
    text = f'1{delimiter}"a{delimiter}b"{delimiter}0.5\n\n2{delimiter}c{delimiter}1.5\n'
    table = table_of(tmp_path, text, header=False)
    assert table.rows.tolist() == [[1.0, f"a{delimiter}b"], [2.0, "c"]]
    assert table.labels.tolist() == [0.5, 1.5]


def test_arff(tmp_path):
    table = table_of(tmp_path, ARFF, "cars.arff", target="sold")
    assert table.names == ("number of doors", "colour", "price")
    assert table.columns[1].categories == ("red", "dark blue")
    assert table.rows.tolist() == [[2.0, "red", 1000.0], [4.0, "dark blue", 2000.0]]
    assert table.labels.tolist() == [1, 0]


def test_keel(tmp_path):
    table = table_of(tmp_path, KEEL, "x.dat")
    assert table.rows.tolist() == [[20.5], [30.0]]
    assert table.rows.dtype == np.float64
    assert table.labels.tolist() == ["yes", "no"]


def test_frames_and_arrays():
    table = read_table(pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0, 1]}), target="a")
    assert table.rows.tolist() == [["x", 0.0], ["y", 1.0]]
    table = read_table(np.array([[1.5, 0], [2.5, 1]]))
    assert (table.rows.tolist(), table.labels.tolist()) == ([[1.5], [2.5]], [0, 1])


def test_missing_values_are_refused_or_their_rows_dropped(tmp_path):
    text = "a,b\n1,0\n?,1\n3,\n4,1\n"
    with pytest.raises(
        tc.InputError, match=r"2 values are missing, the first in row 1 \(line 3\), column 'a'"
    ):
        table_of(tmp_path, text)
    table = table_of(tmp_path, text, missing="drop")
    assert (table.rows.tolist(), table.dropped) == ([[1.0], [4.0]], 2)
    with pytest.raises(tc.InputError, match="missing"):
        read_table(pd.DataFrame({"a": [1.0, float("nan")], "b": [0, 1]}))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {}, "empty"),
        ("a,b\n", {}, "no rows"),
        ("a\n1\n", {}, "has one column"),
        ("a,b\n1,2\n3\n", {}, r"table\.csv:3: The row has 1 values, not 2"),
        ("a,a\n1,2\n", {}, "'a' occurs twice"),
        ("age,ill\n1,2\n", {"target": "aeg"}, "Did you mean 'age'"),
        ("a,b\n1,2\n", {"target": 2}, "no column 2"),
        ("a,b\n?,2\n", {"missing": "drop"}, "Every row"),
        ('a,b\n"1,2\n', {}, "no CSV"),
        ("@relation x\n@attribute a real\n@attribute b {0,1}\n", {}, "no @data"),
        ("@relation x\n@attribute\n@data\n", {}, r"table\.csv:2: This is no attribute"),
        ("@relation x\n@attribute a complex\n@data\n", {}, "no type of ARFF"),
        ("@relation x\n@attribute a real\n@data\n{0 1}\n", {}, r"table\.csv:4: Sparse"),
        ("@relation x\na real\n@data\n", {}, "starts with @"),
    ],
)
def test_errors_say_where_and_what(tmp_path, text, options, words):
    with pytest.raises(tc.InputError, match=words):
        table_of(tmp_path, text, **options)


def test_a_table_has_two_dimensions(tmp_path):
    with pytest.raises(tc.InputError, match="two dimensions"):
        read_table([1, 2])
    with pytest.raises(tc.InputError, match="no such file"):
        read_table(tmp_path / "no.csv")


@pytest.mark.parametrize("cell", ["inf", "-inf", "+Infinity", "1e999"])
def test_infinite_numbers_are_refused_with_row_and_column(tmp_path, cell):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b,y\n1,2,0\n,2,1\n3,{cell},1\n4,inf,1\n", encoding="utf-8")
    with pytest.raises(tc.TamecheckError) as caught:
        read_table(path, missing="drop")
    text = str(caught.value)
    assert f"2 values are infinite, the first in row 2 (line 4), column 'b': {cell}." in text


def test_infinite_labels_and_cells_of_arrays_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,0\n3,inf\n", encoding="utf-8")
    with pytest.raises(tc.TamecheckError, match=r"row 1 \(line 3\), column 'y'"):
        read_table(path)
    with pytest.raises(tc.TamecheckError, match="row 1, column '0': -inf"):
        read_table(np.array([[1.0, 0], [-np.inf, 1]]))
    with pytest.raises(tc.TamecheckError, match=r"row 0 \(index 0\), column 'a'"):
        read_table(pd.DataFrame({"a": [10**400, 2], "y": [0, 1]}))


def test_words_for_infinity_among_other_words_are_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\ninf,0\nlow,1\n", encoding="utf-8")
    assert read_table(path).columns[0].categories == ("inf", "low")
    nominal = ARFF.replace("{red, 'dark blue'}", "{inf, 1}").replace("red,", "inf,")
    path = tmp_path / "t.arff"
    path.write_text(nominal.replace("'dark blue'", "1"), encoding="utf-8")
    assert read_table(path).columns[1].categories == ("inf", "1")


@pytest.mark.parametrize(
    ("cells", "form", "numbers"),
    [
        (["5%", "12.5 %"], "%", [5, 12.5]),
        (["$1,005", "$3"], "$", [1005, 3]),
        (["-€5", "7 €"], "€", [-5, 7]),
        (["1,005", "1,234,567.5"], "", [1005, 1234567.5]),
        (["2024-01-05", "2023-12-31 00:00:00"], "date:%Y-%m-%d", [738890, 738885]),
        (["05.01.2024", "31.12.2023"], "date:%d.%m.%Y", [738890, 738885]),
        (["01/05/2024", "12/31/2023"], "date:%m/%d/%Y", [738890, 738885]),
    ],
)
def test_a_column_is_of_numbers_where_all_its_cells_are(cells, form, numbers):
    text = "a,y\n" + "".join(f'"{cell}",{k}\n' for k, cell in enumerate(cells))
    table = read_table(text.encode())
    assert (table.columns[0].form, table.rows[:, 0].tolist()) == (form, numbers)
    frame = read_table(pd.DataFrame({"a": cells, "y": [0, 1]}))
    assert (frame.columns, frame.rows.tolist()) == (table.columns, table.rows.tolist())
    mixed = read_table((text + "word,1\n").encode())
    assert mixed.columns[0].categories == tuple(sorted([*cells, "word"]))


def test_days_of_a_frame_are_days():
    days = pd.to_datetime(["2024-01-05", "2023-12-31"])
    table = read_table(pd.DataFrame({"d": days, "y": [0, 1]}))
    assert table.rows[:, 0].tolist() == [738890, 738885]


@pytest.mark.parametrize("cells", [["01/05/2024", "03/12/2023"], ["1-2-2024", "3-4-2024"]])
def test_days_that_can_be_read_twice_are_categories_with_a_note(cells):
    table = read_table(f"a,y\n{cells[0]},0\n{cells[1]},1\n".encode())
    assert table.columns[0].categories == tuple(sorted(cells))
    assert "day and month" in table.notes[0]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a;y\n3,5;0\n4;1\n", {}, "decimal comma: 3,5"),
        ("a;y\n1,005;0\n4;1\n", {}, "decimal comma: 1,005"),
        ("1,2,0\n3,4,1\n5,5,0\n", {}, "The first line looks like a row: 1, 2, 0"),
        ("y,n\nn,y\ny,n\n", {}, "The first line looks like a row"),
        ("id,y\n9007199254740993,0\n4,1\n", {}, "no float is the integer 9007199254740993"),
        ("a,b,y\n1,2,0\n", {"ignore": ["c"]}, "There are: a, b, y"),
        ("a,b,y\n1,2,0\n", {"ignore": ["y"]}, "is ignored"),
        ("a,b,y\n1,2,0\n", {"sep": ";;"}, "no single character"),
        ("a,b,y\nNA,,0\nx,1,1\n", {"missing": "level"}, "no level"),
    ],
)
def test_what_is_unclear_is_asked(text, options, words):
    with pytest.raises(tc.InputError, match=words):
        read_table(text.encode(), **options)


def test_what_is_said_is_done():
    table = read_table(b"a;y\n3,5;0\n1.234,5;1\n", decimal=",")
    assert table.rows.tolist() == [[3.5], [1234.5]]
    assert read_table(b"a;y\n3,5;0\n4;1\n", decimal=".").columns[0].categories == ("3,5", "4")
    assert read_table(b"1,2,0\n3,4,1\n", header=True).names == ("1", "2")
    assert read_table(b"1,2,0\n3,4,1\n", header=False).rows.tolist() == [[1, 2], [3, 4]]
    # numbers from 0 are names, and so are numbers over words that are no numbers
    assert read_table(b"0,1,2\n3,4,1\n").names == ("0", "1")
    assert read_table(b"name,2019,y\nx,4,1\nx,5,0\n").names == ("name", "2019")
    table = read_table(b"a,b,y\nNA,1,0\nx,2,1\n", missing="level", ignore=["b"])
    assert (table.columns[0].categories, table.columns[0].index) == (("NA", "x"), 0)
    table = read_table(b"a,b,y\nnone,1,0\nx,,1\n,2,1\nx,3,\n", missing="level,drop")
    assert (table.rows.tolist(), table.dropped) == ([["none", 1.0], ["", 2.0]], 2)
    assert read_table(b"a,y\n1,9007199254740993\n4,9007199254740992\n").labels.tolist() == [
        "9007199254740993",
        "9007199254740992",
    ]
    many = "n,y\n" + "".join(f"n{k},{k % 2}\n" for k in range(12))
    assert "has 12 categories in 12 rows" in read_table(many.encode()).notes[0]
