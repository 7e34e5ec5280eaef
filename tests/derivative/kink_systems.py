"""Random systems of curved and affine kinks, and their gradients on curves, by series of their own.

An expression is a nested tuple.  Gradients are read on curves ``x(t)`` for small ``t > 0``: every
kink there is decided by the first coefficient of a power series in t that does not vanish.
"""

import math
import random
from fractions import Fraction

NAMES = "xyzw"
ORDER = 9


def constant(value):
    return ("constant", Fraction(value))


def text(e):
    match e:
        case ("input", k):
            return NAMES[k]
        case ("constant", value):
            return f"({value})"
        case (("+" | "-" | "*") as sign, a, b):
            return f"({text(a)}{sign}{text(b)})"
        case ("leaky", a):
            return f"max({text(a)},({text(a)})/4)"
        case ("clip", a, low, high):
            return f"clip({text(a)},{low},{high})"
        case (name, *args):
            return f"{name}({','.join(map(text, args))})"


def polynomial(rng, size, degrees=(2, 2, 3)):
    """A polynomial that vanishes at 0, affine or curved."""
    terms = []
    if rng.random() < 0.85:
        for k in range(size):
            factor = rng.choice([0, 0, 1, -1, 1, -1, 2, -2])
            if factor:
                terms.append(("*", constant(factor), ("input", k)))
    if rng.random() < 0.6:
        for _ in range(rng.randint(1, 2)):
            term, first = constant(rng.choice([1, -1, 2, -1, 1])), rng.randrange(size)
            for _ in range(rng.choice(degrees)):
                k = first if rng.random() < 0.6 else rng.randrange(size)
                term = ("*", term, ("input", k))
            terms.append(term)
    terms = terms or [("input", rng.randrange(size))]
    total = terms[0]
    for term in terms[1:]:
        total = ("+", total, term)
    return total


def argument(rng, size, depth):
    share = rng.random()
    if depth and share < 0.3:
        inner = kink(rng, size, depth - 1)
        return ("+", inner, polynomial(rng, size)) if rng.random() < 0.6 else inner
    if share < 0.42:
        name = rng.choice(["exp", "sin", "tanh"])
        inner = ("input", rng.randrange(size))
        inner = inner if rng.random() < 0.6 else polynomial(rng, size, (2,))
        curved = (name, inner)
        if name == "exp":
            curved = ("-", curved, constant(1))
        return ("-", curved, polynomial(rng, size)) if rng.random() < 0.8 else curved
    return polynomial(rng, size)


def kink(rng, size, depth):
    name = rng.choice(["max", "min", "max0", "max0", "abs", "relu", "relu", "leaky", "clip"])
    first = argument(rng, size, depth)
    if name in ("max", "min"):
        return (name, first, argument(rng, size, depth))
    if name == "max0":
        return ("max", first, constant(0))
    if name == "clip":
        return ("clip", first, *rng.choice([(-1, 0), (0, 1)]))
    return (name, first)


def output(rng, size):
    total = None
    for _ in range(rng.choice([1, 1, 2, 2, 3])):
        part = kink(rng, size, rng.choice([0, 0, 1]))
        if rng.random() < 0.15:
            factor = polynomial(rng, size)
            factor = ("+", constant(1), factor) if rng.random() < 0.6 else factor
            part = ("*", part, factor)
        if rng.random() < 0.4:
            part = ("*", constant(rng.choice([1, -1, 2, -2])), part)
        total = part if total is None else (rng.choice("+-"), total, part)
    return ("+", total, polynomial(rng, size)) if rng.random() < 0.3 else total


def system(seed):
    """The number of inputs, and one to three outputs."""
    rng = random.Random(seed)
    size = rng.choice([1, 2, 2, 2, 3, 3, 4])
    return size, [output(rng, size) for _ in range(rng.choice([1, 1, 2, 3]))]


class OnKinkError(Exception):
    """The curve does not leave a kink, as far as the series goes."""


def times(a, b):
    found = [Fraction(0)] * ORDER
    for i, u in enumerate(a):
        if u:
            for j in range(ORDER - i):
                found[i + j] += u * b[j]
    return found


def side(series, slope):
    """The sign for small t > 0; any one where the gradient is 0, so that it does not matter."""
    first = next((a for a in series if a), None)
    if first is None and any(slope):
        raise OnKinkError
    return 1 if first is None or first > 0 else -1


def odd(coefficients):
    return [Fraction(0) if k % 2 == 0 else coefficients[k // 2] for k in range(ORDER)]


SERIES = {
    "exp": [Fraction(1, math.factorial(k)) for k in range(ORDER)],
    "sin": odd([Fraction((-1) ** k, math.factorial(2 * k + 1)) for k in range(ORDER)]),
    "tanh": odd([Fraction(1), Fraction(-1, 3), Fraction(2, 15), Fraction(-17, 315)]),
}


def scaled(factor, a):
    return [factor * u for u in a[0]], [factor * u for u in a[1]]


def on_curve(e, inputs):  # noqa: C901 (a case for each constructor)
    """The series of a value, and its gradient's limit."""
    match e:
        case ("input", k):
            return inputs[k]
        case ("constant", value):
            return [value] + [Fraction(0)] * (ORDER - 1), [Fraction(0)] * len(inputs)
        case (("+" | "-") as sign, left, right):
            a, b = on_curve(left, inputs), scaled(1 if sign == "+" else -1, on_curve(right, inputs))
            return [u + v for u, v in zip(a[0], b[0], strict=True)], [
                u + v for u, v in zip(a[1], b[1], strict=True)
            ]
        case ("*", left, right):
            a, b = on_curve(left, inputs), on_curve(right, inputs)
            slope = [a[0][0] * v + b[0][0] * u for u, v in zip(a[1], b[1], strict=True)]
            return times(a[0], b[0]), slope
        case (("max" | "min") as name, left, right):
            a, b = on_curve(left, inputs), on_curve(right, inputs)
            ahead = side(
                *([u - v for u, v in zip(*pair, strict=True)] for pair in zip(a, b, strict=True))
            )
            return a if (ahead > 0) == (name == "max") else b
        case (("abs" | "relu" | "leaky") as name, inner):
            a = on_curve(inner, inputs)
            low = {"abs": Fraction(-1), "relu": Fraction(0), "leaky": Fraction(1, 4)}[name]
            return a if side(*a) > 0 else scaled(low, a)
        case ("clip", inner, low, high):
            a = on_curve(inner, inputs)
            for bound, outside in ((low, -1), (high, 1)):
                if side([a[0][0] - bound, *a[0][1:]], a[1]) == outside:
                    return on_curve(constant(bound), inputs)
            return a
        case (name, inner):
            a = on_curve(inner, inputs)
            assert a[0][0] == 0
            total = [Fraction(0)] * ORDER
            for coefficient in reversed(SERIES[name]):
                total = times(total, a[0])
                total[0] += coefficient
            return total, [SERIES[name][1] * u for u in a[1]]


def inputs_on(coefficients):
    """The inputs on a curve through 0, given the coefficients of t, t², … for each."""
    size = len(coefficients)
    return [
        (
            ([Fraction(0), *map(Fraction, row)] + [Fraction(0)] * ORDER)[:ORDER],
            [Fraction(int(k == j)) for j in range(size)],
        )
        for k, row in enumerate(coefficients)
    ]


def random_curve(rng, size):
    """Coefficients of a curve of order 1 to 3."""
    order = rng.choice([1, 2, 2, 3, 3])
    small = [0, 0, 1, -1, 1, -1, 2, -2, 3, -3]
    return [
        [
            rng.choice(small)
            if rng.random() < 0.7
            else Fraction(rng.randint(-12, 12), rng.choice([1, 2, 3, 4, 6, 8, 10]))
            for _ in range(order)
        ]
        for _ in range(size)
    ]


def gradients(outputs, coefficients):
    """The limit of the Jacobian on a curve."""
    inputs = inputs_on(coefficients)
    return [on_curve(e, inputs)[1] for e in outputs]
