"""``tamecheck diff``: the derivative of a model, or of the solution of equations, at a point."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import EXIT_CODES, message, print_answer
from tamecheck.cli.options import MODEL, Verb, option
from tamecheck.cli.source import model_of, point_of
from tamecheck.errors import InputError, TamecheckError

if TYPE_CHECKING:
    from tamecheck.derivative import JacobianSet
    from tamecheck.model import Model


_FEW_CONES = 64
"""For the Clarke set beside one of very many vertices, where a search would take long."""

_KINDS = ("clarke", "bouligand", "conservative")
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
    from tamecheck.show.answers import jacobian_lines, no_jacobian_lines

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
    if document["vertices"] or document["base"] or document["parts"]:
        print_answer(args, document, jacobian_lines(found, document))
    else:
        lines = list(no_jacobian_lines(found, document))
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
        from tamecheck.loaders.samples import read_point

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


# --- the implicit function theorem ---------------------------------------------------------------


def _run_implicit(args: Namespace, model: Model) -> int:
    """Check the hypotheses and print the Jacobian of the unknowns."""
    from tamecheck.derivative.implicit import ground, implicit
    from tamecheck.show.answers import implicit_lines

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
    print_answer(args, document, implicit_lines(document))
    if rests_on not in {None, "certificate", "recomputation", "replay"}:
        message(args, f"The verdict rests on {rests_on} alone, so the exit code is 3.")
        return 3
    return EXIT_CODES[found.verdict.value]


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
