"""``tamecheck verify`` about a point: Hamming balls, and balls of the maximum norm."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli.answer import (
    EXIT_CODES,
    certify,
    certifying,
    claim,
    enter,
    left,
    message,
    print_answer,
    working,
)
from tamecheck.cli.inputs import DOMAIN, levels_of
from tamecheck.cli.options import Group, flag, natural, option
from tamecheck.cli.source import model_of, name_of, number_of, row_of_input
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.ir.spec import Specification
    from tamecheck.model import Model
    from tamecheck.verification import HammingBall, Witness
    from tamecheck.verification.robustness import LocalRobustness


POINT = (
    option("--input --around", "FILE",
        "the point: .json, .csv or .npy, or .vnnlib for the middle of its region, also .gz"),
    option("--index", "ROW", "of a file of several points this one, from 0 on",
        type=natural("row")),
    option("--radius", "EPS",
        "is every input that differs by at most EPS in each element of the point's class?"),
    option("--label", "K", "its class, by number (default: what the model decides there)",
        type=natural("class", digits=9)),
)  # fmt: skip

BALLS = (
    Group(
        "around a point",
        (
            *POINT,
            flag("--largest-radius",
                "the largest such EPS that is proved, and the nearest input of another class; "
                "what is asked without --radius, which else is the largest that counts"),
            option("--tolerance", "T",
                "how near both are to be, of the larger (default 0.01)", default="0.01"),
        ),
    ),
    Group(
        "binarized networks",
        (
            Group(
                None,
                (
                    option("--hamming", "K", "may K inputs change the decision?"),
                    flag("--distance", "how many inputs have to change the decision?"),
                ),
            ),
            DOMAIN,
            flag("--certify", "search for a certificate"),
        ),
    ),
)  # fmt: skip


# --- balls of the maximum norm --------------------------------------------------------------------


def about_radius(args: Namespace) -> bool:
    """Whether the options ask about a ball of the maximum norm."""
    given = _about_balls(args)
    if args.input is None and given:
        raise InputError(f"--{given[0]} is about a point.", hint="Give it: --around FILE.")
    return args.input is not None and (args.spec is None or bool(given))


def _about_balls(args: Namespace) -> list[str]:
    """The options that are about balls of the maximum norm."""
    given = [name for name in ("radius", "label", "index") if getattr(args, name) is not None]
    return given + ["largest-radius"] * getattr(args, "largest_radius", False)


def run_radius(args: Namespace) -> int:
    """Ask whether the decision at a point is robust within a radius, or within which."""
    # before anything heavy is imported
    budget = Budget.of(args.timeout)
    if args.spec is not None or (args.expr is not None and args.model is not None):
        what = "--input is of no use with a property file."
        raise InputError(what, hint="Ask about one of them.")
    for name in ("vnncomp", "domain", "one_hot", "thermometer", "integers", "constraint"):
        if getattr(args, name):
            option = name.replace("_", "-")
            what = f"--{option} is of no use around a point."
            raise InputError(what, hint="The domain of real inputs is told by --box.")
    claim(args, args.output, "certificate")
    if args.radius is not None and not args.largest_radius:
        return _within(args, budget)
    if args.arithmetic not in (None, "real"):
        raise InputError("--arithmetic is for one --radius.", where="--largest-radius")
    return _largest(args, budget)


def question_of(args: Namespace, model: Model) -> LocalRobustness:
    """What the options ask about a point."""
    from tamecheck.verification.robustness import LocalRobustness

    point = _centre(args, model)
    names = model.schema.classes if model.schema is not None else ()
    return LocalRobustness(model, point, label=args.label, box=args.box, classes=len(names))


def _centre(args: Namespace, model: Model) -> list[Fraction]:
    """The point of ``--around``: all numbers of a file, a row of it, or the middle of a region."""
    from tamecheck.ir.exact import rational
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.files import suffix_of
    from tamecheck.loaders.samples import read_rows

    if suffix_of(args.input) == ".vnnlib":
        from tamecheck.loaders.text.vnnlib import read_vnnlib

        ends = read_vnnlib(args.input).box(model.inputs).elements(model.inputs)
        middle = [(a + b) / 2 for a, b in ends if a is not None and b is not None]
        if len(middle) < len(ends):
            raise InputError("The region is unbounded, so it has no middle.", where=args.input)
        return middle
    size = sum(map(size_of, model.inputs.values()))
    if args.index is None:
        try:
            return row_of_input(args.input, model)[0].tolist()
        except InputError:
            if (count := _points_in(args.input, size)) < 2:
                raise
        what = f"The file holds {count} points."
        raise InputError(what, where=args.input, hint="Choose one: --index 0.")
    rows = read_rows(args.input, size)
    if args.index >= len(rows):
        what = f"There is no row {args.index}: the file has {len(rows)}, from 0 on."
        raise InputError(what, where=args.input)
    return [rational(value) for value in rows[int(args.index)].reshape(-1).tolist()]


def _points_in(path: str, size: int) -> int:
    """How many points a file holds; 0 if it holds none."""
    from tamecheck.loaders.samples import read_rows

    with suppress(InputError):
        return len(read_rows(path, size))
    return 0


def _radius(args: Namespace) -> Fraction | None:
    from tamecheck.ir.exact import parse_rational
    from tamecheck.verification.robustness import radius_of

    return None if args.radius is None else radius_of(parse_rational(args.radius))


def _within(args: Namespace, budget: Budget) -> int:
    from tamecheck.ir.exact import rational_text
    from tamecheck.show.answers import verification_lines
    from tamecheck.verification import Holds, Violated

    radius = _radius(args) or Fraction(0)
    model = model_of(args)
    question = question_of(args, model)
    with working(args, "verifying"):
        answer = question.verify(
            radius, budget, seed=args.seed, certify=certifying(args), arithmetic=args.arithmetic
        )
    document = answer.to_json()
    document |= {"decision": question.label, "radius": rational_text(radius)}
    document["witness_radius"] = None
    if isinstance(answer, Holds):
        enter(args, document, answer.certificate, answer.note)
    if isinstance(answer, Violated):
        document["witness_radius"] = rational_text(question.distance(answer.witness.inputs))
    verdict = document["verdict"]
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    print_answer(args, document, verification_lines(name_of(args), answer, verdict), verdict)
    return EXIT_CODES[verdict]


def _largest(args: Namespace, budget: Budget) -> int:
    from tamecheck.ir.exact import parse_rational, rational_text
    from tamecheck.show.answers import radius_lines
    from tamecheck.verification.radii import largest_radius
    from tamecheck.verification.robustness import tolerance_of

    within, tolerance = _radius(args), tolerance_of(parse_rational(args.tolerance))
    model = model_of(args)
    question = question_of(args, model)
    with working(args, "verifying") as tell:
        found = largest_radius(
            question, budget, within=within, tolerance=tolerance, seed=args.seed,
            certify=certifying(args), progress=tell,
        )  # fmt: skip
    document = found.to_json()
    enter(args, document, found.certificate, found.note)
    if args.output is not None and found.certificate is None and not found.note:
        message(args, f"{args.output} is not written: no radius has a certificate.")
    elif found.certified_radius != found.radius and found.certified_radius is not None:
        message(args, f"The certificate is of radius {document['certified_radius']}.")
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    brief = found.verdict
    if found.verdict == "holds" and found.radius is not None:
        brief = rational_text(found.radius)
    print_answer(args, document, radius_lines(name_of(args), found), brief)
    return EXIT_CODES[found.verdict]


def ball_of(
    args: Namespace, model: Model, regions: list[Mapping[str, Any]]
) -> tuple[LocalRobustness, Specification]:
    """The question of the options, and its property of ``--radius``; else of what regions have."""
    from tamecheck.ir.exact import rational_of_text

    question = question_of(args, model)
    radius = _radius(args)
    if radius is None:
        # of a region of another size, or an unbounded one, no radius is the same
        ends = [end for one in regions[:1] for side in ("lower", "upper") for end in one[side]]
        fit = len(ends) == 2 * len(question.centre) and None not in ends
        pairs = zip(ends, question.centre * 2, strict=True) if fit else ()
        radius = max((abs(rational_of_text(end) - x) for end, x in pairs), default=Fraction(0))
    return question, question.property(radius)


# --- balls of a binarized network -----------------------------------------------------------------


def run_hamming(args: Namespace) -> int:
    """Answer about a Hamming ball around the point of ``--input``, print the answer."""
    asked = "--distance" if args.distance else "--hamming"
    for name in ("spec", "vnncomp"):
        if getattr(args, name) is not None:
            raise InputError(f"{asked} takes no property file: there is no use for {name}.")
    for given in _about_balls(args):
        raise InputError(f"--{given} is of no use with {asked}.", hint="Ask about one of them.")
    if args.input is None:
        raise InputError("No --input is given.", hint="It is the point whose decision counts.")
    radius = None
    if not args.distance:
        radius = number_of(args.hamming, f"--hamming {args.hamming!r} is no natural number.")
    from tamecheck.show.answers import ball_lines
    from tamecheck.verification import HammingBall

    model = model_of(args, notes=False)
    point = row_of_input(args.input, model)[0].tolist()
    ball = HammingBall.of(model.graph, point, levels_of(args.domain or "-1,1"))
    started = time.monotonic()
    document = _distance(args, model, ball) if radius is None else _holds(args, model, ball, radius)
    document["seconds"] = round(time.monotonic() - started, 3)
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    verdict, distance = document["verdict"], document["distance"]
    brief = verdict
    if args.distance and verdict == "holds":
        brief = "never" if distance is None else str(distance)
    print_answer(args, document, ball_lines(name_of(args), document, distance=args.distance), brief)
    return EXIT_CODES[verdict]


def _holds(args: Namespace, model: Model, ball: HammingBall, radius: int) -> dict[str, Any]:
    from tamecheck.verification import Unknown, Violated
    from tamecheck.verification.witness import replay_of

    budget = Budget.of(args.timeout)
    answer = ball.verify(radius, timeout=args.timeout, replay=replay_of(model))
    document = answer.to_json()
    document["distance"] = None
    if isinstance(answer, Violated):
        document["changed"] = _changes(ball, answer.witness)
    # a proof that the kernel checks turns what solvers say into an answer
    claimed = isinstance(answer, Unknown) and answer.said_by
    if claimed or (document["verdict"] == "holds" and certifying(args)):
        certify(args, document, ball.certify(radius, timeout=left(args, budget)))
    return document


def _distance(args: Namespace, model: Model, ball: HammingBall) -> dict[str, Any]:
    from tamecheck.verification import solvers_word
    from tamecheck.verification.witness import replay_of

    budget = Budget.of(args.timeout)
    found = ball.distance(timeout=args.timeout)
    never = found.witness is None and found.lower > len(ball.network.free)
    claimed = found.exact or never
    shown = claimed and found.checked == "enumeration"
    reason = found.why
    if claimed:
        reason = "No input at all is decided otherwise." if never else "No fewer changes suffice."
    document: dict[str, Any] = {
        "verdict": "holds" if shown else "unknown",
        "reason": reason if shown or not claimed else solvers_word(found),
        "witness": None,
        "certificate": None,
        "method": found.method,
        "rests_on": "recomputation" if shown else None,
        "checked": found.checked if shown else None,
        "distance": found.upper if shown else None,
        "bounds": [found.lower, found.upper],
        "facts": {},
    }
    if found.witness is not None:
        witness = ball.witness(found, replay_of(model))
        document["witness"] = witness.to_json()
        document["changed"] = _changes(ball, witness)
    if claimed and (certifying(args) or not shown):
        certify(args, document, ball.certify_distance(found, timeout=left(args, budget)))
        if document["verdict"] == "holds":
            document |= {"distance": found.upper, "reason": reason}
    return document


def _changes(ball: HammingBall, witness: Witness) -> list[dict[str, Any]]:
    """The inputs that the witness changes."""
    from tamecheck.ir.exact import rational_text

    centre = ball.network.point(ball.states)
    return [
        {"input": i, "from": rational_text(old), "to": rational_text(new)}
        for i, (old, new) in enumerate(zip(centre, witness.inputs, strict=True))
        if old != new
    ]
