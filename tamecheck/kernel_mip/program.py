"""The program inside a certificate, in integers, and what a point or multipliers prove about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import ceil, floor, lcm

from tamecheck.kernel import read
from tamecheck.kernel.strict import Reject, joint, pairs, require, spend, spend_long

Number = int | Fraction
End = Number | None
Terms = list[tuple[int, int]]
Form = defaultdict[int, int]
LONGEST, DIGITS = 1 << 16, 20_000
MEMORY = 1 << 30  # bits of the numerators of a point
KINDS = ("continuous", "integer", "semicontinuous", "semi-integer")


@dataclass(frozen=True, slots=True)
class Program:
    """Minimise costs x / scale with row_lower <= rows x / scale <= row_upper, all x admitted."""

    sha256: str
    sign: int
    constant: Fraction
    scale: int
    costs: Terms
    rows: list[Terms]
    row_lower: list[End]
    row_upper: list[End]
    lower: Sequence[End]
    upper: Sequence[End]
    integral: Sequence[bool]
    semi: Sequence[bool]
    size: int  # the number of costs and of terms
    bits: int  # at least those of a sum of the program's numbers

    def hulls(self) -> tuple[list[End], list[End]]:
        """Return bounds on every value that columns may take."""
        lower, upper = list(self.lower), list(self.upper)
        for j in [j for j, semi in enumerate(self.semi) if semi]:
            low, high = lower[j], upper[j]
            lower[j], upper[j] = low and min(low, 0), high and max(high, 0)
        return lower, upper

    def point(self, value: object) -> list[Number]:
        """Read a point."""
        texts = read.items(value)
        require(len(texts) == len(self.lower), "a point has one number a column")
        known = _numbers(texts)
        return [known[text] for text in texts]

    def require_feasible(self, x: Sequence[Number]) -> Fraction:
        """Reject unless x satisfies every row, bound and kind; return its value."""
        tops, over, value = self._numerators(x)
        for j, v in enumerate(x):
            if not (self.semi[j] and v == 0):
                inside = _within(tops[j], over, self.lower[j], self.upper[j])
                require(inside, f"column {j} is out of bounds")
                require(not self.integral[j] or v.denominator == 1, f"column {j} is not integral")
        for i, terms in enumerate(self.rows):
            top = sum([a * tops[j] for j, a in terms])
            holds = _within(top, over * self.scale, self.row_lower[i], self.row_upper[i])
            require(holds, f"row {i} is violated")
        return value

    def _numerators(self, x: Sequence[Number]) -> tuple[list[int], int, Fraction]:
        """Return numerators over one denominator, that, and the value without the constant."""
        over, bits = _measure(x)
        spend_long(self.size, self.bits + bits)
        used = sum([v != 0 for v in x]) * over.bit_length()
        require(used <= MEMORY, "the point is too long over its common denominator")
        tops = [v.numerator * (over // v.denominator) for v in x]
        value = Fraction(sum([c * tops[j] for j, c in self.costs]), over * self.scale)
        return tops, over, value

    def require_ray(self, ray: Sequence[Number]) -> None:
        """Reject unless every point plus the ray is a point, and is better."""
        tops, _, value = self._numerators(ray)
        for j, v in enumerate(ray):
            require(not self.semi[j] or v == 0, f"the ray moves the semi column {j}")
            require(not self.integral[j] or v.denominator == 1, f"the ray is not integral at {j}")
            require(_recedes(v, self.lower[j], self.upper[j]), f"the ray leaves column {j}")
        for i, v in enumerate([sum([a * tops[j] for j, a in terms]) for terms in self.rows]):
            require(_recedes(v, self.row_lower[i], self.row_upper[i]), f"the ray leaves row {i}")
        require(value < 0, "the ray does not improve the objective")

    def combine(self, y: Terms, form: Form) -> Form:
        """Take the rows times their multipliers from a form, and return it."""
        numbers = [self.scale, *form.values(), *(n for _, n in y)]
        work = len(form) + sum(len(self.rows[i]) for i, _ in y)
        spend_long(work, self.bits + max(map(int.bit_length, numbers)))
        for i, n in y:
            for j, a in self.rows[i]:
                form[j] -= n * a
        return form

    def sides(self, y: Terms) -> list[tuple[int, End]]:
        """Return the multipliers, each with the side of its row that its sign chooses."""
        return [(n * self.scale, (self.row_lower if n > 0 else self.row_upper)[i]) for i, n in y]

    def least(
        self, y: Terms, form: Form, lower: Sequence[End], upper: Sequence[End]
    ) -> Number | None:
        """Return a lower bound of a form, which the multipliers prove within the bounds."""
        ends = ((d, (lower if d > 0 else upper)[j]) for j, d in self.combine(y, form).items() if d)
        return total([*self.sides(y), *ends])

    def require_gap(self, y: Terms, over: int, lower: Sequence[End], upper: Sequence[End]) -> None:
        """Reject unless the multipliers y / over combine rows to one that no integer satisfies."""
        unit = self.scale * over
        form = self.combine(y, Form(int))
        spend_long(len(form), self.bits + unit.bit_length())
        # integral terms add up to an integer, which rows and other columns bound
        parts = [("row", i, n * self.scale, self.row_lower[i], self.row_upper[i]) for i, n in y]
        parts += [
            ("column", j, d, lower[j], upper[j])
            for j, d in form.items()
            if d and not (self.integral[j] and d % unit == 0)
        ]
        ends = list[tuple[Number, Number]]()
        for what, k, d, first, last in parts:
            if first is None or last is None:
                raise Reject(f"{what} {k} lacks a bound")
            ends.append((d * first, d * last))
        low, high = sum(map(min, ends)), sum(map(max, ends))
        require(ceil(Fraction(low) / unit) > Fraction(high) / unit, "an integer is between")

    def require_step(self, step: Fraction, rows: Sequence[tuple[int, Fraction]]) -> None:
        """Reject unless the objective values of all points differ by multiples of step."""
        require(step > 0, "the step is not positive")
        spend_long(self.size, self.bits + longest([step, *(y for _, y in rows)]))
        rest = defaultdict(Fraction, [(j, Fraction(c)) for j, c in self.costs])
        for i, y in rows:
            equation = self.row_lower[i] is not None and self.row_lower[i] == self.row_upper[i]
            require(equation, f"row {i} is no equation")
            for j, a in self.rows[i]:
                rest[j] -= y * a
        for j, c in rest.items():
            fits = c == 0 or (self.integral[j] and (c / self.scale / step).denominator == 1)
            require(fits, f"the objective moves in other steps along column {j}")


def read_program(value: object) -> Program:
    """Read the canonical form of a program."""
    raw = read.fields(value, "format version name sense objective columns rows")
    require(read.word(raw["format"]) == "tamecheck-program", "unknown format of the program")
    read.integer(raw["version"], 1, 1)
    read.word(raw["name"])
    sense = read.word(raw["sense"])
    require(sense in ("minimise", "maximise"), "unknown sense")
    sign = 1 if sense == "minimise" else -1
    objective = read.fields(raw["objective"], "name constant")
    read.word(objective["name"])
    columns = [read.fields(c, "name lower upper kind cost") for c in read.items(raw["columns"])]
    rows = [read.fields(r, "name lower upper terms") for r in read.items(raw["rows"])]
    for named in (columns, rows):
        require(len({read.word(c["name"]) for c in named}) == len(named), "two names are equal")
    kinds = [read.word(c["kind"]) for c in columns]
    require(set(kinds) <= set(KINDS), "unknown kind")
    terms = [read.items(r["terms"]) for r in rows]
    flat = read.pairs([t for row in terms for t in row], "a term is a pair")
    given = [
        [own[side] for own in named] for named in (columns, rows) for side in ("lower", "upper")
    ]
    costs = [c["cost"] for c in columns]
    entries = [*costs, *(a for _, a in flat)]
    known = _numbers([*entries, *(v for own in given for v in own if v is not None)])
    bits = longest(known.values())
    spend_long(len(entries), bits)
    scale = lcm(*{known[a].denominator for a in entries})
    times = {a: known[a].numerator * (scale // known[a].denominator) for a in set(entries)}
    places = read.indices([j for j, _ in flat], len(columns))
    left = pairs(places, [times[a] for _, a in flat])
    scaled = [list(islice(left, len(row))) for row in terms]
    require(all(len(dict(row)) == len(row) for row in scaled), "a row names a column twice")
    lower, upper, row_lower, row_upper = (list(map(known.get, own)) for own in given)
    integral = ["integer" in kind for kind in kinds]
    return Program(
        sha256=read.digest(value),
        sign=sign,
        constant=rational(objective["constant"]),
        scale=scale,
        costs=[(j, sign * times[c]) for j, c in enumerate(costs) if times[c]],
        rows=scaled,
        row_lower=row_lower,
        row_upper=row_upper,
        lower=[ceil(v) if w and v is not None else v for v, w in pairs(lower, integral)],
        upper=[floor(v) if w and v is not None else v for v, w in pairs(upper, integral)],
        integral=integral,
        semi=["semi" in kind for kind in kinds],
        size=len(entries),
        bits=bits,
    )


def total(products: Iterable[tuple[int, End]]) -> Number | None:
    """Return the sum of products, those of one denominator first; None if a factor is missing."""
    whole, parts = 0, dict[int, int]()
    for d, end in products:
        if end is None:
            return None
        if type(end) is int:
            whole += d * end
        else:
            parts[end.denominator] = parts.get(end.denominator, 0) + d * end.numerator
    found = Fraction(whole)
    for low, top in parts.items():
        found += Fraction(top, low)
        spend_long(16, found.denominator.bit_length())
    return found


def rational(value: object) -> Fraction:
    """Read a rational, which may be longer than those about graphs."""
    return read.rational(value, DIGITS)


def _numbers(texts: Sequence[object]) -> dict[object, Number]:
    """Read rationals, each text once."""
    require(set(map(type, texts)) <= {str}, "a number is not a string")
    counts = Counter(texts)
    spend(sum([times * read.reading(str(text)) for text, times in counts.items()]))
    return {text: read.number(text, DIGITS) for text in counts}


def longest(numbers: Iterable[End]) -> int:
    """Return the bits of the longest number and of the common denominator, which are limited."""
    return _measure([v for v in numbers if v is not None])[1]


def _measure(given: Sequence[Number]) -> tuple[int, int]:
    """Return the common denominator, and the bits of it and of the longest number."""
    over = joint({v.denominator for v in given}, LONGEST)
    bits = max((abs(v.numerator) for v in given), default=over).bit_length()
    return over, over.bit_length() + bits


def _within(v: Number, over: int, low: End, high: End) -> bool:
    """Tell whether v / over is between the ends."""
    return (low is None or low.numerator * over <= v * low.denominator) and (
        high is None or v * high.denominator <= high.numerator * over
    )


def _recedes(v: Number, low: End, high: End) -> bool:
    return (low is None or v >= 0) and (high is None or v <= 0)
