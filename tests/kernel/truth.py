"""What is certainly false about a small graph, found without the kernel: by sampling."""

import hashlib
import json
import math
import runpy
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from flint import arb

VALUES = runpy.run_path(str(Path(__file__).parent / "values.py"))
TRIGONOMETRIC = VALUES["TRIGONOMETRIC"]
TRANSCENDENTAL = VALUES["TRANSCENDENTAL"]
ball = VALUES["ball"]
SCALES = [Fraction(8) ** k for k in (0, 1, 2, 3, 4, 6, 8, -1, -2)]
compare = VALUES["compare"]
evaluate = VALUES["evaluate"]
flat = VALUES["flat"]
known = VALUES["known"]


class Truth:
    """The facts about the graph and domain of one certificate, each computed when it is needed."""

    def __init__(self, certificate):
        self.certificate = certificate
        self.nodes = certificate["model"]["graph"]["nodes"]
        self.points = [self._point(i) for i in range(12)]
        self.values = [evaluate(certificate, p) for p in self.points]
        self._rays, self._seen, self._far, self._near = {}, {}, {}, {}
        self.identities = set()

    def boxes(self, node):
        box, size = self.certificate["domain"][node["name"]], math.prod(node["shape"])
        sides = [[None if v is None else Fraction(v) for v in box[s]] for s in ("lower", "upper")]
        return [b * (size // len(b)) for b in sides]

    def _point(self, i, far=None):
        """Return a point of the domain: special ones first, then generic ones, then far ones."""
        found = {}
        for j, node in enumerate(n for n in self.nodes if n["op"] == "input"):
            values = []
            for e, (low, high) in enumerate(zip(*self.boxes(node), strict=True)):
                wish = [
                    Fraction(0),
                    Fraction(1),
                    Fraction(-1),
                    Fraction(1, 2),
                    Fraction(-30),
                    Fraction(30),
                ]
                seed = hashlib.sha256(f"{i} {j} {e}".encode()).digest()
                share = Fraction(int.from_bytes(seed[:4]), 2**32)
                start = low if low is not None else (high if high is not None else Fraction(8)) - 16
                end = high if high is not None else start + 16
                value = wish[i] if i < len(wish) else start + (end - start) * share
                value = start if i == 6 else end if i == 7 else value
                if far is not None:
                    value = far if high is None else -far if low is None else value
                value = value if low is None else max(value, low)
                values.append(ball(value if high is None else min(value, high)))
            array = np.empty(len(values), dtype=object)
            array[:] = values
            found[node["name"]] = array
        return found

    def unbounded(self):
        return any(None in side for n in self.nodes if n["op"] == "input" for side in self.boxes(n))

    def undefined(self, k):
        return any(v[k] is not None and not known(v[k]) for v in self.values)

    def defined(self, k):
        """Say whether all elements of the node certainly have values at a point."""
        return any(v[k] is not None and known(v[k]) for v in self.values)

    def outside(self, k, lower, upper):
        """Say whether some sampled value certainly violates these bounds."""
        for value in (v[k] for v in self.values):
            if value is None:
                continue
            for i, element in enumerate(flat(value)):
                # an open end is a list
                low, high = (
                    side[i % len(side)][0]
                    if isinstance(side[i % len(side)], list)
                    else side[i % len(side)]
                    for side in (lower, upper)
                )
                if element is None:
                    return self.certificate["version"] == 1
                if low is not None and element < ball(low):
                    return True
                if high is not None and element > ball(high):
                    return True
        return False

    def near(self, i, step):
        """Return the values at a point moved by `step` into the domain in a generic direction."""
        if (i, step) not in self._near:
            self._near[i, step] = self._moved(i, step)
        return self._near[i, step]

    def _moved(self, i, step):
        moved = {}
        for n in self.nodes:
            if n["op"] == "input":
                _, high = self.boxes(n)
                base = self.points[i][n["name"]]
                slopes = [Fraction(1, 3 + e) for e in range(len(base))]
                moves = [ball(step * s) for s in slopes]
                ends = [
                    b - m if h is not None and b + m > ball(h) else b + m
                    for b, m, h in zip(base, moves, high, strict=True)
                ]
                moved[n["name"]] = np.array(ends, dtype=object)
        return evaluate(self.certificate, moved)

    def curved(self, k):
        """Say whether the node is certainly not affine near most generic points."""
        bent = total = 0
        for i in range(8, 12):
            h = Fraction(1, 2**20)
            row = [self.values[i][k], self.near(i, h)[k], self.near(i, 2 * h)[k]]
            if any(v is None or not known(v) for v in row):
                continue
            total += 1
            second = row[0] - 2 * row[1] + row[2]
            bent += any(abs(v) > ball(Fraction(1, 2**90)) for v in flat(second))
        return total > 0 and bent * 2 > total

    def moves(self, k):
        """Say whether the node certainly varies near most generic points."""
        varied = total = 0
        for i in range(8, 12):
            row = [self.values[i][k], self.near(i, Fraction(1, 2**20))[k]]
            if any(v is None or not known(v) for v in row):
                continue
            total += 1
            varied += any(v != 0 and not v.contains(0) for v in flat(row[0] - row[1]))
        return total > 0 and varied * 2 > total

    def jumps(self, k):
        """Say whether the node certainly jumps at one of the special points."""
        for i in range(8):
            here, there = self.values[i][k], self.near(i, Fraction(1, 2**90))[k]
            if here is None or there is None or not known(here) or not known(there):
                continue
            if any(abs(v) > ball(Fraction(1, 10**6)) for v in flat(here - there)):
                return True
        return False

    def steep(self, k):
        """Say whether the node certainly has a huge difference quotient at a special point."""
        for i in range(8):
            here, there = self.values[i][k], self.near(i, Fraction(1, 2**90))[k]
            if here is None or there is None or not known(here) or not known(there):
                continue
            if any(abs(v) > ball(Fraction(2**30, 2**90)) for v in flat(here - there)):
                return True
        return False

    def depends(self, k, on):
        """Say whether node k certainly changes when node `on` is shifted."""
        for i in range(6, 12):
            plain = self.values[i][k]
            for shift in ("37/100", "-41/100"):
                other = evaluate(self.certificate, self.points[i], (on, ball(shift)))[k]
                if plain is None or other is None or not known(plain) or not known(other):
                    continue
                if any(v != 0 and not v.contains(0) for v in flat(plain - other)):
                    return True
        return False

    def free(self, k):
        node = self.nodes[k]
        return node["op"] != "input" and all(self.free(a) for a in node.get("args", ()))

    def uses(self, k, ops):
        """Say whether node k truly uses one of these ops on something that depends on an input."""
        return any(
            node["op"] in ops and not self.free(j) and self._above(k, j) and self.depends(k, j)
            for j, node in enumerate(self.nodes[: k + 1])
        )

    def _above(self, k, j):
        below = () if k in self.identities else self.nodes[k].get("args", ())
        return (k == j and k not in self.identities) or any(self._above(a, j) for a in below)

    def far(self, t):
        """Return the values far out along the unbounded directions."""
        if t not in self._far:
            self._far[t] = evaluate(self.certificate, self._point(9, far=t))
        return self._far[t]

    def along(self, k, count=60, step="37/25"):
        """Return the sum of node k far out along the unbounded directions."""
        if k not in self._rays:
            row = []
            for t in range(count):
                value = self.far(200 + Fraction(step) * t)[k]
                if value is None or not known(value):
                    row = None
                    break
                row.append(sum(flat(value), arb(0)))
            self._rays[k] = row
        return self._rays[k]

    def turns(self, k):
        """Return how often the fifth difference along the ray certainly changes its sign."""
        row = self.along(k)
        if row is None:
            return None
        for _ in range(5):  # so that polynomials of low degree do not hide an oscillation
            row = [b - a for a, b in pairwise(row)]
        signs = [s for s in map(compare, row) if s]
        return sum(a != b for a, b in pairwise(signs))

    def wavers(self, step):
        """Say whether an output turns, or is defined and undefined, many times on a curve."""
        places = {tuple(step["output"])}
        if step["rule"] == "components":  # a domain of points is not seen in values
            places |= {(a, 0) for node in self.nodes for a in node.get("args", ())}
        gaps = [Fraction(37, 25) * scale for scale in SCALES]
        return any(self._wavers(step, place, gap) for place in places for gap in gaps)

    def _wavers(self, step, place, gap):
        inputs, (k, element) = {}, place
        row, defined = [], []
        for t in (200 + gap * i for i in range(40)):
            for name, elements in step["curve"].items():
                sums = [sum(Fraction(c) * t ** int(p) for p, c in e.items()) for e in elements]
                inputs[name] = np.array([ball(v) for v in sums], dtype=object)
            value = evaluate(self.certificate, inputs)[k]
            defined.append(value is not None and known(value))
            row += [flat(value)[element]] if defined[-1] else []
        if any(v.rad() > ball(Fraction(1, 1000)) for v in row):
            return True  # too far out to be said
        if sum(a != b for a, b in pairwise(defined)) > 5:
            return True
        for _ in range(5):
            row = [b - a for a, b in pairwise(row)]
        signs = [s for s in map(compare, row) if s]
        return sum(a != b for a, b in pairwise(signs)) >= 8

    def slopes(self, k):
        """Return the number of different local slopes along the ray; None if unknown or curved."""
        found = set()
        for t in range(201, 225):
            here = Fraction(t) + Fraction(1, 7)
            row = [self.far(p)[k] for p in (here, here + Fraction(1, 2**20))]
            if any(v is None or not known(v) for v in row):
                return None
            found.add(round(float(flat((row[1] - row[0]) * 2**20)[0].mid()), 6))
        return len(found)

    def fast(self, k):
        """Say whether growth or convergence at infinity is faster than any power."""
        row = []
        for t in (30, 60, 120, 240):
            value = self.far(Fraction(t))[k]
            if value is None or not known(value):
                return False
            row.append(flat(value))
        for one in zip(*row, strict=True):
            sizes = [abs(v) for v in one[:3]]
            gaps = [abs(b - a) for a, b in pairwise(one)]
            for trend in (sizes, gaps):
                if all(v > 0 for v in trend):  # the logarithm of a power is linear in log t
                    first, second, third = (float(v.log().mid()) for v in trend)
                    if abs(third - second) > max(20, 1.5 * abs(second - first)):
                        return True
        return False

    def irrational(self, k):
        """Say whether a local slope is certainly no rational of small height."""
        here, there = self.values[9][k], self.near(9, Fraction(1, 2**20))[k]
        if here is None or there is None or not known(here) or not known(there):
            return False
        for v in flat((there - here) * 2**20):
            if not v.is_finite():
                return False
            mid = Fraction(int(v.mid().man_exp()[0])) * Fraction(2) ** int(v.mid().man_exp()[1])
            if abs(v - ball(mid.limit_denominator(10**12))) > ball(Fraction(1, 2**100)):
                return True
        return False

    def not_in(self, k, structure):
        """Say whether node k is certainly not definable in this structure."""
        key = k, structure, *sorted(self.identities)
        if key not in self._seen:
            self._seen[key] = self._not_in(k, structure)
        return self._seen[key]

    def _not_in(self, k, structure):
        if structure in ("rational-semilinear", "semilinear", "local") and self.curved(k):
            return True
        if structure in ("rational-semilinear", "local") and self.irrational(k):
            return True
        if structure not in ("exp", "an-exp", "pfaffian") and self.unbounded() and self.fast(k):
            return True
        if self.unbounded():
            if structure != "local" and (self.turns(k) or 0) > 20:
                return True
            if structure == "local" and (self.slopes(k) or 0) > 20:
                return True
        if structure in ("rational-semilinear", "semilinear", "semialgebraic", "local"):
            return self.uses(k, TRANSCENDENTAL)
        if structure == "exp":
            return self.uses(k, TRIGONOMETRIC)
        return structure == "an-exp" and self.unbounded() and self.uses(k, {"erf"})


IDENTITIES = {"normal-form", "value", "decided", "split"}
"""Rules for nodes that need not be in the structures of their ops."""
TRUTHS = {}


def first_lie(certificate):  # noqa: C901, PLR0912
    """Return a statement of an accepted certificate that is certainly false, or None."""
    key = json.dumps([certificate[k] for k in ("model", "tensors", "domain")])
    truth = TRUTHS.setdefault(key, None) or Truth(certificate)
    TRUTHS[key] = truth
    truth.identities = set()  # nodes that are not what their ops say
    for i, step in enumerate(certificate["steps"]):
        rule, k = step["rule"], step.get("node")
        if rule == "enclosure" and truth.outside(k, step["lower"], step["upper"]):
            return i, "enclosure"
        if rule in ("polynomial-bound", "orthant-bound") and truth.outside(
            k, [str(-Fraction(step["bound"]))], [step["bound"]]
        ):
            return i, "bound"
        if "in" in step and certificate["version"] == 1 and truth.undefined(k):
            return i, "undefined"
        if rule == "total" and truth.undefined(k):
            return i, "total"
        if rule == "nowhere" and truth.defined(k):
            return i, "nowhere"
        truth.identities |= {k} if rule in IDENTITIES or "finite" in step else set()
        for structure in step.get("in", ()) if rule != "domain" else ():
            if truth.not_in(k, structure):
                return i, structure
        if rule == "property":
            lie = {"continuous": truth.jumps, "locally_lipschitz": truth.steep,
                   "piecewise_linear": truth.curved, "piecewise_constant": truth.moves}  # fmt: skip
            if lie[step["property"]](k):
                return i, step["property"]
    claim = certificate["claim"]
    ends = [o["node"] for o in certificate["model"]["graph"]["outputs"]]
    if claim.get("empty") and all(map(truth.defined, ends)):
        return "empty", json.dumps(claim)
    if claim.get("total") and any(map(truth.undefined, ends)):
        return "total", json.dumps(claim)
    curves = [
        step for step in certificate["steps"] if step["rule"] in ("germ", "components", "exp-trig")
    ]
    if claim["verdict"] == "not-tame" and not any(map(truth.wavers, curves)):
        outputs = [o["node"] for o in certificate["model"]["graph"]["outputs"]]
        if not truth.unbounded() or all((truth.turns(k) or 0) < 20 for k in outputs):
            return "tame", json.dumps(claim)
        if claim["refutes"] == "locally-o-minimal" and all(
            (truth.slopes(k) or 99) < 10 for k in outputs
        ):
            return "locally tame", json.dumps(claim)
    return None
