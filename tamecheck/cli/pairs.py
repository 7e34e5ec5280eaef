"""``tamecheck verify --monotone`` and ``--fair``: properties of pairs of inputs."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.cli import inputs
from tamecheck.cli.answer import (
    EXIT_CODES,
    certify,
    certifying,
    enter,
    message,
    print_answer,
    steps_of,
    working,
)
from tamecheck.cli.options import Group, option
from tamecheck.cli.source import model_of, name_of
from tamecheck.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.explain.attributes import Attributes
    from tamecheck.explain.domain import Domain
    from tamecheck.explain.orders import Question
    from tamecheck.ir.graph import Graph
    from tamecheck.model import Model
    from tamecheck.verification.pairs import PairQuestion, Sign

_SIGNED = re.compile(r"\s*(.+?)\s*:\s*([+-])\s*(?:,|$)")
_EXAMPLE = "As in --monotone 'income:+,age:-'."


ASKED = (
    Group(
        None,
        (
            option("--monotone", "A:+,B:-",
                "does what the model says never fall as A rises, nor as B falls?"),
            option("--fair", "A,B", "is what the model says blind to A and B?"),
        ),
    ),
    option("--of", None,
        "what it says: the class (of equal outputs the first), in the order of the classes, or the "
        "single output; default: the output where there is one and --monotone asks, else the class",
        choices=("decision", "score")),
)  # fmt: skip
WITHIN = (inputs.INTEGERS, inputs.CONSTRAINT)
PAIRS = Group(
    "pairs of inputs",
    (
        *ASKED,
        *WITHIN,
        option("--box", "BOX",
            "where the inputs are, if they are real numbers: 'x=-1:1,y=0:2', or 0:1 for all"),
    ),
)  # fmt: skip


def run_pairs(args: Namespace) -> int:
    """Ask whether a model keeps an order, or is blind to features, and print the answer."""
    from tamecheck.explain.orders import Question, answer_of
    from tamecheck.show.protected import pair_lines

    for name in ("spec", "vnncomp", "input", "hamming", "distance"):
        if getattr(args, name):
            raise InputError(f"--{name} is of no use with {_option(args)}.")
    budget = Budget.of(args.timeout)
    model = model_of(args, notes=False)
    question = question_of(args, model)
    with working(args, "verifying"):
        answer = (
            answer_of(question, graph=_deciding(model), timeout=args.timeout, seed=args.seed)
            if isinstance(question, Question)
            else question.verify(timeout=args.timeout, seed=args.seed, certify=certifying(args))
        )
    document = answer.to_json()
    if not isinstance(question, Question):
        enter(args, document, answer.certificate, answer.note)
    elif answer.certificate is not None:
        certify(args, document, dict(answer.certificate), steps_of(args, budget))
    elif answer.verdict == "holds" and certifying(args):
        message(args, "No certificate was found in time.")
    asked = _asked(args)
    signs = {name: sign for name, sign in asked.items() if sign != "="}
    document["monotone"], document["fair"] = signs or None, None if signs else list(asked)
    labels = inputs.naming_of(args, model).classes if answer.of == "decision" else None
    document["classes"] = labels
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    print_answer(args, document, pair_lines(name_of(args), document), answer.verdict)
    return EXIT_CODES[answer.verdict]


def question_of(args: Namespace, model: Model) -> Question | PairQuestion:
    """What ``--monotone`` or ``--fair`` asks: over a finite domain, or over ``--box``."""
    asked = _asked(args)
    if args.box is None and args.integers is None:
        return _over_domain(args, model, asked)
    if args.constraint:
        raise InputError("--constraint is for networks whose inputs take two levels.")
    return _over_box(args, model, asked)


def other_pairs(
    args: Namespace, model: Model, document: Mapping[str, Any], sha256: str | None
) -> str | None:
    """Why a certificate is no answer to what the options ask of a model; None if it is one."""
    from tamecheck.explain.orders import Question
    from tamecheck.verification.split_proofs import regions_json

    question, claim = question_of(args, model), document["claim"]
    if isinstance(question, Question):
        network = question.over_all_states()
        whole = claim.get("radius") == len(network.free) and claim.get("decision") == 0
        same = document["network"] == network.document() and whole
    else:
        regions = regions_json(question.spec().cases)
        same = sha256 == question.graph.sha256 and claim.get("regions") == regions
    return None if same else f"it is about another question than {_option(args)}"


def _deciding(model: Model) -> Graph:
    from tamecheck.verification.decisions import deciding

    return deciding(model).graph


def _option(args: Namespace) -> str:
    return "--fair" if args.monotone is None else "--monotone"


def _asked(args: Namespace) -> dict[str, Sign]:
    """The features that are asked about, and what is said of each."""
    found: dict[str, Sign] = {}
    if args.monotone is None:
        # what is between commas; a name that has some is found by the domain
        return {args.fair: "="}
    end = 0
    for match in _SIGNED.finditer(args.monotone):
        if match.start() != end or match[1] in found:
            break
        found[match[1]] = "+" if match[2] == "+" else "-"
        end = match.end()
    if end != len(args.monotone) or not found:
        raise InputError(
            f"--monotone {args.monotone!r} is no list of features with + or -.", hint=_EXAMPLE
        )
    return found


def _over_domain(args: Namespace, model: Model, asked: Mapping[str, Sign]) -> Question:
    """Over the possible inputs of a binarized network."""
    from tamecheck.explain.orders import Question, ordered_features
    from tamecheck.ir.tensor import size_of

    naming = inputs.naming_of(args, model)
    try:
        network, domain = inputs.network_and_domain(args, model, naming)
    except UnsupportedError as error:
        why = "; ".join(f"{node}, {what}" for node, what in error.nodes[:1])
        raise InputError(
            f"This is no binarized network ({why or error.what}), so its inputs are real numbers.",
            where=_option(args),
            hint="Say where they are: --box 0:1, or --box 'x=-1:1,y=0:2'.",
        ) from None
    orders: dict[int, Any] = {}
    known = ordered_features(domain, naming.schema)
    for text, sign in asked.items():
        for k in _features(domain, text, several=sign == "="):
            if sign != "=" and k not in known:
                raise InputError(
                    f"The values of {domain.features[k].name!r} have no order.",
                    where="--monotone",
                    hint="Ask about features of numbers; --fair needs no order.",
                )
            orders[k] = {"+": "rises", "-": "falls", "=": "equal"}[sign]
    graph = _deciding(model)
    alone = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs) == 1
    score = alone and naming.classes is None and args.monotone is not None
    of = args.of or ("score" if score else "decision")
    if of == "score" and not alone:
        raise InputError(
            "There is no one score: the model has several outputs.",
            where="--of",
            hint="Ask about the decision.",
        )
    return Question.of_orders(network, domain, orders, of)


def _features(domain: Domain, text: str, *, several: bool) -> Sequence[int]:
    """Features by name, or those of inputs by number; several between commas."""
    return domain.covering(inputs.named_inputs(text, domain, "--fair" if several else "--monotone"))


def _over_box(args: Namespace, model: Model, asked: Mapping[str, Sign]) -> PairQuestion:
    """Over a box of real inputs, of which some may be integers or one-hot groups."""
    from tamecheck.cli.explain import classifier_explainer
    from tamecheck.explain.attributes import alternatives, bounds_of_attributes
    from tamecheck.verification.pairs import PairQuestion

    naming = inputs.naming_of(args, model)
    explainer = classifier_explainer(args, model, naming, None)
    known, decision = explainer.domain, explainer.decision
    signs: dict[int, Sign] = {}
    for text, sign in asked.items():
        for k in _elements(args, model, known, text, several=sign == "="):
            one = next(one for one in known.items if k in one.inputs)
            if sign != "=" and not one.ordered:
                raise InputError(
                    f"The values of {one.name!r} have no order.",
                    where="--monotone",
                    hint="Ask about features of numbers; --fair needs no order.",
                )
            signs |= dict.fromkeys(one.inputs, sign)
    alone = decision.rule == "positive" and not explainer.classes and "label" not in model.outputs
    of = args.of or ("score" if alone and args.monotone is not None else "decision")
    groups, integral = alternatives(known, signs)
    box = bounds_of_attributes(known, decision.graph.inputs)
    made = PairQuestion.of_model(
        decision.graph, box, signs, of=of, parts=groups, rule=decision.rule
    )
    made.integral = frozenset(integral)
    return made


def _elements(
    args: Namespace, model: Model, known: Attributes, text: str, *, several: bool
) -> list[int]:
    """Input elements by the name of their feature, as x[3], or by number."""
    from tamecheck.loaders.text.box import parse_point

    named = {one.name: one.inputs for one in known.items}
    parts = [part.strip() for part in re.split(r",(?![^\[]*\])", text)] if several else [text]
    found: list[int] = []
    for part in parts:
        if part in named:
            found += named[part]
        elif part.isascii() and part.isdigit() and int(part) < known.inputs:
            found.append(int(part))
        else:
            point = parse_point(f"{part}=0", model.inputs, where=_option(args))
            values = [value for one in point.values() for value in one]
            found += [k for k, value in enumerate(values) if value is not None]
    return found
