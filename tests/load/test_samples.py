"""Rows of tables as inputs: as they are, or through what the inputs say."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.errors import InputError
from tamecheck.learn import Binariser
from tamecheck.load.samples import Sidecar, read_sidecar, sample_of
from tamecheck.load.tables import read_table


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


def test_statements_are_read_on_the_columns(tmp_path):
    rows = table(tmp_path, "age [years],colour,label\n31,red,no\n52,blue,yes\n")
    says = Sidecar(("age ≥ 37 years", "colour = red", "age < 37 years"), ("yes", "no"))
    found = sample_of(rows, 3, 2, says, where="t")
    assert found.points.tolist() == [[-1, 1, 1], [1, -1, -1]]
    # the classes have the model's order, not that of the alphabet
    assert found.labels.tolist() == [1, 0]
    assert found.names == says.features


def test_intervals_are_half_open(tmp_path):
    rows = table(tmp_path, "a,label\n1,0\n2,1\n3,0\n")
    says = Sidecar(("a in [1, 3)", "a ≥ 3"), ("0", "1"))
    assert sample_of(rows, 2, 2, says, where="t").points.tolist() == [[1, -1], [1, -1], [-1, 1]]


def test_the_longest_name_is_meant(tmp_path):
    rows = table(tmp_path, "size,size max,label\n1,9,0\n9,1,1\n")
    says = Sidecar(("size max ≥ 5", "size ≥ 5", "size < 2"), ("0", "1"))
    found = sample_of(rows, 3, 2, says, where="t").points
    assert found.tolist() == [[1, -1, 1], [-1, 1, -1]]


@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.sampled_from(["a", "b = c", "≥ 3", "<b>"])),
        min_size=6,
        max_size=20,
        unique_by=lambda pair: pair[0],
    ),
    st.sampled_from(["thermometer", "threshold", "one-hot"]),
)
def test_what_a_binariser_says_is_what_it_does(pairs, encoding):
    """The statements of a table's binariser, read back, are its signs."""
    rows = np.empty((len(pairs), 2), dtype=object)
    rows[:, 0] = [number for number, _ in pairs]
    rows[:, 1] = [text for _, text in pairs]
    binariser = Binariser(encoding, names=["income [k€]", "x ≥ y"]).fit(rows)
    says = tuple(binariser.literal(k) for k in range(len(binariser.bits_)))
    frame = [[*row, label] for row, label in zip(rows.tolist(), [0, 1] * 10, strict=False)]
    array = np.array(frame, dtype=object)
    found = sample_of(_named(array), len(says), 2, Sidecar(says, ("0", "1")), where="t")
    assert (found.points == binariser.transform(rows)).all()


def _named(array):
    return read_table(pd.DataFrame(array, columns=["income [k€]", "x ≥ y", "label"]))


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


def test_statements_about_no_column_are_refused(tmp_path):
    rows = table(tmp_path, "a,b,label\n1,2,0\n3,4,1\n")
    with pytest.raises(InputError, match="Input 1 says 'weight ≥ 3'"):
        sample_of(rows, 2, 2, Sidecar(("a ≥ 2", "weight ≥ 3"), ()), where="t")


def test_labels_that_are_no_classes_have_none(tmp_path):
    rows = table(tmp_path, "a,label\n1,0.5\n2,0.7\n3,0.9\n")
    found = sample_of(rows, 1, 1, None, where="t")
    assert found.classes == ()
    assert found.labels.tolist() == [-1, -1, -1]


def test_there_may_be_no_sidecar(tmp_path):
    assert read_sidecar(str(tmp_path / "model.onnx")) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"features": [1], "classes": []}', "\x00"])
def test_a_broken_sidecar_is_refused(tmp_path, content):
    (tmp_path / "m.json.features.json").write_text(content)
    with pytest.raises(InputError, match="features"):
        read_sidecar(str(tmp_path / "m.json"))


def test_a_sidecar_is_read(tmp_path):
    document = {"features": ["a ≥ 1"], "classes": ["no", "yes"]}
    (tmp_path / "m.json.features.json").write_text(json.dumps(document))
    assert read_sidecar(str(tmp_path / "m.json")) == Sidecar(("a ≥ 1",), ("no", "yes"))
