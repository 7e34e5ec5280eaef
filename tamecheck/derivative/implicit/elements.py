"""The convex conservative Jacobian of F at a point, and whether all its elements are invertible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product
from typing import Literal, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.budget import Budget
from tamecheck.derivative.chainrule import (
    ChainRule,
    NotLipschitzAt,
    chain_rule,
    enclose_jacobian,
)
from tamecheck.derivative.dependence import edges
from tamecheck.derivative.implicit.conditions import p_matrix_condition, p_matrix_of
from tamecheck.derivative.implicit.invertible import (
    Invertibility,
    decide_invertible,
)
from tamecheck.derivative.implicit.newton import Equations
from tamecheck.derivative.implicit.singular import Singular, brief, element, segment_root
from tamecheck.derivative.implicit.subdivision import MOST_COORDINATES, corner_signs
from tamecheck.derivative.jacobian import jacobian_near, why_not_lipschitz
from tamecheck.derivative.limits import KinkFamily, kink_family
from tamecheck.derivative.lowering import lowered
from tamecheck.derivative.reverse import output_matrix
from tamecheck.errors import DomainError, TamecheckError
from tamecheck.exact.hull import Matrix, extreme, rational
from tamecheck.exact.reals import BITS, UndecidedError, working_precision
from tamecheck.ir.tensor import Array

Kind: TypeAlias = Literal["clarke", "conservative", "enclosure"]

Point: TypeAlias = Callable[[int], Mapping[str, Array]]
"""For a number of bits, the point as ``fmpq`` and ``arb``."""

_LEAST_SECONDS = 0.1
_MOST_LISTED_KINKS = 10
_MOST_PATTERNS, _MOST_REDUCED, _MOST_CHOICES = 4096, 64, 256
_FEWEST_SHARES, _TRIED_CORNERS = 4, 400


@dataclass(frozen=True, slots=True)
class Elements:
    """A convex conservative Jacobian, and whether its square part by the unknowns is invertible."""

    kind: Kind
    """``"clarke"``: the Clarke Jacobian.  ``"conservative"``: the hull of what the chain rule
    gives.  ``"enclosure"``: an interval matrix about that hull."""
    why: str
    """How it was found, or why there is none."""
    matrices: tuple[Matrix, ...] = ()
    """Its vertices ``[U V]``, or one element where they are too many."""
    invertible: Invertibility | None = None
    """The answer for all U; None where there is no Jacobian."""
    listed: bool = True
    """Whether all vertices are there."""
    limits: tuple[Matrix, ...] = ()
    """Where they are listed: all limits of Jacobians nearby, those that are no vertices too."""
    refuted: bool = False
    """Whether it is shown that there is none."""
    rests_on: str = ""
    """What shows that, if it is not empty."""
    lipschitz: bool = False
    """Whether every op on which F depends near the point is Lipschitz there."""


def elements_at(equations: Equations, point: Point, budget: Budget, seed: int) -> Elements:
    """The Jacobian at a point where F has a value.

    Kinks that do not feed each other are rank-one changes of one matrix, of which ten or fewer are
    listed by patterns; more are decided as a family.  Everything else goes through the search for
    cones of directions, then through the chain rule, then through balls about all its choices.
    """
    graph = lowered(equations.graph)
    inside = False
    try:
        with working_precision(BITS):
            rule = chain_rule(graph, point(BITS))
            inside = not edges(graph, rule.values, rule.depends, point(BITS))
    except NotLipschitzAt as found:
        with working_precision(BITS):
            why, refuted = why_not_lipschitz(graph, point(BITS), found.where)
        return Elements("clarke", why, refuted=refuted, rests_on="replay" if refuted else "")
    except UndecidedError:
        rule = None
    lipschitz = rule is not None and rule.jump() is None and inside
    return replace(_Search(equations, point, budget, seed).elements(rule), lipschitz=lipschitz)


def _count(number: int) -> str:
    return f"{number} {'vertex' if number == 1 else 'vertices'}"


def _reduced(matrices: Sequence[Matrix]) -> tuple[Matrix, ...]:
    if len(matrices) > _MOST_REDUCED:
        return tuple(matrices)
    return tuple(matrices[k] for k in extreme(matrices))


@dataclass(frozen=True, slots=True)
class _Search:
    equations: Equations
    point: Point
    budget: Budget
    seed: int

    def elements(self, rule: ChainRule | None) -> Elements:
        """The Jacobian by the first way that decides; without a rule balls leave kinks open."""
        family = None if rule is None else kink_family(rule)
        whole = None if family is None else self._of_family(family)
        if whole is not None:
            return whole
        if rule is not None and rule.combinations > _MOST_PATTERNS:
            enclosing = self._of_rule(rule)
            if enclosing is not None and enclosing.invertible and enclosing.invertible.holds:
                return enclosing
        found = self._clarke()
        if found.invertible is not None or found.refuted:
            return found
        return (self._of_balls() if rule is None else self._of_rule(rule)) or found

    def _decided(self, matrices: Sequence[Matrix]) -> Invertibility:
        """The answer for the parts by the unknowns, each once where they are not balls."""
        squares = [self.equations.by_unknowns(matrix) for matrix in matrices]
        if all(rational(matrix) is not None for matrix in squares):
            squares = list(dict.fromkeys(squares))
        seconds = max(self.budget.seconds, _LEAST_SECONDS)
        return decide_invertible(squares, timeout=seconds, seed=self.seed)

    def _of_family(self, family: KinkFamily) -> Elements | None:
        """The answer for kinks that do not feed each other; None if few of them are dependent."""
        count = len(family.kinks)
        whole = _Shares.of(family, self.equations)
        proof = whole.proof() if count >= _FEWEST_SHARES else None
        listed = count <= _MOST_LISTED_KINKS
        if listed and proof is None and not family.independent:
            return None
        summary = f"a base and {count} rank-one changes, with any shares between 0 and 1"
        usual = (family.conventional,)
        if not listed and (proof is not None or family.independent or not family.affine):
            kind: Kind = "clarke" if family.independent else "conservative"
            found = proof or whole.refutation(self.seed)
            return Elements(kind, summary, usual, found, listed=False)
        occurring = (signs for signs, _ in family.cones())
        patterns = product((True, False), repeat=count) if family.independent else occurring
        signs = list(islice(patterns, _MOST_PATTERNS + 1))
        if len(signs) > _MOST_PATTERNS:
            why = f"no condition that suffices holds, and over {_MOST_PATTERNS} cones meet"
            open_ = Invertibility(holds=None, why=why)
            return Elements("conservative", summary, usual, open_, listed=False)
        limits: tuple[Matrix, ...] = tuple(dict.fromkeys(family.element(s) for s in signs))
        matrices = limits if family.independent else _reduced(limits)
        why = f"the Clarke Jacobian, computed exactly: {_count(len(matrices))}"
        found = proof or self._decided(matrices)
        return Elements("clarke", why, matrices, found, limits=limits)

    def _clarke(self) -> Elements:
        """The Clarke Jacobian by the search for cones of directions."""
        try:
            found = jacobian_near(self.equations.graph, self.point, "bouligand")
        except DomainError:
            raise
        except TamecheckError as undecided:
            return Elements("clarke", str(undecided))
        if not found.raw:
            why, refuted = found.why or found.open[0], not found.at_least
            return Elements("clarke", why, refuted=refuted, rests_on=found.rests_on)
        matrices = _reduced(found.raw)
        decided = self._decided(matrices)
        count = _count(len(matrices))
        if found.at_least:
            why = f"the Clarke Jacobian, at least {count}: it is open {found.open[0]}"
            # a singular element refutes; what may be missing cannot be proved invertible
            known = decided if decided.holds is False else None
            return Elements("clarke", why, matrices, known, listed=False)
        exactly = "exactly" if found.rational else "by balls"
        why = f"the Clarke Jacobian, computed {exactly}: {count}"
        return Elements("clarke", why, matrices, decided, limits=found.raw)

    @working_precision(BITS)
    def _of_balls(self) -> Elements | None:
        """Balls about the derivatives of all pieces, where balls do not tell which one holds."""
        found = enclose_jacobian(lowered(self.equations.graph), self.point(BITS))
        if found is None:
            return None
        why = "an interval matrix about the Jacobians of all pieces, as kinks lie within rounding"
        return Elements("enclosure", why, (found[1],), self._decided([found[1]]))

    def _of_rule(self, rule: ChainRule) -> Elements | None:
        """The hull of the chain rule's Jacobians, or balls about them; None if it has jumps."""
        if rule.jump() is not None:
            return None
        with working_precision(BITS):
            if rule.combinations <= _MOST_CHOICES:
                choices = rule.choices(_MOST_CHOICES)
                matrices = [output_matrix(rule.graph, chosen) for chosen in choices]
                kind, listed = "conservative", tuple(matrices)
                why = f"the convex hull of the chain rule's Jacobians: {_count(len(matrices))}"
            else:
                balls = rule.enclosing()
                if balls is None:
                    return None
                matrices = [output_matrix(rule.graph, balls)]
                kind, listed = "enclosure", (output_matrix(rule.graph, rule.conventional()),)
                count = len(rule.places)
                why = f"an interval matrix about the chain rule's Jacobians of {count} kinks"
        return Elements(kind, why, listed, self._decided(matrices), kind == "conservative")


@dataclass(frozen=True, slots=True)
class _Shares:
    """The square matrices ``A + B D C``, D diagonal with entries in [0, 1]."""

    base: fmpq_mat
    left: fmpq_mat
    right: fmpq_mat

    @staticmethod
    def of(family: KinkFamily, equations: Equations) -> _Shares:
        """The parts of a family by the unknowns."""
        size, count, columns = len(family.base), len(family.kinks), equations.unknowns
        return _Shares(
            fmpq_mat(size, size, [row[k] for row in family.base for k in columns]),
            fmpq_mat(size, count, [kink.change[i] for i in range(size) for kink in family.kinks]),
            fmpq_mat(count, size, [kink.form[k] for kink in family.kinks for k in columns]),
        )

    @property
    def _form(self) -> str:
        return f"A + B D C, D diagonal of size {self.left.ncols()} with entries in [0, 1]"

    def _steps(self) -> list[fmpq_mat]:
        columns = self.left.transpose().tolist()
        pairs = zip(columns, self.right.tolist(), strict=True)
        return [fmpq_mat([[b * c for c in row] for b in column]) for column, row in pairs]

    def proof(self) -> Invertibility | None:
        """A proof that all are invertible, if a condition that suffices is found."""
        condition = ""
        if self.base.det() != 0:
            with suppress(ZeroDivisionError):
                condition = p_matrix_condition(p_matrix_of(self.base, self.left, self.right))
        if condition:
            why = (
                f"every element is {self._form}, and N = I + C A⁻¹ B is a P-matrix, so each is "
                f"invertible: {condition}"
            )
            return Invertibility(holds=True, why=why)
        count = self.left.ncols()
        if count > MOST_COORDINATES:
            return None
        signs = corner_signs(self.base, self._steps())
        if len(signs) != 1 or 0 in signs:
            return None
        why = (
            f"every element is {self._form}, so the determinant is affine in each entry of D; it "
            f"has one sign at all {2**count} corners"
        )
        return Invertibility(holds=True, why=why)

    def refutation(self, seed: int) -> Invertibility:
        """A singular element, where the search finds one; else an open answer.

        The determinant is affine along an edge of the box of D, so a change of sign there has a
        rational root; the edges are those of random paths between opposite corners.
        """
        steps = self._steps()
        rng = np.random.default_rng(seed)
        for _ in range(max(_TRIED_CORNERS // len(steps), 4)):
            start = rng.random(len(steps)) < 0.5
            shares = [fmpq(int(high)) for high in start]
            path: list[fmpq_mat] = [element([self.base, *steps], [fmpq(1), *shares])]
            for k in [int(i) for i in rng.permutation(len(steps))]:
                sign = fmpq(-1 if start[k] else 1)
                path.append(element([path[-1], steps[k]], [fmpq(1), sign]))
            for before, after in pairwise(path):
                if before.det() * after.det() <= 0:
                    found = segment_root([before, after], [fmpq(1), fmpq(0)], [fmpq(0), fmpq(1)])
                    if found is not None:
                        singular = Singular(None, found.matrix)
                        why = f"{brief(singular)} is singular, and {self._form}"
                        return Invertibility(holds=False, why=why, singular=singular)
        why = (
            f"no condition that suffices holds for {self._form}, and no singular element was found"
        )
        return Invertibility(holds=None, why=why)
