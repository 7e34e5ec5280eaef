"""Which kernel checks a certificate. Standard library and the kernels only."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from tamecheck.kernel import Report
from tamecheck.kernel import check as check_derivation
from tamecheck.kernel_bnn import FORMAT as BALL
from tamecheck.kernel_bnn import REGION, check_region
from tamecheck.kernel_bnn import check as check_ball
from tamecheck.kernel_mip import FORMAT as TREE
from tamecheck.kernel_mip import check as check_tree
from tamecheck.kernel_pwl import FORMAT as SPLITS
from tamecheck.kernel_pwl import check as check_splits

_FIRST, _BEGINNING = re.compile(r'\s*\{\s*"format"\s*:\s*"([a-z-]+)"'), 200
"""How a certificate begins that needs not be read as a whole to know what it is."""

_CHECKERS = {TREE: check_tree, BALL: check_ball, REGION: check_region, SPLITS: check_splits}


def check(text: str | bytes, steps: int | None = None) -> Report:
    """The verdict of the checker that knows the certificate's format.

    Parameters
    ----------
    text
        The certificate's JSON.
    steps
        How many elementary steps the kernel may take; by default some seconds' worth.
    """
    form = _format_of(text)
    checker = _CHECKERS.get(form) if isinstance(form, str) else None
    checker = checker or check_derivation
    return checker(text) if steps is None else checker(text, steps)


def has_shares(text: str | bytes) -> bool:
    """Whether a certificate can be checked in shares: they are those of `check_splits`."""
    return _format_of(text) == SPLITS


def _format_of(text: str | bytes) -> object:
    """The format that a certificate names; of which kernel it is, that kernel sees by itself."""
    start = text[:_BEGINNING]
    begun = _FIRST.match(start if isinstance(start, str) else start.decode("utf-8", "replace"))
    if begun is not None:
        return begun[1]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # the kernel says what is wrong with it
        return None
    return cast("dict[str, Any]", document).get("format") if isinstance(document, dict) else None
