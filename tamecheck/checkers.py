"""Which kernel checks a certificate. Standard library and the kernels only."""

from __future__ import annotations

import json
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
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # the kernel says what is wrong with it
        document = None
    named = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    form = named.get("format")
    checker = _CHECKERS.get(form) if isinstance(form, str) else None
    checker = checker or check_derivation
    return checker(text) if steps is None else checker(text, steps)
