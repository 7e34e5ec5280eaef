"""One stage of training: a measure to minimise, and how its bound was proved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.answer import Feasible, Optimal, Unknown
from tamecheck.learn.effort import Effort, Interruption
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
from tamecheck.solvers.claims import Claim

__all__ = ["OBJECTIVES", "Candidate", "Limits", "Outcome", "Stage", "Training", "run_stage"]

OBJECTIVES = {
    "errors": ("errors",),
    "hinge": ("hinge",),
    "max-margin": ("errors", "margin"),
    "min-weight": ("errors", "weight"),
    "robust-sparse": ("errors", "margin", "weight"),
}
"""The measures that each objective minimises, one after the other."""

_TOLERANCE = 1e-6
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

    Parameters
    ----------
    effort
        The solvers; without any, only data and enumeration prove bounds.
    enumerate
        Whether all networks are gone through where they are few.
    certify
        Whether to search for exact multipliers.
    """

    effort: Effort
    enumerate: bool
    certify: bool


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The best network after a stage, what was proved, and what a user should know."""

    best: Candidate
    stage: Stage
    certificate: Document | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What is trained on what, and for which measures.

    Parameters
    ----------
    task, architecture
        The data and the networks.
    measures
        What to minimise, one after the other.
    magnitude
        The largest absolute value of a feature if all are integers, else None.
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


def run_stage(
    number: int,
    training: Training,
    best: Candidate,
    limits: Limits,
    interruption: Interruption,
) -> Outcome:
    """Improve the measure of that number as far as the limits allow, keeping the earlier ones."""
    begun = time.monotonic()
    measure, task, architecture = training.measures[number], training.task, training.architecture
    bound, proof = _trivial(measure, task, architecture)
    if best.values[number] == bound:
        return Outcome(best, Stage(measure, bound, bound, proof), None, ())
    if measure == "errors" and limits.enumerate:
        known = enumerated(task, architecture, seconds=limits.effort.seconds / 4)
        if known is not None:
            best = _better(best, training.candidate(known.params), number)
            stage = Stage(measure, best.values[0], known.errors, "enumeration")
            return Outcome(best, stage, None, ())
        pair = best_pair(task, architecture, best.values[0], seconds=limits.effort.seconds / 2)
        if pair is not None:
            errors, params = pair
            if params is not None:
                best = _better(best, training.candidate(params), number)
            return Outcome(best, Stage(measure, best.values[0], errors, "enumeration"), None, ())
    if not limits.effort.solvers or _terms(task, architecture) > _MOST_TERMS:
        stage = Stage(measure, best.values[number], bound, proof)
        notes = ("The program is too large for the solvers.",) if limits.effort.solvers else ()
        return Outcome(best, stage, None, notes)
    left = limits.effort.seconds - (time.monotonic() - begun)
    effort = replace(limits.effort, seconds=max(_LEAST_SECONDS, left))
    return _asked(number, training, best, replace(limits, effort=effort), interruption)


def _better(left: Candidate, right: Candidate, number: int) -> Candidate:
    """The one with the smaller measures up to that number; the left one if they are equal."""
    return min(left, right, key=lambda candidate: candidate.values[: number + 1])


def _asked(
    number: int,
    training: Training,
    best: Candidate,
    limits: Limits,
    interruption: Interruption,
) -> Outcome:
    """The outcome of a stage that solvers were asked about."""
    measure = training.measures[number]
    kept = dict(zip(training.measures[:number], best.values[:number], strict=True))
    encoding = Encoding(training.task, training.architecture, Objective(measure, kept))
    said = limits.effort.claims(encoding.program, lifted(encoding, best.params))
    notes = [f"{c.solver}: {c.why}." for c in said if isinstance(c, Unknown)]
    for claim in said:
        if isinstance(claim, Optimal | Feasible):
            best = _better(best, training.candidate(encoding.params(claim.point)), number)
    value = best.values[number]
    bound, proof = _trivial(measure, training.task, training.architecture)
    document: Document | None = None
    if value != bound:
        effort = limits.effort
        if not limits.certify:
            effort = replace(effort, seconds=min(effort.seconds, _SHORT), solvers=())
        point = lifted(encoding, best.params)
        proved, document = _certified(encoding, effort, interruption, point)
        if proved is not None and proved > bound:
            bound, proof = proved, "certificate"
        if bound < value:
            notes.append("No certificate of optimality was found in time.")
            notes += _words(said, encoding, value)
    return Outcome(best, Stage(measure, value, bound, proof), document, tuple(notes))


def _words(said: Sequence[Claim], encoding: Encoding, value: Fraction) -> list[str]:
    """What the solvers say that call a value optimal: it is no proof."""
    wanted, shift = float(value), float(encoding.program.constant)
    return [
        f"{claim.solver} calls the value optimal, which is not proved."
        for claim in said
        if isinstance(claim, Optimal)
        and abs(claim.objective + shift - wanted) <= _TOLERANCE * abs(wanted)
    ]


def _certified(
    encoding: Encoding,
    effort: Effort,
    interruption: Interruption,
    incumbent: Sequence[Fraction] | None,
) -> tuple[Fraction | None, Document | None]:
    """A bound with a certificate, if one is found."""
    solved = solve(
        encoding.program,
        certify=True,
        seconds=effort.seconds,
        seed=effort.seed,
        solvers=effort.solvers,
        incumbent=None if incumbent is None else tuple(incumbent),
    )
    interruption.happened = interruption.happened or solved.interrupted
    match solved.answer:
        case Optimal(objective=bound, certificate=document):
            return bound, document
        case Feasible(bound=bound, certificate=document) if document is not None:
            return bound, document
        case Unknown(bound=bound, certificate=document) if document is not None:
            return bound, document
        case _:
            return None, None


def _trivial(measure: str, task: Task, architecture: Architecture) -> tuple[Fraction, str]:
    """A bound that needs no search."""
    match measure:
        case "errors" | "hinge":
            # where a decision is wrong, the hinge loss is at least 1
            return task.floor, "data" if task.floor else "trivial"
        case "weight":
            pairs = zip(architecture.widths[:-1], architecture.widths[1:], strict=True)
            every = sum(a * b for a, b in pairs)
            return Fraction(every if architecture.kind == "binary" else 0), "trivial"
        case "margin":
            return -_largest_margin(task, architecture), "trivial"
        case _:
            raise InputError(f"There is no measure {measure!r}.")


def _largest_margin(task: Task, architecture: Architecture) -> Fraction:
    """No least |pre-activation| exceeds the largest possible one of the smallest row."""
    limits = grids(task, architecture)
    total = Fraction(0)
    for number, width in enumerate(architecture.widths[1:-1]):
        if number == 0:
            sizes = [sum(map(Fraction, np.abs(row).tolist()), Fraction(0)) for row in task.x]
            size = min(sizes)
        else:
            size = Fraction(architecture.widths[number])
        total += width * (size + (limits[number].reach or 0))
    return total


def _terms(task: Task, architecture: Architecture) -> int:
    """About how many non-zeros the program has."""
    pairs = zip(architecture.widths[:-1], architecture.widths[1:], strict=True)
    return len(task.x) * sum(a * b * (2 if k == 0 else 14) for k, (a, b) in enumerate(pairs))
