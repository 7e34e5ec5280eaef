"""``tamecheck diff``: the derivative of a model at a point, as an exact set."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of
from tamecheck.errors import InputError, visible

if TYPE_CHECKING:
    from tamecheck.derivative import JacobianSet
    from tamecheck.model import Model

__all__ = ["add_parser", "matrix_text", "run"]

_FEW_CONES = 64
"""For the Clarke set beside one of very many vertices, where a search would take long."""

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


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "diff", help="exact Jacobians at a point", description=_DESCRIPTION
    )
    add_model(parser)
    parser.add_argument(
        "--at", metavar="POINT", help="the point: 'x=0,y=1/3', or one number for all inputs"
    )
    parser.add_argument(
        "--input", metavar="FILE", help="the point from a .json, .csv or .npy file instead"
    )
    parser.add_argument("--kind", choices=("clarke", "bouligand", "conservative"), default="clarke")
    parser.add_argument(
        "--implicit",
        metavar="NAMES",
        help="the inputs 'y,z' that the equations MODEL = 0 define; the theorem is checked",
    )
    parser.add_argument(
        "--box",
        metavar="BOX",
        help="with --implicit: where the equations have to be Lipschitz and definable, instead of "
        "near the point",
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Compute the Jacobian set and print it."""
    from tamecheck.derivative import jacobian

    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    if args.implicit is not None:
        from tamecheck.cli.diff_implicit import run_implicit

        return run_implicit(args, model, _point(args, model, complete=False))
    if args.box is not None:
        raise InputError(
            "The domain is a matter of the theorem.", hint="Give --implicit, or no --box."
        )
    point = _point(args, model, complete=True)
    found = jacobian(model.graph, point, args.kind)
    clarke = found if args.kind == "clarke" else _clarke(model, point, listed=found.listed)
    document = _document(found, clarke)
    if args.json:
        print_json(document)
    else:
        _print(args, found, document)
    if found.at_least:
        return 3
    return 0 if found.defined else 1


def _clarke(model: Model, point: dict[str, Any], *, listed: bool) -> JacobianSet | None:
    """The Clarke set beside another set; None if it takes long where that one is not listed."""
    from tamecheck.derivative import DEFAULT_LIMIT, jacobian
    from tamecheck.errors import TamecheckError

    try:
        return jacobian(model.graph, point, limit=DEFAULT_LIMIT if listed else _FEW_CONES)
    except TamecheckError:
        # the set that was asked for is there all the same
        return None


def _point(args: Namespace, model: Model, *, complete: bool) -> dict[str, Any]:
    """The point that the options give; without ``complete``, inputs may be left out."""
    if (args.at is None) == (args.input is None):
        raise InputError(
            "Give the point with --at or with --input.",
            hint=f"For example --at '{','.join(f'{name}=0' for name in model.inputs)}'.",
        )
    if args.input is not None:
        from tamecheck.loaders.arrays import read_point

        return dict(read_point(args.input, model.inputs))
    point = _point_of_text(args.at, model)
    missing = [name for name in model.inputs if name not in point]
    if missing and complete:
        raise InputError(
            f"Input {missing[0]!r} has no value.", where="--at", hint=f"Add {missing[0]}=0."
        )
    return point


def _point_of_text(text: str, model: Model) -> dict[str, Any]:
    from tamecheck.loaders.text.box import parse_point

    point: dict[str, Any] = {}
    for name, values in parse_point(text, model.inputs, where="--at").items():
        if None not in values:
            point[name] = list(values)
        elif any(value is not None for value in values):
            raise InputError(
                f"Some elements of input {name!r} have no value.",
                where="--at",
                hint=f"Add {name}[{values.index(None)}]=0.",
            )
    return point


def _matrix(matrix: Sequence[Sequence[Any]] | None) -> list[list[str]] | None:
    from tamecheck.show.number import exact_text

    return None if matrix is None else [[exact_text(a) for a in row] for row in matrix]


def _document(found: JacobianSet, clarke: JacobianSet | None) -> dict[str, Any]:
    from tamecheck.show.number import exact_text

    # told where it is not what PyTorch gives
    jax = found.autodiff_differs
    return {
        "kind": found.kind,
        "exact": found.exact,
        "singleton": found.singleton,
        "listed": found.listed,
        "vertices": [_matrix(vertex) for vertex in found.vertices] if found.listed else [],
        "base": _matrix(found.base),
        "generators": [[_matrix(matrix) for matrix in group] for group in found.generators],
        "autodiff": _matrix(found.autodiff),
        "autodiff_in_clarke": None if clarke is None else clarke.autodiff_in_set,
        "autodiff_jax": _matrix(found.autodiff_jax) if jax else None,
        "autodiff_jax_in_clarke": clarke.autodiff_jax_in_set if jax and clarke else None,
        "directions": [[str(v) for v in proof.direction] for proof in found.proofs],
        "jumps": [[exact_text(v) for v in value] for value in found.limits],
        "why": found.why or found.autodiff_why or None,
        "at_least": found.at_least,
        "open": list(found.open),
        "rests_on": found.rests_on or None,
    }


def _print(args: Namespace, found: JacobianSet, document: dict[str, Any]) -> None:
    if document["vertices"] or document["base"]:
        _print_set(args, found, document)
        return
    none = "not known whether there is a" if document["at_least"] else "no"
    why = found.why or "; ".join(document["open"])
    print(visible(f"{none} {document['kind']} Jacobian: {why}"))
    for value in document["jumps"]:
        print(f"  a limit of the value: {', '.join(value)}")


def _print_set(args: Namespace, found: JacobianSet, document: dict[str, Any]) -> None:
    vertices = document["vertices"]
    kind, noun = document["kind"], "vertex" if len(vertices) == 1 else "vertices"
    if document["listed"]:
        least = "at least " if document["at_least"] else ""
        print(f"{kind} Jacobian: {least}{len(vertices)} {noun}")
    else:
        count = sum(map(len, document["generators"]))
        print(f"{kind} Jacobian: a base and {count} generators; the vertices are not listed")
    if args.quiet:
        return
    for number, vertex in enumerate(vertices):
        place = ""
        if number < len(document["directions"]) and len(vertices) > 1:
            place = f"   towards ({', '.join(_short(v) for v in document['directions'][number])})"
        print(f"  {matrix_text(vertex)}{place}")
    if not document["listed"]:
        _print_generators(document)
    for question in document["open"]:
        print(visible(f"  open: {question}"))
    _print_autodiff(found, document)


def _print_autodiff(found: JacobianSet, document: dict[str, Any]) -> None:
    verdict = {True: "in", False: "NOT in", None: "not known to be in"}
    for name, key in (("", "autodiff"), (" by JAX", "autodiff_jax")):
        if document[key] is not None:
            inside = verdict[document[f"{key}_in_clarke"]]
            matrix = matrix_text(document[key])
            print(f"automatic differentiation{name}: {matrix}, {inside} the Clarke set")
    if found.autodiff_why:
        print(visible(f"automatic differentiation: not known, {found.autodiff_why}"))


def _print_generators(document: dict[str, Any]) -> None:
    print(f"  {matrix_text(document['base'])}")
    for group in document["generators"]:
        share = "a share in [0, 1]" if len(group) == 1 else "shares >= 0 of sum <= 1"
        print(f"  + {share} of {', '.join(matrix_text(matrix) for matrix in group)}")


def matrix_text(matrix: list[list[str]]) -> str:
    """The rows on one line, long fractions as decimals."""
    return "[" + "; ".join(" ".join(_short(a) for a in row) for row in matrix) + "]"


def _short(text: str) -> str:
    """A long fraction as a decimal; --json gives it exactly."""
    from tamecheck.ir.exact import decimal_text, rational_of_text

    return text if len(text) <= 24 or "+/-" in text else decimal_text(rational_of_text(text))
