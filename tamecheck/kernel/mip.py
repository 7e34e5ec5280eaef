"""Proofs about mixed-integer linear programs, by the five reasons of VIPR: asm lin rnd uns sol."""

# fmt: off
# ruff: noqa: PLR0915  (the checks in the order of the document)
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tamecheck.kernel.strict import Json, fields, integer, items, mapping, rational, require, word

Row = dict[str, Fraction]  # without zeros
WAY = {"<=": -1, "=": 0, ">=": 1}
ZERO = Fraction(0)

@dataclass(frozen=True, slots=True)
class Constraint:
    """row . x sense rhs, for every feasible x that satisfies the assumptions numbered `under`."""

    row: Row
    sense: str
    rhs: Fraction
    under: frozenset[int] = frozenset()
    assumed: bool = False

    def holds(self, value: Fraction) -> bool:
        """The left-hand side `value` satisfies it."""
        side = (value > self.rhs) - (value < self.rhs)
        return side in {"<=": (-1, 0), "=": (0,), ">=": (0, 1)}[self.sense]

    def implies(self, other: Constraint) -> bool:
        """Every x that satisfies this satisfies the other, as one sees without arithmetic."""
        if not self.row and not self.holds(ZERO):
            return True
        return self.row == other.row and self.sense in (other.sense, "=") and other.holds(self.rhs)

def _row(value: object, known: dict[str, bool]) -> Row:
    found = {name: rational(c) for name, c in mapping(value).items()}
    require(known.keys() >= found.keys(), "a row names an unknown variable")
    return {name: c for name, c in found.items() if c != 0}

def _constraint(raw: Json, known: dict[str, bool]) -> Constraint:
    require(word(raw["sense"]) in WAY, "unknown sense")
    return Constraint(_row(raw["row"], known), word(raw["sense"]), rational(raw["rhs"]))

def _dot(row: Row, x: Row) -> Fraction:
    return sum((c * x.get(name, ZERO) for name, c in row.items()), ZERO)

def _combine(terms: list[tuple[Constraint, Fraction]], sense: str) -> Constraint:
    """Return the sum of multiples of constraints; each must point the way of `sense`."""
    total: Row = {}
    for c, factor in terms:
        points = WAY[c.sense] * factor * WAY[sense] > 0
        require(points or WAY[c.sense] * factor == 0, "a multiplier has the wrong sign")
        for name, value in c.row.items():
            total[name] = total.get(name, ZERO) + factor * value
    under = frozenset(i for c, _ in terms for i in c.under)
    rhs = sum((factor * c.rhs for c, factor in terms), ZERO)
    return Constraint({name: v for name, v in total.items() if v != 0}, sense, rhs, under)

def _round(c: Constraint, integral: dict[str, bool]) -> Constraint:
    whole = all(integral[name] and v.denominator == 1 for name, v in c.row.items())
    require(whole and c.sense != "=", "only <= or >= with integer coefficients of integers rounds")
    turn = floor if c.sense == "<=" else ceil
    return Constraint(c.row, c.sense, Fraction(turn(c.rhs)), c.under)

def check_mip(raw: Json, at: list[int | None]) -> Json:
    """Check a certificate about a program and return its claim; at[0] is the current step."""
    fields(raw, "format version problem claim solutions derivations")
    integer(raw["version"], 1, 1)
    problem = fields(raw["problem"], "sense objective variables constraints")
    variables = [fields(v, "name integer") for v in items(problem["variables"])]
    integral = {word(v["name"]): v["integer"] is True for v in variables}
    require(len(integral) == len(variables), "two variables have one name")
    require(all(isinstance(v["integer"], bool) for v in variables), "integer must be true or false")
    sense = word(problem["sense"])
    require(sense in ("min", "max"), "the sense of a problem is min or max")
    listed = [fields(c, "row sense rhs") for c in items(problem["constraints"])]
    facts = [_constraint(c, integral) for c in listed]
    rows, objective, values = list(facts), _row(problem["objective"], integral), list[Fraction]()
    better, worse = ("<=", ">=") if sense == "min" else (">=", "<=")
    for entry in items(raw["solutions"]):
        x = _row(entry, integral)
        whole = all(v.denominator == 1 for name, v in x.items() if integral[name])
        require(whole, "a solution is not integral")
        require(all(c.holds(_dot(c.row, x)) for c in rows), "a solution violates a constraint")
        values.append(_dot(objective, x))
    for i, entry in enumerate(items(raw["derivations"])):
        at[0] = i
        reason = word(mapping(entry).get("reason"))
        extra = {"asm": "", "lin": "from", "rnd": "from", "uns": "by", "sol": "solution"}
        require(reason in extra, "unknown reason")
        step = fields(entry, f"reason row sense rhs {extra[reason]}")
        claimed, found, under = _constraint(step, integral), None, frozenset[int]()
        if reason == "asm":
            found, under = claimed, frozenset({len(facts)})
        elif reason == "sol":  # sound since it only cuts off x that are worse than a known one
            value = values[integer(step["solution"], 0, len(values) - 1)]
            found = Constraint(objective, better, value)
        elif reason == "uns":
            by = [integer(j, 0, len(facts) - 1) for j in items(step["by"])]
            require(len(by) == 4, "uns needs a constraint and an assumption, twice")
            left, low, right, high = (facts[j] for j in by)
            split = low.assumed and high.assumed and low.row == high.row
            split = split and (low.sense, high.sense) == ("<=", ">=") and high.rhs == low.rhs + 1
            split = split and low.rhs.denominator == 1
            require(split, "the assumptions are not r <= n and r >= n + 1")
            _round(low, integral)
            require(left.implies(claimed), "the first side does not imply the constraint")
            found, under = right, (left.under - {by[1]}) | (right.under - {by[3]})
        else:
            pairs = [items(pair) for pair in items(step["from"])]
            require(all(len(pair) == 2 for pair in pairs), "from lists pairs")
            terms = [(facts[integer(j, 0, len(facts) - 1)], rational(f)) for j, f in pairs]
            found = _combine(terms, claimed.sense)
            found = _round(found, integral) if reason == "rnd" else found
            under = found.under
        require(found.implies(claimed), "the constraint does not follow")
        facts.append(Constraint(claimed.row, claimed.sense, claimed.rhs, under, reason == "asm"))
    at[0] = None
    claim = mapping(raw["claim"])
    proved = [c for c in facts if not c.under]
    if claim.get("verdict") == "infeasible":
        fields(claim, "verdict")
        require(not values, "an infeasible program has no solutions")
        require(any(not c.row and not c.holds(ZERO) for c in proved), "no contradiction is derived")
        return claim
    fields(claim, "verdict value" if claim.get("verdict") == "optimal" else "verdict lower upper")
    require(claim["verdict"] in ("optimal", "bounds"), "unknown verdict")
    low, high = [claim.get("value", claim.get(side)) for side in ("lower", "upper")]
    require(low is not None or high is not None, "nothing is claimed")
    bound, reached = (low, high) if sense == "min" else (high, low)
    if bound is not None:  # every feasible x is at least as bad as this
        target = Constraint(objective, worse, rational(bound))
        require(any(c.implies(target) for c in proved), "the bound is not derived")
    if reached is not None:  # some feasible x is at least as good as this
        target = Constraint({}, better, rational(reached))
        require(any(target.holds(v) for v in values), "no solution is that good")
    return claim
