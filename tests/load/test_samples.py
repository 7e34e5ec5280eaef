"""Rows of tables as inputs: as they are, or through what the inputs say."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tamecheck as tc
from tamecheck.errors import InputError
from tamecheck.learn import Binariser
from tamecheck.loaders.samples import sample_of
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema, Target
from tamecheck.loaders.tables.schema_file import parse_schema, schema_document
from tamecheck.loaders.tables.table import read_table


def table(tmp_path, text, target="label"):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return read_table(path, target=target)


def test_numbers_are_inputs_as_they_are(tmp_path):
    found = sample_of(table(tmp_path, "a,b,label\n1,2,0\n3,4,1\n"), 2, 2, None, where="t")
    assert found.points.tolist() == [[1, 2], [3, 4]]
    assert found.labels.tolist() == [0, 1]
    assert found.classes == ("0", "1")
    assert found.shown[1] == {"a": "3", "b": "4"}


def schema_of_ages(classes=("yes", "no")):
    columns = (Column("age [years]", None, 0, "age", "years"), Column("colour", ("blue", "red"), 1))
    bits = (
        Bit(0, "age", "years", lower=37),
        Bit(1, "colour", category="red", other="blue"),
    )
    groups = (Group("free", "age", (0,)), Group("free", "colour", (1,)))
    return Schema(columns, bits, groups, classes, Target("label", 2))


def read(tmp_path, text, schema, **options):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return read_table(path, schema=schema, **{"target": None, **options})


AGES = "age [years],colour,label\n31,red,no\n52,blue,yes\n"


def test_inputs_are_what_they_say_of_the_columns(tmp_path):
    schema = schema_of_ages()
    found = sample_of(read(tmp_path, AGES, schema), 2, 2, schema, where="t")
    assert found.points.tolist() == [[-1, 1], [1, -1]]
    # the classes have the model's order, not that of the alphabet
    assert found.labels.tolist() == [1, 0]
    assert found.names == ("age ≥ 37 years", "colour = red")
    assert found.about(1) == {"row": 1, "line": 3, "label": "yes"}


def test_columns_are_found_by_name_and_the_label_may_be_missing(tmp_path):
    schema = schema_of_ages()
    found = read(tmp_path, "colour,age [years]\nred,40\n", schema)
    assert found.rows.tolist() == [[40.0, "red"]]
    assert sample_of(found, 2, 2, schema, where="t").label(0) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age [years],label\n31,no\n", "The column 'colour' is missing"),
        (AGES.replace("colour", "color"), "The column 'colour' is missing"),
        ("age [years],colour,x,label\n31,red,2,no\n", "The column 'x' is none that"),
        (AGES.replace("blue", "green"), "row 1 (line 3), column 'colour': 'green' is a category"),
        (AGES.replace("31", "old"), "row 0 (line 2), column 'age [years]': 'old' is no number"),
        (
            AGES.replace("52", "1e999"),
            "infinite, the first in row 1 (line 3), column 'age [years]'",
        ),
        (AGES.replace("52", ""), "missing, the first in row 1 (line 3), column 'age [years]'"),
        (AGES.replace("blue", "NA"), "missing, the first in row 1 (line 3), column 'colour'"),
    ],
)
def test_what_was_not_there_in_training_is_refused_by_name(tmp_path, text, says):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, schema_of_ages())
    assert says in str(caught.value)


def test_categories_stay_what_they_were_in_training(tmp_path):
    """A column of words that a new file has only numbers or missing values in is one of words."""
    words = ("-", "1", "NA", "None", "True", "nan")
    bits = tuple(Bit(0, "w", category=c) for c in words)
    groups = (Group("one-hot", "w", tuple(range(6))), Group("free", "n", (6,)))
    schema = Schema(
        (Column("w", words, 0), Column("n", None, 1)), (*bits, Bit(1, "n", lower=0.5)), groups
    )
    for word in words:
        found = read(tmp_path, f"w,n\n{word},1.0\n{word},1\n", schema)
        assert found.rows.tolist() == [[word, 1.0]] * 2
    for word in ("1.0", "true", "N/A"):
        with pytest.raises(InputError, match=r"row 0 \(line 2\), column 'w'"):
            read(tmp_path, f"w,n\n{word},1\n", schema)


def test_rows_keep_their_numbers_and_lines_when_others_are_left_out(tmp_path):
    text = 'age [years],colour,label\n31,red,no\n\n,red,yes\n"52\n",blue,yes\n'
    found = read(tmp_path, text, schema_of_ages(), missing="drop")
    assert [str(origin) for origin in found.origins] == ["row 0 (line 2)", "row 2 (line 5)"]
    assert [str(row) for row in found.left_out] == [
        "row 1 (line 4): column 'age [years]' has no value"
    ]
    assert found.positions([2, 0]) == [1, 0]
    with pytest.raises(InputError, match=r"Row 1 \(line 4\) was left out: column 'age \[years\]'"):
        found.positions([1])
    with pytest.raises(InputError, match=r"no row 3. The table has 3 rows, 0 to 2"):
        found.positions([3])
    assert found.positions([(0, 2), -1, (2, -1)]) == [0, 1, 1, 1]
    with pytest.raises(InputError, match=r"Row 2 is after row 1"):
        found.positions([(-1, 1)])
    with pytest.raises(InputError, match=r"no row -4"):
        found.positions([-4])


@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.sampled_from(["a", "b = c", "≥ 3", "<b>"])),
        min_size=6,
        max_size=20,
        unique_by=lambda pair: pair[0],
    ),
    st.sampled_from(["thermometer", "threshold", "one-hot"]),
)
def test_the_file_beside_a_model_gives_the_signs_of_its_binariser(pairs, encoding):
    """A schema that was written and read again encodes a frame as the binariser does."""
    rows = np.empty((len(pairs), 2), dtype=object)
    rows[:, 0] = [number for number, _ in pairs]
    rows[:, 1] = [text for _, text in pairs]
    binariser = Binariser(encoding, names=["income [k€]", "x ≥ y"]).fit(rows)
    text = json.dumps(schema_document(binariser.schema()))
    schema = parse_schema(text, where="t")
    assert schema == binariser.schema()
    frame = pd.DataFrame(rows, columns=["income [k€]", "x ≥ y"])
    table = read_table(frame, target=None, schema=schema)
    found = sample_of(table, len(schema.bits), 2, schema, where="t")
    assert (found.points == binariser.transform(rows)).all()


@pytest.mark.parametrize(
    ("text", "inputs", "says"),
    [
        ("a,b,label\n1,2,0\n3,4,1\n", 3, "2 features; the model takes 3"),
        ("a,b,label\n1,red,0\n3,blue,1\n", 2, "not all of them numbers"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, inputs, says):
    with pytest.raises(InputError, match=says):
        sample_of(table(tmp_path, text), inputs, 2, None, where="t")


def test_labels_that_are_no_classes_have_none(tmp_path):
    rows = table(tmp_path, "a,label\n1,0.5\n2,0.7\n3,0.9\n")
    found = sample_of(rows, 1, 1, None, where="t")
    assert found.classes == ()
    assert found.labels.tolist() == [-1, -1, -1]


def model(tmp_path, name="m.json"):
    found = tc.expression("sign(a + b)")
    found.save(tmp_path / name)
    return tc.load(tmp_path / name)


def test_a_model_alone_says_nothing_of_its_inputs(tmp_path):
    assert model(tmp_path).schema is None


def beside(tmp_path, change=None):
    """A model of two inputs with a file beside it that was changed."""
    found = model(tmp_path)
    document = schema_document(replace(schema_of_ages(), model=found.graph.sha256))
    if change is not None:
        change(document)
    (tmp_path / "m.json.features.json").write_text(json.dumps(document))
    return found


def test_the_file_beside_a_model_is_read(tmp_path):
    found = beside(tmp_path)
    assert found.schema == replace(schema_of_ages(), model=found.graph.sha256)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"features": ["a ≥ 1"], "classes": []}', "\x00"]
)
def test_sentences_alone_and_broken_files_are_refused(tmp_path, content):
    found = model(tmp_path)
    (tmp_path / "m.json.features.json").write_text(content)
    with pytest.raises(InputError, match=r"m\.json\.features\.json"):
        assert found.schema


def put(*path, value):
    def change(document):
        *inner, last = path
        for key in inner:
            document = document[key]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put("version", value=1), "of version 2"),
        (put("model", value="0" * 64), "belongs to another model"),
        (put("inputs", value=[]), "no partition|names for 2 inputs|'groups'"),
        (put("inputs", 0, "lower", value="37"), "'lower' is not a number"),
        (put("inputs", 0, "column", value=9), "'column' is not the number of a column"),
        (put("inputs", 1, "kind", value="threshold"), "'kind' is not"),
        (put("inputs", 1, "category", value="green"), "not free"),
        (put("inputs", 1, "column", value=0), "not free|no partition"),
        (put("groups", 0, "inputs", value=[0, 1]), "no partition"),
        (put("groups", 0, "kind", value="one-hot"), "are not one-hot"),
        (put("columns", 0, "name", value="colour"), "same name"),
        (put("columns", 0, "feature", value="colour"), "same feature"),
        (put("columns", 1, "categories", value=["blue", 1]), "'categories' is not a list"),
        (put("levels", value=[1, -1]), "two ascending"),
        (put("classes", value="yes"), "'classes' is not a list"),
        (put("target", value=3), "'target' is not an object"),
        (put("training", value={"sha256": 1}), "'sha256' is not a text"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, change, says):
    found = beside(tmp_path, change)
    with pytest.raises(InputError, match=says):
        assert found.schema
