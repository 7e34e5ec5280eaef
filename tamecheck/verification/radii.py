"""The largest radius within which a decision is proved robust, and the nearest witness."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from operator import itemgetter
from typing import Any, Literal

from tamecheck.budget import Budget
from tamecheck.errors import SolverError
from tamecheck.ir.arguments import seconds
from tamecheck.ir.box import Box
from tamecheck.ir.exact import decimal_below, decimal_between, decimal_text, rational_text
from tamecheck.ir.graph import Graph
from tamecheck.model import Model
from tamecheck.verification.answer import (
    INTEGERS,
    RECOMPUTATION,
    Answer,
    Holds,
    Probe,
    Robustness,
    Unknown,
    Violated,
    Witness,
)
from tamecheck.verification.confirm import checked_over_windows
from tamecheck.verification.robustness import ITSELF, LocalRobustness, radius_of, tolerance_of
from tamecheck.verification.sign_balls import SignBalls

TOLERANCE = Fraction(1, 100)
"""How far proof and witness may be apart, of the witness's distance."""

_WITHIN = 60.0
"""Seconds for one radius, if nobody says how many for all."""
_PART, _LEAST = 5, 1.0
"""Of the seconds that are left a radius has one part, at least so many."""
_CERTIFYING = 0.3
"""Of the time for a certificate of the largest radius, where the first search found none."""
_CERTIFIED = 4
"""Radii of which a certificate is sought in the end."""
_DESCENT = 0.3
"""Of the time, for violations alone."""
_BESIDE = Fraction(9, 8)
"""How much larger a ball may be whose quick search is as good as one of the smaller ball."""
_FACTOR, _COARSE = 4, Fraction(1, 16)
_PROBES, _NEARER, _NEARER_SHARE = 200, 16, 0.1
_SMALLEST, _LARGEST = Fraction(1, 1 << 40), 1 << 40
"""Of the first radius; no others are asked about."""


def robustness_radius(  # noqa: PLR0913 (options, by keyword only)
    model: Model | Graph,
    point: Any,
    *,
    within: Any = None,
    tolerance: Any = TOLERANCE,
    label: int | None = None,
    box: Box | Mapping[str, Any] | str | None = None,
    timeout: float | None = None,
    seed: int = 0,
    certify: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Robustness:
    """The largest radius within which a classifier is proved to decide as at a point, by bisection.

    Each radius is a property that `verify` decides; of a witness the nearest point on the way to
    the centre is kept.  It ends where proof and witness are as near as the tolerance.  Ctrl-C ends
    it with the best so far.

    Parameters
    ----------
    model, point, label, box, seed
        As of `verify_robustness`.
    within
        No larger radius is asked about.
    tolerance
        How far proof and witness may be apart, of the distance of the witness.
    timeout
        Seconds for all radii; without a limit one has a minute at most.
    certify
        Search for certificates: with one of ``certified_radius`` the answer comes.
    progress
        Is told what is known so far.

    Raises
    ------
    InputError, UnsupportedError
        As `verify_robustness`.
    """
    question = LocalRobustness(model, point, label=label, box=box)
    most = None if within is None else radius_of(within)
    return largest_radius(
        question,
        Budget.of(seconds(timeout)),
        within=most,
        tolerance=tolerance_of(tolerance),
        seed=seed,
        certify=certify,
        progress=progress,
    )


def largest_radius(  # noqa: PLR0913 (options, by keyword only)
    question: LocalRobustness,
    budget: Budget,
    *,
    within: Fraction | None = None,
    tolerance: Fraction = TOLERANCE,
    seed: int = 0,
    certify: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Robustness:
    """What `robustness_radius` answers to a question."""
    started = time.monotonic()
    if question.decided != question.label:
        return Robustness(
            "violated", question.otherwise, question.label, None,
            question.witness_at(question.centre), Fraction(0), ITSELF, "replay",
            time.monotonic() - started,
        )  # fmt: skip
    reach = question.reach
    limit = min((end for end in (within, reach) if end is not None), default=None)
    search = _Search(question, budget, limit, tolerance, seed, certify, progress)
    if within is not None and limit == within:
        # it may hold, and then nothing else is asked
        search.start = within
    search.run()
    return search.answer(time.monotonic() - started)


class _Search:
    """Bisection: what is proved, where a witness is, and what is neither, so far.

    ``open`` and ``open_top`` are the ends of the radii that were tried to no avail.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what the search is about)
        self,
        question: LocalRobustness,
        budget: Budget,
        limit: Fraction | None,
        tolerance: Fraction,
        seed: int,
        certify: bool,  # noqa: FBT001
        progress: Callable[[str], object] | None,
    ) -> None:
        self.question, self.budget, self.limit = question, budget, limit
        self.tolerance, self.seed, self.certify = tolerance, seed, certify
        self.progress = progress
        self.start = _first_radius(question, limit)
        self.radius = Fraction(0)
        self.proof: Holds | None = None
        self.certified: tuple[Fraction, Holds] | None = None
        self.witness: Violated | None = None
        self.nearest: Fraction | None = None
        self.open: Fraction | None = None
        self.open_top: Fraction | None = None
        self.tried: list[Probe] = []
        self.patience = _PART
        self.note = ""
        self.signs = SignBalls.of(question)
        self.quickly = self.signs is not None
        self.missed: list[Fraction] = []
        self.unchecked: list[tuple[Fraction, Holds]] = []
        # the kernel checks the largest radius in what is left
        self.search = budget if self.signs is None else budget.share(1 - _CERTIFYING)

    def run(self) -> None:
        """Ask about one radius after the other; Ctrl-C and the end of the time end it."""
        try:
            self._descend()
            while len(self.tried) < _PROBES and not self.search.is_spent:
                radius = self._next()
                if radius is None:
                    break
                self._probe(radius)
            self._check()
            if self.certify and self.proof is not None and not self.budget.is_spent:
                self._certify()
        except KeyboardInterrupt:
            self.budget.cancelled.set()

    def _descend(self) -> None:
        """Look for violations of a binarized network alone, in ever smaller balls."""
        if self.signs is not None:
            part = self.search.share(_DESCENT)
            missed, found = self.signs.descend(self.start, part, seed=self.seed)
            self.missed.append(missed)
            if found is not None:
                self._tell(self.question.distance(found.witness.inputs), found)
                start = self.start
                self._refuted(found)
                # the next radius is near the witness, the smallest is not
                self.start = start

    def _next(self) -> Fraction | None:
        """The next radius to ask about; None where all is known."""
        low = self.radius
        ends = [end for end in (self.nearest, self.open) if end is not None]
        if not ends:
            if low == self.limit or low > self.start * _LARGEST:
                return None
            wider = self.start if low == 0 else low * _FACTOR
            return wider if self.limit is None else min(wider, self.limit)
        top = min(ends)
        # more time would move what is open
        near = self.tolerance if top == self.nearest else max(self.tolerance, _COARSE)
        if top - low > near * top and top > self.start * _SMALLEST:
            return decimal_between(low, top)
        if self.open is None or self.open_top is None:
            return None
        # no proof beyond, so look for a nearer witness
        if self.nearest is None:
            wider = self.open_top * _FACTOR
            wider = wider if self.limit is None else min(wider, self.limit)
            if self.open_top < wider <= self.start * _LARGEST:
                return wider
        elif self.nearest - self.open_top > max(self.tolerance, _COARSE) * self.nearest:
            return decimal_between(self.open_top, self.nearest)
        if self.quickly:
            self.quickly = False
        elif math.isinf(self.budget.seconds) or self.patience == 1:
            return None
        else:
            self.patience = max(self.patience // 2, 1)
        self.open = self.open_top = None
        return self._next()

    def _share(self) -> Budget:
        left = self.search.seconds
        if math.isinf(left):
            return self.budget.part(_WITHIN)
        if self.signs is None and self.certify and self.certified is None:
            left *= 1 - _CERTIFYING
        return self.search.part(max(left / self.patience, _LEAST))

    def _probe(self, radius: Fraction) -> None:
        if self.progress is not None:
            self.progress(f"verifying radius {decimal_text(radius)}, {self._so_far()}")
        share, signs = self._share(), self.signs
        if signs is not None and (self.quickly or signs.is_large):
            found = signs.verify(
                radius, share, seed=self.seed, quickly=self.quickly, low=self.radius,
                skipped=self._skipped(radius),
            )  # fmt: skip
        else:
            certify = self.certify and self.note == ""
            found = self.question.verify(radius, share, seed=self.seed, certify=certify)
        self._tell(radius, found)
        match found:
            case Holds():
                self._proved(radius, found)
            case Violated():
                self._refuted(found)
            case Unknown():
                self.open = radius if self.open is None else min(self.open, radius)
                self.open_top = radius if self.open_top is None else max(self.open_top, radius)

    def _skipped(self, radius: Fraction) -> Literal["violation", "proof", ""]:
        """What a quick try leaves out, as one at a radius beside has failed."""
        if not self.quickly:
            return ""
        if any(radius <= missed <= radius * _BESIDE for missed in self.missed):
            return "violation"
        return "proof" if self.open is not None and radius > self.open else ""

    def _tell(self, radius: Fraction, found: Answer) -> None:
        method = None if isinstance(found, Unknown) else found.method
        self.tried.append(Probe(radius, found.status, method))
        self.missed += [] if isinstance(found, Violated) else [radius]

    def _proved(self, radius: Fraction, found: Holds) -> None:
        if radius > self.radius:
            self.radius, self.proof = radius, found
        if found.rests_on == INTEGERS:
            self.unchecked.append((radius, found))
        elif not found.is_certified:
            self.note = found.note if self.certify else self.note
        elif self.certified is None or self.certified[0] < radius:
            self.certified = radius, found
        if self.open is not None and self.open <= radius:
            self.open = self.open_top = None
        self._compare()

    def _refuted(self, found: Violated) -> None:
        self._keep(found, found.witness)  # what follows may be interrupted
        if self.signs is None or not self.signs.is_large:
            self._keep(found, self._nearer(found.witness))

    def _keep(self, found: Violated, witness: Witness) -> None:
        nearest = self.question.distance(witness.inputs)
        self.start = min(self.start, nearest) if self.nearest is None else self.start
        if self.nearest is None or nearest < self.nearest:
            self.witness, self.nearest = replace(found, witness=witness), nearest
        if self.open is not None and self.open >= self.nearest:
            self.open = self.open_top = None
        elif self.open_top is not None:
            self.open_top = min(self.open_top, self.nearest)
        self._compare()

    def _compare(self) -> None:
        if self.nearest is not None and self.nearest <= self.radius:
            raise SolverError(
                f"A witness at distance {rational_text(self.nearest)} contradicts the proof of "
                f"radius {rational_text(self.radius)}.",
                hint="Please report it, with the model and the point.",
            )

    def _nearer(self, witness: Witness) -> Witness:
        """The witness, with its largest differences cut down as far as it stays one."""
        question, left = self.question, self.budget.seconds
        budget = self.budget.part(min(_NEARER_SHARE * left, _WITHIN))
        best, distance = witness, question.distance(witness.inputs)
        low = self.radius
        for _ in range(_NEARER):
            if budget.is_spent or distance - low <= self.tolerance * distance / 4:
                break
            middle = decimal_between(low, distance)
            cut = tuple(
                min(max(x, c - middle), c + middle)
                for x, c in zip(witness.inputs, question.centre, strict=True)
            )
            found = question.witness_at(cut)
            if found is None or (best.float32 and not found.float32):
                low = middle
            else:
                best, distance = found, question.distance(cut)
        return best

    def _check(self) -> None:
        """The kernel reads the proof of the largest radius, or of one for which it has time."""
        for radius, found in sorted(self.unchecked, key=itemgetter(0), reverse=True)[:_CERTIFIED]:
            if self.budget.is_spent or (self.certified and self.certified[0] >= radius):
                return
            proof = checked_over_windows(found, self.budget)
            if proof.is_certified:
                self.certified, self.note = (radius, proof), ""
                self.proof = proof if radius == self.radius else self.proof
                return
            self.note = proof.note

    def _certify(self) -> None:
        """A certificate of the largest radius that is proved, or of one not far below it."""
        limited = not math.isinf(self.budget.seconds)
        budget = self.budget if limited else self.budget.part(_WITHIN)
        radius, known = self.radius, Fraction(0) if self.certified is None else self.certified[0]
        for _ in range(_CERTIFIED):
            if known >= radius or budget.is_spent:
                return
            half = budget.part(budget.seconds / 2)
            found = self.question.verify(radius, half, seed=self.seed, certify=True)
            if isinstance(found, Violated):
                self._keep(found, found.witness)
            if isinstance(found, Holds):
                self.note = found.note
                if found.is_certified:
                    self.certified = radius, found
                    self.proof = found if radius == self.radius else self.proof
                    return
            if known and radius - known <= _COARSE * radius:
                return
            radius = decimal_between(known, radius)

    def _so_far(self) -> str:
        near = "" if self.nearest is None else f", witness at {decimal_text(self.nearest)}"
        return f"proved {decimal_text(self.radius)}{near}"

    def answer(self, spent: float) -> Robustness:
        """What is known by now."""
        low, high = self.radius, self.nearest
        whole = self.limit is not None and low == self.limit
        known = high is not None and high - low <= self.tolerance * high
        reason = f"No input within {decimal_below(low)} is decided otherwise; "
        if high is not None:
            reason += f"one at distance {decimal_text(high)} is."
        else:
            reason += "that is all that was asked about." if whole else "no other class was found."
        if not (whole or known) and self.search.is_spent:
            late = time.monotonic() >= self.search.deadline
            reason = f"{'Out of time' if late else 'Interrupted'}. {reason}"
        proof, witness = self.proof, self.witness
        return Robustness(
            "holds" if whole or known else "unknown",
            reason,
            self.question.label,
            low,
            None if witness is None else witness.witness,
            high,
            None if proof is None else proof.method,
            # the point itself is evaluated
            RECOMPUTATION if proof is None else proof.rests_on,
            spent,
            tuple(self.tried),
            None if self.certified is None else self.certified[1].certificate,
            None if self.certified is None else self.certified[0],
            self.note or ("" if self.certified is None else self.certified[1].note),
        )


def _first_radius(question: LocalRobustness, limit: Fraction | None) -> Fraction:
    """A large radius: a witness in a large ball is found soon, and is often near."""
    size = max(map(abs, question.centre), default=Fraction(0)) if limit is None else limit
    return decimal_between(size / 8, size / 4) if size else Fraction(1, 4)
