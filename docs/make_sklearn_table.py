"""Write ``docs/sklearn.md``, the table of the estimators of scikit-learn that are read.

python docs/make_sklearn_table.py            write the table
python docs/make_sklearn_table.py --check    only compare; exit code 1 if it is out of date

Every estimator is fitted with other options to small tables, those of its tests; the fits are read,
compared with the estimator and checked.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pages import between, write_or_compare  # noqa: E402 - as above

import tamecheck as tc  # noqa: E402 - as above
from tamecheck.loaders.sklearn.meta import ESTIMATORS  # noqa: E402 - as above
from tamecheck.loaders.sklearn.methods import Methods  # noqa: E402 - as above
from tests.load.sklearn_estimators import FITS, fitted  # noqa: E402 - the tests are no package

PAGE = Path(__file__).with_name("sklearn.md")
NAMES = ("predict", "decision_function", "predict_proba", "transform")


def methods(read: Methods) -> str:
    """The methods that are read, by name."""
    return ", ".join(f"`{name}`" for name in NAMES if getattr(read, name) is not None)


def structures(name: str) -> str:
    """What `check` says of the fits, each answer once."""
    found: dict[str, None] = {}
    for number in range(len(FITS[name])):
        answer = tc.from_sklearn(fitted(name, number)[0]).check()
        if answer.rests_on not in (None, "certificate"):
            raise SystemExit(f"The verdict of {name} {number} rests on {answer.rests_on}.")
        word = answer.structure.public_name if answer.structure else answer.verdict.value
        found[word.replace("_", " ")] = None
    return ", ".join(sorted(found))


def table() -> str:
    """The rows of the table."""
    rows = [
        f"| `{name}` | {methods(ESTIMATORS[name])} | {structures(name)} |"
        for name in sorted(FITS, key=str.lower)
    ]
    head = ["| estimator | methods | structures |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def page() -> str:
    """The page with the table written anew."""
    return between(PAGE, "docs/make_sklearn_table.py", table())


if __name__ == "__main__":
    sys.exit(write_or_compare(PAGE, page()))
