"""Training a binarised network as a mixed-integer program, whose dual functions bound the loss.

Layers ``u^k = [W^k u^(k-1) >= λ_k]`` with binary u.  With bounds M on ``|W u|``,

    W u <= (M + ε - λ) u' + λ - ε,      W u >= (M + λ) (u' - 1) + λ,

and products of a weight and a binary number are linear: s <= u, s >= -u, s <= w + 1 - u,
s >= w - 1 + u.  Bah, Kurtz 2020 (weights in [-1, 1]); Toro Icarte et al. 2019 (weights in
{-1, 1} or {-1, 0, 1} with neurons ±1, where integer sums make the strict inequality exact).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational
from tamecheck.ir.program import Column, Kind, Program, Row

if TYPE_CHECKING:
    from tamecheck.duality.answer import DualFunction

__all__ = ["Training", "Weights", "pair_tameness", "sensitivities", "training_program"]

_ZERO, _ONE, _TWO = Fraction(0), Fraction(1), Fraction(2)


class Weights(Enum):
    """The weights that training may choose, and with them the neurons' two levels.

    Real weights have neurons 0 and 1; sign and ternary weights have neurons -1 and 1.
    """

    REAL = "real"
    SIGN = "sign"
    TERNARY = "ternary"


@dataclass(frozen=True, slots=True)
class Training:
    """The training program of a network on a data set.

    Parameters
    ----------
    program
        The program: its objective is the number of misclassified samples.
    samples, labels
        The data, exactly; labels are 0 and 1.
    sizes
        The numbers of inputs, of neurons of each hidden layer, and 1.
    weights
        Which weights are allowed.
    threshold
        The λ of every neuron.
    groups
        For each row of the program what it belongs to: ``(sample, layer)`` of a neuron's rows,
        None for others.
    """

    program: Program = field(repr=False)
    samples: tuple[tuple[Fraction, ...], ...] = field(repr=False)
    labels: tuple[int, ...]
    sizes: tuple[int, ...]
    weights: Weights
    threshold: Fraction
    groups: Mapping[str, tuple[int, int]] = field(repr=False)

    def network(self, point: Sequence[Fraction]) -> tuple[tuple[tuple[Fraction, ...], ...], ...]:
        """The weight matrices of a point of the program, one row a neuron."""
        value = dict(zip((c.name for c in self.program.columns), point, strict=True))

        def weight(k: int, j: int, n: int) -> Fraction:
            own = value[f"w.{k}.{j}.{n}"]
            return _TWO * own - 1 if self.weights is Weights.SIGN else own

        return tuple(
            tuple(tuple(weight(k, j, n) for n in range(before)) for j in range(after))
            for k, (before, after) in enumerate(pairwise(self.sizes))
        )

    def predict(
        self, network: Sequence[Sequence[Sequence[Fraction]]], sample: Sequence[Fraction]
    ) -> int:
        """The class that a network gives a sample, by an exact forward pass."""
        level = list(sample)
        low = _ZERO if self.weights is Weights.REAL else -_ONE
        fires = False
        for matrix in network:
            sums = [sum((w * x for w, x in zip(row, level, strict=True)), _ZERO) for row in matrix]
            fires = sums[0] >= self.threshold
            level = [_ONE if value >= self.threshold else low for value in sums]
        return int(fires)

    def mistakes(self, point: Sequence[Fraction]) -> int:
        """How many samples the network of a point misclassifies."""
        network = self.network(point)
        pairs = zip(self.samples, self.labels, strict=True)
        return sum(self.predict(network, sample) != label for sample, label in pairs)


def training_program(  # noqa: PLR0913 (options, by keyword only)
    samples: Sequence[Sequence[float | Fraction]],
    labels: Sequence[int],
    hidden: Sequence[int] = (),
    *,
    weights: Weights = Weights.REAL,
    threshold: float | Fraction = 0,
    margin: float | Fraction = Fraction(1, 100),
    budget: float | Fraction | None = None,
) -> Training:
    """The program whose optimum is the least number of misclassified samples.

    With one hidden layer of d neurons, m samples of N inputs and real weights: ``m + 2md + dN + d``
    variables, ``m + md`` of them binary, and ``6md + 2m`` rows.

    Parameters
    ----------
    samples, labels
        Data of shape (m, N), and m labels 0 or 1.
    hidden
        Sizes of the hidden layers.
    weights
        Which weights are allowed.
    threshold
        The λ of every neuron, in [-1, 1]; 0 for sign and ternary weights.
    margin
        The ε of real weights: a neuron that does not fire is below λ by at least that.  Networks
        with a smaller margin are left out, so that the optimum is that with margin ε.
    budget
        The largest sum of absolute weights (of ternary ones: their number), as a row ``budget``.

    Raises
    ------
    InputError
        If shapes, labels, sizes, threshold or margin are not as said, or integer weights have
        data that are not integers.
    """
    data = tuple(tuple(rational(x) for x in sample) for sample in samples)
    _validate(data, labels, hidden)
    level, epsilon = rational(threshold), rational(margin)
    if weights is Weights.REAL:
        if not -1 <= level <= 1 or epsilon <= 0:
            raise InputError("The threshold lies in [-1, 1], and the margin is positive.")
    else:
        if level != 0 or any(x.denominator != 1 for sample in data for x in sample):
            raise InputError(
                "Integer weights need integer data and the threshold 0.",
                hint="Binarise the data, or use real weights.",
            )
        epsilon = _ONE
    sizes = (len(data[0]), *hidden, 1)
    draft = _Draft(weights, sizes, level, epsilon)
    if budget is not None:
        draft.add_budget(rational(budget))
    for i, sample in enumerate(data):
        draft.add_sample(i, sample, labels[i])
    return Training(
        program=Program(
            tuple(draft.columns), tuple(draft.rows), constant=draft.constant, name="training"
        ),
        samples=data,
        labels=tuple(int(y) for y in labels),
        sizes=sizes,
        weights=weights,
        threshold=level,
        groups=draft.groups,
    )


def sensitivities(training: Training, function: DualFunction) -> Mapping[str, Any]:
    """What moves the bound on the training loss, from the slopes of a dual function.

    ``samples`` adds the slopes of a sample's rows, with the sign of a shift of its pre-activations
    in each layer (a change of the data acts through it); ``threshold`` adds those of all neurons:
    the change of the bound for a larger λ; ``budget`` is the slope of the budget's row, None
    without one.  At a kink it is one element of the conservative
    gradient.  Of a loss that counts mistakes the true value is piecewise constant in these
    numbers: its slope is 0 almost everywhere, and that of the dual says how its bound moves.

    Raises
    ------
    DomainError
        If the dual function jumps at the program's right-hand side.
    """
    slopes = function.gradient().element
    samples = [[_ZERO] * (len(training.sizes) - 1) for _ in training.samples]
    for name, (i, k) in training.groups.items():
        samples[i][k] -= slopes[name]
    total = sum((value for row in samples for value in row), _ZERO)
    return {
        "samples": tuple(tuple(row) for row in samples),
        "threshold": -total,
        "budget": slopes.get("budget"),
    }


def pair_tameness(training: Training, function: DualFunction) -> Mapping[str, Any]:
    """The structure in which the training program and its dual function are definable together.

    The weights lie in the box [-1, 1] and the neurons are binary, so that the program is
    semilinear for all right-hand sides; the dual function is judged on a bounded box of them.
    """
    from tamecheck.ir.structure import join
    from tamecheck.ir.verdict import Verdict
    from tamecheck.programs.tameness import check

    primal = check(training.program)
    dual = function.definability("box")
    both = next(iter(join((primal.structure,), (dual.structure,))), None)
    tame = primal.verdict is Verdict.TAME and dual.verdict is Verdict.TAME and both is not None
    return {
        "verdict": Verdict.TAME.value if tame else Verdict.UNKNOWN.value,
        "structure": both.public_name if tame and both else None,
        "primal": list(primal.reasons),
        "dual": list(dual.reasons),
        "locally_lipschitz": dual.lipschitz,
        "box": "weights in [-1, 1], neurons binary, right-hand sides in any bounded box",
    }


def _validate(
    data: Sequence[Sequence[Fraction]], labels: Sequence[int], hidden: Sequence[int]
) -> None:
    if not data or not data[0] or any(len(sample) != len(data[0]) for sample in data):
        raise InputError("Samples are needed, all with the same positive number of inputs.")
    if len(labels) != len(data):
        raise InputError(f"There are {len(data)} samples and {len(labels)} labels.")
    if any(y not in {0, 1} for y in labels):
        raise InputError("Labels are 0 and 1.")
    if any(size < 1 for size in hidden):
        raise InputError("Every hidden layer has at least one neuron.")


class _Draft:
    """Columns and rows so far."""

    def __init__(
        self, weights: Weights, sizes: tuple[int, ...], threshold: Fraction, epsilon: Fraction
    ) -> None:
        self.weights, self.sizes = weights, sizes
        self.threshold, self.epsilon = threshold, epsilon
        self.columns: list[Column] = []
        self.rows: list[Row] = []
        self.groups: dict[str, tuple[int, int]] = {}
        self.constant = _ZERO
        self._place: dict[str, int] = {}
        for k, (before, after) in enumerate(pairwise(sizes)):
            for j in range(after):
                for n in range(before):
                    self._weight(f"w.{k}.{j}.{n}")

    def add_budget(self, budget: Fraction) -> None:
        """A bound on the sum of the absolute weights; a sign weight has the absolute value 1."""
        if self.weights is Weights.SIGN:
            raise InputError("Sign weights all have the absolute value 1: a budget says nothing.")
        sizes: list[int] = []
        for name, w in [*self._place.items()]:
            a = self._add(f"abs.{name}", Kind.CONTINUOUS, _ZERO, _ONE, _ZERO)
            sizes.append(a)
            for sign in (1, -1):
                terms = ((w, Fraction(sign)), (a, -_ONE))
                self.rows.append(Row(f"abs.{name}.{sign}", terms, None, _ZERO))
        self.rows.append(Row("budget", tuple((a, _ONE) for a in sizes), None, budget))

    def add_sample(self, i: int, sample: Sequence[Fraction], label: int) -> None:
        """The neurons of a sample, and its loss."""
        last = len(self.sizes) - 2
        for k, (before, after) in enumerate(pairwise(self.sizes)):
            for j in range(after):
                cost = _ZERO if k < last else (-_ONE if label else _ONE)
                fires = self._add(f"u.{i}.{k}.{j}", Kind.INTEGER, _ZERO, _ONE, cost)
                if k == 0:
                    terms, moved = self._first(j, sample)
                    size = sum(map(abs, sample), _ZERO)
                else:
                    terms, moved = self._later(i, k, j, before)
                    size = Fraction(before)
                self._neuron(i, k, j, fires, (terms, moved, size))
        self.constant += label

    def _first(
        self, j: int, sample: Sequence[Fraction]
    ) -> tuple[list[tuple[int, Fraction]], Fraction]:
        """The pre-activation of a neuron of the first layer: terms and a constant."""
        factor = _TWO if self.weights is Weights.SIGN else _ONE
        terms = [(self._place[f"w.0.{j}.{n}"], factor * x) for n, x in enumerate(sample) if x]
        moved = -sum(sample, _ZERO) if self.weights is Weights.SIGN else _ZERO
        return terms, moved

    def _later(
        self, i: int, k: int, j: int, before: int
    ) -> tuple[list[tuple[int, Fraction]], Fraction]:
        """The pre-activation of a later neuron: the sum of products of weights and neurons."""
        products = [
            self._product(
                f"{i}.{k}.{j}.{n}",
                self._place[f"w.{k}.{j}.{n}"],
                self._place[f"u.{i}.{k - 1}.{n}"],
            )
            for n in range(before)
        ]
        return [(s, _ONE) for s in products], _ZERO

    def _product(self, name: str, w: int, u: int) -> int:
        """A column for the product of a weight and a neuron's level."""
        s = self._add(f"s.{name}", Kind.CONTINUOUS, -_ONE, _ONE, _ZERO)
        if self.weights is Weights.REAL:
            sides = (
                ([(u, -_ONE), (s, _ONE)], None, _ZERO),
                ([(u, _ONE), (s, _ONE)], _ZERO, None),
                ([(w, -_ONE), (u, _ONE), (s, _ONE)], None, _ONE),
                ([(w, -_ONE), (u, -_ONE), (s, _ONE)], -_ONE, None),
            )
        else:
            # the weight is a w + c, the level 2u - 1
            a, c = (_TWO, -_ONE) if self.weights is Weights.SIGN else (_ONE, _ZERO)
            sides = (
                ([(w, -a), (u, _TWO), (s, _ONE)], None, _TWO + c),
                ([(w, -a), (u, -_TWO), (s, _ONE)], -_TWO + c, None),
                ([(w, a), (u, -_TWO), (s, _ONE)], None, -c),
                ([(w, a), (u, _TWO), (s, _ONE)], -c, None),
            )
        for number, (terms, low, high) in enumerate(sides):
            self.rows.append(Row(f"product.{name}.{number}", tuple(sorted(terms)), low, high))
        return s

    def _neuron(
        self,
        i: int,
        k: int,
        j: int,
        u: int,
        sum_: tuple[list[tuple[int, Fraction]], Fraction, Fraction],
    ) -> None:
        """The two rows that tie a neuron to its pre-activation, whose size is bounded."""
        terms, moved, size = sum_
        level, epsilon = self.threshold, self.epsilon
        above, below = size + epsilon - level, size + level
        for kind, factor, low, high in (
            ("rest", above, None, level - epsilon - moved),
            ("fire", below, level - below - moved, None),
        ):
            name = f"{kind}.{i}.{k}.{j}"
            own = [*terms, *([(u, -factor)] if factor else [])]
            self.rows.append(Row(name, tuple(sorted(own)), low, high))
            self.groups[name] = (i, k)

    def _weight(self, name: str) -> None:
        match self.weights:
            case Weights.REAL:
                self._add(name, Kind.CONTINUOUS, -_ONE, _ONE, _ZERO)
            case Weights.SIGN:
                self._add(name, Kind.INTEGER, _ZERO, _ONE, _ZERO)
            case Weights.TERNARY:
                self._add(name, Kind.INTEGER, -_ONE, _ONE, _ZERO)

    def _add(self, name: str, kind: Kind, low: Fraction, high: Fraction, cost: Fraction) -> int:
        self._place[name] = len(self.columns)
        self.columns.append(Column(name, low, high, kind, cost))
        return self._place[name]
