"""Cuts that a point of the relaxation violates: from all sources, and the best of them, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Work
from tamecheck.exact.linear import Box
from tamecheck.ir.program import Program
from tamecheck.programs.certificate import Cut
from tamecheck.programs.cliques import Cliques
from tamecheck.programs.condense import Condensed
from tamecheck.programs.cuts import Separator
from tamecheck.programs.exact_cuts import exact_cut
from tamecheck.programs.parity import odd_sums
from tamecheck.programs.rounding import Guess, Vector
from tamecheck.programs.scaled import Scaled
from tamecheck.solvers.relaxation import Relaxation, nearest

_CUTS, _PARALLEL = 200, 0.9
"""Of one point, and the cosine of two that are too much alike."""
_INTEGER = 1e-4
_A_ROUNDING, _A_TERM, _A_COLUMN = 150, 3, 0.4
"""Counted steps of a rounding, of a term of a row that cliques reduce, of a column of a form."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The optimum of a condensed program's relaxation, as one of the whole program."""

    own: Condensed
    relaxation: Relaxation
    objective: float
    point: Sequence[float]
    duals: Sequence[float]


_Found: TypeAlias = tuple[float, Vector, Callable[[], Cut | None]]
"""Efficacy, form, and what makes the cut exact."""


class Separation:
    """The point of an optimum, with the rows and bounds of the whole program."""

    def __init__(
        self, program: Program, scaled: Scaled, box: Box, solved: Optimum, work: Work
    ) -> None:
        self._program, self._scaled, self._box = program, scaled, box
        self._solved, self._work = solved, work
        self._whole_x = np.array(solved.point, float)
        self._own = Separator(solved.own.program)
        self._x = self._whole_x[list(solved.own.columns.values())]
        self._at = self._own.activities(self._x)
        self._counted = 0

    def cuts(self, *, odd: bool) -> list[Cut]:
        """The best cuts, no two of which are nearly parallel; sums are halved if ``odd``."""
        found = [*self._cliques(), *map(self._exact, self._guesses(odd=odd))]
        found.sort(key=lambda own: -own[0])
        self._goes_on(None)
        kept: list[Vector] = []
        added: list[Cut] = []
        for _, form, exact in found:
            unit = form / float(np.linalg.norm(form))
            if any(float(unit @ other) > _PARALLEL for other in kept):
                continue
            cut = exact()
            self._work.spend(_A_COLUMN * len(form))
            if cut is not None:
                added.append(cut)
                kept.append(unit)
            if len(kept) >= _CUTS:
                break
        return added

    @property
    def tried(self) -> int:
        """How many combinations of rows were rounded."""
        return self._own.tried

    def _goes_on(self, _: object) -> bool:
        """Count what was rounded since it was asked last; whether there is work left."""
        new, self._counted = self.tried - self._counted, self.tried
        self._work.spend(new * (_A_ROUNDING + _A_COLUMN * self._own.width))
        return not self._work.is_spent

    def _exact(self, guess: Guess) -> _Found:
        """A guess about the condensed program as one about the whole one."""
        solved = self._solved.own
        outward = guess.outward(solved.rows, solved.columns, len(self._whole_x))
        return (
            guess.efficacy,
            outward.form,
            lambda: exact_cut(outward, self._whole_x, self._scaled, self._box),
        )

    def _guesses(self, *, odd: bool) -> Iterator[Guess]:
        """Roundings of aggregated rows, of rows of the tableau, and of odd sums."""
        own, x = self._own, self._x
        yield from takewhile(self._goes_on, own.aggregated(x))
        whole = [
            j for j in np.flatnonzero(own.integral).tolist() if abs(x[j] - round(x[j])) > _INTEGER
        ]
        sums = odd_sums(own, x, self._at) if odd else ()
        for source, delta in ((self._solved.relaxation.tableau(whole), None), (sums, 2.0)):
            for weights in takewhile(self._goes_on, source):
                rounded = own.round_row(weights, x, self._at, delta)
                if rounded is not None:
                    yield rounded

    def _cliques(self) -> Iterator[_Found]:
        """Cliques that the point violates, and roundings of rows that cliques reduce."""
        places = {i: k for k, i in self._solved.own.rows.items()}
        cliques = Cliques(self._program, self._scaled, self._box, places)
        x = self._whole_x.tolist()
        for i, sign in product(places, (1, -1)):
            self._work.spend(_A_TERM * len(self._scaled.rows[i]))
            row = None if self._work.is_spent else cliques.reduced(i, sign)
            if row is None:
                continue
            for beyond, cut in cliques.cuts(row, x):
                form = np.zeros(len(x))
                for j, a in cut.terms:
                    form[j] = -a
                yield beyond / math.sqrt(len(cut.terms)), form, lambda cut=cut: cut
            if len(row.weights) > 1:
                weights = {places[k]: nearest(w) for k, w in row.weights.items()}
                rounded = self._own.round_row(weights, self._x, self._at)
                if rounded is not None:
                    yield self._exact(rounded)
