"""Random formulas with curved kinks, norms, choices and sorts, and their gradients nearby.

A formula is a nested tuple.  Values and gradients are computed in high precision at points of
curves ``p + a t + b t² + c t³`` for a small t, by rules that are written here once more; along
generic curves nothing that is compared is equal unless it is equal everywhere.
"""

import random
from fractions import Fraction

from mpmath import mp, mpf

NAMES = "xyz"
T = mpf(10) ** -14
DIGITS = 260


def number(value):
    return ("number", Fraction(value))


def text(e, at):  # noqa: C901 (a case for each constructor)
    match e:
        case ("input", k):
            shift = at[k]
            return NAMES[k] if shift == 0 else f"({NAMES[k]}-({shift}))"
        case ("number", value):
            return f"({value})"
        case (("+" | "-" | "*" | "/") as sign, a, b):
            return f"({text(a, at)}{sign}{text(b, at)})"
        case ("^", a, power):
            return f"({text(a, at)})^({power})"
        case ("sqrt", a):
            return f"sqrt({text(a, at)})"
        case ("where", relation, a, b, c):
            return f"where({text(a, at)} {relation} 0, {text(b, at)}, {text(c, at)})"
        case ("both", a, b, c, d):
            return f"where({text(a, at)} > 0 and {text(b, at)} > 0, {text(c, at)}, {text(d, at)})"
        case ("sort" | "cummax", k, *args):
            return f"{e[0]}({', '.join(text(a, at) for a in args)})[{k}]"
        case ("topk", k, *args):
            return f"topk({len(args)}, {', '.join(text(a, at) for a in args)})[{k}]"
        case ("choose", (a, b), c, d):
            return f"choose(argmax({text(a, at)}, {text(b, at)}), {text(c, at)}, {text(d, at)})"
        case ("clip", a, low, high):
            return f"clip({text(a, at)}, {low}, {high})"
        case (name, *args):
            return f"{name}({', '.join(text(a, at) for a in args)})"


class Dual:
    """A value with its gradient."""

    def __init__(self, v, g):
        self.v, self.g = v, g

    def chain(self, v, slope):
        return Dual(v, [slope * a for a in self.g])

    def __add__(self, o):
        return Dual(self.v + o.v, [a + b for a, b in zip(self.g, o.g, strict=True)])

    def __sub__(self, o):
        return Dual(self.v - o.v, [a - b for a, b in zip(self.g, o.g, strict=True)])

    def __mul__(self, o):
        return Dual(self.v * o.v, [a * o.v + b * self.v for a, b in zip(self.g, o.g, strict=True)])

    def __truediv__(self, o):
        return self * o.chain(1 / o.v, -1 / o.v**2)


SMOOTH = {
    "sin": (mp.sin, mp.cos),
    "exp": (mp.exp, mp.exp),
    "tanh": (mp.tanh, lambda v: 1 - mp.tanh(v) ** 2),
    "atan": (mp.atan, lambda v: 1 / (1 + v**2)),
    "log": (mp.log, lambda v: 1 / v),
    "sqrt": (mp.sqrt, lambda v: 1 / (2 * mp.sqrt(v)) if v else mpf(0)),
}


def value(e, x):  # noqa: C901, PLR0912 (a case for each constructor)
    """The value and gradient at a point where nothing is at a kink."""
    size = len(x)
    match e:
        case ("input", k):
            return Dual(x[k], [mpf(k == j) for j in range(size)])
        case ("number", v):
            return Dual(mpf(v.numerator) / v.denominator, [mpf(0)] * size)
        case ("+", a, b):
            return value(a, x) + value(b, x)
        case ("-", a, b):
            return value(a, x) - value(b, x)
        case ("*", a, b):
            return value(a, x) * value(b, x)
        case ("/", a, b):
            return value(a, x) / value(b, x)
        case ("^", a, power):
            v = value(a, x)
            if power.denominator == 1:
                return v.chain(v.v ** int(power), int(power) * v.v ** (int(power) - 1))
            p = mpf(power.numerator) / power.denominator
            return v.chain(v.v**p, p * v.v ** (p - 1) if v.v else mpf(0))
        case ("abs", a):
            v = value(a, x)
            return v.chain(abs(v.v), -1 if v.v < 0 else 1)
        case ("relu", a):
            v = value(a, x)
            return v.chain(max(v.v, mpf(0)), 1 if v.v > 0 else 0)
        case ("max" | "min" | "norm" | "hypot" | "median", *args):
            given = [value(a, x) for a in args]
            if e[0] in ("max", "min"):
                return (max if e[0] == "max" else min)(given, key=lambda d: d.v)
            if e[0] == "median":
                return sorted(given, key=lambda d: d.v)[len(given) // 2]
            total = given[0] * given[0]
            for d in given[1:]:
                total = total + d * d
            return total.chain(*(f(total.v) for f in SMOOTH["sqrt"]))
        case ("sort" | "topk", k, *args):
            given = sorted((value(a, x) for a in args), key=lambda d: d.v)
            return (given if e[0] == "sort" else given[::-1])[k]
        case ("cummax", k, *args):
            return max((value(a, x) for a in args[: k + 1]), key=lambda d: d.v)
        case ("clip", a, low, high):
            v = value(a, x)
            inside = low < v.v < high
            return v.chain(min(max(v.v, mpf(low)), mpf(high)), 1 if inside else 0)
        case ("where", relation, a, b, c):
            v = value(a, x).v
            held = {">": v > 0, ">=": v >= 0, "<": v < 0, "!=": v != 0, "==": v == 0}[relation]
            return value(b if held else c, x)
        case ("both", a, b, c, d):
            return value(c if value(a, x).v > 0 and value(b, x).v > 0 else d, x)
        case ("choose", (a, b), c, d):
            return value(c if value(a, x).v >= value(b, x).v else d, x)
        case ("huber", a):
            v = value(a, x)
            if abs(v.v) <= 1:
                return v.chain(v.v**2 / 2, v.v)
            return v.chain(abs(v.v) - mpf(1) / 2, 1 if v.v > 0 else -1)
        case ("logaddexp", a, b):
            a, b = value(a, x), value(b, x)
            total = a.chain(mp.exp(a.v), mp.exp(a.v)) + b.chain(mp.exp(b.v), mp.exp(b.v))
            return total.chain(mp.log(total.v), 1 / total.v)
        case (name, a):
            v = value(a, x)
            return v.chain(*(f(v.v) for f in SMOOTH[name]))
    raise AssertionError(e)


# --- generation ----------------------------------------------------------------------------------


def total(terms):
    found = terms[0]
    for term in terms[1:]:
        found = ("+", found, term)
    return found


def linear(rng, size):
    terms = []
    while not terms:
        for k in range(size):
            factor = rng.choice([0, 0, 1, 1, -1, -1, 2, -2])
            if factor:
                terms.append(("input", k) if factor == 1 else ("*", number(factor), ("input", k)))
    return total(terms)


def monomial(rng, size, degree):
    found = ("input", rng.randrange(size))
    for _ in range(degree - 1):
        found = ("*", found, ("input", rng.randrange(size)))
    factor = rng.choice([1, 1, -1, -1, 2, -2])
    return found if factor == 1 else ("*", number(factor), found)


def polynomial(rng, size):
    """One that vanishes at the point: linear, or with curved terms, or without linear ones."""
    share = rng.random()
    if share < 0.25:
        return linear(rng, size)
    curved = [monomial(rng, size, rng.choice([2, 2, 2, 3])) for _ in range(rng.choice([1, 1, 2]))]
    if share < 0.4:
        return total(curved)
    line = ("input", rng.randrange(size)) if rng.random() < 0.6 else linear(rng, size)
    return total([line, *curved])


def smooth(rng, size):
    share = rng.random()
    if share < 0.7:
        return polynomial(rng, size)
    inner = polynomial(rng, size) if rng.random() < 0.5 else linear(rng, size)
    name = rng.choice(["sin", "tanh", "exp", "atan", "log", "/"])
    if name == "exp":
        return ("-", ("exp", inner), number(1))
    if name == "log":
        return ("log", ("+", number(1), inner))
    if name == "/":
        return ("/", inner, ("+", number(1), ("^", linear(rng, size), Fraction(2))))
    return (name, inner)


def norm(rng, size):
    name = rng.choice(["norm", "norm", "hypot", "sqrt"])
    count = 2 if name == "hypot" else rng.choice([2, 2, 3]) if size > 2 else 2
    if rng.random() < 0.6:
        places = rng.sample(range(size), min(size, count))
        args = [("input", k) for k in places]
        args += [linear(rng, size) for _ in range(count - len(args))]
        if rng.random() < 0.3:
            args[0] = linear(rng, size)
    else:
        args = [polynomial(rng, size) for _ in range(count)]
    if name == "sqrt":
        return ("sqrt", total([("^", a, Fraction(2)) for a in args]))
    return (name, *args)


def argument(rng, size, depth):
    if depth and rng.random() < 0.4:
        inner = piecewise(rng, size, depth - 1)
        return (rng.choice("+-"), inner, smooth(rng, size)) if rng.random() < 0.6 else inner
    return smooth(rng, size)


def touching(rng, size, depth):
    """A choice whose branches meet where the condition changes."""
    wall = smooth(rng, size) if rng.random() < 0.6 else linear(rng, size)
    relation = rng.choice([">", ">=", "<"])
    share = rng.random()
    if share < 0.3:
        return ("where", relation, wall, wall, ("*", number(rng.choice([-1, 0, 2])), wall))
    if share < 0.45:
        return ("where", rng.choice([">", ">="]), wall, ("^", wall, Fraction(3, 2)), number(0))
    if share < 0.55:
        return ("where", "!=", wall, ("/", ("sin", wall), wall), number(1))
    base = argument(rng, size, depth)
    other = ("+", base, ("*", wall, ("+", number(rng.choice([0, 1, -2])), smooth(rng, size))))
    return ("where", relation, wall, *((base, other) if rng.random() < 0.5 else (other, base)))


def choice(rng, size, depth):
    share = rng.random()
    a, b = argument(rng, size, depth), argument(rng, size, depth)
    if share < 0.2:
        # decided away from the kink
        wall = ("+", number(rng.choice([1, -1])), smooth(rng, size))
        return ("where", rng.choice([">", "<"]), wall, a, b)
    if share < 0.75:
        return touching(rng, size, depth)
    if share < 0.85:
        return ("choose", (a, b), a, b) if rng.random() < 0.8 else ("choose", (a, b), b, a)
    if share < 0.93:
        return ("both", a, b, ("min", a, b), number(0))
    return ("where", rng.choice([">", "<"]), smooth(rng, size), a, b)


def order(rng, size, depth):
    count = rng.choice([2, 3, 3, 4])
    args = [argument(rng, size, depth if k == 0 else 0) for k in range(count)]
    if rng.random() < 0.25:
        args[-1] = number(rng.choice([0, 0, 1]))
    name = rng.choice(["sort", "sort", "topk", "median", "cummax"])
    if name == "median":
        return ("median", *args[:3], *([linear(rng, size)] if count < 3 else []))
    return (name, rng.randrange(count), *args)


def kink(rng, size, depth):
    name = rng.choice(["max", "min", "abs", "abs", "relu", "clip", "max"])
    first = argument(rng, size, depth)
    if name in ("max", "min"):
        return (name, first, argument(rng, size, depth))
    return ("clip", first, *rng.choice([(-1, 0), (0, 1)])) if name == "clip" else (name, first)


def piecewise(rng, size, depth):
    kinds = [kink, kink, norm_of, choice, order]
    return rng.choice(kinds)(rng, size, depth)


def norm_of(rng, size, _depth):
    return norm(rng, size)


def output(rng, size):
    found = None
    for _ in range(rng.choice([1, 1, 2, 2])):
        part = piecewise(rng, size, rng.choice([0, 0, 1]))
        share = rng.random()
        if share < 0.15:
            factor = smooth(rng, size)
            part = ("*", part, ("+", number(1), factor) if rng.random() < 0.5 else factor)
        elif share < 0.25:
            part = rng.choice(
                [("sin", part), ("exp", part), ("huber", part), ("logaddexp", part, number(0))]
            )
        elif share < 0.3:
            part = ("sqrt", ("+", number(1), part))
        if rng.random() < 0.3:
            part = ("*", number(rng.choice([-1, 2, -2])), part)
        found = part if found is None else (rng.choice("+-"), found, part)
    return ("+", found, smooth(rng, size)) if rng.random() < 0.3 else found


def formula(seed):
    """The number of inputs, the point, and the formula."""
    rng = random.Random(seed)
    size = rng.choice([1, 2, 2, 2, 2, 3])
    at = [rng.choice([0, 0, 0, 1, Fraction(-1, 2)]) for _ in range(size)]
    return size, at, output(rng, size)


# --- samples -------------------------------------------------------------------------------------


def curve(rng, size):
    """The shift from the point along a random curve of order 1, 2 or 3."""
    coefficients = []
    for power in range(1, rng.choice([1, 2, 2, 3, 3]) + 1):
        row = [rng.choice([0, 0, 1, -1, 2, -2, 3, -3]) for _ in range(size)]
        if rng.random() < 0.5:
            row = [rng.choice([0, rng.gauss(0, 1)]) for _ in range(size)]
        if power == 1 and rng.random() < 0.35:
            row = [0] * size
            row[rng.randrange(size)] = rng.choice([1, -1])
        coefficients.append(row)
    # nothing is equal by chance
    coefficients.append([rng.gauss(0, 1) for _ in range(size)])
    t = T
    return [
        sum((mpf(row[k]) * t ** (p + 1) for p, row in enumerate(coefficients)), mpf(0))
        for k in range(size)
    ]


def samples(e, size, seed, count):
    """Shifts, values and gradients at points near the point."""
    rng = random.Random(seed)
    with mp.workdps(DIGITS):
        found = []
        for _ in range(count):
            shift = curve(rng, size)
            try:
                dual = value(e, shift)
            except (ZeroDivisionError, ValueError):
                continue
            found.append((shift, dual.v, [float(a) for a in dual.g]))
        return found
