"""What the report is about, worked out once for all sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.cells import Slice, element_names
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.explain import networks
from tamecheck.explain.domain import Domain, domain_of
from tamecheck.explain.words import Vocabulary
from tamecheck.ir.box import Box, Side
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Array, size_of
from tamecheck.loaders.samples import Sample
from tamecheck.loaders.tables.schema import Schema
from tamecheck.model import Model
from tamecheck.report.page import Commands, NotMadeError
from tamecheck.tame.verdict import Check
from tamecheck.verification import decisions

Rule = Literal["argmax", "argmin", "sign"]
_MOST_EXAMPLES = 4
_USUAL = (Fraction(-1), Fraction(1))


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A model with what is to be shown of it.

    Parameters
    ----------
    frame, frame_why
        A bounded interval for each input element, and in words what it spans: ``over the domain``.
    centre, centre_why
        The point about which slices are cut, and where it comes from.
    network, network_why
        The model as a binarized network, or why it is none.
    examples
        The rows that are looked at one by one, by their position in the sample.
    vocabulary, schema
        What the inputs say and are made of, of a model that was trained on statements.
    shape
        Rows and columns, if the input is an image.
    decider
        The model's scores alone, see `tamecheck.verification.decisions.deciding`.
    table_sha256
        The hash of the table's text; empty if there is none.
    protected
        The features that are protected attributes.
    commands
        How the model and its table are named on a command line.
    """

    model: Model
    title: str
    check: Check
    names: tuple[str, ...]
    classes: tuple[str, ...]
    rule: Rule
    frame: tuple[tuple[Fraction, Fraction], ...]
    frame_why: str
    centre: tuple[Fraction, ...]
    centre_why: str
    network: ThresholdNetwork | None
    network_why: str
    sample: Sample | None
    examples: tuple[int, ...]
    vocabulary: Vocabulary | None
    seed: int
    shape: tuple[int, ...]
    decider: Model
    schema: Schema | None = None
    table_sha256: str = ""
    protected: tuple[str, ...] = ()
    commands: Commands = field(default_factory=Commands)

    @property
    def outputs(self) -> int:
        """The number of scores."""
        return sum(map(size_of, self.decider.outputs.values()))

    def class_name(self, number: int) -> str:
        """What a class is called."""
        return self.classes[number] if number < len(self.classes) else f"class {number}"

    @property
    def class_names(self) -> list[str]:
        """What the classes are called; one output has two of them."""
        return [self.class_name(number) for number in range(max(self.outputs, 2))]

    def binarized(self) -> ThresholdNetwork:
        """The model in integers; a section that needs it is not made without."""
        if self.network is None:
            why = self.network_why.rstrip(".")
            raise NotMadeError(
                "It needs a binarized network on inputs with two levels. "
                f"{why[:1].upper()}{why[1:]}."
            )
        return self.network

    def possible(self) -> Domain:
        """What can occur, in the words of the features that the inputs were made of."""
        network = self.binarized()
        if self.vocabulary is None:
            return domain_of(network, names=self.names)
        return self.vocabulary.domain(network, self.names)

    def decided(self, points: Array) -> Array:
        """The class of each row of points: in integers where the model is one of those."""
        if self.network is not None and self.rule != "argmin":
            return self.network.decide(self.network.states(points))
        return decided(self.decider, points, self.rule)


def score_rows(model: Model, points: Array) -> Array:
    """The scores of each row of points, in float64, ``(rows, scores)``."""
    ends = np.cumsum([size_of(shape) for shape in model.inputs.values()])[:-1]
    found: list[Array] = []
    for row in np.asarray(points, dtype=np.float64):
        values = model.evaluate(*np.split(row, ends))
        parts = values if isinstance(values, tuple) else (values,)
        found.append(
            np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in parts])
        )
    return np.array(found)


def decided(model: Model, points: Array, rule: Rule) -> Array:
    """The class of each row of points, in float64, the first of equal scores."""
    scores = score_rows(model, points)
    match rule:
        case "argmax":
            return scores.argmax(axis=1)
        case "argmin":
            return scores.argmin(axis=1)
        case "sign":
            return (scores[:, 0] > 0).astype(np.int64)


def subject_of(  # noqa: PLR0913 (what a user may say, by keyword)
    model: Model,
    check: Check,
    *,
    title: str,
    sample: Sample | None = None,
    schema: Schema | None = None,
    levels: tuple[Fraction, Fraction] | None = None,
    names: Sequence[str] = (),
    rule: Rule | None = None,
    at: Sequence[Fraction] | None = None,
    rows: Sequence[int | tuple[int, int]] | None = None,
    seed: int = 0,
    shape: tuple[int, ...] = (),
    table_sha256: str = "",
    protected: Sequence[str] = (),
    commands: Commands | None = None,
) -> Subject:
    """What there is to show of a model.

    Parameters
    ----------
    sample
        Rows of a table; read with the schema, if there is one.
    schema
        What the inputs are made of, if that is known.
    levels
        The two levels of every input, if they are given.
    rows
        The rows to look at one by one, by their number in the file.
    protected, commands
        See `Subject`.

    Raises
    ------
    InputError
        If names, rows or the rule do not fit the model or the table.
    """
    inputs = element_names(model.inputs)
    decider = decisions.deciding(model)
    outputs = sum(map(size_of, decider.outputs.values()))
    called = _names(names, inputs, sample, schema)
    chosen = rule or ("sign" if outputs == 1 else "argmax")
    if (chosen == "sign") != (outputs == 1):
        raise InputError(
            f"--rule {chosen} does not fit {outputs} outputs.",
            hint="One output decides by sign, several by argmax or argmin.",
        )
    network, network_why = _network(model, decider, sample, schema, levels)
    frame, frame_why = _frame(model, check.box, sample, network)
    if sample is None and rows is not None:
        raise InputError("Rows are chosen, but no table is given.", hint="Give one with --data.")
    examples = () if sample is None else _examples(decider, sample, chosen, rows)
    classes = sample.classes if sample is not None and sample.classes else ()
    if not classes and schema is not None and len(schema.classes) == max(outputs, 2):
        classes = schema.classes
    said = None if schema is None else Vocabulary.of(schema)
    return Subject(
        *(model, title, check, called, classes, chosen),
        *(frame, frame_why, *_centre(frame, sample, at), network, network_why),
        *(sample, examples, said, seed, shape or networks.image_shape(model), decider),
        *(schema, table_sha256, tuple(protected), commands or Commands()),
    )


def _names(
    given: Sequence[str], inputs: tuple[str, ...], sample: Sample | None, schema: Schema | None
) -> tuple[str, ...]:
    if given:
        if len(given) != len(inputs):
            raise InputError(f"There are {len(given)} names for {len(inputs)} inputs.")
        return tuple(given)
    if sample is not None:
        return sample.names
    return inputs if schema is None else schema.features


def _network(
    model: Model,
    decider: Model,
    sample: Sample | None,
    schema: Schema | None,
    levels: tuple[Fraction, Fraction] | None,
) -> tuple[ThresholdNetwork | None, str]:
    """The model in integers, on the two levels of each input that are given or known."""
    pairs: Sequence[Any] | None = levels
    if pairs is None and schema is None:
        known = model.schema
        pairs = None if known is None else known.pairs
        if pairs is None:
            pairs = networks.known_levels(model) if sample is None else sample.levels()
        if pairs is None and sample is not None:
            return None, "the columns of the table have more than two values"
        if pairs is None:
            why = "nothing says which two values each input takes: give a table or --domain -1,1"
            return None, why
    try:
        return networks.occurring_network(networks.Described(decider, schema), pairs), ""
    except UnsupportedError as error:
        return None, error.message


def _frame(
    model: Model, box: Box, sample: Sample | None, network: ThresholdNetwork | None
) -> tuple[tuple[tuple[Fraction, Fraction], ...], str]:
    bounds = box.elements(model.inputs)
    if all(low is not None and high is not None for low, high in bounds):
        ends = [(low or Fraction(0), high or Fraction(0)) for low, high in bounds]
        return tuple(ends), "over the domain"
    if network is not None:
        # a little wider, so that rows do not lie on the rim
        ends = [
            (low - (high - low) / 4, high + (high - low) / 4)
            for low, high in zip(network.low, network.high, strict=True)
        ]
        return tuple(ends), "around the two levels of each input"
    if sample is not None:
        low, high = sample.points.min(axis=0), sample.points.max(axis=0)
        ends = [_wide(rational(a), rational(b)) for a, b in zip(low, high, strict=True)]
        return tuple(ends), "over the range of the table, since the domain is unbounded"
    return (_USUAL,) * len(bounds), "over [-1, 1] in each input, since the domain is unbounded"


def _wide(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    return (low, high) if low < high else (low - 1, high + 1)


def _centre(
    frame: Sequence[tuple[Fraction, Fraction]], sample: Sample | None, at: Sequence[Fraction] | None
) -> tuple[tuple[Fraction, ...], str]:
    if at is not None:
        return tuple(at), "the point of --at"
    if sample is None:
        return tuple((low + high) / 2 for low, high in frame), "the middle of the box that is drawn"
    # a median of the rows that is itself a value of the column
    median = np.sort(sample.points, axis=0)[len(sample.points) // 2]
    inside = [
        min(max(rational(value), low), high)
        for value, (low, high) in zip(median.tolist(), frame, strict=True)
    ]
    return tuple(inside), "the median of the table's rows, column by column"


def _examples(
    model: Model, sample: Sample, rule: Rule, rows: Sequence[int | tuple[int, int]] | None
) -> tuple[int, ...]:
    """The rows that were asked for; else one that each class is decided for, and one mistake."""
    count = len(sample.points)
    if rows is not None:
        return tuple(dict.fromkeys(sample.table.positions(rows)))
    few = min(count, 200)
    classes = decided(model, sample.points[:few], rule)
    chosen = {int(classes[row]): row for row in reversed(range(few))}
    mistakes = np.flatnonzero((classes != sample.labels[:few]) & (sample.labels[:few] >= 0))
    found = sorted(chosen.values())[: _MOST_EXAMPLES - 1]
    found += [int(row) for row in mistakes[:1]] if sample.classes else []
    return tuple(dict.fromkeys(found))


def frame_box(subject: Subject, moving: Sequence[int]) -> Box:
    """The frame with all elements but the ``moving`` ones fixed at the centre."""
    sides: dict[str, Side] = {}
    start = 0
    for name, shape in subject.model.inputs.items():
        places = range(start, start + size_of(shape))
        pairs = [
            subject.frame[k] if k in moving else (subject.centre[k], subject.centre[k])
            for k in places
        ]
        sides[name] = Side(tuple(low for low, _ in pairs), tuple(high for _, high in pairs))
        start = places.stop
    return Box(sides)


def projected(subject: Subject, chart: Slice) -> Array:
    """The rows of the table in the coordinates of a slice of the frame."""
    if subject.sample is None:
        return np.empty((0, len(chart.bounds)))
    moving = [row.index(1) for row in chart.matrix if any(row)]
    places = [k for k, row in enumerate(chart.matrix) if any(row)]
    found = np.empty((len(subject.sample.points), len(places)))
    for place, axis in zip(places, moving, strict=True):
        found[:, axis] = subject.sample.points[:, place]
    return found
