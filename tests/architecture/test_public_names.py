"""The public names are there, load lazily, and keep their meaning whatever is imported first."""

import subprocess
import sys

import pytest

import tamecheck


@pytest.mark.parametrize("name", tamecheck.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(tamecheck, name) is not None
    assert name in dir(tamecheck)


def test_unknown_names_are_attribute_errors():
    assert not hasattr(tamecheck, "no_such_name")


@pytest.mark.parametrize(
    "before",
    [
        "tc.expression('x')",
        "import tamecheck.loaders",
        "from tamecheck.loaders.files import read_text",
        "tc.load",
        "from tamecheck import load",
    ],
)
def test_load_is_the_function_whatever_was_imported_before(before):
    program = (
        f"import tamecheck as tc\n{before}\n"
        "from tamecheck.models import path\n"
        "print(tc.load(path('bnn')).check().verdict.value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "tame\n", done.stderr
