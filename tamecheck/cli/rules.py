"""``tamecheck rules``: the decisions of a network in few words, or as if-then rules."""

from __future__ import annotations

import _thread
import threading
from argparse import Namespace
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli import inputs
from tamecheck.cli.answer import claim, message, print_answer, write_document
from tamecheck.cli.options import BOX, MODEL, Verb, flag, natural, option, output
from tamecheck.cli.source import domain_of, model_of
from tamecheck.errors import InputError, TimeLimitError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain.domain import Domain
    from tamecheck.explain.forms import Form
    from tamecheck.explain.rules_result import DecisionRules
    from tamecheck.ir.box import Box
    from tamecheck.ir.tensor import Array
    from tamecheck.loaders.samples import Sample
    from tamecheck.model import Model


_ABOUT_RULES = """\
Say in few words what a binarized network decides: as a points score, a decision list, a tree or
"at least m of n" that decides every point of the domain as the network does, if a short one is
found; else as the short form that is right at most points, with the proved share of the domain and
the share of the table's rows at which it is.  The time is kept, and what is found in it is printed.
--form rules prints the rules that are exact over the whole domain where it has at most 2^22 points,
else the sufficient reasons of the decisions at some points; -o writes them to a file.  --neurons
shows every neuron as a rule "at least m of n".  With --box, a piecewise linear classifier is read
instead: its rules are linear inequalities, one rule a region.

exit codes: 0 rules found, 2 bad options, 3 no list or tree in the time and size, interrupted, or
rules that rest on a search alone, 4 the model has no such rules"""
_SECONDS, _LISTED = 10.0, 5.0
_FORM_SHARE, _LIST_SHARE, _SPARE = 0.55, 0.7, 0.3


def _rules(args: Namespace) -> int:
    """Find the rules and print them."""
    if args.limit < 1:
        raise InputError(f"--limit {args.limit} is no positive number.")
    if args.max_rules < 1:
        raise InputError("--max-rules is no positive number.")
    claim(args, args.output, "list of rules")
    budget = Budget.of(args.timeout)
    model = model_of(args)
    naming = inputs.naming_of(args, model)
    if args.box is not None or args.spec is not None:
        return _rules_of_cells(args, model, domain_of(args, model), naming)
    args.data = args.data or inputs.table_of_training(args, naming.schema)
    sample = inputs.sample_from(args, model, naming.schema)
    if sample is not None and args.domain is None and sample.levels() is None:
        return _rules_over_table(args, model, naming, sample)
    try:
        network, domain = inputs.network_and_domain(args, model, naming, sample)
    except UnsupportedError as error:
        if sample is not None:
            return _rules_over_table(args, model, naming, sample)
        raise UnsupportedError(
            "This is no binarized network:" if error.nodes else error.what,
            nodes=error.nodes,
            hint="For a network of ReLUs give --box, or --data for the range of a table.",
        ) from None
    return _rules_of_network(args, naming, (network, domain), sample, budget)


def _rules_of_network(
    args: Namespace,
    naming: inputs.Naming,
    about: tuple[ThresholdNetwork, Domain],
    sample: Sample | None,
    budget: Budget,
) -> int:
    """Rules of a binarized network."""
    from tamecheck.explain.row_reader import states_of
    from tamecheck.explain.sketches import sketch

    network, domain = about
    states = None if sample is None else states_of(sample, network, domain, args.data)
    if args.form == "sketch":
        found = sketch(
            network,
            domain,
            naming.classes,
            leaves=args.leaves,
            states=states,
            seconds=(args.timeout or 2 * _SECONDS) / 2,
            seed=args.seed,
        )
        print_answer(args, found.to_json(), [found.text], found.summary)
        return 0
    task = _Task(args, naming, network, domain, sample, states, budget)
    if args.markdown or args.form not in ("brief", "score"):
        return _listed(task)
    return _short(task) if args.form == "brief" else _score(task)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What is asked of a binarized network."""

    args: Namespace
    naming: inputs.Naming
    network: ThresholdNetwork
    domain: Domain
    sample: Sample | None
    states: Array | None
    budget: Budget

    def rules(self, seconds: float | None) -> DecisionRules:
        """All rules, or those that are found in the time."""
        from tamecheck.explain.rules import get_rules
        from tamecheck.loaders.samples import exact_points

        return get_rules(
            self.network,
            self.domain,
            classes=self.naming.classes,
            data=None if self.sample is None else exact_points(self.sample),
            most=self.args.limit,
            timeout=seconds,
            seed=self.args.seed,
        )

    def document(self, found: DecisionRules) -> dict[str, Any]:
        """Rules as JSON, with what is measured at the rows as far as there is time."""
        measured = found.measures(self.sample, self.states, self.budget.deadline)
        return {**found.to_json(), **measured, "neurons": self.neurons()}

    def neurons(self) -> dict[str, Any] | None:
        """The network neuron by neuron, as JSON; None out of time."""
        from tamecheck.explain.neurons import network_logic

        if self.budget.is_spent:
            return None
        return network_logic(self.network, self.domain, self.naming.classes).to_json()


def _short(task: _Task) -> int:
    """The decisions in few words, and how long they are in full."""
    args = task.args
    best: list[Form] = []
    found: DecisionRules | None = None
    late = threading.Event()
    try:
        with _interrupt(task, late):
            best.append(_tell(task, best.append))
            if args.json or args.output or best[-1].right != 1:
                found = task.rules(_for_all(task))
    except KeyboardInterrupt:
        if not best:
            raise
    told = best[-1]
    document: dict[str, Any] = {}
    if args.json:
        document = told.as_rules() if found is None else task.document(found)
        document |= {"text": told.text, "form": told.to_json(), "exact": _exact(found)}
        document["outline"] = told.lines if told.right == 1 else None
    _write_rules(args, found)
    lines = chain([told.text, *_in_full(task, told, found)], _neurons(task))
    print_answer(args, document, lines, told.summary)
    wanted = args.json or args.output or told.right != 1
    stopped = found is None and wanted and not late.is_set()
    return 3 if stopped else _code(args, told.rests_on)


def _for_all(task: _Task) -> float | None:
    """The seconds for the exact rules, which are often too many."""
    seconds = None
    if task.args.timeout is not None:
        seconds = max(task.budget.seconds - _SPARE * task.args.timeout, 0.1)
    if task.args.json or task.args.output:
        return seconds
    return min(_LISTED, _LISTED if seconds is None else seconds)


def _score(task: _Task) -> int:
    """The network as one points score, if it is one."""
    from tamecheck.explain.telling import exact_score

    args = task.args
    told = exact_score(task.network, task.domain, task.naming.classes, states=task.states)
    if told is None:
        form = {"kind": "score", "size": None, "text": None}
        lines = "There is no score of this size."
        print_answer(args, {"rules": [], "text": lines, "form": form}, [lines], lines)
        return 3
    print_answer(args, {**told.as_rules(), "text": told.text, "form": told.to_json()}, [told.text])
    return _code(args, told.rests_on)


def _tell(task: _Task, watch: Callable[[Form], None]) -> Form:
    from tamecheck.explain.telling import tell

    seconds = _SECONDS
    if task.args.timeout is not None:
        # however long it took to read the model and the table
        least = task.args.timeout / 10
        seconds = max(
            _FORM_SHARE * task.args.timeout + task.budget.seconds - task.args.timeout, least
        )
    return tell(
        task.network,
        task.domain,
        task.naming.classes,
        states=task.states,
        most_conditions=task.args.max_conditions,
        most_rules=task.args.max_rules,
        budget=task.budget.part(seconds),
        seed=task.args.seed,
        watch=watch,
    )


@contextmanager
def _interrupt(task: _Task, late: threading.Event) -> Generator[None]:
    """Interrupt the body, as Ctrl-C does, shortly before the time is over."""
    if task.args.timeout is None:
        yield
        return

    def strike() -> None:
        late.set()
        _thread.interrupt_main()

    seconds = max(task.budget.seconds - _SPARE / 2 * task.args.timeout, 0.2 * task.args.timeout)
    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # an interrupt that is on its way arrives here, and not later
        timer.join()


def _exact(found: DecisionRules | None) -> dict[str, Any] | None:
    """How long the rules are that are always right; None if they were not found."""
    if found is None or found.faithful != "exact":
        return None
    return {"rules": len(found), "conditions": sum(len(rule.conditions) for rule in found)}


def _in_full(task: _Task, told: Form, found: DecisionRules | None) -> Iterator[str]:
    """How long the exact rules, or the exact score, are, in a sentence."""
    from tamecheck.explain.telling import exact_score

    args, score = task.args, None
    if told.right != 1 and told.kind != "neurons":
        score = exact_score(task.network, task.domain, task.naming.classes)
    if score is not None:
        yield f"Exactly: a score of {score.conditions} conditions (--form score)."
    full = _exact(found)
    if full is not None:
        where = f"in {args.output}" if args.output else "-o FILE writes them"
        count = f"{full['rules']} rules of {full['conditions']} conditions"
        yield f"Exactly: {count} ({where})."
    elif told.right != 1 and score is None:
        yield "The exact rules were not found in the time (--timeout)."


def _write_rules(args: Namespace, found: DecisionRules | None) -> None:
    """Write all exact rules where ``-o`` says: as JSON, as Markdown or as text."""
    from tamecheck.loaders.outputs import write_text

    if args.output is None:
        return
    if _exact(found) is None or found is None:
        message(args, f"{args.output} is not written: the exact rules were not found in the time.")
    elif args.output.endswith((".json", ".json.gz")):
        write_document(args.output, {"format": "tamecheck-rules", **found.to_json()})
    else:
        text = found.to_markdown() if args.output.endswith(".md") else f"{found.text}\n"
        write_text(args.output, f"# Rules, written by tamecheck\n\n{text}")


def _neurons(task: _Task) -> Iterator[str]:
    from tamecheck.explain.neurons import network_logic

    if task.args.neurons:
        yield str(network_logic(task.network, task.domain, task.naming.classes))


def _code(args: Namespace, rests_on: str) -> int:
    if rests_on == "search":
        message(args, "The rules rest on a search alone: too long to be shown a second time.")
    return 3 if rests_on == "search" else 0


def _listed(task: _Task) -> int:
    """All rules, or the form of them that is asked for."""
    args = task.args
    # the rest of the time is for measuring the rules and writing them
    seconds = None if args.timeout is None else _LIST_SHARE * task.budget.seconds
    late = threading.Event()
    try:
        with _interrupt(task, late):
            found = task.rules(seconds)
            form = _form(task, found)
    except KeyboardInterrupt:
        if late.is_set():
            raise TimeLimitError(f"Out of time after {args.timeout:g} s.") from None
        raise
    document: dict[str, Any] = {}
    if args.json:
        outline = found.outline(timeout=min(5.0, task.budget.seconds))
        text = None if outline is None else outline.text
        document = {**task.document(found), "outline": text, "form": form}
    _write_rules(args, found)
    print_answer(
        args, document, chain(_rule_lines(args, found, form), _neurons(task)), found.summary
    )
    code = _code(args, found.rests_on)
    return 3 if form is not None and form["text"] is None else code


def _rule_lines(
    args: Namespace, found: DecisionRules, form: dict[str, Any] | None
) -> Iterator[str]:
    """The form that is asked for, or all rules."""
    if args.markdown:
        yield found.to_markdown()
    elif form is not None:
        yield f"There is no {args.form} of this size." if form["text"] is None else form["text"]
        yield found.summary
    else:
        yield found.text


def _form(task: _Task, found: DecisionRules) -> dict[str, Any] | None:
    """The clauses, the list or the tree that is asked for: its size and its text."""
    size, text, seconds = None, None, task.budget.seconds
    match task.args.form:
        case "cnf":
            if found.faithful == "exact":
                size, text = found.normal_forms
        case "list":
            listed = found.decision_list(timeout=seconds)
            if listed is not None:
                size, text = len(listed), listed.text
        case "tree":
            tree = found.tree(timeout=seconds)
            if tree is not None:
                size, text = tree.leaves, tree.text
        case _:
            return None
    return {"kind": task.args.form, "size": size, "text": text}


def _rules_over_table(args: Namespace, model: Model, naming: inputs.Naming, sample: Sample) -> int:
    """Rules of a piecewise linear classifier over the range of a table's columns."""
    from tamecheck.loaders.text.box import box_of_rows

    names = naming.names if not naming.inferred else None
    known = inputs.Naming(names or list(sample.names), naming.classes or list(sample.classes))
    return _rules_of_cells(args, model, box_of_rows(sample.points, model.inputs), known)


def _rules_of_cells(args: Namespace, model: Model, box: Box, naming: inputs.Naming) -> int:
    """Rules of a piecewise linear classifier on a box."""
    from tamecheck.explain.cell_rules import rules_of_cells

    for name in ("domain", "one_hot", "thermometer", "constraint"):
        if getattr(args, name) not in (None, []):
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
        inputs.DOMAIN,
        inputs.CONSTRAINT,
        BOX,
        option("--limit", "N", "the most rules (default 20000)", type=int, default=20_000),
        option("--form", None,
            "brief: in few words, the shortest exact form or the best short one; rules: all of "
            "them, a disjunctive normal form; cnf: clauses; list: the first rule that holds "
            "decides; tree; score: points, if all depends on one sum; sketch: a few rules, not "
            "always right, with the proved share of points where they are",
            choices=("brief", "rules", "cnf", "list", "tree", "score", "sketch"),
            default="brief"),
        option("--max-conditions", "N", "the most conditions of a form in few words (default 12)",
            type=natural(digits=6), default=12),
        option("--max-rules", "N", "the most rules of a form in few words (default 12)",
            type=natural(digits=6), default=12),
        output("-o --output", "FILE",
            "write all exact rules here, if they are found in the time: .json, .md or text"),
        option("--leaves", "N", "the most rules of a sketch (default 8)", type=int, default=8),
        flag("--neurons", "print the network neuron by neuron too"),
        flag("--markdown", "print a Markdown table"),
        inputs.table_options("where the rules are measured, and start if need be"),
    ),
    _rules,
    answers=True,
)  # fmt: skip
