"""Every code block of the README and of docs/ does what it says.

Blocks marked ``python`` run in order in one namespace a file: as a doctest where they hold
prompts, else as a program with its asserts.  Blocks marked ``console`` are transcripts: each line
that starts with ``$ `` runs in a shell, and what follows is its output, where ``...`` stands for
any text.  Other blocks (``sh``, ``json``, ``text``) are only shown.
"""

import contextlib
import doctest
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.forked import commands

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WRITTEN = ROOT / "docs" / "reference" / "verbs"
"""Pages that are made when the site is built."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent != WRITTEN),
]
FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^ *(?P=ticks)\s*$",
    re.MULTILINE | re.DOTALL,
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    kind: str
    body: str
    line: int


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found["kind"] in {"python", "console"}:
            yield Block(
                found["kind"], textwrap.dedent(found["body"]), text[: found.start()].count("\n") + 1
            )


def run_python(block, namespace, page):
    where = f"{page.name}, line {block.line}"
    if ">>>" in block.body:
        example = doctest.DocTestParser().get_doctest(
            block.body, namespace, where, str(page), block.line
        )
        report = []
        runner = doctest.DocTestRunner(optionflags=OPTIONS)
        runner.run(example, out=report.append, clear_globs=False)
        assert runner.failures == 0, "".join(report)
        namespace.update(example.globs)
    else:
        program = "\n" * block.line + block.body
        exec(compile(program, str(page), "exec"), namespace)


def commands_of(body):
    command, output = None, []
    for line in body.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, "\n".join(output)
            command, output = line[2:], []
        elif command is not None and command.endswith("\\"):
            command += f"\n{line}"
        else:
            output.append(line)
    if command is not None:
        yield command, "\n".join(output)


def matches(expected, actual):
    parts = [re.escape(part) for part in normal(expected).split("...")]
    return re.fullmatch(".*?".join(parts), normal(actual), re.DOTALL) is not None


def normal(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.fixture(scope="module")
def search_path(tmp_path_factory):
    with commands(tmp_path_factory.mktemp("bin")) as folder:
        places = (str(folder), str(Path(sys.executable).parent), os.environ["PATH"])
        yield os.pathsep.join(places)


def run_console(block, folder, page, search_path):
    environment = {
        **os.environ,
        "PATH": search_path,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    for command, expected in commands_of(block.body):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        where = f"{page.name}, block at line {block.line}"
        assert "Traceback" not in done.stdout, f"{where}\n$ {command}\n{done.stdout}"
        assert matches(expected, done.stdout), (
            f"{where}\n$ {command}\n--- expected\n{expected}\n--- actual\n{done.stdout}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_do_what_they_say(page, tmp_path, search_path):
    namespace = {"__name__": "__main__"}
    with contextlib.chdir(tmp_path):
        for block in blocks_of(page):
            if block.kind == "python":
                run_python(block, namespace, page)
            else:
                run_console(block, tmp_path, page, search_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        *(("a ... c", "a b\nb c", True), ("x\n...", "x\ny", True)),
        *(("a", "a\n", True), ("(1)", "(1)", True), ("a", "ab", False)),
    ],
)
def test_transcripts_match_with_ellipses(expected, actual, same):
    assert matches(expected, actual) is same
