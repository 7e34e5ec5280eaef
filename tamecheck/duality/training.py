"""Training a binarised network as a mixed-integer program, whose dual functions bound the loss.

Layers ``u^k = [W^k u^(k-1) >= λ_k]`` with binary u, in the rows of `tamecheck.programs.training`:
a neuron is 1 where ``W u >= λ`` and 0 where ``W u <= λ - ε``.  Bah, Kurtz 2020 (weights in
[-1, 1]); Toro Icarte et al. 2019 (weights in {-1, 1} or {-1, 0, 1} with neurons ±1, where integer
sums make the strict inequality exact).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tamecheck.duality.form import dot
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.exact import ONE, ZERO, rational
from tamecheck.ir.program import Kind, Program
from tamecheck.programs.training import TrainingRows

if TYPE_CHECKING:
    from tamecheck.duality.answer import DualFunction


class Weights(Enum):
    """The weights that training may choose, and with them the neurons' two levels.

    Real weights have neurons 0 and 1; sign and ternary weights have neurons -1 and 1.
    """

    REAL = "real"
    SIGN = "sign"
    TERNARY = "ternary"

    @property
    def low(self) -> Fraction:
        """The level of a neuron that does not fire."""
        return ZERO if self is Weights.REAL else -ONE


@dataclass(frozen=True, slots=True)
class Training:
    """The training program of a network on a data set."""

    program: Program = field(repr=False)
    """The program: its objective is the number of misclassified samples."""
    samples: tuple[tuple[Fraction, ...], ...] = field(repr=False)
    labels: tuple[int, ...]
    """The data, exactly; labels are 0 and 1."""
    sizes: tuple[int, ...]
    """The numbers of inputs, of neurons of each hidden layer, and 1."""
    weights: Weights
    """Which weights are allowed."""
    threshold: Fraction
    """The λ of every neuron."""
    groups: Mapping[str, tuple[int, int]] = field(repr=False)
    """For each row of the program what it belongs to: ``(sample, layer)`` of a neuron's rows, None
    for others."""

    def network(self, point: Sequence[Fraction]) -> tuple[tuple[tuple[Fraction, ...], ...], ...]:
        """The weight matrices of a point of the program, one row a neuron."""
        value = dict(zip((c.name for c in self.program.columns), point, strict=True))

        def weight(k: int, j: int, n: int) -> Fraction:
            own = value[f"w.{k}.{j}.{n}"]
            return 2 * own - 1 if self.weights is Weights.SIGN else own

        return tuple(
            tuple(tuple(weight(k, j, n) for n in range(before)) for j in range(after))
            for k, (before, after) in enumerate(pairwise(self.sizes))
        )

    def predict(
        self, network: Sequence[Sequence[Sequence[Fraction]]], sample: Sequence[Fraction]
    ) -> int:
        """The class that a network gives a sample, by an exact forward pass."""
        level = list(sample)
        low = self.weights.low
        fires = [False]
        for matrix in network:
            fires = [dot(row, level) >= self.threshold for row in matrix]
            level = [ONE if own else low for own in fires]
        return int(fires[0])

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
        epsilon = ONE
    sizes = (len(data[0]), *hidden, 1)
    draft = _Draft(weights, sizes, level, epsilon)
    if budget is not None:
        draft.add_budget(rational(budget))
    for i, sample in enumerate(data):
        draft.add_sample(i, sample, labels[i])
    return Training(
        program=draft.rows.program(AffineForm.total(draft.losses)),
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
    samples = [[ZERO] * (len(training.sizes) - 1) for _ in training.samples]
    for name, (i, k) in training.groups.items():
        samples[i][k] -= slopes[name]
    total = sum((value for row in samples for value in row), ZERO)
    return {
        "samples": tuple(tuple(row) for row in samples),
        "threshold": -total,
        "budget": slopes.get("budget"),
    }


def pair_tameness(training: Training, function: DualFunction) -> Mapping[str, Any]:
    """The structure in which the training program and its dual function are definable together.

    The weights lie in the box [-1, 1] and the neurons are binary, so that the program is
    semilinear for all right-hand sides; the dual function is judged on a bounded box of them.
    Where F has a graph, ``certificate`` is a derivation for the pair that the kernel accepted: see
    `tamecheck.duality.pair`; else it is None, and why is in ``open``.
    """
    from tamecheck.duality.pair import pair_check
    from tamecheck.ir.structure import join
    from tamecheck.ir.verdict import Verdict
    from tamecheck.programs.tameness import check

    primal = check(training.program)
    dual = function.definability("box")
    both = next(iter(join((primal.structure,), (dual.structure,))), None)
    tame = primal.verdict is Verdict.TAME and dual.verdict is Verdict.TAME and both is not None
    certificate, rests, missing = None, None, None
    try:
        found = pair_check(function)
        certificate, rests = found.certificate, found.rests_on
    except UnsupportedError as error:
        missing = str(error)
    return {
        "verdict": Verdict.TAME.value if tame else Verdict.UNKNOWN.value,
        "structure": both.public_name if tame and both else None,
        "primal": list(primal.reasons),
        "dual": list(dual.reasons),
        "locally_lipschitz": dual.lipschitz,
        "box": "weights in [-1, 1], neurons binary, right-hand sides in any bounded box",
        "certificate": certificate,
        "rests_on": rests,
        "open": missing,
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
    """The rows so far, the weights' and neurons' forms, and the losses."""

    def __init__(
        self, weights: Weights, sizes: tuple[int, ...], threshold: Fraction, epsilon: Fraction
    ) -> None:
        self.kind, self.sizes, self.ends = weights, sizes, (threshold - epsilon, threshold)
        self.rows = TrainingRows()
        self.groups: dict[str, tuple[int, int]] = {}
        self.losses: list[AffineForm] = []
        self.weights = [
            [[self._weight(f"w.{k}.{j}.{n}") for n in range(before)] for j in range(after)]
            for k, (before, after) in enumerate(pairwise(sizes))
        ]

    def _weight(self, name: str) -> AffineForm:
        match self.kind:
            case Weights.REAL:
                return self.rows.real(name, -ONE, ONE)
            case Weights.SIGN:
                return self.rows.sign(name)
            case Weights.TERNARY:
                return self.rows.real(name, -ONE, ONE, Kind.INTEGER)

    def add_budget(self, budget: Fraction) -> None:
        """A bound on the sum of the absolute weights; a sign weight has the absolute value 1."""
        if self.kind is Weights.SIGN:
            raise InputError("Sign weights all have the absolute value 1: a budget says nothing.")
        sizes = [
            self.rows.absolute(f"abs.w.{k}.{j}.{n}", form)
            for k, matrix in enumerate(self.weights)
            for j, row in enumerate(matrix)
            for n, form in enumerate(row)
        ]
        self.rows.at_most("budget", AffineForm.total(sizes), budget)

    def add_sample(self, i: int, sample: Sequence[Fraction], label: int) -> None:
        """The neurons of a sample, and its loss."""
        bits: list[AffineForm] = []
        for k, matrix in enumerate(self.weights):
            size = Fraction(self.sizes[k]) if k else sum(map(abs, sample), ZERO)
            fires: list[AffineForm] = []
            for j, row in enumerate(matrix):
                fires.append(self.rows.bit(f"u.{i}.{k}.{j}"))
                if k:
                    products = (
                        self.rows.product(f"product.{i}.{k}.{j}.{n}", weight, bit, self.kind.low)
                        for n, (weight, bit) in enumerate(zip(row, bits, strict=True))
                    )
                else:
                    products = (weight * x for weight, x in zip(row, sample, strict=True))
                names = f"fire.{i}.{k}.{j}", f"rest.{i}.{k}.{j}"
                self.rows.neuron(names, AffineForm.total(products), fires[-1], size, self.ends)
                self.groups |= dict.fromkeys(names, (i, k))
            bits = fires
        (fired,) = bits
        self.losses.append(AffineForm.number(ONE) - fired if label else fired)
