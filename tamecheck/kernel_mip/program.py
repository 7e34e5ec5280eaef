"""The program inside a certificate, in integers, and what a point or multipliers prove about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm

from tamecheck.kernel import read
from tamecheck.kernel.strict import Reject, common, pairs, require, spend, spend_long

Number = int | Fraction
End = Number | None
Terms = list[tuple[int, int]]
LONGEST, DIGITS = 1 << 16, 20_000
KINDS = ("continuous", "integer", "semicontinuous", "semi-integer")


@dataclass(frozen=True, slots=True)
class Program:
    """Minimise costs x / scale with row_lower <= rows x / scale <= row_upper, all x admitted."""

    sha256: str
    sign: int
    constant: Fraction
    scale: int
    costs: Sequence[int]
    rows: Sequence[Terms]
    row_lower: Sequence[End]
    row_upper: Sequence[End]
    lower: Sequence[End]
    upper: Sequence[End]
    integral: Sequence[bool]
    semi: Sequence[bool]
    size: int  # the number of costs and of terms
    bits: int  # at least those of a sum of the program's numbers

    def hull(self, j: int) -> tuple[End, End]:
        """Return bounds on every value that column j may take."""
        low, high = self.lower[j], self.upper[j]
        if self.semi[j]:
            return None if low is None else min(low, 0), None if high is None else max(high, 0)
        return low, high

    def require_feasible(self, x: Sequence[Number]) -> Fraction:
        """Reject unless x satisfies every row, bound and kind; return its value."""
        tops, over, value = self._numerators(x)
        for j, v in enumerate(x):
            if not (self.semi[j] and v == 0):
                require(_within(v, 1, self.lower[j], self.upper[j]), f"column {j} is out of bounds")
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
        tops = [v.numerator * (over // v.denominator) for v in x]
        value = Fraction(sum([c * v for c, v in pairs(self.costs, tops)]), over * self.scale)
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

    def _combination(self, y: Terms, others: Sequence[int]) -> list[int]:
        """Return the sum of the rows times their multipliers, to go on with the other numbers."""
        bits = max(n.bit_length() for n in [self.scale, *others, *(n for _, n in y)])
        spend_long(len(self.costs) + sum(len(self.rows[i]) for i, _ in y), self.bits + bits)
        form = [0] * len(self.costs)
        for i, n in y:
            for j, a in self.rows[i]:
                form[j] += n * a
        return form

    def least(
        self, y: Terms, costs: Sequence[int], lower: Sequence[End], upper: Sequence[End]
    ) -> Number | None:
        """Return a lower bound of costs x, which the multipliers prove within the bounds."""
        total, parts = 0, dict[int, int]()
        sides = [(n * self.scale, (self.row_lower if n > 0 else self.row_upper)[i]) for i, n in y]
        for j, a in enumerate(self._combination(y, costs)):
            if d := costs[j] - a:
                sides.append((d, (lower if d > 0 else upper)[j]))
        for d, end in sides:
            if end is None:
                return None
            if type(end) is int:
                total += d * end
            else:
                parts[end.denominator] = parts.get(end.denominator, 0) + d * end.numerator
        return sum((Fraction(top, low) for low, top in parts.items()), Fraction(total))

    def bound(
        self, y: Terms, over: int, lower: Sequence[End], upper: Sequence[End]
    ) -> Fraction | None:
        """Return a lower bound of the objective, which the multipliers y / over prove."""
        least = self.least(y, [c * over for c in self.costs], lower, upper)
        return None if least is None else Fraction(least) / (self.scale * over)

    def require_gap(self, y: Terms, over: int, lower: Sequence[End], upper: Sequence[End]) -> None:
        """Reject unless the multipliers y / over combine rows to one that no integer satisfies."""
        unit = self.scale * over
        ends = list[tuple[Number, Number]]()
        for i, n in y:
            first, last = self.row_lower[i], self.row_upper[i]
            if first is None or last is None:
                raise Reject(f"row {i} lacks a bound")
            ends.append((n * self.scale * first, n * self.scale * last))
        # integral terms add up to an integer, which rows and other columns bound
        for j, a in enumerate(self._combination(y, [unit])):
            if a and not (self.integral[j] and a % unit == 0):
                first, last = lower[j], upper[j]
                if first is None or last is None:
                    raise Reject(f"column {j} lacks a bound")
                ends.append((-a * first, -a * last))
        low, high = sum(map(min, ends)), sum(map(max, ends))
        require(ceil(Fraction(low) / unit) > Fraction(high) / unit, "an integer is between")

    def require_step(self, step: Fraction, rows: Sequence[tuple[int, Fraction]]) -> None:
        """Reject unless the objective values of all points differ by multiples of step."""
        require(step > 0, "the step is not positive")
        spend_long(self.size, self.bits + longest([step, *(y for _, y in rows)]))
        rest = [Fraction(c) for c in self.costs]
        for i, y in rows:
            equation = self.row_lower[i] is not None and self.row_lower[i] == self.row_upper[i]
            require(equation, f"row {i} is no equation")
            for j, a in self.rows[i]:
                rest[j] -= y * a
        for j, c in enumerate(rest):
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
    terms = [[read.pair(t, "a term is a pair") for t in read.items(r["terms"])] for r in rows]
    given = [
        [own[side] for own in named] for named in (columns, rows) for side in ("lower", "upper")
    ]
    costs = [c["cost"] for c in columns]
    entries = [*costs, *(a for row in terms for _, a in row)]
    known = _numbers([*entries, *(v for own in given for v in own if v is not None)])
    bits = longest(known.values())
    spend_long(len(entries), bits)
    scale = lcm(*{known[a].denominator for a in entries})
    times = {a: known[a].numerator * (scale // known[a].denominator) for a in set(entries)}
    last, scaled = len(columns) - 1, list[Terms]()
    for row in terms:
        scaled.append([(read.integer(j, 0, last), times[a]) for j, a in row])
        require(len({j for j, _ in row}) == len(row), "a row names a column twice")
    lower, upper, row_lower, row_upper = (
        [None if v is None else known[v] for v in own] for own in given
    )
    integral = ["integer" in kind for kind in kinds]
    return Program(
        sha256=read.digest(value),
        sign=sign,
        constant=rational(objective["constant"]),
        scale=scale,
        costs=[sign * times[c] for c in costs],
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


def rational(value: object) -> Fraction:
    """Read a rational, which may be longer than those about graphs."""
    return read.rational(value, DIGITS)


def _numbers(texts: Sequence[object]) -> dict[object, Number]:
    """Read rationals, each text once."""
    require(set(map(type, texts)) <= {str}, "a number is not a string")
    counts = Counter(map(str, texts))
    spend(sum([times * read.reading(text) for text, times in counts.items()]))
    return {text: read.number(text, DIGITS) for text in counts}


def numbers(value: object) -> list[Number]:
    """Read a list of rationals."""
    texts = read.items(value)
    known = _numbers(texts)
    return [known[text] for text in texts]


def longest(numbers: Iterable[End]) -> int:
    """Return the bits of the longest number and of the common denominator, which are limited."""
    return _measure([v for v in numbers if v is not None])[1]


def _measure(given: Sequence[Number]) -> tuple[int, int]:
    """Return the common denominator, and the bits of it and of the longest number."""
    over = common({v.denominator for v in given}, LONGEST)
    if over is None:
        raise Reject("the common denominator is too long")
    bits = max((abs(v.numerator) for v in given), default=over).bit_length()
    return over, over.bit_length() + bits


def _within(v: Number, over: int, low: End, high: End) -> bool:
    """Tell whether v / over is between the ends."""
    return (low is None or low.numerator * over <= v * low.denominator) and (
        high is None or v * high.denominator <= high.numerator * over
    )


def _recedes(v: Number, low: End, high: End) -> bool:
    return (low is None or v >= 0) and (high is None or v <= 0)
