"""``tamecheck dual``: a bound on the optimum as a function of the right-hand side."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import Sections, claim, print_answer, write_document
from tamecheck.cli.options import PROGRAM, Verb, option, output
from tamecheck.cli.source import program_of
from tamecheck.errors import DomainError, InputError, UnsupportedError

if TYPE_CHECKING:
    from fractions import Fraction

    from tamecheck.duality import DualFunction

__all__ = ["VERB", "right_hand_sides", "row_interval"]

_METHODS = ("chvatal", "gomory", "tree", "generator", "value")
_DESCRIPTION = """\
Build a function F of a program's right-hand side that bounds its optimal value everywhere, and
check it exactly: F(a) <= c at every column, F(0) = 0, and F(b) = z(b) if it is strong.

methods:
  tree        branch and bound: minima of affine functions; strong whenever the search ends
  value       the optimal value itself; with --box its pieces along one row
  chvatal     nested non-negative combinations and rounding up (integer variables only)
  gomory      Gomory mixed-integer functions, Lipschitz on a box
  generator   generator subadditive functions

exit codes: 0 done, 1 the program is infeasible or a check fails, 3 the optimum was not proved"""


def _run(args: Namespace) -> int:
    """Build the dual function and print what it says."""
    from tamecheck.duality import dual

    if args.box is not None and args.method != "value":
        raise InputError("A box belongs to the method 'value'.", where="--box")
    claim(args, args.output, "dual function")
    side = None if args.at is None else right_hand_sides(args.at)
    options: dict[str, Any] = {} if args.box is None else {"box": row_interval(args.box)}
    program = program_of(args, args.program).program
    function = dual(program, args.method, seconds=args.timeout, seed=args.seed, **options)
    document = _document(function, side)
    document["program"] = {"sha256": program.sha256}
    if args.output is not None:
        write_document(args.output, {"format": "tamecheck-dual", **document})
    strong = "strong" if document["strong"] else "not strong"
    print_answer(args, document, _sections(document), f"{document['dual_value']} {strong}")
    if document["checks"]["columns"] is False:
        return 1
    return 3 if document["rests_on"] is None else 0


def _document(function: DualFunction, side: dict[str, Fraction] | None) -> dict[str, Any]:
    """The answer as the JSON contract words it."""
    from tamecheck.duality.answer import value_text

    slope, why = None, None
    try:
        slope = function.gradient(side).document()
    except (DomainError, UnsupportedError) as error:
        why = error.message
    answer = function.to_json()
    checked = answer["checks"]["columns"] is True and answer["optimum"] is not None
    return {
        **answer,
        # the defining inequalities, by code that only evaluates the function
        "rests_on": "recomputation" if checked else None,
        "at": value_text(function(side)),
        "slope": slope,
        "slope_why": why,
    }


def right_hand_sides(text: str) -> dict[str, Fraction]:
    """Right-hand sides by name, of ``r1=3,r2=1/2``."""
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        name, sign, number = part.rpartition("=")
        if not sign or not name.strip():
            raise InputError(f"{part!r} is no right-hand side.", where="--at", hint="Write r1=3.")
        if name.strip() in found:
            raise InputError(f"{name.strip()!r} has two right-hand sides.", where="--at")
        found[name.strip()] = _rational(number, f"--at, {part!r}")
    return found


def _rational(text: str, where: str) -> Fraction:
    from tamecheck.ir.exact import parse_rational

    try:
        return parse_rational(text)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None


def row_interval(text: str) -> tuple[str, Fraction, Fraction]:
    """A row and an interval, of ``r1=-3:4``."""
    name, sign, ends = text.rpartition("=")
    low, colon, high = ends.partition(":")
    if not (sign and name.strip() and colon):
        raise InputError(f"{text!r} is no row with an interval.", where="--box", hint="r1=-3:4")
    where = f"--box, {text!r}"
    return name.strip(), _rational(low, where), _rational(high, where)


_LONGEST = 600
_WORDS = {True: "holds", False: "fails", None: "not known"}


def _sections(document: dict[str, Any]) -> Sections:
    formula, checks = document["formula"], document["checks"]
    shown = formula if len(formula) <= _LONGEST else f"{formula[:_LONGEST]} … ({len(formula)})"
    return {
        "STRONG" if document["strong"] else "NOT STRONG": [
            ("F(b)", document["dual_value"]),
            ("z(b)", document["optimum"] or "not proved"),
            ("at", document["at"]),
        ],
        "Checks": [(name, _WORDS[checks[name]], document["reasons"][name]) for name in checks],
        "Formula": [(shown,)],
        "Slope": _slope_rows(document),
        "Definability": [
            (domain, facts["verdict"], facts["structure"])
            for domain, facts in document["definability"].items()
        ],
        "Pieces": [_piece_row(piece) for piece in document.get("complex", {}).get("pieces", ())],
    }


def _slope_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    slope = document["slope"]
    if slope is None:
        return [(document["slope_why"],)]
    rows: list[tuple[str, ...]] = []
    for position, name in enumerate(slope["names"]):
        values = dict.fromkeys(vertex[position] for vertex in slope["vertices"])
        if set(values) != {"0"}:
            rows.append((name, ", ".join(values)))
    return rows or [("0",)]


def _piece_row(piece: dict[str, Any]) -> tuple[str, ...]:
    left, right = piece["closed"]
    interval = f"{'[' if left else '('}{piece['lower']}, {piece['upper']}{']' if right else ')'}"
    return interval, f"slope {piece['slope']}", f"intercept {piece['intercept']}"


VERB = Verb(
    "dual",
    "bounds as functions of the right-hand side",
    _DESCRIPTION,
    (
        PROGRAM,
        option("--method", None, "the family (default: tree)", choices=_METHODS, default="tree"),
        option("--at", "RHS", "right-hand sides 'r1=3,r2=1/2'; the others stay as they are"),
        option("--box", "BOX", "value: a row and an interval, 'r1=-3:4'"),
        output("-o --output", "FILE", "write the answer here as JSON"),
    ),
    _run,
    answers=True,
)
