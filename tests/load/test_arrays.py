"""Input points in npy, csv and json files."""

import gzip
import io
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.errors import InputError
from tamecheck.loaders.samples import read_point

INPUTS = {"x": (2, 2), "y": ()}


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def point(tmp_path, name, content, inputs=INPUTS):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {key: array.tolist() for key, array in read_point(path, inputs).items()}


TENTH = Fraction(1, 10)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.npy", npy(np.arange(5.0)), {"x": [[0, 1], [2, 3]], "y": 4}),
        ("a.npy", npy(np.arange(5, dtype=">i4")), {"x": [[0, 1], [2, 3]], "y": 4}),
        ("a.npy.gz", gzip.compress(npy(np.arange(5.0)), mtime=0), {"x": [[0, 1], [2, 3]], "y": 4}),
        ("a.csv", "1,2,3\n4,0.1\n", {"x": [[1, 2], [3, 4]], "y": TENTH}),
        ("a.csv", "a b c d e\n1 2 3 4 1e-1", {"x": [[1, 2], [3, 4]], "y": TENTH}),
        ("a.csv", "1;2;3;4;1/10", {"x": [[1, 2], [3, 4]], "y": TENTH}),
        ("a.json", "[1,2,3,4,0.1]", {"x": [[1, 2], [3, 4]], "y": TENTH}),
        ("a.json", '{"y":"1/10","x":[[1,2],[3,4]]}', {"x": [[1, 2], [3, 4]], "y": TENTH}),
    ],
)
def test_points(tmp_path, name, content, expected):
    assert point(tmp_path, name, content) == expected


def test_a_csv_header_names_scalar_inputs(tmp_path):
    assert point(tmp_path, "a.csv", "b,a\n1,2", {"a": (), "b": ()}) == {"a": 2, "b": 1}


def test_a_column_major_array_keeps_its_elements(tmp_path):
    content = npy(np.asfortranarray(np.arange(4.0).reshape(2, 2)))
    assert point(tmp_path, "a.npy", content, {"x": (2, 2)}) == {"x": [[0, 1], [2, 3]]}


HUGE = npy(np.zeros(3)).replace(b"(3,), }            ", b"(3000000000000,), }")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", b"", "no .npy file"),
        ("a.npy", HUGE, "not what the file holds"),
        ("a.npy", npy(np.zeros(5))[:-1], "not what the file holds"),
        ("a.npy", npy(np.array([object()] * 5)), "names no array of numbers"),
        ("a.npy", npy(np.array(["a"] * 5)), "names no array of numbers"),
        ("a.npy", npy(np.array([np.nan] * 5)), "NaN"),
        ("a.npy", npy(np.zeros(4)), "holds 4 numbers, the model takes 5"),
        ("a.csv", "", "empty"),
        ("a.csv", "1,2,3,4,nan", "not a number"),
        ("a.csv", "a,b\n", "holds 0 numbers"),
        ("a.json", '{"x":[[1,2],[3,4]]}', "no value for input 'y'"),
        ("a.json", '{"x":[[1,2],[3,4]],"y":0,"z":0}', "'z' is no input"),
        ("a.json", '{"x":[[1,2],[3]],"y":0}', "differ in length"),
        ("a.json", '{"x":[[1,2],[3,[4]]],"y":0}', "differ in length"),
        ("a.json", "[1,2,3,4,Infinity]", "not a number"),
        ("a.json", "[1,2,3,4,true]", "not a number"),
        ("a.txt", "1", "suffix"),
    ],
)
def test_mistakes(tmp_path, name, content, words):
    with pytest.raises(InputError) as caught:
        point(tmp_path, name, content)
    assert words in caught.value.message
    assert name in caught.value.message
