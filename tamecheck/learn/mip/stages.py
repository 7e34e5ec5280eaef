"""One stage of training: a measure to minimise, and how its bound was proved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir.answer import Feasible, Optimal, Unknown
from tamecheck.learn.effort import Effort, failures, points_of, unproved
from tamecheck.learn.mip.encoding import Encoding, Objective, lift
from tamecheck.learn.mip.enumeration import best_pair, enumerate_networks
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
from tamecheck.programs.solved import Document
from tamecheck.programs.solving import solve

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
    """What one stage proved."""

    measure: str
    """``errors``, ``hinge``, ``margin`` (minus the sum of the neurons' least |pre-activation|) or
    ``weight``; the smaller, the better."""
    value: Fraction
    bound: Fraction
    """Of the network, by exact forward passes; no network of the architecture that keeps the
    earlier stages' values has less than the bound."""
    proof: str
    """What the bound rests on: ``trivial`` (the measure cannot be less on any data), ``data``
    (equal rows with different classes), ``enumeration`` (all networks that no bound excludes), or
    ``certificate`` (exact multipliers)."""

    @property
    def optimal(self) -> bool:
        """Whether the network attains the bound."""
        return self.value == self.bound


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


@dataclass(slots=True, eq=False)
class Run:
    """A training, stage by stage: the best network so far, what was proved, what to tell a user.

    Without solvers, only data and enumeration prove bounds.  All networks are gone through
    (``enumerate``) where they are few; exact multipliers are searched for if ``certify``.
    """

    training: Training
    best: Candidate
    effort: Effort
    budget: Budget
    enumerate: bool
    certify: bool
    stages: list[Stage] = field(default_factory=list[Stage])
    certificate: Document | None = None
    notes: tuple[str, ...] = ()

    def improve(self, number: int, seconds: float) -> None:
        """Improve the measure of that number as far as time allows, keeping the earlier ones."""
        measure, own = self.training.measures[number], self.budget.part(seconds)
        bound, proof = self.training.trivial_bound(measure)
        if self.best.values[number] != bound:
            searched = measure == "errors" and self.enumerate
            fewest = self._fewest_errors(seconds) if searched else None
            if fewest is not None:
                bound, proof = fewest, "enumeration"
            elif self.effort.solvers and self.training.terms > _MOST_TERMS:
                self.notes += ("The program is too large for the solvers.",)
            elif self.effort.solvers:
                effort = replace(self.effort, seconds=max(_LEAST_SECONDS, own.seconds))
                bound, proof = self._ask(number, effort)
        self.stages.append(Stage(measure, self.best.values[number], bound, proof))

    def _offer(self, params: Params, number: int) -> None:
        """Keep a network whose measures up to that number are smaller."""
        found = self.training.candidate(params)
        if found.values[: number + 1] < self.best.values[: number + 1]:
            self.best = found

    def _fewest_errors(self, seconds: float) -> Fraction | None:
        """The fewest errors of any network, if that is within reach."""
        of = self.training.task, self.training.architecture
        found = enumerate_networks(*of, self.budget.part(seconds / 4))
        if found is None:
            found = best_pair(*of, self.best.values[0], self.budget.part(seconds / 2))
        if found is None:
            return None
        errors, params = found
        if params is not None:
            self._offer(params, 0)
        return errors

    def _ask(self, number: int, effort: Effort) -> tuple[Fraction, str]:
        """What solvers find, and the bound that is proved then."""
        measures, values = self.training.measures, self.best.values
        kept = dict(zip(measures[:number], values[:number], strict=True))
        objective = Objective(measures[number], kept)
        encoding = Encoding(self.training.task, self.training.architecture, objective)
        said = effort.claims(encoding.program, lift(encoding, self.best.params))
        self.notes += failures(said)
        for point in points_of(said):
            self._offer(encoding.params(point), number)
        value = self.best.values[number]
        bound, proof = self.training.trivial_bound(measures[number])
        if value == bound:
            return bound, proof
        if not self.certify:
            effort = replace(effort, seconds=min(effort.seconds, _SHORT), solvers=())
        proved = self._certify(encoding, effort)
        if proved is not None and proved > bound:
            bound, proof = proved, "certificate"
        if bound < value:
            shift = float(encoding.program.constant)
            self.notes += ("No certificate of optimality was found in time.",)
            self.notes += unproved(said, "value", float(value), shift)
        return bound, proof

    def _certify(self, encoding: Encoding, effort: Effort) -> Fraction | None:
        """A bound with a certificate, if one is found."""
        solved = solve(
            encoding.program,
            certify=True,
            seconds=effort.seconds,
            seed=effort.seed,
            solvers=effort.solvers,
            incumbent=lift(encoding, self.best.params),
        )
        if solved.interrupted:
            self.budget.cancelled.set()
        match solved.answer:
            case Optimal(objective=bound, certificate=document):
                pass
            case Feasible(bound=bound, certificate=document) if document is not None:
                pass
            case Unknown(bound=bound, certificate=document) if document is not None:
                pass
            case _:
                return None
        self.certificate = document
        return bound
