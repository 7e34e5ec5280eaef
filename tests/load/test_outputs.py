"""Files that are written: whole or not at all, and never over somebody's work."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from corpus import SPEC

from tamecheck.cli import main
from tamecheck.errors import InputError
from tamecheck.loaders.outputs import check_output, write_bytes, write_files

PROGRAM = "min\n cost: 3 x\nst\n c: 2 x >= 3\nbounds\n x <= 9\ngen\n x\nend\n"

TWO_LEVELS = ("--domain", "-1,1")
RELEVANCY = ("--kind", "relevancy")

VERBS = {
    "certificate": ["check", "--expr", "max(x,0)", "-o", "OUT.json"],
    "packed": ["check", "--expr", "max(x,0)", "-o", "OUT.json.gz"],
    "tree": ["solve", "p.lp", "--certify", "-o", "OUT.json"],
    "dual": ["dual", "p.lp", "--method", "tree", "-o", "OUT.json"],
    "model": ["convert", "--expr", "max(x,0)", "-o", "OUT.json"],
    "smt": ["convert", "--expr", "max(x,0)", "-o", "OUT.smt2"],
    "latex": ["convert", "--expr", "max(x,0)", "-o", "OUT.tex"],
    "sympy": ["convert", "--expr", "max(x,0)", "-o", "OUT.py"],
    "png": ["plot", "field", "--expr", "max(x,y)", "--box=-1:1", "-o", "OUT.png"],
    "svg": ["plot", "cells", "--expr", "max(x,y)", "--box=-1:1", "-o", "OUT.svg"],
    "pdf": ["plot", "cells", "--expr", "max(x,y)", "--box=-1:1", "-o", "OUT.pdf"],
    "ball": ["verify", "--expr", "sign(x)", "--input", "x.json", "--distance", "-o", "OUT.json"],
    "result": ["verify", "--expr", "x", "s.vnnlib", "--vnncomp", "OUT.txt"],
    "trained": [
        "train",
        "t.csv",
        "--target=-1",
        "--hidden",
        "2",
        "--epochs",
        "2",
        "-o",
        "OUT.json",
    ],
    "onnx": ["train", "t.csv", "--target=-1", "--hidden", "2", "--epochs", "2", "-o", "OUT.onnx"],
    "explanations": ["explain", "net.json", *TWO_LEVELS, "--input", "xs.json", "-o", "OUT.jsonl"],
    "reason": [
        *("explain", "net.json", *TWO_LEVELS, "--input", "x2.json"),
        *(*RELEVANCY, "--plot", "OUT.svg"),
    ],
    "report": ["report", "--expr", "max(x,0)", "--box=-1:1", "--timeout", "60", "-o", "OUT.html"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "p.lp": PROGRAM,
        "s.vnnlib": SPEC,
        "x.json": "[1]",
        "x2.json": "[1, 1]",
        "xs.json": "[[1, 1], [1, -1]]",
        "t.csv": "a,b,c\n1,0,x\n0,1,y\n1,1,x\n0,0,y\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["convert", "--expr", "sign(x + y)", "-o", "net.json", "-q"]) == 0
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_replaces_its_own_output_and_nothing_else(folder, verb, capsys):
    arguments = VERBS[verb]
    name = next(word for word in arguments if word.startswith("OUT"))
    done = (0, 3) if verb == "report" else (0,)
    (folder / name).write_bytes(b"")
    assert main(arguments) in done
    first = (folder / name).read_bytes()
    assert main(arguments) in done
    if verb != "report":
        assert (folder / name).read_bytes() == first
    for other in (b"mine", b"mine\n", first[:5], b"\x00" + first):
        (folder / name).write_bytes(other)
        assert main(arguments) == 2
        assert (folder / name).read_bytes() == other
        assert "is left alone" in capsys.readouterr().err
    assert main([*arguments, "--force"]) in done
    assert len((folder / name).read_bytes()) > 5
    assert not list(folder.glob(".tamecheck-*"))


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        ("net.json", ["check", "net.json", "-o"]),
        ("net.json", ["convert", "net.json", "-o"]),
        ("net.json", ["report", "net.json", "-o"]),
        ("net.json", ["explain", "net.json", "--input", "xs.json", "-o"]),
        ("xs.json", ["explain", "net.json", "--input", "xs.json", "-o"]),
        ("p.lp", ["check", "p.lp", "-o"]),
        ("p.lp", ["solve", "p.lp", "--certify", "-o"]),
        ("p.lp", ["dual", "p.lp", "-o"]),
        ("s.vnnlib", ["verify", "--expr", "x", "s.vnnlib", "--vnncomp"]),
        ("x.json", ["verify", "--expr", "sign(x)", "--input", "x.json", "--distance", "-o"]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
@pytest.mark.parametrize("name", ["same", "hard", "soft", "around"])
def test_an_input_is_not_replaced_by_any_name_nor_by_force(folder, inputs, arguments, name, capsys):
    # a suffix that the verb takes, where it asks for one
    suffix = {"convert": ".json", "report": ".html"}.get(arguments[0], "")
    before = (folder / inputs).read_bytes()
    if name == "same" and not suffix:
        output = inputs
    elif name == "around":
        (folder / "sub").mkdir()
        output = f"sub/../{inputs}"
        suffix = suffix if not inputs.endswith(suffix) else ""
    else:
        output = f"link{suffix}"
    if name == "hard":
        os.link(inputs, output)
    elif output.startswith("link") or suffix:
        output = f"link{suffix}"
        Path(output).symlink_to(inputs)
    assert main([*arguments, output, "--force"]) == 2
    assert "read as an input" in capsys.readouterr().err
    assert (folder / inputs).read_bytes() == before


def test_a_demo_leaves_other_files_alone(folder, capsys):
    (folder / "tamecheck-demo").mkdir()
    summary = folder / "tamecheck-demo" / "summary.md"
    summary.write_text("mine", encoding="utf-8")
    assert main(["demo", "-q"]) == 2
    assert summary.read_text(encoding="utf-8") == "mine"
    assert "is left alone" in capsys.readouterr().err
    assert main(["demo", "-q", "--force"]) == 0
    assert main(["demo", "-q"]) == 0


def test_a_link_is_followed_and_modes_stay(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "b.txt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    fresh = tmp_path / "c.txt"
    write_bytes(fresh, b"")
    (tmp_path / "d.txt").touch()
    assert fresh.stat().st_mode == (tmp_path / "d.txt").stat().st_mode


def test_a_pipe_is_written_and_stays_a_pipe():
    command = [sys.executable, "-m", "tamecheck", "check", "-q", "--expr", "x", "-o", "/dev/stdout"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith('{"format":"tamecheck-certificate"')


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path):
    # the kernel refuses to let the file grow, as it does on a full disk
    script = textwrap.dedent("""
        import resource, sys
        from tamecheck.errors import InputError
        from tamecheck.loaders.outputs import write_bytes, write_files
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        old, new, small = sys.argv[1:]
        for contents in ({old: bytes(5000)}, {new: bytes(5000)}, {small: b"x", old: bytes(5000)}):
            try:
                write_files(contents)
            except InputError as error:
                print(error)
    """)
    old, new, small = (tmp_path / name for name in ("old", "new", "small"))
    old.write_bytes(b"old")
    command = [sys.executable, "-c", script, str(old), str(new), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert old.read_bytes() == b"old"
    assert done.stdout.count("cannot be written (File too large).") == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_every_error_of_the_system_names_the_file(tmp_path, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputError, match=os.strerror(number)) as caught:
        write_bytes(tmp_path / "a", b"data")
    assert caught.value.where == str(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_files({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "folder"),
        ("none/a", "folder of the file does not exist"),
        ("a\0b", "no name of a file"),
        ("x" * 300, "File name too long"),
    ],
)
def test_impossible_places_are_errors_before_the_work(tmp_path, name, words):
    with pytest.raises(InputError, match=words):
        check_output(f"{tmp_path}/{name}", "figure")


def test_a_read_only_file_or_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    with pytest.raises(InputError, match="folder is read-only"):
        check_output(tmp_path / "a.svg", "figure")
    (tmp_path / "a.svg").touch()
    with pytest.raises(InputError, match="file is read-only"):
        check_output(tmp_path / "a.svg", "figure", force=True)
