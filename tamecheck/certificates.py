"""Certificates in the hands of a user: checked by the kernel, whatever form they come in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from tamecheck.errors import InputError
from tamecheck.kernel import Report
from tamecheck.kernel import check as check_derivation
from tamecheck.kernel_bnn import FORMAT as BALL
from tamecheck.kernel_bnn import check as check_ball
from tamecheck.kernel_mip import FORMAT as TREE
from tamecheck.kernel_mip import check as check_tree
from tamecheck.load.files import read_bytes
from tamecheck.tame import Check

__all__ = ["recheck"]


def recheck(certificate: str | bytes | Mapping[str, Any] | Path | Check) -> Report:
    """The kernel's verdict on a certificate.

    Parameters
    ----------
    certificate
        Its JSON text, its document, the path of its file (as a `pathlib.Path`), or the answer of
        a check.

    Raises
    ------
    InputError
        If a file cannot be read, or the answer of a check has no certificate.  A certificate that
        is no certificate is not an error: it is invalid.
    """
    match certificate:
        case str() | bytes():
            return _check(certificate)
        case Path():
            return _check(read_bytes(certificate))
        case Check(certificate=None):
            raise InputError("An unknown verdict has no certificate.")
        case Check(certificate=document):
            return _check(json.dumps(document))
        case _:
            return _check(json.dumps(certificate))


def _check(text: str | bytes) -> Report:
    """The verdict of the checker that knows the certificate's format."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # the kernel says what is wrong with it
        document = None
    named = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    checkers = {TREE: check_tree, BALL: check_ball}
    form = named.get("format")
    checker = checkers.get(form) if isinstance(form, str) else None
    return (checker or check_derivation)(text)
