"""``tamecheck plot``: figures of gradient fields, cells, decisions, Jacobians and certificates."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_json
from tamecheck.cli.options import Parser, Subparsers, add_box, add_common, add_model, add_output
from tamecheck.cli.slice import add_slice, in_file, point_of, slice_of
from tamecheck.cli.source import domain_of, model_of, name_of, names_program
from tamecheck.errors import InputError, UnsupportedError, visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from tamecheck.derivative import JacobianSet
    from tamecheck.ir.graph import Graph
    from tamecheck.model import Model
    from tamecheck.plots import Picture, Plane

__all__ = ["add_parser", "run"]

KINDS = (
    "field",
    "cells",
    "decision",
    "surface",
    "adjacency",
    "jacobian",
    "certificate",
    "value",
)

_DESCRIPTION = """\
Draw a figure as PNG, SVG or PDF.

  field        gradient arrows on top of the cells; of a model with one input, the curve and its
               derivative; --at draws Clarke sets
  cells        the linear regions, coloured by map or by value
  decision     the region of each class, with data points (--data)
  surface      the graph of the function in space
  adjacency    which cells share a facet
  jacobian     the polytope of the Jacobian set --at a point
  certificate  the derivation of the model's tameness
  value        the optimal value of a program along one right-hand side: --box 'r1=-2:4';
               --at 'r2=3' moves other rows; --method draws a dual function beside it

A figure of a model has two coordinates: the sides of positive width of --box, or a --slice.

exit codes: 0 drawn, 3 drawn in part"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "plot", help="figures for papers: PNG, SVG, PDF", description=_DESCRIPTION
    )
    parser.add_argument("what", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    add_model(parser, programs=True)
    add_output(
        parser,
        "-o",
        dest="file",
        metavar="FILE",
        required=True,
        help="the figure: .png, .svg or .pdf",
    )
    add_box(parser)
    add_slice(parser, at=False)
    parser.add_argument(
        "--at",
        metavar="POINT",
        action="append",
        default=[],
        help="a point for a Clarke set: 'x=0,y=1/3'; may be repeated; a --slice by names goes "
        "through the first that gives the other inputs",
    )
    parser.add_argument(
        "--output", type=int, metavar="K", help="the output element to draw (default 0)"
    )
    _add_looks(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def _add_looks(parser: Parser) -> None:
    group = parser.add_argument_group("looks")
    group.add_argument("--names", metavar="A,B", help="names of the coordinates")
    group.add_argument("--units", metavar="A,B", help="units of the coordinates")
    group.add_argument("--title", metavar="TEXT", help="a title")
    group.add_argument(
        "--colour", choices=("map", "value"), default="map", help="what colours of cells mean"
    )
    group.add_argument("--streamlines", action="store_true", help="streamlines instead of arrows")
    group.add_argument("--data", metavar="TABLE", help="data points: .csv, the class last if given")
    group.add_argument("--classes", metavar="A,B", help="names of the classes")
    group.add_argument(
        "--rule", choices=("argmax", "argmin", "sign", "value"), help="how outputs decide"
    )
    group.add_argument(
        "--set", choices=("clarke", "bouligand", "conservative"), default="clarke", dest="kind"
    )
    group.add_argument("--entries", metavar="I,J", help="entries of the matrix to draw")
    group.add_argument(
        "--method",
        choices=("tree", "chvatal", "gomory", "generator"),
        help="value: also a dual function of this family",
    )
    group.add_argument(
        "--limit", type=int, metavar="N", help="enumerate at most N cells (default 6000)"
    )


def run(args: Namespace) -> int:
    """Draw the figure and write it."""
    from tamecheck.plots import checked_path
    from tamecheck.plots.canvas import label_of

    checked_path(args.file)
    claim(args, args.file, "figure")
    if args.limit is not None and args.limit < 1:
        raise InputError(f"--limit is {args.limit}.", hint="Give a positive number of cells.")
    picture = _program_picture(args) if names_program(args) else _model_picture(args)
    if args.title is not None:
        picture.axes.set_title(label_of(args.title), pad=26 if picture.axes.get_legend() else 8)
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
    if args.json:
        print_json(document)
    else:
        counts = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in picture.counts.items() if count
        )
        told = f" of {name_of(args)}: {counts}" if counts else ""
        print(visible(f"{args.file}: {picture.kind}{told}"))
    return 0 if picture.complete else 3


def _model_picture(args: Namespace) -> Picture:
    if args.what == "value":
        raise InputError(
            "A value function belongs to a program.", hint="Give a .mps, .lp or program .json file."
        )
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    match args.what:
        case "certificate":
            from tamecheck.plots import draw_derivation

            box = domain_of(args, model)
            return draw_derivation(model.check(box, timeout=args.timeout, seed=args.seed))
        case "jacobian":
            return _jacobian(args, model)
        case "adjacency":
            return _adjacency(args, model)
        case _:
            return _on_plane(args, model)


def _jacobian(args: Namespace, model: Model) -> Picture:
    from tamecheck.cells import element_names
    from tamecheck.cli.plot_inputs import input_point
    from tamecheck.derivative import jacobian
    from tamecheck.plots import draw_jacobian
    from tamecheck.plots.plane import element

    if len(args.at) != 1:
        raise InputError(
            "A Jacobian set belongs to one point.",
            hint=f"Give --at '{','.join(f'{name}=0' for name in model.inputs)}'.",
        )
    point = input_point(args.at[0], model.inputs)
    graph = model.graph if args.output is None else element(model.graph, args.output)
    found = jacobian(graph, point, args.kind)
    around = _around(args, graph, point) if args.kind == "clarke" else None
    names = _listed(args.names) or element_names(model.inputs)
    entries = None
    if args.entries is not None:
        entries = [_whole(text, "--entries") for text in args.entries.split(",")]
    return draw_jacobian(found, entries=entries, around=around, names=names)


def _around(args: Namespace, graph: Graph, point: Sequence[Fraction]) -> JacobianSet | None:
    """The conservative set; None, with a message, where too many kinks meet."""
    from tamecheck.derivative import jacobian

    try:
        return jacobian(graph, point, "conservative")
    except UnsupportedError as error:
        message(args, f"The conservative set is not drawn. {error.what}")
        return None


def _whole(text: str, option: str) -> int:
    if not text.strip().isdigit():
        raise InputError(f"{text!r} is no natural number.", where=option)
    return int(text)


def _adjacency(args: Namespace, model: Model) -> Picture:
    from tamecheck.cells import cells
    from tamecheck.plots import draw_adjacency

    plane = _plane(args, model)
    if plane.size == 0:
        raise InputError("The box is a single point.", hint="Give a side some width.")
    found = cells(plane.graph, plane.box, limit=args.limit or 1500)
    return draw_adjacency(found, plane)


def _plane(args: Namespace, model: Model) -> Plane:
    from tamecheck.plots import plane_of

    domain = domain_of(args, model)
    if args.slice is not None:
        # free inputs by name: the first point gives the others
        through = point_of(args.at[0], model) if args.at and not in_file(args.slice) else None
        domain = slice_of(args.slice, model, domain, through)
    return plane_of(model.graph, domain, names=_listed(args.names), units=_listed(args.units))


def _points(args: Namespace, model: Model, plane: Plane) -> list[tuple[Fraction, ...]]:
    """The points where Clarke sets are drawn: those that give the free coordinates a value."""
    from tamecheck.cli.plot_inputs import gives_coordinates, plane_point

    texts: list[str] = list(args.at)
    filed = args.slice is not None and in_file(args.slice)
    if args.slice is not None and not filed:
        texts = [text for text in texts if gives_coordinates(text, plane, model.inputs)]
    return [plane_point(text, plane, model.inputs, sliced=filed) for text in texts]


def _listed(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(","))


def _on_plane(args: Namespace, model: Model) -> Picture:
    from tamecheck import plots
    from tamecheck.cli.plot_inputs import points_of_table
    from tamecheck.plots.scene import DEFAULT_CELLS

    plane = _plane(args, model)
    limit = DEFAULT_CELLS if args.limit is None else args.limit
    if plane.size != 2 and not (plane.size == 1 and args.what == "field"):
        raise InputError(
            f"A figure of this kind has 2 coordinates; the box has {plane.size} sides of positive "
            "width.",
            hint="Fix or widen inputs in --box (x[3]=1/2), or cut a plane with --slice.",
        )
    at = _points(args, model, plane)
    match args.what:
        case "decision":
            data = None if args.data is None else points_of_table(args.data, plane)
            return plots.draw_decision(
                plane, rule=args.rule, classes=_listed(args.classes), data=data, limit=limit
            )
        case "cells":
            return plots.draw_cells(plane, colour=args.colour, limit=limit)
        case "surface":
            return plots.draw_surface(plane.only(args.output or 0), limit=limit)
        case _:
            one = plane.only(args.output or 0)
            if plane.size == 1:
                return plots.draw_curve(one, at=at, limit=limit)
            return plots.draw_field(one, at=at, streamlines=args.streamlines, limit=limit)


def _program_picture(args: Namespace) -> Picture:
    if args.what != "value":
        raise InputError(
            f"There is no {args.what} figure of a program.", hint="Draw its value function: value."
        )
    from tamecheck.cli.plot_inputs import value_picture

    return value_picture(args)
