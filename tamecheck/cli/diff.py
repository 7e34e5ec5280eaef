"""``tamecheck diff``: the derivative of a model, or of the solution of equations, at a point."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import EXIT_CODES, message, print_answer
from tamecheck.cli.options import MODEL, Verb, option
from tamecheck.cli.source import model_of, point_of
from tamecheck.errors import InputError, TamecheckError

if TYPE_CHECKING:
    from tamecheck.derivative import JacobianSet
    from tamecheck.model import Model

__all__ = ["VERB"]

_FEW_CONES = 64
"""For the Clarke set beside one of very many vertices, where a search would take long."""

_KINDS = ("clarke", "bouligand", "conservative")
_MOST_NAMES = 8
_DESCRIPTION = """\
Compute the Jacobian of a model at a rational point, exactly: the Clarke Jacobian (the hull of the
limits of Jacobians nearby), those limits themselves (bouligand), or what the chain rule gives
(conservative).  The answer also says whether automatic differentiation returns an element of the
Clarke Jacobian.

With --implicit the model is a system of equations, and the answer is the Jacobian of its solution
with a verdict on every hypothesis of the implicit function theorem.  The unknowns at --at may be
rounded, or left out: they are refined to a solution that is proved to exist.

exit codes: 0 the set is there, 1 there is none (the model jumps, or is not Lipschitz, here),
3 only some elements are known, or none;
with --implicit: 0 proved, 1 refuted, 3 unknown"""


def _run(args: Namespace) -> int:
    """Compute the Jacobian set and print it."""
    from tamecheck.derivative import jacobian

    model = model_of(args)
    if args.implicit is not None:
        return _run_implicit(args, model)
    if args.box is not None:
        raise InputError(
            "The domain is a matter of the theorem.", hint="Give --implicit, or no --box."
        )
    point = _point(args, model)
    missing = [name for name in model.inputs if name not in point]
    if missing:
        raise InputError(
            f"Input {missing[0]!r} has no value.", where="--at", hint=f"Add {missing[0]}=0."
        )
    found = jacobian(model.graph, point, args.kind)
    clarke = found if args.kind == "clarke" else _clarke(model, point, listed=found.listed)
    document = found.to_json(clarke)
    if document["vertices"] or document["base"]:
        print_answer(args, document, _lines(found, document))
    else:
        lines = list(_none_lines(found, document))
        print_answer(args, document, lines, "\n".join(lines))
    if found.at_least:
        return 3
    return 0 if found.defined else 1


def _clarke(model: Model, point: dict[str, Any], *, listed: bool) -> JacobianSet | None:
    """The Clarke set beside another set; None if it takes long where that one is not listed."""
    from tamecheck.derivative import DEFAULT_LIMIT, jacobian

    try:
        return jacobian(model.graph, point, limit=DEFAULT_LIMIT if listed else _FEW_CONES)
    except TamecheckError:
        # the set that was asked for is there all the same
        return None


def _point(args: Namespace, model: Model) -> dict[str, Any]:
    """The point that the options give; inputs may be left out, but not parts of them."""
    if (args.at is None) == (args.input is None):
        raise InputError(
            "Give the point with --at or with --input.",
            hint=f"For example --at '{','.join(f'{name}=0' for name in model.inputs)}'.",
        )
    if args.input is not None:
        from tamecheck.loaders.arrays import read_point

        return dict(read_point(args.input, model.inputs))
    point: dict[str, Any] = {}
    for name, values in point_of(args.at, model.inputs).items():
        if None not in values:
            point[name] = list(values)
        elif any(value is not None for value in values):
            raise InputError(
                f"Some elements of input {name!r} have no value.",
                where="--at",
                hint=f"Add {name}[{values.index(None)}]=0.",
            )
    return point


def _none_lines(found: JacobianSet, document: dict[str, Any]) -> Iterator[str]:
    none = "not known whether there is a" if document["at_least"] else "no"
    yield f"{none} {document['kind']} Jacobian: {found.why or '; '.join(document['open'])}"
    for value in document["jumps"]:
        yield f"  a limit of the value: {', '.join(value)}"


def _lines(found: JacobianSet, document: dict[str, Any]) -> Iterator[str]:
    vertices, kind = document["vertices"], document["kind"]
    if document["listed"]:
        least = "at least " if document["at_least"] else ""
        noun = "vertex" if len(vertices) == 1 else "vertices"
        yield f"{kind} Jacobian: {least}{len(vertices)} {noun}"
    else:
        count = sum(map(len, document["generators"]))
        yield f"{kind} Jacobian: a base and {count} generators; the vertices are not listed"
    for number, vertex in enumerate(vertices):
        place = ""
        if number < len(document["directions"]) and len(vertices) > 1:
            place = f"   towards ({', '.join(_short(v) for v in document['directions'][number])})"
        yield f"  {_matrix_text(vertex)}{place}"
    if not document["listed"]:
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


def _matrix_text(matrix: list[list[str]]) -> str:
    """The rows on one line, long fractions as decimals."""
    return "[" + "; ".join(" ".join(_short(a) for a in row) for row in matrix) + "]"


def _short(text: str) -> str:
    """A long fraction as a decimal; --json gives it exactly."""
    from tamecheck.ir.exact import decimal_text, rational_of_text

    return text if len(text) <= 24 or "+/-" in text else decimal_text(rational_of_text(text))


# --- the implicit function theorem ---------------------------------------------------------------


def _run_implicit(args: Namespace, model: Model) -> int:
    """Check the hypotheses and print the Jacobian of the unknowns."""
    from tamecheck.derivative.implicit import ground, implicit

    found = implicit(
        model.graph,
        unknowns=[name.strip() for name in args.implicit.split(",") if name.strip()],
        at=_point(args, model),
        box=args.box,
        timeout=args.timeout,
        seed=args.seed,
    )
    rests_on = ground(found)
    document = {"verdict": found.verdict.value, "rests_on": rests_on, **found.to_json()}
    print_answer(args, document, _implicit_lines(document))
    if rests_on not in {None, "certificate", "recomputation", "replay"}:
        message(args, f"The verdict rests on {rests_on} alone, so the exit code is 3.")
        return 3
    return EXIT_CODES[found.verdict.value]


def _implicit_lines(document: Mapping[str, Any]) -> Iterator[str]:
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


VERB = Verb(
    "diff",
    "exact Jacobians at a point",
    _DESCRIPTION,
    (
        MODEL,
        option("--at", "POINT", "the point: 'x=0,y=1/3', or one number for all inputs"),
        option("--input", "FILE", "the point from a .json, .csv or .npy file instead"),
        option("--kind", choices=_KINDS, default="clarke"),
        option("--implicit", "NAMES",
            "the inputs 'y,z' that the equations MODEL = 0 define; the theorem is checked"),
        option("--box", "BOX",
            "with --implicit: where the equations have to be Lipschitz and definable, instead of "
            "near the point"),
    ),
    _run,
)  # fmt: skip
