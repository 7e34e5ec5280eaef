"""A neural network as a dual function: fitted to values, lowered until it is proved to be below z.

Let N be a piecewise affine network of right-hand sides t in a box B: one that is given, or one
layer of rectifiers whose last layer is fitted to values z(t) from below.  The mixed-integer program

    m = min { c·x - N(t) : t in B, x feasible at t }

encodes N exactly, and its proved bound m makes N + m at most z everywhere on B.  With multipliers y
that are feasible for the dual of the relaxation,

    F(d) = max(N(d) + m, y·d) on B, and y·d elsewhere

is a dual function: F <= z, F(0) = 0, F(a) <= c at all columns.  Where the program finds N furthest
above z, the value there joins the fit, a few times.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.form import (
    Form,
    InfeasibleProgramError,
    Vector,
    dot,
    normalise,
    open_parts,
)
from tamecheck.duality.neural.function import Network, NeuralDual, Region
from tamecheck.duality.optimum import require_dual, require_integer_solution, search_limit
from tamecheck.duality.proof import prove_optimum, value_at
from tamecheck.encode.mip.network import Encoding, mip_encoding
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.answer import Feasible, Infeasible, Optimal, Unknown
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.graph import Graph
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.ir.tensor import size_of
from tamecheck.programs.solving import solve
from tamecheck.solvers.relaxation import Relaxation

_PROOF = 0.25
"""The part of the time for the proof of the optimum."""

_SAMPLES, _WIDTH, _ROUNDS = 24, 8, 8
"""Right-hand sides, neurons for each row of the box, and rounds of the fit."""

_LARGEST = Fraction(10_000)
_DENOMINATOR = 4096


def neural_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    box: Sequence[tuple[str, Fraction, Fraction]] | None = None,
    network: Graph | None = None,
    width: int | None = None,
    rounds: int = _ROUNDS,
    seconds: float | None = None,
    seed: int = 0,
) -> NeuralDual:
    """A network that is proved to be a dual function on a box of right-hand sides.

    Parameters
    ----------
    box
        Rows and intervals; 1 to both sides of each right-hand side of the program if not given.
    network
        A piecewise affine network of as many numbers as the box has rows, in that order, whose
        only output approximates the optimal value of the program; it is lowered (raised for a
        maximum) by what is proved.  Without one, rectifiers are fitted.
    width, rounds
        The number of rectifiers, and how often they are fitted again.
    """
    form = normalise(program)
    multipliers = require_dual(form)
    require_integer_solution(form)
    budget = Budget.of(search_limit(seconds))
    region = _region(form, box)
    optimum = prove_optimum(form, budget.share(_PROOF), seed=seed)
    if rounds < 1 or (width is not None and width < 1):
        raise InputError("A network has at least one rectifier, and is fitted at least once.")
    search = _Search(form, region, multipliers, optimum, budget, seed)
    if network is not None:
        sizes = [size_of(shape) for shape in network.inputs.values()]
        outputs = [size_of(network.nodes[node].shape) for _, node in network.outputs]
        if sum(sizes) != len(region.rows) or outputs != [1]:
            raise InputError(
                f"The network has {sum(sizes)} inputs and {sum(outputs)} outputs; the box has"
                f" {len(region.rows)} rows, and the value is one number."
            )
        return search.lower(network, budget)[0]
    return search.run(width or _WIDTH * len(region.rows), rounds)


def _region(form: Form, box: Sequence[tuple[str, Fraction, Fraction]] | None) -> Region:
    if box is None:
        sides = [(form.names[i], form.right[i] + form.shift[i]) for i in form.users]
        box = [(name, side - 1, side + 1) for name, side in sides]
    if not box:
        raise InputError("The program has no right-hand side for a box.")
    for name, low, high in box:
        if name not in form.names:
            raise InputError(f"There is no right-hand side {name!r}.")
        if low >= high:
            raise InputError(f"The interval from {low} to {high} has no interior.", where=name)
    rows = tuple(form.names.index(name) for name, _, _ in box)
    if len(set(rows)) < len(rows):
        raise InputError("A right-hand side occurs twice in the box.")
    lower = tuple(Fraction(low) for _, low, _ in box)
    return Region(rows, lower, tuple(Fraction(high) for _, _, high in box))


class _Search:
    """Fits networks and proves by how much they have to be lowered."""

    def __init__(  # noqa: PLR0913, PLR0917 (what is known)
        self,
        form: Form,
        region: Region,
        multipliers: Vector,
        optimum: Fraction | None,
        budget: Budget,
        seed: int,
    ) -> None:
        self.form, self.region, self.multipliers = form, region, multipliers
        self.optimum, self.budget, self.seed = optimum, budget, seed
        self.chance = random.Random(seed)  # noqa: S311
        self.samples: dict[Vector, Fraction] = {}

    def run(self, width: int, rounds: int) -> NeuralDual:
        """The best of the fits."""
        self._sample()
        weights, bias = self._rectifiers(width)
        best: tuple[Fraction, NeuralDual] | None = None
        done, why = 0, "so many rounds were asked for"
        for done in range(1, rounds + 1):
            network = self._fit(weights, bias)
            try:
                found, worst = self.lower(network, self.budget.share(0.5 if done == 1 else 0.4))
            except SolverError:
                if best is not None or width == 1 or self.budget.is_spent:
                    why = "by how much the last one has to be lowered was not proved in time"
                    break
                width //= 2
                weights, bias = self._rectifiers(width)
                continue
            merit = self._merit(found)
            if best is None or merit > best[0]:
                best = merit, found
            if self.budget.is_spent:
                why = "the time was over"
                break
            if worst is None or worst[0] in self.samples:
                weights, bias = self._rectifiers(width)
            else:
                self.samples[worst[0]] = worst[1]
        if best is None:
            raise SolverError(
                "It was not proved in time by how much a network has to be lowered.",
                hint="Give more seconds, a smaller box or a smaller network.",
            )
        said = f"{len(self.samples)} values, {done} fits, the last of {width} rectifiers"
        best[1].notes = (f"{said}: {why}",)
        return best[1]

    def _merit(self, found: NeuralDual) -> Fraction:
        """The mean of F - z at the values."""
        pairs = [z - found.evaluate(self._side(t)) for t, z in self.samples.items()]
        return -sum(pairs, ZERO) / max(1, len(pairs))

    def _side(self, t: Vector) -> Vector:
        """The form's right-hand side for a point of the box."""
        moved = list(self.form.right)
        for i, x in zip(self.region.rows, t, strict=True):
            moved[i] = x - self.form.shift[i]
        return tuple(moved)

    def _sample(self) -> None:
        """Values at the program's right-hand side, at some corners and at random places."""
        region, size = self.region, len(self.region.rows)
        own = self.region.place(self.form, self.form.right)
        places = [] if own is None else [own]
        ends = list(zip(region.lower, region.upper, strict=True))
        places += [tuple(self.chance.choice(end) for end in ends) for _ in range(2 * size)]
        for _ in range(_SAMPLES * size):
            parts = [Fraction(self.chance.randint(0, 16), 16) for _ in ends]
            pairs = zip(parts, ends, strict=True)
            places.append(tuple(low + part * (high - low) for part, (low, high) in pairs))
        limit = self.budget.share(0.3)
        for t in dict.fromkeys(places):
            value = value_at(self.form, self._side(t), limit.share(0.2), seed=self.seed)
            if isinstance(value, Fraction):
                self.samples[t] = value
            if limit.is_spent:
                break

    def _rectifiers(self, width: int) -> tuple[tuple[Vector, ...], Vector]:
        """Random kinks through sampled places."""
        size = len(self.region.rows)
        places = list(self.samples) or [self.region.lower]
        weights: list[Vector] = []
        bias: list[Fraction] = []
        while len(weights) < width:
            row = tuple(Fraction(self.chance.randint(-2, 2)) for _ in range(size))
            if any(row):
                weights.append(row)
                bias.append(-dot(row, self.chance.choice(places)))
        return tuple(weights), tuple(bias)

    def _fit(self, weights: tuple[Vector, ...], bias: Vector) -> Network:
        """The last layer that has the largest sum of values at the samples and is below all."""
        size = len(self.region.rows)
        lines = [
            [*(max(dot(w, t) + b, ZERO) for w, b in zip(weights, bias, strict=True)), *t, ONE]
            for t in self.samples
        ]
        sums = [sum(own, ZERO) for own in zip(*lines, strict=True)] or [ZERO] * (
            len(weights) + size + 1
        )
        columns = [
            Column(str(j), -_LARGEST, _LARGEST, Kind.CONTINUOUS, -a) for j, a in enumerate(sums)
        ]
        rows = [
            Row(str(i), tuple((j, a) for j, a in enumerate(line) if a), None, value)
            for i, (line, value) in enumerate(zip(lines, self.samples.values(), strict=True))
        ]
        outcome = Relaxation(Program(tuple(columns), tuple(rows))).solve()
        if not isinstance(outcome, Optimal):
            raise SolverError("The last layer was not fitted.")
        sign = self.form.sign
        inner = [Fraction(x).limit_denominator(_DENOMINATOR) for x in outcome.point]
        own = [sign * x for x in inner]
        constant = own[-1] + sign * self.form.constant
        return Network(
            weights, bias, tuple(own[: len(weights)]), tuple(own[-1 - size : -1]), constant
        )

    def lower(
        self, network: Network | Graph, budget: Budget
    ) -> tuple[NeuralDual, tuple[Vector, Fraction] | None]:
        """The dual function of a network, and the place of the least ``z - N`` with z there."""
        graph = network if isinstance(network, Graph) else network.graph()
        encoding = mip_encoding(graph, self.region.box(graph))
        program = self._program(encoding)
        answer = solve(program, certify=True, seconds=budget.timeout, seed=self.seed).answer
        worst, bound = None, None
        match answer:
            case Infeasible():
                raise InfeasibleProgramError(
                    "No right-hand side in the box has a feasible point.", hint="Take another box."
                )
            case Optimal(point=point, objective=bound):
                n = len(self.form.columns)
                t = tuple(point[n + j] for j in encoding.inputs)
                costs = (column.cost for column in self.form.columns)
                worst = t, dot(costs, point[:n])
            case Feasible(bound=bound) | Unknown(bound=bound):
                pass
            case _:
                raise SolverError("A program with a feasible dual cannot be unbounded.")
        if bound is None:
            raise SolverError(
                "It was not proved in time by how much the network has to be lowered.",
                hint="Give more seconds, a smaller box or a smaller network.",
            )
        found = NeuralDual(
            self.form,
            self.optimum,
            network,
            region=self.region,
            least=bound + self.form.constant,
            multipliers=self.multipliers,
        )
        return found, worst

    def _program(self, encoding: Encoding) -> Program:
        """``min c·x - N(t)``: the columns of the form, then those of the network."""
        form, n = self.form, len(self.form.columns)
        columns, terms = open_parts(form)
        (output,) = encoding.outputs
        for j, column in enumerate(encoding.program.columns):
            cost = Fraction(-form.sign) if j == output else ZERO
            columns.append(replace(column, name=str(n + j), cost=cost))
        right = list(form.right)
        for i, j in zip(self.region.rows, encoding.inputs, strict=True):
            terms[i].append((n + j, -ONE))
            right[i] = -form.shift[i]
        rows = [
            c.row_of(f"row {i}", own, side)
            for i, (c, own, side) in enumerate(zip(form.constraints, terms, right, strict=True))
        ]
        rows += [
            replace(row, name=f"network {i}", terms=tuple((n + j, a) for j, a in row.terms))
            for i, row in enumerate(encoding.program.rows)
        ]
        return Program(tuple(columns), tuple(rows), Sense.MINIMISE)
