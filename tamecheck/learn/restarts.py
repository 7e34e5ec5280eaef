"""Restarts on plateaus: annealing by a Fleming–Viot system of particles.

Several annealing searches run side by side.  A particle that has come to a flat region, where
nothing tells it where to go, is absorbed: it goes on from the state of another particle that is
not in a flat region, chosen uniformly (Mastropietro, Korpas, Kungurtsev, Marecek 2024).  With no
flat regions the particles are independent searches, move for move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from tamecheck.budget import Budget
from tamecheck.learn.effort import DataError

S = TypeVar("S")


class Search(Protocol[S]):
    """A minimisation problem for annealing."""

    def start(self, rng: np.random.Generator) -> S:
        """A random state."""
        ...

    def propose(self, state: S, rng: np.random.Generator) -> S:
        """A random neighbour; the state itself is left as it is."""
        ...

    def value(self, state: S) -> float:
        """What is to be minimised."""
        ...


@dataclass(frozen=True, slots=True)
class Annealing:
    """How the searches run.

    Parameters
    ----------
    particles
        The number of searches.
    steps
        The most moves of each.
    temperature
        The temperature of the Metropolis rule at each step.
    target
        A value at which all stop; None for no such value.
    seed
        Of all random numbers: each particle has a stream of its own, regeneration another.
    timeout
        Seconds after which all stop; None for no limit.
    """

    particles: int
    steps: int
    temperature: Callable[[int], float]
    target: float | None = None
    seed: int = 0
    timeout: float | None = None

    def __post_init__(self) -> None:
        if self.particles < 1 or self.steps < 0:
            raise DataError(
                f"{self.particles} particles and {self.steps} steps are no annealing.",
                hint="Take one particle at least.",
            )


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """The best state and its value, the moves of each particle, and where they are at the end.

    ``reached`` is whether the target was, ``regenerations`` how often a particle was absorbed.
    """

    best: S
    value: float
    steps: int
    reached: bool
    regenerations: int
    states: tuple[S, ...]


def geometric(first: float, ratio: float, least: float = 1e-9) -> Callable[[int], float]:
    """Temperatures ``first * ratio**step``, but at least ``least``."""
    return lambda step: max(first * ratio**step, least)


def small_gradient(norm: Callable[[S], float], threshold: float = 0.0) -> Callable[[S], bool]:
    """The rule that a state is flat where the norm of its gradient is at most a threshold."""
    return lambda state: norm(state) <= threshold


def noisy_gradient(samples: Callable[[S], Sequence[float]]) -> Callable[[S], bool]:
    """The rule that a state is flat where the standard error of samples exceeds their mean."""

    def flat(state: S) -> bool:
        drawn = np.asarray(samples(state), dtype=np.float64)
        error = drawn.std(ddof=1) / math.sqrt(len(drawn)) if len(drawn) > 1 else math.inf
        return bool(abs(drawn.mean()) <= error)

    return flat


def fleming_viot(search: Search[S], flat: Callable[[S], bool], annealing: Annealing) -> Outcome[S]:
    """Anneal with particles that are absorbed where ``flat`` holds.

    An absorbed particle goes on from the state of a uniformly chosen particle that is not flat; if
    there is none, from a new random state.

    Parameters
    ----------
    search
        The problem.
    flat
        The rule of absorption, such as `small_gradient`.
    annealing
        How the searches run.
    """
    return _run(search, flat, annealing)


def independent(search: Search[S], annealing: Annealing) -> Outcome[S]:
    """Anneal with particles that do not know of each other; one particle is plain annealing."""
    return _run(search, lambda _: False, annealing)


def _run(search: Search[S], flat: Callable[[S], bool], annealing: Annealing) -> Outcome[S]:
    streams = [
        np.random.default_rng(source)
        for source in np.random.SeedSequence(annealing.seed).spawn(annealing.particles + 1)
    ]
    own, shared = streams[:-1], streams[-1]
    states = [search.start(rng) for rng in own]
    values = [search.value(state) for state in states]
    place = min(range(len(values)), key=values.__getitem__)
    best, value = states[place], values[place]
    goal = -math.inf if annealing.target is None else annealing.target
    budget = Budget.of(annealing.timeout)
    regenerations = step = 0
    while step < annealing.steps and value > goal and not budget.is_spent:
        temperature = annealing.temperature(step)
        for number, rng in enumerate(own):
            proposal = search.propose(states[number], rng)
            height = search.value(proposal)
            rise = height - values[number]
            if rise <= 0 or rng.random() < math.exp(-rise / temperature):
                states[number], values[number] = proposal, height
            if values[number] < value:
                best, value = states[number], values[number]
        step += 1
        absorbed = [flat(state) for state in states]
        alive = [number for number, gone in enumerate(absorbed) if not gone]
        for number, gone in enumerate(absorbed):
            if not gone:
                continue
            regenerations += 1
            if alive:
                source = alive[int(shared.integers(len(alive)))]
                states[number], values[number] = states[source], values[source]
            else:
                states[number] = search.start(shared)
                values[number] = search.value(states[number])
            if values[number] < value:
                best, value = states[number], values[number]
    return Outcome(best, value, step, value <= goal, regenerations, tuple(states))
