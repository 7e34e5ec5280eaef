"""``tamecheck rules`` and ``count``: the decisions of a network as if-then rules, and how many."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli.answer import message, print_answer
from tamecheck.cli.inputs import (
    DOMAIN,
    Naming,
    naming_of,
    network_and_domain,
    sample_from,
    table_options,
)
from tamecheck.cli.options import BOX, MODEL, Verb, flag, option
from tamecheck.cli.source import domain_of, model_of, number_of, row_of_input
from tamecheck.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain.counts import CountBounds
    from tamecheck.explain.domain import Domain
    from tamecheck.explain.rules_result import DecisionRules
    from tamecheck.explain.sketches import Sketch
    from tamecheck.ir.box import Box
    from tamecheck.loaders.samples import Sample
    from tamecheck.model import Model


_ABOUT_RULES = """\
Write a binarized network as if-then rules over its inputs: exact over the whole domain where it
has at most 2^22 points, else the sufficient reasons of the decisions at some points, with a proved
bound on the share of the domain that they decide.  --neurons shows every neuron as a rule
"at least m of n".  With --box, a piecewise linear classifier is read instead: its rules are linear
inequalities, one rule a region.

exit codes: 0 rules found, 2 bad options, 3 no list or tree in the time and size, or rules that
rest on a search alone, 4 the model has no such rules"""
_SECONDS, _FEW = 20.0, 20


def _rules(args: Namespace) -> int:
    """Find the rules and print them."""
    if args.limit < 1:
        raise InputError(f"--limit {args.limit} is no positive number.")
    model = model_of(args)
    naming = naming_of(args, model)
    if args.box is not None or args.spec is not None:
        return _rules_of_cells(args, model, domain_of(args, model), naming)
    sample = sample_from(args, model, naming.schema)
    if sample is not None and args.domain is None and sample.levels() is None:
        return _rules_over_table(args, model, naming, sample)
    try:
        network, domain = network_and_domain(args, model, naming, sample)
    except UnsupportedError as error:
        if sample is not None:
            return _rules_over_table(args, model, naming, sample)
        raise UnsupportedError(
            "This is no binarized network:" if error.nodes else error.what,
            nodes=error.nodes,
            hint="For a network of ReLUs give --box, or --data for the range of a table.",
        ) from None
    return _rules_of_network(args, naming, (network, domain), sample)


def _rules_of_network(
    args: Namespace, naming: Naming, about: tuple[ThresholdNetwork, Domain], sample: Sample | None
) -> int:
    """Rules of a binarized network."""
    from tamecheck.explain.neurons import network_logic
    from tamecheck.explain.row_reader import states_of
    from tamecheck.explain.rules import get_rules
    from tamecheck.explain.sketches import sketch
    from tamecheck.loaders.samples import exact_points

    budget = Budget.of(args.timeout)
    network, domain = about
    states = None if sample is None else states_of(sample, network, domain, args.data)
    few = partial(
        sketch,
        network,
        domain,
        naming.classes,
        leaves=args.leaves,
        states=states,
        seconds=(args.timeout or _SECONDS) / 2,
        seed=args.seed,
    )
    if args.form == "sketch":
        found = few()
        print_answer(args, found.to_json(), [found.text], found.summary)
        return 0
    found = get_rules(
        network,
        domain,
        classes=naming.classes,
        data=None if sample is None else exact_points(sample),
        most=args.limit,
        # the rest of the time is for measuring the rules and writing them
        timeout=None if args.timeout is None else 0.7 * args.timeout,
        seed=args.seed,
    )
    logic = network_logic(network, domain, naming.classes)
    outline = found.outline(timeout=min(5.0, budget.seconds))
    form = _form(args, found)
    document: dict[str, Any] = {}
    if args.json:
        text = None if outline is None else outline.text
        document = {**found.to_json(), "outline": text, "form": form, "neurons": logic.to_json()}
        document |= found.measures(sample, states)
    lines = _rule_lines(args, found, form, few if outline is None else None)
    if args.neurons:
        lines = chain(lines, [str(logic)])
    print_answer(args, document, lines, found.summary)
    if found.rests_on == "search":
        message(args, "The rules rest on a search alone: too long to be shown a second time.")
        return 3
    return 3 if form is not None and form["text"] is None else 0


def _rule_lines(
    args: Namespace,
    found: DecisionRules,
    form: dict[str, Any] | None,
    few: Callable[[], Sketch] | None,
) -> Iterator[str]:
    """The form that is asked for, all rules, or the first after what says nearly so in short."""
    if args.markdown:
        yield found.to_markdown()
    elif form is not None:
        yield f"There is no {args.form} of this size." if form["text"] is None else form["text"]
        yield found.summary
    elif args.form != "brief":
        yield found.text
    else:
        if few is not None and len(found) > _FEW:
            yield f"In short, though not always right:\n{few().text}\n"
        yield found.brief()


def _form(args: Namespace, found: DecisionRules) -> dict[str, Any] | None:
    """The clauses, the list or the tree that is asked for: its size and its text."""
    size, text = None, None
    match args.form:
        case "cnf":
            if found.faithful == "exact":
                size, text = found.normal_forms
        case "list":
            listed = found.decision_list(timeout=args.timeout)
            if listed is not None:
                size, text = len(listed), listed.text
        case "tree":
            tree = found.tree(timeout=args.timeout)
            if tree is not None:
                size, text = tree.leaves, tree.text
        case _:
            return None
    return {"kind": args.form, "size": size, "text": text}


def _rules_over_table(args: Namespace, model: Model, naming: Naming, sample: Sample) -> int:
    """Rules of a piecewise linear classifier over the range of a table's columns."""
    from tamecheck.loaders.text.box import box_of_rows

    names = naming.names if not naming.inferred else None
    known = Naming(names or list(sample.names), naming.classes or list(sample.classes))
    return _rules_of_cells(args, model, box_of_rows(sample.points, model.inputs), known)


def _rules_of_cells(args: Namespace, model: Model, box: Box, naming: Naming) -> int:
    """Rules of a piecewise linear classifier on a box."""
    from tamecheck.explain.cell_rules import rules_of_cells

    for name in ("domain", "one_hot", "thermometer"):
        if getattr(args, name) is not None:
            given = name.replace("_", "-")
            raise InputError(f"--{given} is for binarized networks, --box for others.")
    classes = naming.classes or None
    found = rules_of_cells(model, box, names=naming.names, classes=classes, limit=args.limit)
    print_answer(args, found.to_json(), [found.text], found.summary)
    return 0


RULES = Verb(
    "rules",
    "the decisions as if-then rules",
    _ABOUT_RULES,
    (
        MODEL,
        DOMAIN,
        BOX,
        option("--limit", "N", "the most rules (default 20000)", type=int, default=20_000),
        option("--form", None,
            "brief: in few words if possible, and the first rules; rules: all of them, a "
            "disjunctive normal form; cnf: clauses; list: the first rule that holds decides; "
            "tree; sketch: a few rules, not always right, with the proved share of points where "
            "they are", choices=("brief", "rules", "cnf", "list", "tree", "sketch"),
            default="brief"),
        option("--leaves", "N", "the most rules of a sketch (default 8)", type=int, default=8),
        flag("--neurons", "print the network neuron by neuron too"),
        flag("--markdown", "print a Markdown table"),
        table_options("where the rules are measured, and start if need be"),
    ),
    _rules,
    answers=True,
)  # fmt: skip

_ABOUT_COUNT = """\
Count how many inputs of a binarized network each class has: of all that can occur, of those that
meet conditions (--if), or of those that differ from one input in few places (--hamming).  Every
input is decided in integers; of several largest outputs the first decides.  A model with one
output has two classes: 1 where it is positive, else 0.

exit codes: 0 counted, 2 too large a ball or bad options, 3 out of time (60 seconds, unless
--timeout says otherwise) with bounds on the counts, 4 this is no binarized network"""
_LONG, _PARTS = 60.0, 2**21


def _count(args: Namespace) -> int:
    """Count and print the counts."""
    from tamecheck.explain.check import Recomputation, confirm
    from tamecheck.explain.counts import count_ball, count_within
    from tamecheck.explain.words import read_conditions

    if (args.hamming is None) != (args.input is None):
        raise InputError("--hamming K and --input FILE go together.")
    radius = None
    if args.hamming is not None:
        radius = number_of(args.hamming, f"--hamming {args.hamming!r} is no natural number.")
    model = model_of(args)
    naming = naming_of(args, model)
    network, domain = network_and_domain(args, model, naming)
    allowed = None
    if args.conditions is not None:
        allowed = read_conditions(args.conditions, network, domain, naming.names)
        if not all(allowed):
            message(args, "The conditions of --if exclude each other: no input meets them all.")
    decision, again = None, Recomputation(network, domain, most=_PARTS)
    if radius is None:
        found = count_within(network, domain, allowed, seconds=args.timeout or _LONG)
        if not found.exact:
            return _print_bounds(args, found, naming.classes)
        counts, rests_on = list(found.lower), found.rests_on
        counted = again.counts(allowed)
    else:
        centre = network.states(row_of_input(args.input, model))[0]
        domain.codes(centre)
        decision = int(network.decide(centre[None, :])[0])
        counts, rests_on = count_ball(network, domain, centre, radius, allowed), "enumeration"
        counted = again.counts_in_ball(centre, radius, allowed)
    rests_on = confirm(None if counted is None else counted == counts, "this count", rests_on)
    _print_counts(args, counts, decision, naming.classes, rests_on)
    if rests_on == "search":
        message(args, "The counts rest on a search alone: too long to be made a second time.")
        return 3
    return 0


def _labels(classes: list[str] | None, count: int) -> list[str]:
    if classes is not None and len(classes) != count:
        raise InputError(f"{len(classes)} classes are named; the network has {count}.")
    return list(map(str, range(count))) if classes is None else classes


def _print_bounds(args: Namespace, found: CountBounds, classes: list[str] | None) -> int:
    """Print what is known of counts that took too long."""
    from tamecheck.show.answers import bounds_lines

    bounds = list(zip(found.lower, found.upper, strict=True))
    total = sum(found.lower) + found.open
    lower, upper = list(found.lower), list(found.upper)
    document: dict[str, Any] = {"total": total, "counts": None, "lower": lower, "upper": upper}
    document["why"] = "timeout"
    if classes is not None:
        document["classes"] = classes
    lines = bounds_lines(total, bounds, _labels(classes, len(bounds)))
    print_answer(args, document, lines, " ".join(f"{low}..{high}" for low, high in bounds))
    return 3


def _print_counts(
    args: Namespace,
    counts: Sequence[int],
    decision: int | None,
    classes: list[str] | None,
    rests_on: str,
) -> None:
    from tamecheck.ir.exact import rational_text
    from tamecheck.show.answers import count_lines

    total = sum(counts)
    document: dict[str, Any] = {"total": total, "counts": list(counts), "rests_on": rests_on}
    if classes is not None:
        document["classes"] = classes
    if decision is not None:
        robust = rational_text(Fraction(counts[decision], total)) if total else None
        document |= {"decision": decision, "robust": robust}
    lines = count_lines(counts, decision, _labels(classes, len(counts)))
    print_answer(args, document, lines, " ".join(map(str, counts)))


COUNT = Verb(
    "count",
    "how many inputs each class has, exactly",
    _ABOUT_COUNT,
    (
        MODEL,
        DOMAIN,
        option("--if", "CONDITIONS", "count these inputs only: 'x3=1,x5=-1', 'colour=red'",
            dest="conditions"),
        option("--input", "FILE", "the centre of the ball of --hamming"),
        option("--hamming", "K", "count the inputs that differ in at most K places"),
    ),
    _count,
    answers=True,
)  # fmt: skip
