"""One stage of training: a measure to minimise, and how its bound was proved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir.answer import Feasible, Optimal, Unknown
from tamecheck.learn.effort import Effort, failures, points_of, unproved
from tamecheck.learn.mip.encoding import Encoding, Objective, lifted
from tamecheck.learn.mip.enumeration import best_pair, enumerated
from tamecheck.learn.mip.task import (
    Architecture,
    Params,
    Task,
    errors_of,
    grids,
    hinge_of,
    least_margins,
    network_of,
    weight_of,
)
from tamecheck.learn.network import BinarizedNetwork
from tamecheck.programs.solving import Document, solve

__all__ = ["OBJECTIVES", "Candidate", "Limits", "Outcome", "Stage", "Training", "run_stage"]

OBJECTIVES = {
    "errors": ("errors",),
    "hinge": ("hinge",),
    "max-margin": ("errors", "margin"),
    "min-weight": ("errors", "weight"),
    "robust-sparse": ("errors", "margin", "weight"),
}
"""The measures that each objective minimises, one after the other."""

_LEAST_SECONDS = 1.0
_SHORT = 2.0
"""Seconds for a proof that nobody asked for."""
_MOST_TERMS = 400_000
"""Non-zeros of a program beyond which no solver is asked: writing it down takes too long."""

Values: TypeAlias = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A network, the parameters behind it, and its exact values of an objective's measures."""

    params: Params
    network: BinarizedNetwork
    values: Values


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage proved.

    Parameters
    ----------
    measure
        ``errors``, ``hinge``, ``margin`` (minus the sum of the neurons' least |pre-activation|) or
        ``weight``; the smaller, the better.
    value
        Of the network, by exact forward passes.
    bound
        No network of the architecture that keeps the earlier stages' values has less.
    proof
        What the bound rests on: ``trivial`` (the measure cannot be less on any data),
        ``data`` (equal rows with different classes), ``enumeration`` (all networks that no bound
        excludes), or ``certificate`` (exact multipliers).
    """

    measure: str
    value: Fraction
    bound: Fraction
    proof: str

    @property
    def optimal(self) -> bool:
        """Whether the network attains the bound."""
        return self.value == self.bound


@dataclass(frozen=True, slots=True)
class Limits:
    """How much work a stage may take.

    Without solvers, only data and enumeration prove bounds.  All networks are gone through
    (``enumerate``) where they are few; exact multipliers are searched for if ``certify``.
    """

    effort: Effort
    enumerate: bool
    certify: bool


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The best network after a stage, what was proved, and what a user should know."""

    best: Candidate
    stage: Stage
    certificate: Document | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """The data, the networks, and the measures to minimise, one after the other.

    ``magnitude`` is the largest absolute value of a feature if all are integers, else None.
    """

    task: Task
    architecture: Architecture
    measures: tuple[str, ...]
    magnitude: float | None

    def candidate(self, params: Params) -> Candidate:
        """The network of these parameters with its exact values.

        Real weights are rounded so that single precision computes with them exactly, unless that
        makes the network worse.
        """
        made = [network_of(params, self.architecture, self.magnitude)]
        if self.architecture.kind == "real":
            made.append(network_of(params, self.architecture, None))
        found = [
            Candidate(params, n, tuple(self._value(m, n) for m in self.measures)) for n in made
        ]
        return min(found, key=lambda candidate: candidate.values[0])

    def _value(self, measure: str, network: BinarizedNetwork) -> Fraction:
        match measure:
            case "errors":
                return errors_of(network, self.task)
            case "hinge":
                return hinge_of(network, self.task, self.architecture)
            case "margin":
                return -least_margins(network, self.task)
            case _:
                return weight_of(network)

    def trivial_bound(self, measure: str) -> tuple[Fraction, str]:
        """A bound that needs no search, and what it rests on."""
        match measure:
            case "errors" | "hinge":
                # where a decision is wrong, the hinge loss is at least 1
                return self.task.floor, "data" if self.task.floor else "trivial"
            case "weight":
                every = sum(a * b for a, b in pairwise(self.architecture.widths))
                return Fraction(every if self.architecture.kind == "binary" else 0), "trivial"
            case "margin":
                return -self._largest_margin(), "trivial"
            case _:
                raise InputError(f"There is no measure {measure!r}.")

    def _largest_margin(self) -> Fraction:
        """No least |pre-activation| exceeds the largest possible one of the smallest row."""
        widths, total = self.architecture.widths, Fraction(0)
        rows = (sum(map(Fraction, np.abs(row).tolist()), Fraction(0)) for row in self.task.x)
        sizes = [min(rows), *map(Fraction, widths[1:])]
        limits = grids(self.task, self.architecture)
        for size, grid, width in zip(sizes, limits, widths[1:-1], strict=False):
            total += width * (size + (grid.reach or 0))
        return total

    @property
    def terms(self) -> int:
        """About how many non-zeros the program has."""
        pairs = enumerate(pairwise(self.architecture.widths))
        return len(self.task.x) * sum(a * b * (2 if k == 0 else 14) for k, (a, b) in pairs)


def run_stage(
    number: int, training: Training, best: Candidate, limits: Limits, budget: Budget
) -> Outcome:
    """Improve the measure of that number as far as the limits allow, keeping the earlier ones."""
    own = budget.part(limits.effort.seconds)
    measure, task, architecture = training.measures[number], training.task, training.architecture
    bound, proof = training.trivial_bound(measure)
    if best.values[number] == bound:
        return Outcome(best, Stage(measure, bound, bound, proof))
    if measure == "errors" and limits.enumerate:
        known = enumerated(task, architecture, budget.part(limits.effort.seconds / 4))
        if known is not None:
            best = _better(best, training.candidate(known.params), number)
            return Outcome(best, Stage(measure, best.values[0], known.errors, "enumeration"))
        half = budget.part(limits.effort.seconds / 2)
        pair = best_pair(task, architecture, best.values[0], half)
        if pair is not None:
            errors, params = pair
            if params is not None:
                best = _better(best, training.candidate(params), number)
            return Outcome(best, Stage(measure, best.values[0], errors, "enumeration"))
    if not limits.effort.solvers or training.terms > _MOST_TERMS:
        notes = ("The program is too large for the solvers.",) if limits.effort.solvers else ()
        return Outcome(best, Stage(measure, best.values[number], bound, proof), notes=notes)
    effort = replace(limits.effort, seconds=max(_LEAST_SECONDS, own.seconds))
    return _ask(number, training, best, replace(limits, effort=effort), budget)


def _better(left: Candidate, right: Candidate, number: int) -> Candidate:
    """The one with the smaller measures up to that number; the left one if they are equal."""
    return min(left, right, key=lambda candidate: candidate.values[: number + 1])


def _ask(
    number: int, training: Training, best: Candidate, limits: Limits, budget: Budget
) -> Outcome:
    """The outcome of a stage that solvers are asked about."""
    measure, effort = training.measures[number], limits.effort
    kept = dict(zip(training.measures[:number], best.values[:number], strict=True))
    encoding = Encoding(training.task, training.architecture, Objective(measure, kept))
    said = effort.claims(encoding.program, lifted(encoding, best.params))
    notes = failures(said)
    for point in points_of(said):
        best = _better(best, training.candidate(encoding.params(point)), number)
    value = best.values[number]
    bound, proof = training.trivial_bound(measure)
    document: Document | None = None
    if value != bound:
        if not limits.certify:
            effort = replace(effort, seconds=min(effort.seconds, _SHORT), solvers=())
        incumbent = lifted(encoding, best.params)
        proved, document = _certify(encoding, effort, budget, incumbent)
        if proved is not None and proved > bound:
            bound, proof = proved, "certificate"
        if bound < value:
            shift = float(encoding.program.constant)
            notes += ("No certificate of optimality was found in time.",)
            notes += unproved(said, "value", float(value), shift)
    return Outcome(best, Stage(measure, value, bound, proof), document, notes)


def _certify(
    encoding: Encoding, effort: Effort, budget: Budget, incumbent: tuple[Fraction, ...] | None
) -> tuple[Fraction | None, Document | None]:
    """A bound with a certificate, if one is found."""
    solved = solve(
        encoding.program, certify=True, seconds=effort.seconds, seed=effort.seed,
        solvers=effort.solvers, incumbent=incumbent,
    )  # fmt: skip
    if solved.interrupted:
        budget.cancelled.set()
    match solved.answer:
        case Optimal(objective=bound, certificate=document):
            return bound, document
        case Feasible(bound=bound, certificate=document) if document is not None:
            return bound, document
        case Unknown(bound=bound, certificate=document) if document is not None:
            return bound, document
        case _:
            return None, None
