"""``tamecheck plot``: figures of gradient fields, cells, decisions, Jacobians and certificates."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from tamecheck.cli import source
from tamecheck.cli.answer import claim, message, print_answer
from tamecheck.cli.options import BOX, MODEL_OR_PROGRAM, SLICE, Group, Verb, flag, option, output
from tamecheck.errors import InputError, TamecheckError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.derivative import JacobianSet
    from tamecheck.duality.value.profile import ValueComplex
    from tamecheck.ir.graph import Graph
    from tamecheck.ir.program import Program
    from tamecheck.model import Model
    from tamecheck.plots import Picture, Plane
    from tamecheck.plots.value import Bound


Page: TypeAlias = "Callable[[Picture], str]"

_KINDS = (
    *("field", "cells", "decision", "surface", "descent"),
    *("adjacency", "jacobian", "certificate", "value", "duals"),
)
_PAGES = ("field", "cells", "decision", "descent")
_FAMILIES = ("tree", "chvatal", "gomory", "generator")
_FAMILY_SECONDS = 20.0
"""The time for each family where all are drawn."""

_DESCRIPTION = """\
Draw a figure as PNG, SVG or PDF; with --html as a page in which cells show their maps, points
and boundaries their Clarke sets.

  field        gradient arrows on top of the cells; of a model with one input, the curve and its
               derivative; --at draws Clarke sets
  cells        the linear regions, coloured by map or by value
  decision     the region of each class, with data points (--data)
  surface      the graph of the function in space
  descent      subgradient descent step by step (--at: where it starts; --rate, --steps,
               --diminishing), with the Clarke-critical points that are proved
  adjacency    which cells share a facet
  jacobian     the polytope of the Jacobian set --at a point
  certificate  the derivation of the model's tameness
  value        the optimal value of a program along one right-hand side: --box 'r1=-2:4';
               --at 'r2=3' moves other rows; --method draws a dual function beside it
  duals        the same beside the dual functions of all families

A figure of a model has two coordinates: the sides of positive width of --box, or a --slice; field,
cells and decision may have one.

exit codes: 0 drawn, 3 drawn in part"""


def _run(args: Namespace) -> int:
    """Draw the figure and write it."""
    from tamecheck.plots.canvas import checked_path, label_of

    paged = args.html or args.file.lower().endswith((".html", ".htm"))
    if paged:
        _check_page(args)
    else:
        checked_path(args.file)
    claim(args, args.file, "report" if paged else "figure")
    if args.limit is not None and args.limit < 1:
        raise InputError(f"--limit is {args.limit}.", hint="Give a positive number of cells.")
    if source.names_program(args):
        picture, page = _of_program(args), None
    else:
        picture, page = _of_model(args)
    if args.title is not None:
        picture.axes.set_title(label_of(args.title), pad=26 if picture.axes.get_legend() else 8)
    if page is not None:
        from tamecheck.loaders.outputs import write_text

        write_text(args.file, page(picture))
    else:
        picture.save(args.file)
    for note in picture.notes:
        message(args, note)
    document: dict[str, Any] = {
        "file": args.file,
        "kind": picture.kind,
        **picture.counts,
        "exact": picture.exact,
        "complete": picture.complete,
        "notes": list(picture.notes),
        **picture.facts,
    }
    told = f" of {source.name_of(args)}: {picture.counted}" if picture.counted else ""
    print_answer(args, document, [f"{args.file}: {picture.kind}{told}"])
    return 0 if picture.complete else 3


def _check_page(args: Namespace) -> None:
    """Refuse what there is no page of, before anything is worked out."""
    if args.what not in _PAGES:
        raise InputError(
            f"There is no page of a {args.what} figure.",
            where="--html",
            hint=f"There are pages of {', '.join(_PAGES)}; leave out --html.",
        )
    if not args.file.lower().endswith((".html", ".htm")):
        raise InputError("A page is an .html file.", where=args.file, hint="Name it figure.html.")


def _of_model(args: Namespace) -> tuple[Picture, Page | None]:
    """The figure of a model, and what makes its page, if there is one."""
    if args.what in ("value", "duals"):
        raise InputError(
            "A value function belongs to a program.", hint="Give a .mps, .lp or program .json file."
        )
    model = source.model_of(args)
    if args.what == "certificate":
        from tamecheck.plots import draw_derivation

        box = source.domain_of(args, model)
        return draw_derivation(model.check(box, timeout=args.timeout, seed=args.seed)), None
    if args.what == "jacobian":
        return _jacobian(args, model), None
    plane = _plane(args, model)
    if args.what == "adjacency":
        return _adjacency(args, plane), None
    return _on_plane(args, model, plane), _page(args, model, plane)


def _page(args: Namespace, model: Model, plane: Plane) -> Page | None:
    """What makes the page of a figure; None where there is none."""
    if not args.file.lower().endswith((".html", ".htm")):
        return None
    from tamecheck.plots import interactive_page

    options: dict[str, Any] = {} if args.limit is None else {"limit": args.limit}
    if args.timeout is not None:
        options["seconds"] = args.timeout / 3
    return partial(
        interactive_page,
        plane=plane,
        title=args.title or f"{args.what.capitalize()} of {source.name_of(args)}",
        output=args.output or 0,
        at=_points(args, model, plane),
        **options,
    )


def _jacobian(args: Namespace, model: Model) -> Picture:
    from tamecheck.cells import element_names
    from tamecheck.derivative import jacobian
    from tamecheck.plots import draw_jacobian
    from tamecheck.plots.plane import element

    if len(args.at) != 1:
        raise InputError(
            "A Jacobian set belongs to one point.",
            hint=f"Give --at '{','.join(f'{name}=0' for name in model.inputs)}'.",
        )
    point = source.input_point(args.at[0], model.inputs)
    graph = model.graph if args.output is None else element(model.graph, args.output)
    found = jacobian(graph, point, args.kind)
    around = _around(args, graph, point) if args.kind == "clarke" else None
    names = _listed(args.names) or element_names(model.inputs)
    entries = None
    if args.entries is not None:
        entries = [
            source.number_of(text, f"{text!r} is no natural number.", where="--entries")
            for text in args.entries.split(",")
        ]
    return draw_jacobian(found, entries=entries, around=around, names=names)


def _around(args: Namespace, graph: Graph, point: Sequence[Fraction]) -> JacobianSet | None:
    """The conservative set; None, with a message, where too many kinks meet."""
    from tamecheck.derivative import jacobian

    try:
        return jacobian(graph, point, "conservative")
    except UnsupportedError as error:
        message(args, f"The conservative set is not drawn. {error.what}")
        return None


def _plane(args: Namespace, model: Model) -> Plane:
    from tamecheck.plots import plane_of

    domain = source.domain_of(args, model)
    if args.slice is not None:
        # free inputs by name: the first point gives the others
        by_name = args.at and not source.in_file(args.slice)
        through = source.point_of(args.at[0], model.inputs) if by_name else None
        domain = source.slice_of(args.slice, model, domain, through)
    return plane_of(model.graph, domain, names=_listed(args.names), units=_listed(args.units))


def _adjacency(args: Namespace, plane: Plane) -> Picture:
    from tamecheck.cells import cells
    from tamecheck.plots import draw_adjacency

    if plane.size == 0:
        raise InputError("The box is a single point.", hint="Give a side some width.")
    return draw_adjacency(cells(plane.graph, plane.box, limit=args.limit or 1500), plane)


def _on_plane(args: Namespace, model: Model, plane: Plane) -> Picture:
    from tamecheck.plots.results import check_size, draw_on_plane, points_of_table

    check_size(plane, args.what)
    at = _points(args, model, plane)
    options: dict[str, Any] = {} if args.limit is None else {"limit": args.limit}
    match args.what:
        case "decision":
            classes = _listed(args.classes) or _classes(model)
            options |= {"rule": args.rule, "classes": classes, "whole": model.graph}
            if args.data is not None:
                data = points_of_table(args.data, plane, model.inputs)
                options["data"] = replace(data, names=()) if args.names else data
        case "cells":
            options["colour"] = args.colour
        case "field":
            options["at"] = at
            if plane.size == 2:
                options["streamlines"] = args.streamlines
        case "descent":
            options |= {"starts": at, "diminishing": args.diminishing}
            options |= {} if args.rate is None else {"rate": args.rate}
            options |= {} if args.steps is None else {"steps": args.steps}
        case _:
            pass
    return draw_on_plane(plane, args.what, output=args.output or 0, **options)


def _classes(model: Model) -> tuple[str, ...]:
    """The names of the classes that the model was trained with, if they are known."""
    schema = model.schema
    return () if schema is None else tuple(map(str, schema.classes))


def _listed(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(","))


def _points(args: Namespace, model: Model, plane: Plane) -> list[tuple[Fraction, ...]]:
    """The points where Clarke sets are drawn: those that give the free coordinates a value."""
    filed = args.slice is not None and source.in_file(args.slice)
    inputs = dict.fromkeys(plane.chart.names, ()) if filed else model.inputs
    found: list[tuple[Fraction, ...]] = []
    for text in args.at:
        values = [v for part in source.point_of(text, inputs).values() for v in part]
        own = values if filed else plane.coordinates(values)
        if filed or args.slice is None or any(value is not None for value in own):
            found.append(plane.point(own, text))
    return found


def _of_program(args: Namespace) -> Picture:
    """The value function of a program along one right-hand side, maybe with dual functions."""
    if args.what not in ("value", "duals"):
        raise InputError(
            f"There is no {args.what} figure of a program.",
            hint="Draw its value function: value, or duals.",
        )
    from tamecheck.cli.program import right_hand_sides, row_interval
    from tamecheck.duality.value.dual import value_along
    from tamecheck.plots import draw_value
    from tamecheck.programs import read_file

    for name in ("spec", "slice"):
        if getattr(args, name) is not None:
            raise InputError("A value function has no such domain.", where=f"--{name}")
    if args.box is None:
        raise InputError(
            "A value function needs a row and an interval.", hint="Add --box 'NAME=0:10'."
        )
    row, lower, upper = row_interval(args.box)
    others = {name: side for text in args.at for name, side in right_hand_sides(text).items()}
    program = read_file(args.model).program
    pieces = value_along(program, row, lower, upper, others, seconds=args.timeout)
    bounds, notes = _bounds(args, program, pieces, others)
    picture = draw_value(
        pieces.pieces,
        label=args.names or row,
        unit=(args.units or "").split(",")[0],
        bounds=bounds,
        interval=(pieces.low, pieces.high),
        notes=notes,
    )
    return replace(picture, kind=args.what)


def _bounds(
    args: Namespace, program: Program, pieces: ValueComplex, others: Mapping[str, Fraction]
) -> tuple[list[Bound], list[str]]:
    """The dual functions that are asked for; of all, those that can be built, and why not."""
    from tamecheck.duality import dual
    from tamecheck.plots.value import bound_of

    if args.what == "value":
        if args.method is None:
            return [], []
        found = dual(program, args.method, seconds=args.timeout, seed=args.seed)
        return [bound_of(found, pieces, others)], []
    bounds: list[Bound] = []
    notes: list[str] = []
    seconds = _FAMILY_SECONDS if args.timeout is None else args.timeout / (len(_FAMILIES) + 1)
    for method in _FAMILIES if args.method is None else (args.method,):
        try:
            found = dual(program, method, seconds=seconds, seed=args.seed)
            bounds.append(bound_of(found, pieces, others))
        except TamecheckError as error:
            notes.append(f"no {method} dual: {error.what}")
    return bounds, notes


_LOOKS = Group(
    "looks",
    (
        option("--names", "A,B", "names of the coordinates"),
        option("--units", "A,B", "units of the coordinates"),
        option("--title", "TEXT", "a title"),
        option("--colour", None, "what colours of cells mean", choices=("map", "value"),
            default="map"),
        flag("--streamlines", "streamlines instead of arrows"),
        option("--rate", "R", "descent: what gradients are multiplied by", type=float),
        option("--steps", "N", "descent: the most steps (default 60)", type=int),
        flag("--diminishing", "descent: divide the rate of step k by the root of k"),
        option("--data", "TABLE", "data points: .csv, the class last if given"),
        option("--classes", "A,B", "names of the classes"),
        option("--rule", None, "how outputs decide", choices=("argmax", "argmin", "sign", "value")),
        option("--set", choices=("clarke", "bouligand", "conservative"), default="clarke",
            dest="kind"),
        option("--entries", "I,J", "entries of the matrix to draw"),
        option("--method", None, "value: also a dual function of this family",
            choices=_FAMILIES),
        option("--limit", "N", "enumerate at most N cells (default 6000)", type=int),
    ),
)  # fmt: skip
VERB = Verb(
    "plot",
    "figures for papers: PNG, SVG, PDF; interactive pages",
    _DESCRIPTION,
    (
        option("what", "KIND", ", ".join(_KINDS), choices=_KINDS),
        MODEL_OR_PROGRAM,
        output("-o", "FILE", "the figure: .png, .svg or .pdf; the page: .html", dest="file",
            required=True),
        flag("--html", f"an interactive page, of {', '.join(_PAGES)}: one file, no requests"),
        BOX,
        SLICE,
        option("--at", "POINT",
            "a point for a Clarke set: 'x=0,y=1/3'; may be repeated; a --slice by names goes "
            "through the first that gives the other inputs", action="append", default=[]),
        option("--output", "K", "the output element to draw (default 0)", type=int),
        _LOOKS,
    ),
    _run,
)  # fmt: skip
