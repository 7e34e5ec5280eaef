"""The embedded networks, one record each, with the verdict that they must get."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tamecheck.errors import InputError


@dataclass(frozen=True, slots=True)
class Embedded:
    """A network of the package, asked about on a box.

    Parameters
    ----------
    name
        A short name for files.
    file
        The file in this folder.
    box
        The box that the question is about, in the notation of ``--box``; empty for all inputs.
    about
        What the network is.
    verdict
        The verdict that `check` must give.
    structure
        The structure that it must name, or None.
    """

    name: str
    file: str
    box: str
    about: str
    verdict: str
    structure: str | None


EMBEDDED: tuple[Embedded, ...] = (
    Embedded(
        name="bnn",
        file="bnn.onnx",
        box="",
        about="binarised network 30-8-2 on the breast cancer table (signs of the features)",
        verdict="tame",
        structure="semilinear",
    ),
    Embedded(
        name="relu",
        file="relu.onnx",
        box="",
        about="ReLU network 2-16-16-1 on two half moons",
        verdict="tame",
        structure="semilinear",
    ),
    Embedded(
        name="sine-on-box",
        file="sine.onnx",
        box="-3:3",
        about="sine network 1-8-1, asked about on the interval that it was trained on",
        verdict="tame",
        structure="an",
    ),
    Embedded(
        name="snake",
        file="snake.onnx",
        box="",
        about="network 1-6-1 with the activation x + sin²(x), asked about on the real line",
        verdict="not-tame",
        structure=None,
    ),
)


def path(name: str) -> Path:
    """The path of an embedded file, by name (``"bnn"``) or file name (``"bnn.onnx"``).

    Raises
    ------
    InputError
        If there is no such file.
    """
    folder = Path(__file__).parent
    files = {entry.name: entry.file for entry in EMBEDDED}
    found = folder / files.get(name, name)
    if found.parent != folder or not found.is_file():
        known = ", ".join(files)
        raise InputError(f"No embedded model is named {name!r}.", hint=f"There are: {known}.")
    return found
