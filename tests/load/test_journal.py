"""Journals: nothing is lost and nothing doubled, whenever a run ends."""

import json
import random
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.errors import InputError
from tamecheck.loaders.outputs import journal

KIND, FORM = "list of explanations", "tamecheck-explanations"

WRITER = textwrap.dedent("""
    import sys, time
    from tamecheck.loaders.outputs import journal
    path, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with journal(path, "list of explanations", "tamecheck-explanations", {"rows": 1}) as found:
        for number in range(len(found.kept), count):
            found.append({"row": number, "text": "x" * (number * 37 % 5000)})
            time.sleep(pause)
""")


def writer(path, count, pause, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count), str(pause)],
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def rows(path):
    return [json.loads(line)["row"] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.slow
def test_killed_ten_times_it_loses_and_doubles_nothing(tmp_path):
    path, chance = tmp_path / "a.jsonl", random.Random(0)
    kept = 0
    for _ in range(10):
        child = writer(path, 10**6, 0.0005)
        # killed in the middle of its work, at whatever speed the machine has
        while not path.exists() or len(path.read_bytes().splitlines()) < kept + 3:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        child.kill()
        child.communicate()
        whole = path.read_bytes().split(b"\n")[:-1]
        assert len(whole) - 1 > kept
        kept = len(whole) - 1
    child = writer(path, kept + 20, 0)
    child.communicate()
    assert child.returncode == 0
    assert rows(path) == list(range(kept + 20))
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.slow
def test_of_two_writers_at_once_one_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    children = [writer(path, 200, 0.005) for _ in range(2)]
    said = [child.communicate()[1] for child in children]
    ended = sorted(child.returncode for child in children)
    # a writer that comes when the other has done its work finds nothing left to do
    assert rows(path) == list(range(200))
    assert ended in ([0, 0], [0, 1])
    assert ended == [0, 0] or any("Another process writes this file" in text for text in said)


def test_a_lock_holds_within_a_process_too(tmp_path):
    path = tmp_path / "a.jsonl"
    with journal(path, KIND, FORM, {}) as found:
        found.append({"row": 0})
        with (
            pytest.raises(InputError, match="Another process writes"),
            journal(path, KIND, FORM, {}),
        ):
            pytest.fail("two at once")
    with journal(path, KIND, FORM, {}) as found:
        assert found.kept == ({"row": 0},)


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())), st.data())
def test_whatever_is_cut_off_the_whole_lines_before_it_stay(tmp_path_factory, records, data):
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    with journal(path, KIND, FORM, {"q": 1}) as found:
        for record in records:
            found.append(record)
    written = path.read_bytes()
    first = written.index(b"\n") + 1
    cut = data.draw(st.integers(first, len(written)))
    path.write_bytes(written[:cut])
    whole = written[first:cut].count(b"\n")
    with journal(path, KIND, FORM, {"q": 1}) as found:
        assert list(found.kept) == records[:whole]
        assert found.cut == (not written[:cut].endswith(b"\n"))
        for record in records[whole:]:
            found.append(record)
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"one line that somebody wrote", "left alone"),
        (b'{"format":"tamecheck-graph","nodes":[]}\n', "left alone"),
        (b'{"a": 1}\n{"a": 2}\n', "left alone"),
        (b"[1]\n", "left alone"),
        (b"\xff\xfe\n", "left alone"),
        (b'{"format": "tamecheck-explanations", "question": {"q": 2}, "version": 1}\n', "other q"),
        (b'{"format": "tamecheck-explanations", "question": {"q": 1}, "version": 2}\n', "version"),
        (b'{"format": "tamecheck-explanations", "version": 1}\n', "question"),
        (
            b'{"format": "tamecheck-explanations", "question": {"q": 1}, "version": 1}\n7\n{}\n',
            "Line 2 is no record",
        ),
    ],
)
def test_other_files_are_refused_and_stay_as_they_are(tmp_path, content, words):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words), journal(path, KIND, FORM, {"q": 1}):
        pytest.fail("it is another file")
    assert path.read_bytes() == content
    with journal(path, KIND, FORM, {"q": 1}, force=True) as found:
        found.append({"row": 0})
    assert len(path.read_bytes().splitlines()) == 2


def test_where_there_is_no_room_the_file_ends_with_a_whole_line(tmp_path):
    import resource

    path = tmp_path / "a.jsonl"
    limit = 20_000
    child = writer(
        path,
        1000,
        0,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, said = child.communicate()
    assert child.returncode == 1
    assert "cannot be written (File too large)" in said
    found = rows(path)
    assert found == list(range(len(found)))
    assert path.read_bytes().endswith(b"\n")
    child = writer(path, 1000, 0)
    child.communicate()
    assert rows(path) == list(range(1000))


def test_a_file_that_cannot_be_begun_is_not_there(tmp_path):
    import resource

    path = tmp_path / "a.jsonl"
    child = writer(
        path, 5, 0, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    )
    _, said = child.communicate()
    assert "cannot be written" in said
    assert not list(tmp_path.iterdir())


def test_errors_of_the_body_keep_their_names(tmp_path):
    with pytest.raises(OSError, match="of the body"), journal(tmp_path / "a", KIND, FORM, {}):
        raise OSError("of the body")
