"""What is true about a small graph, found without the kernel: by sampling in ball arithmetic."""

import hashlib
import json
import math
from fractions import Fraction

import numpy as np
from flint import arb, fmpq

SMOOTH = {"exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
          "asinh", "acosh", "atanh", "tanh", "erf"}  # fmt: skip
TRIGONOMETRIC = {"sin", "cos", "tan", "asin", "acos", "atan", "erf"}
TRANSCENDENTAL = (SMOOTH - {"sqrt"}) | {"sigmoid", "softplus", "elu", "power", "softmax", "log_softmax", "logsumexp"}  # fmt: skip
NAN = arb("nan")


def ball(x):
    x = Fraction(x)
    return arb(fmpq(x.numerator, x.denominator))


def compare(x):
    """Return the sign of x, None if the ball does not tell."""
    return 1 if x > 0 else -1 if x < 0 else 0 if x == 0 else None


def whole(x, mode):
    """Round to an integer, NaN if the ball does not tell."""
    floor = x.floor().unique_fmpz()
    if floor is None:
        return NAN
    low = int(floor)
    half = compare(x - low - ball("1/2"))
    side, part = compare(x), compare(x - low)
    if None in (half, side, part):
        return NAN
    up = {
        "floor": False, "ceil": part > 0, "half_even": half > 0 or (half == 0 and low % 2),
        "half_up": half >= 0, "half_down": half > 0, "half_away": half > 0 or (half == 0 and side > 0),
        "half_toward_zero": half > 0 or (half == 0 and side < 0),
        "toward_zero": side < 0 and part > 0, "away_from_zero": side > 0 and part > 0,
    }[mode]  # fmt: skip
    return arb(low + bool(up))


def power(x, y):
    n = y.unique_fmpz()
    if n is not None and n >= 0:
        return x ** int(n)
    return (y * x.log()).exp() if x > 0 else None if x <= 0 else NAN


def raised(x, e):
    if e.denominator == 1:
        return (None if x == 0 else x ** int(e)) if e < 0 else x ** int(e)
    if x < 0 or (x == 0 and e < 0):
        return None
    return arb(0) if x == 0 else x ** ball(e)


def smooth(op, x):
    outside = {"log": x <= 0, "sqrt": x < 0, "acosh": x < 1, "asin": abs(x) > 1, "acos": abs(x) > 1,
               "atanh": abs(x) >= 1}.get(op, False)  # fmt: skip
    return None if outside else getattr(x, op)()


def choose(sign, below, zero, above):
    return NAN if sign is None else (below, zero, above)[sign + 1]


def scalar(op, p, args):
    """Return the value of a pointwise op on balls; None where it is undefined."""
    if any(a is None for a in args):
        return None
    x, y = args[0], args[-1]
    q = {k: Fraction(v) for k, v in p.items() if isinstance(v, str) and k != "mode"}
    sign, order = compare(x), compare(x - y)
    if op in SMOOTH:
        return smooth(op, x)
    return {
        "add": lambda: x + y, "sub": lambda: x - y, "mul": lambda: x * y, "neg": lambda: -x,
        "div": lambda: None if y == 0 else x / y, "abs": lambda: abs(x),
        "relu": lambda: choose(sign, arb(0), arb(0), x),
        "leaky_relu": lambda: choose(sign, ball(q["alpha"]) * x, arb(0), x),
        "prelu": lambda: choose(sign, x * y, arb(0), x),
        "elu": lambda: choose(sign, ball(q["alpha"]) * ((x / ball(q["beta"])).exp() - 1), arb(0), x),
        "maximum": lambda: x.max(y), "minimum": lambda: x.min(y),
        "clip": lambda: (x.max(ball(q["lo"])) if "lo" in q else x).min(ball(q.get("hi", 10**60))),
        "sign": lambda: choose(sign, arb(-1), ball(q["at_zero"]), arb(1)),
        "step": lambda: choose(sign, arb(0), ball(q["at_zero"]), arb(1)),
        "floor": lambda: whole(x, "floor"), "ceil": lambda: whole(x, "ceil"),
        "round": lambda: whole(x, p["mode"]),
        "select": lambda: choose(sign, args[1], args[2], args[1]),
        "equal": lambda: choose(order, arb(0), arb(1), arb(0)),
        "less": lambda: choose(order, arb(1), arb(0), arb(0)),
        "less_equal": lambda: choose(order, arb(1), arb(1), arb(0)),
        "pow": lambda: raised(x, q["exponent"]), "power": lambda: power(x, y),
        "sigmoid": lambda: 1 / (1 + (-x).exp()), "softplus": lambda: (1 + x.exp()).log(),
    }[op]()  # fmt: skip


def flat(values):
    return np.asarray(values, dtype=object).reshape(-1).tolist()


def known(values):
    return all(v is not None for v in flat(values))


def tensor_of(graph_tensors, node):
    form = graph_tensors.get(node["tensor"])
    shape = tuple(node["shape"])
    if form is None:  # the claim holds whatever the data are: take some that depend on the digest
        seed = hashlib.sha256(node["tensor"].encode()).digest()
        values = [Fraction(seed[i % 32] - 128, 16) for i in range(math.prod(shape))]
    elif form["encoding"] == "q":
        values = [Fraction(v) for v in form["data"]]
    else:
        import base64

        code = {"f32": "<f4", "f64": "<f8", "i64": "<i8"}[form["encoding"]]
        raw = np.frombuffer(base64.b64decode(form["data"]), code)
        values = [Fraction(v) for v in raw.tolist()]
    array = np.empty(len(values), dtype=object)
    array[:] = [ball(v) for v in values]
    return array.reshape(shape)


def indices(values):
    """Return integers, by the convention for indices out of range."""
    found = np.vectorize(lambda v: int(v.floor().unique_fmpz() or 0), otypes=[int])(values)
    return found


def fold(op, values, axes, *, keepdims):
    for axis in sorted(axes, reverse=True):
        function = np.frompyfunc(lambda a, b: scalar(op, {}, [a, b]), 2, 1)
        values = function.reduce(values, axis=axis, keepdims=keepdims)
        values = np.asarray(values, dtype=object)
    return values


def tensor_op(op, p, args, shape):
    """Return the value of an op that is not pointwise."""
    x = args[0]
    folds = {"sum": "add", "prod": "mul", "reduce_max": "maximum", "reduce_min": "minimum"}
    if op in folds:
        return fold(folds[op], x, p["axes"], keepdims=p["keepdims"])
    if op == "concat":
        return np.concatenate(args, p["axis"])
    if op == "pad":
        found = np.empty(shape, dtype=object)
        found[...] = ball(p["value"])
        found[tuple(slice(b, b + n) for b, n in zip(p["before"], x.shape, strict=True))] = x
        return found
    if op == "slice":
        picks = [s + t * np.arange(n) for s, t, n in zip(p["starts"], p["steps"], p["sizes"], strict=True)]
        return x[np.ix_(*picks)] if picks else x
    if op in ("reshape", "broadcast"):
        return x.reshape(shape) if op == "reshape" else np.broadcast_to(x, shape)
    if op == "transpose":
        return x.transpose(p["perm"])
    if op in ("gather", "gather_elements"):
        extent = x.shape[p["axis"]]
        i = np.clip(indices(args[1]), -extent, extent - 1)
        return np.take(x, i, p["axis"]) if op == "gather" else None
    if not all(known(a) for a in args):
        return np.full(shape, None, dtype=object)
    if op == "matmul":
        return np.asarray(np.matmul(*args), dtype=object)
    if op in ("argmax", "argmin"):
        floats = np.vectorize(lambda v: float(v.mid()), otypes=[float])(x)
        pick = np.argmax if op == "argmax" else np.argmin
        found = pick(floats, axis=p["axis"], keepdims=p["keepdims"])
        return np.vectorize(lambda v: arb(int(v)), otypes=[object])(found)
    return None


def evaluate(certificate, inputs, shifted=None):
    """Return the value of every node; None for what this oracle does not know how to evaluate."""
    values = []
    for k, node in enumerate(certificate["model"]["graph"]["nodes"]):
        shape, op = tuple(node["shape"]), node["op"]
        if op == "input":
            value = inputs[node["name"]].reshape(shape)
        elif op == "constant":
            value = tensor_of(certificate["tensors"], node)
        else:
            args = [values[a] for a in node["args"]]
            if any(a is None for a in args):
                value = None
            else:
                value = tensor_op(op, node["params"], args, shape)
                if value is None:
                    try:
                        function = np.frompyfunc(lambda *a, o=op, p=node["params"]: scalar(o, p, a), len(args), 1)
                        value = np.asarray(function(*args), dtype=object).reshape(shape)
                    except KeyError:
                        value = None
        if shifted is not None and k == shifted[0] and value is not None:
            value = np.asarray(value + shifted[1], dtype=object) if known(value) else value
        values.append(None if value is None else np.asarray(value, dtype=object))
    return values


class Truth:
    """The facts about the graph and domain of one certificate, each computed when it is needed."""

    def __init__(self, certificate):
        self.certificate = certificate
        self.nodes = certificate["model"]["graph"]["nodes"]
        self.points = [self._point(i) for i in range(12)]
        self.values = [evaluate(certificate, p) for p in self.points]
        self._rays, self._seen = {}, {}

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
                wish = [Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-30), Fraction(30)]
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

    def outside(self, k, lower, upper):
        """Say whether some sampled value certainly violates these bounds."""
        for value in (v[k] for v in self.values):
            if value is None:
                continue
            for i, element in enumerate(flat(value)):
                low, high = lower[i % len(lower)], upper[i % len(upper)]
                if element is None:
                    return True
                if low is not None and element < ball(low):
                    return True
                if high is not None and element > ball(high):
                    return True
        return False

    def near(self, i, step):
        """Return the values at a point moved by `step` into the domain along a generic direction."""
        moved = {}
        for n in self.nodes:
            if n["op"] == "input":
                low, high = self.boxes(n)
                base = self.points[i][n["name"]]
                slopes = [Fraction(1, 3 + e) for e in range(len(base))]
                moved[n["name"]] = np.array(
                    [b - ball(step * s) if h is not None and b + ball(step * s) > ball(h) else b + ball(step * s)
                     for b, s, h in zip(base, slopes, high, strict=True)], dtype=object)  # fmt: skip
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
        return k == j or any(self._above(a, j) for a in self.nodes[k].get("args", ()))

    def along(self, k, count=60, step="37/25"):
        """Return the sum of node k far out along the unbounded directions."""
        if k not in self._rays:
            row = []
            for t in range(count):
                value = evaluate(self.certificate, self._point(9, far=200 + Fraction(step) * t))[k]
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
            row = [b - a for a, b in zip(row, row[1:], strict=False)]
        signs = [s for s in map(compare, row) if s]
        return sum(a != b for a, b in zip(signs, signs[1:], strict=False))

    def slopes(self, k):
        """Return the number of different local slopes along the ray; None if unknown or curved."""
        found = set()
        for t in range(201, 225):
            point = self._point(9, far=Fraction(t) + Fraction(1, 7))
            next_ = self._point(9, far=Fraction(t) + Fraction(1, 7) + Fraction(1, 2**20))
            row = [evaluate(self.certificate, p)[k] for p in (point, next_)]
            if any(v is None or not known(v) for v in row):
                return None
            found.add(round(float(flat((row[1] - row[0]) * 2**20)[0].mid()), 6))
        return len(found)

    def fast(self, k):
        """Say whether growth or convergence at infinity is faster than any power."""
        row = []
        for t in (30, 60, 120, 240):
            value = evaluate(self.certificate, self._point(9, far=Fraction(t)))[k]
            if value is None or not known(value):
                return False
            row.append(flat(value))
        for one in zip(*row, strict=True):
            sizes = [abs(v) for v in one[:3]]
            gaps = [abs(b - a) for a, b in zip(one, one[1:], strict=False)]
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
            mid = Fraction(int(v.mid().man_exp()[0])) * Fraction(2) ** int(v.mid().man_exp()[1])
            if abs(v - ball(mid.limit_denominator(10**12))) > ball(Fraction(1, 2**100)):
                return True
        return False

    def not_in(self, k, structure):
        """Say whether node k is certainly not definable in this structure."""
        if (k, structure) not in self._seen:
            self._seen[k, structure] = self._not_in(k, structure)
        return self._seen[k, structure]

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


def program_is_wrong(certificate):
    """Say whether sampled points contradict the claim about a mixed-integer program."""
    problem, claim = certificate["problem"], certificate["claim"]
    names = [v["name"] for v in problem["variables"]]
    grids = [range(-4, 5) if v["integer"] else [Fraction(i, 4) for i in range(-12, 13)]
             for v in problem["variables"]]  # fmt: skip
    import itertools
    import operator

    test = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}
    sign = 1 if problem["sense"] == "min" else -1

    def dot(row, x):
        return sum((Fraction(c) * x[n] for n, c in row.items()), Fraction(0))

    best = None
    given = [{n: Fraction(s.get(n, 0)) for n in names} for s in certificate["solutions"]]
    for x in [dict(zip(names, p, strict=True)) for p in itertools.product(*grids)] + given:
        if all(test[c["sense"]](dot(c["row"], x), Fraction(c["rhs"])) for c in problem["constraints"]):
            value = sign * dot(problem["objective"], x)
            best = value if best is None else min(best, value)
    if claim["verdict"] == "infeasible":
        return best is not None
    ends = [claim.get("value", claim.get(side)) for side in ("lower", "upper")]
    bound = ends[0] if sign == 1 else ends[1]
    return bound is not None and best is not None and best < sign * Fraction(bound)


TRUTHS = {}


def first_lie(certificate):
    """Return a statement of an accepted certificate that is certainly false, or None."""
    if "problem" in certificate:
        return "program" if program_is_wrong(certificate) else None
    key = json.dumps([certificate[k] for k in ("model", "tensors", "domain")])
    truth = TRUTHS.setdefault(key, None) or Truth(certificate)
    TRUTHS[key] = truth
    for i, step in enumerate(certificate["steps"]):
        rule, k = step["rule"], step.get("node")
        if rule == "enclosure" and truth.outside(k, step["lower"], step["upper"]):
            return i, "enclosure"
        if rule == "polynomial-bound" and truth.outside(
            k, [str(-Fraction(step["bound"]))], [step["bound"]]
        ):
            return i, "bound"
        if "in" in step and truth.undefined(k):
            return i, "undefined"
        for structure in step.get("in", ()):
            if truth.not_in(k, structure):
                return i, structure
        if rule == "property":
            lie = {"continuous": truth.jumps, "locally_lipschitz": truth.steep,
                   "piecewise_linear": truth.curved, "piecewise_constant": truth.moves}  # fmt: skip
            if lie[step["property"]](k):
                return i, step["property"]
    claim = certificate["claim"]
    if claim["verdict"] == "not-tame":
        outputs = [o["node"] for o in certificate["model"]["graph"]["outputs"]]
        if not truth.unbounded() or all((truth.turns(k) or 0) < 20 for k in outputs):
            return "tame", json.dumps(claim)
        if claim["refutes"] == "locally-o-minimal" and all((truth.slopes(k) or 99) < 10 for k in outputs):
            return "locally tame", json.dumps(claim)
    return None
