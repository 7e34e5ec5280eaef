"""Answers as lines or as sections of text, from the records or the JSON that the library gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tamecheck.errors import visible
from tamecheck.ir.exact import decimal_below, decimal_text, rational_of_text, rational_text

if TYPE_CHECKING:
    from tamecheck.cells import Cell, Complex
    from tamecheck.cells.formulas import FormulaCells
    from tamecheck.derivative import JacobianSet
    from tamecheck.explain.answers import Abductive, Contrastive, Counterfactual, Relevancy
    from tamecheck.verification import Answer
    from tamecheck.verification.answer import Optimum, Robustness
    from tamecheck.verification.referee import Verdicts


Sections: TypeAlias = Mapping[str, Iterable[tuple[str, ...]]]
"""Rows of cells under headings."""

_SHOWN = 10
_MOST_NAMES = 8
_WIDTH, _DIGITS, _LONG = 160, 4, 1000


# --- cells ----------------------------------------------------------------------------------------


def cells_lines(
    found: Complex, volume: Callable[[], str | None], rests_on: str, *, merge: bool, limit: int
) -> Iterator[str]:
    """The cells of a complex: how many, their volume where it is asked for, and the first ones."""
    count = len(found.merged()) if merge else found.count
    noun = "cell" if count == 1 else "cells"
    line = f"{count} {noun}{' with different maps' if merge else ''} in dimension {found.dimension}"
    if found.lower_dimensional:
        line += f", {len(found.lower_dimensional)} of lower dimension at jumps"
    if not found.complete:
        seen = found.count + len(found.lower_dimensional)
        reason = "limit" if seen >= limit else "timeout"
        line += f" (stopped at the {reason}: there are more)"
    yield line
    total = volume() if found.complete else None
    if total is not None:
        yield f"volume {total}, the sum of the cells"
    yield f"rests on: {'a search in floats with exact signs' if rests_on == 'search' else rests_on}"
    for cell in found.cells[:_SHOWN]:
        point = ", ".join(f"{n}={x}" for n, x in zip(found.names, cell.interior_point, strict=True))
        yield f"  at {point}: {_affine(cell, found.names)}"
    if found.count > _SHOWN:
        yield f"  and {found.count - _SHOWN} more; --json lists all, exactly"


def _affine(cell: Cell, names: tuple[str, ...]) -> str:
    """The affine map, with 4 digits of each coefficient."""
    rows: list[str] = []
    for row, offset in zip(cell.map.matrix[:3], cell.map.offset[:3], strict=True):
        terms = [f"{float(a):.4g} {name}" for a, name in zip(row, names, strict=True) if a]
        if offset or not terms:
            terms.append(f"{float(offset):.4g}")
        rows.append(" + ".join(terms).replace("+ -", "- "))
    return ", ".join(rows) + (", …" if len(cell.map.offset) > 3 else "")


def formula_cells_lines(found: FormulaCells) -> Iterator[str]:
    """The cells of any function: how many, and the conditions and formulas of the first ones."""
    noun = "cell" if found.count == 1 else "cells"
    line = f"{found.count} {noun} with formulas in dimension {found.dimension}"
    yield line + (
        "" if found.finished else " (stopped at the limit or the timeout: there are more)"
    )
    if found.undecided:
        yield f"{len(found.undecided)} sets of conditions of which it is open if they can hold"
    for cell in found.cells[:_SHOWN]:
        conditions = [f"{_rounded(c.left)} {c.relation} 0" for c in cell.conditions]
        formulas = [str(_rounded(formula)) for formula in cell.sympy]
        where = f"where {_short(', '.join(conditions))}" if conditions else "everywhere"
        yield f"  {where}:"
        yield f"    {_short(', '.join(formulas))}"
    if found.count > _SHOWN:
        yield f"  and {found.count - _SHOWN} more"
    yield f"long fractions with {_DIGITS} digits; --json gives all of them, exactly"


def _rounded(expression: Any) -> Any:
    """The expression with long fractions as decimals."""

    def is_long(part: Any) -> bool:
        return bool(part.is_Rational) and part.q > _LONG

    def decimal(part: Any) -> Any:
        return part.n(_DIGITS)

    return expression.replace(is_long, decimal)


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


# --- derivatives ----------------------------------------------------------------------------------


def no_jacobian_lines(found: JacobianSet, document: Mapping[str, Any]) -> Iterator[str]:
    """That there is no Jacobian set, or that none is known, and why."""
    none = "not known whether there is a" if document["at_least"] else "no"
    yield f"{none} {document['kind']} Jacobian: {found.why or '; '.join(document['open'])}"
    for value in document["jumps"]:
        yield f"  a limit of the value: {', '.join(value)}"


def jacobian_lines(found: JacobianSet, document: Mapping[str, Any]) -> Iterator[str]:
    """The vertices or generators of a Jacobian set, and what automatic differentiation gives."""
    vertices: list[list[list[str]]] = document["vertices"] or []
    kind = document["kind"]
    yield _heading(document, kind, len(vertices))
    for number, vertex in enumerate(vertices):
        place = ""
        if number < len(document["directions"]) and len(vertices) > 1:
            place = f"   towards ({', '.join(_decimal(v) for v in document['directions'][number])})"
        yield f"  {_matrix_text(vertex)}{place}"
    if document["base"] is not None:
        yield f"  {_matrix_text(document['base'])}"
        for group in document["generators"]:
            share = "a share in [0, 1]" if len(group) == 1 else "shares >= 0 of sum <= 1"
            yield f"  + {share} of {', '.join(map(_matrix_text, group))}"
    for question in document["open"]:
        yield f"  open: {question}"
    verdict = {True: "in", False: "NOT in", None: "not known to be in"}
    for name, key in (("", "autodiff"), (" by JAX", "autodiff_jax")):
        if document[key] is not None:
            inside = verdict[document[f"{key}_in_clarke"]]
            matrix = _matrix_text(document[key])
            yield f"automatic differentiation{name}: {matrix}, {inside} the Clarke set"
    if found.autodiff_why:
        yield f"automatic differentiation: not known, {found.autodiff_why}"


def _heading(document: Mapping[str, Any], kind: str, count: int) -> str:
    if document["parts"]:
        return f"{kind} Jacobian: {document['describe']}"
    if document["listed"]:
        least = "at least " if document["at_least"] else ""
        noun = "vertex" if count == 1 else "vertices"
        return f"{kind} Jacobian: {least}{count} {noun}"
    generators = sum(map(len, document["generators"]))
    return f"{kind} Jacobian: a base and {generators} generators; the vertices are not listed"


def _matrix_text(matrix: list[list[str]]) -> str:
    """The rows on one line, long fractions as decimals."""
    return "[" + "; ".join(" ".join(_decimal(a) for a in row) for row in matrix) + "]"


def _decimal(text: str) -> str:
    """A long fraction as a decimal; --json gives it exactly."""
    return text if len(text) <= 24 or "+/-" in text else decimal_text(rational_of_text(text))


def implicit_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The hypotheses of the implicit function theorem, the solution and its Jacobian."""
    unknowns, parameters = _names(document["unknowns"]), _names(document["parameters"])
    yield f"{unknowns} as a function of {parameters or 'nothing'}: {document['verdict']}"
    for hypothesis in document["hypotheses"]:
        trusted = f" (rests on {hypothesis['rests_on']})" if hypothesis["rests_on"] else ""
        yield f"  {hypothesis['status']:8} {hypothesis['name']}: {hypothesis['why']}{trusted}"
    if document["isolated"] is not None:
        for name, value in zip(document["unknowns"], document["solution"], strict=True):
            yield f"  {name} = {value}"
    if document["vertices"]:
        between = "hull of" if document["hull_is_exact"] else "at the vertices of F's Jacobian"
        yield f"Jacobian, {between}:"
        yield from (f"  {_matrix_text(matrix)}" for matrix in document["vertices"])
    validity = document["validity"]
    if validity is not None and validity["parameters"] is None:
        yield f"no radius is known: {validity['why']}"
    elif validity is not None:
        yield f"radius in the parameters: {validity['parameters']} ({validity['why']})"


def _names(names: list[str]) -> str:
    return ", ".join(names if len(names) <= _MOST_NAMES else [*names[:2], "...", names[-1]])


# --- verification ---------------------------------------------------------------------------------


def verification_lines(name: str, answer: Answer, verdict: str) -> Iterator[str]:
    """Whether a property holds, why, and a point where it does not."""
    from tamecheck.verification import Holds, Unknown, Violated
    from tamecheck.verification.answer import REAL, listed

    yield f"{name}: {verdict}"
    yield f"  {answer.reason}"
    if isinstance(answer, Violated):
        witness = answer.witness
        yield f"  at x = {listed(witness.inputs)}  (exact in --json)"
        confirmed = {True: "yes", False: "no", None: "not run"}[witness.float32]
        yield f"  float32 run violates it too: {confirmed}"
    if not isinstance(answer, Unknown):
        yield f"  rests on: {answer.rests_on} ({answer.method})"
    if isinstance(answer, Holds) and answer.arithmetic.declared != REAL:
        yield f"  arithmetic: {answer.arithmetic}"
    facts = "".join(f", {count} {what}" for what, count in answer.facts.items())
    yield f"  {answer.seconds:.2f} s{facts}"


def radius_lines(name: str, found: Robustness) -> Iterator[str]:
    """Within which radius a decision is proved robust, and the nearest witness."""
    from tamecheck.verification.answer import listed

    known = "" if found.radius is None else f", radius {decimal_below(found.radius)} is proved"
    yield f"{name}: {found.verdict}{known}"
    yield f"  {found.reason}"
    yield f"  decision {found.decision}"
    if found.witness is not None:
        yield f"  decided otherwise at x = {listed(found.witness.inputs)}  (exact in --json)"
    if found.rests_on is not None:
        how = "" if found.method is None else f" ({found.method})"
        yield f"  rests on: {found.rests_on}{how}"
    yield f"  {found.seconds:.2f} s, {len(found.tried)} radii"


def referee_lines(verdicts: Verdicts) -> Iterator[str]:
    """The truth about a property, and a line for each tool that spoke of it."""
    yield f"{verdicts.truth}: {verdicts.reason}"
    words = {True: "right", False: "WRONG", None: "not judged"}
    for one in verdicts.tools:
        line = f"  {one.said.name}: {one.said.answer}, {words[one.right]}"
        if (found := one.witness) is not None:
            exact = {True: "exact", False: "not one in exact arithmetic", None: "not computed"}
            single = {True: "one in float32", False: "none in float32", None: "not run in float32"}
            line += f"; its witness is {exact[found.exact]}, {single[found.float32]}"
            if found.reason:
                line = f"{line.partition(';')[0]}; its witness is none: {found.reason}"
            if found.misses_by:
                line += f", and misses by {found.misses_by:.3g}"
        yield line


def ball_lines(name: str, document: Mapping[str, Any], *, distance: bool) -> Iterator[str]:
    """Whether a decision stays in a ball, or how many inputs have to change for another one."""
    verdict, changes = document["verdict"], document["distance"]
    if distance and verdict == "holds":
        verdict = "never" if changes is None else f"distance {changes}"
    yield f"{name}: {verdict}"
    yield f"  {document['reason']}"
    if distance and document["verdict"] == "unknown":
        lower, upper = document["bounds"]
        yield f"  at least {lower}" + ("" if upper is None else f", at most {upper}")
    for change in document.get("changed", ()):
        yield f"  input {change['input']}: {change['from']} -> {change['to']}"
    if document["checked"] is not None:
        yield f"  rests on: {document['checked']} ({document['method']})"
    if document["certificate"] is not None:
        yield f"  certificate: {document['certificate']}"


_BOUNDS = {
    "certificate": "proved by a certificate about its program",
    "linear bounds": "proved by rigorous linear bounds",
    "recomputation": "proved by exact multipliers on every linear piece",
    None: "",
}


def optimum_lines(name: str, found: Optimum) -> Iterator[str]:
    """The best value that is known, the proved bound, and a point."""
    from tamecheck.verification.answer import listed

    yield f"{name}: {found.status}"
    for what, value in (("value", found.value), ("bound", found.bound)):
        if value is not None:
            text = rational_text(value)
            exact = f"  = {text}" if len(text) < 40 else "  (exact in --json)"
            why = f"  {_BOUNDS[found.checked]}" if what == "bound" else ""
            yield f"  {what} {decimal_text(value, 9)}{exact}{why}"
    if found.x is not None:
        yield f"  at x = {listed(found.x)}"
    yield from (f"  {note}" for note in found.notes)


# --- programs -------------------------------------------------------------------------------------

_REASONS = {
    "certificate": "proved: a certificate shows it",
    "two-solvers": "not proved: CBC and HiGHS call {} {}",
    "one-solver": "not proved: one solver calls {} {}",
    None: "not proved",
}


def solved_sections(document: Mapping[str, Any]) -> Sections:
    """The optimum of a program, what shows it, and the point."""
    facts = ("objective", "bound", "reason", "certificate")
    word = ("the point", "optimal") if document["x"] else ("the program", "infeasible")
    rows = [("answer", _REASONS[document["checked"]["optimal"]].format(*word))]
    rows += [(key, visible(document[key])) for key in facts if document[key] is not None]
    point, count = _moved(document["x"]), len(document["x"] or ())
    zeros = [(f"{count - len(point)} others", "0")] if len(point) < count else []
    return {
        document["status"].upper(): rows,
        "Point (exactly feasible)": [*point, *zeros],
        "Ray": _moved(document["ray"]),
        "Notes": [(visible(note),) for note in document["notes"]],
    }


def _moved(values: Mapping[str, str] | None) -> list[tuple[str, ...]]:
    """The names and numbers that are not 0."""
    return [(visible(name), value) for name, value in (values or {}).items() if value != "0"]


_LONGEST = 600
_WORDS = {True: "holds", False: "fails", None: "not known"}


def dual_sections(document: Mapping[str, Any]) -> Sections:
    """What a dual function is worth, what was checked of it, its formula and its pieces."""
    formula, checks = document["formula"], document["checks"]
    shown = formula if len(formula) <= _LONGEST else f"{formula[:_LONGEST]} … ({len(formula)})"
    return {
        "STRONG" if document["strong"] else "NOT STRONG": [
            ("F(b)", document["dual_value"]),
            ("z(b)", document["optimum"] or "not proved"),
            ("at", document["at"]),
        ],
        "Checks": [(name, _WORDS[checks[name]], document["reasons"][name]) for name in checks],
        "Conditions": [
            (name.replace("_", " "), _WORDS[status], document["conditions_why"][name])
            for name, status in document.get("conditions", {}).items()
        ],
        "Notes": [(note,) for note in document["notes"]],
        "Formula": [(_scaled(shown, **document["formula_scale"]),)],
        "Slope": _slope_rows(document),
        "Definability": [
            (domain, facts["verdict"], facts["structure"])
            for domain, facts in document["definability"].items()
        ],
        "Pieces": [_piece_row(piece) for piece in document.get("complex", {}).get("pieces", ())],
        "Cells": [
            _cell_row(document["complex"]["rows"], cell)
            for cell in document.get("complex", {}).get("cells", ())
        ],
    }


def _scaled(formula: str, factor: str, constant: str) -> str:
    """A formula f of the normal form, and F in terms of it where that is not the same."""
    if (factor, constant) == ("1", "0"):
        return formula
    scaled = "f" if factor == "1" else "-f"
    line = scaled if constant == "0" else f"{scaled} + {constant}".replace("+ -", "- ")
    return f"F = {line}, f = {formula}"


def _slope_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
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


def _cell_row(names: Sequence[str], cell: Mapping[str, Any]) -> tuple[str, ...]:
    slopes = (f"{a} {name}" for name, a in zip(names, cell["slope"], strict=True) if a != "0")
    value = " + ".join([*slopes, cell["intercept"]]).replace("+ -", "- ")
    corners = ", ".join(f"({', '.join(vertex)})" for vertex in cell["vertices"])
    return f"dimension {cell['dimension']}", visible(value), f"corners {corners}"


# --- models ---------------------------------------------------------------------------------------


def info_sections(document: Mapping[str, Any]) -> Sections:
    """What a model or a program holds."""

    def shapes(key: str) -> list[tuple[str, ...]]:
        return [(record["name"], _shape(record["shape"])) for record in document.get(key, [])]

    def counts(key: str) -> list[tuple[str, ...]]:
        return [(name, str(count)) for name, count in document.get(key, {}).items()]

    facts = ("sense", "rows", "columns", "integers", "nonzeros")
    parameters = document.get("parameters")
    return {
        "Program": [(key, str(document[key])) for key in facts if key in document],
        "Kinds of columns": counts("kinds"),
        "sha256": [(document["model"]["sha256"],)] if "rows" in document else [],
        "Inputs": shapes("inputs"),
        "Outputs": shapes("outputs"),
        "Parameters": [] if parameters is None else [(str(parameters),)],
        "Operators in the file": counts("ops"),
        "Primitive ops": counts("primitives"),
        "Not supported": [(gap["node"], gap["why"]) for gap in document["unsupported"]],
        "Notes": [(note,) for note in document.get("notes", [])],
    }


def _shape(extents: list[int | str | None]) -> str:
    """A shape as ``[1, 30]``; an extent that is not fixed is its name, or ``?``."""
    return f"[{', '.join('?' if n is None else str(n) for n in extents)}]"


# --- explanations --------------------------------------------------------------------------------


def explanation_lines(
    found: Abductive | Contrastive | Counterfactual | Relevancy, name: str
) -> Iterator[str]:
    """An explanation of an input, which ``name`` tells from others, and what it rests on."""
    from tamecheck.explain.answers import Relevancy

    yield found.rule
    if isinstance(found, Relevancy):
        for feature, count in sorted(found.counts.items(), key=lambda item: -item[1]):
            yield f"  {feature}: in {count} of {found.reasons} reasons"
        return
    size = "1 feature" if found.size == 1 else f"{found.size} features"
    yield f"  {size}, {'minimal' if found.minimal else 'perhaps not minimal'}"
    yield f"  rests on: {ground_text(found)}{', z3 ' + found.second if found.second else ''}"
    if name:
        yield f"  about {name}"


def ground_text(found: Abductive | Contrastive | Counterfactual | Relevancy) -> str:
    """What an explanation rests on."""
    return "an exact search" if found.rests_on == "search" else found.rests_on
