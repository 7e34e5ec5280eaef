"""The notebooks run, and say what their saved outputs say."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [
    pytest.mark.slow,
    # a kernel's own deprecations are none of ours
    pytest.mark.filterwarnings("ignore"),
]

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 200_000


def texts(book):
    """What a reader sees as text, cell by cell; times and pictures may differ."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            if text.startswith("Running HiGHS"):
                continue  # a banner that comes out where the process prints
            yield re.sub(r"\d+\.\d+", "#", text)


@pytest.mark.parametrize("file", BOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_and_says_what_it_said(file, tmp_path):
    saved = nbformat.read(file, as_version=4)
    fresh = nbformat.read(file, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(fresh, timeout=170, kernel_name="python3", resources=where).execute()
    assert list(texts(fresh)) == list(texts(saved))


@pytest.mark.parametrize("file", BOOKS, ids=lambda file: file.stem)
def test_saved_outputs_are_light_and_name_no_folder(file):
    text = file.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert not re.search(r"/(home|work|Users|tmp)/", text)


def test_there_are_five():
    assert len(BOOKS) == 5
