"""Reading files that may be anything, and choosing the reader of a model."""

import gzip

import pytest

from tamecheck.errors import InputError
from tamecheck.loaders import load
from tamecheck.loaders.files import read_bytes, read_text, suffix_of


def test_plain_and_gzipped_files(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhi\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"hi\n"))
    assert read_text(tmp_path / "a.txt") == read_text(tmp_path / "b.txt.gz") == "hi\n"
    assert suffix_of("Net.ONNX.gz") == ".onnx"


def test_a_decompression_bomb_stops_at_the_limit(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0" * 10_000_000))
    with pytest.raises(InputError, match="decompresses to more than"):
        read_bytes(path, limit=path.stat().st_size)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.gz", b"not gzip", "gzip data is damaged"),
        ("cut.gz", gzip.compress(b"abc" * 1000, mtime=0)[:-9], "gzip data is damaged"),
        ("latin.txt", b"\xe9", "Byte 0 is not UTF-8"),
    ],
)
def test_damaged_files(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_text(tmp_path / name)


def test_no_file_a_folder_and_a_strange_name(tmp_path):
    for path, words in [(tmp_path / "x", "no such file"), (tmp_path, "a folder"), ("a\0b", "no ")]:
        with pytest.raises(InputError, match=words):
            read_bytes(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("p.vnnlib", "--spec"), ("m.pt", "from_torch"), ("m.pkl", "from_sklearn"), ("m", "no model")],
)
def test_a_suffix_that_is_no_model_says_what_to_do(name, words):
    with pytest.raises(InputError, match=words):
        load(name)
