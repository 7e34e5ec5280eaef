"""Normal forms: a node as a rational function of others, where it is defined."""

from collections.abc import Sequence
from fractions import Fraction

from tamecheck.kernel.curves import follow
from tamecheck.kernel.facts import ABOVE, ALG, LINQ, Fact, Facts, fit
from tamecheck.kernel.forms import (
    UNIT,
    UNITY,
    Form,
    Forms,
    Quotient,
    constant,
    imaginary,
    inverse,
    plus,
    quotient,
    sum_of,
    symbol,
    times,
)
from tamecheck.kernel.graph import Node
from tamecheck.kernel.interval import HALF, ONE, ZERO, point
from tamecheck.kernel.ranges import apply
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, require, spend

ODD = {"atan", "erf", "asin"}
ODD_MODES = {"half_even", "half_away", "half_toward_zero", "toward_zero", "away_from_zero"}


class Functions(Forms):
    """Functions by their normal forms; symbols stand for functions of forms."""

    def __init__(self) -> None:
        super().__init__()
        self.squares: dict[int, Form] = {}  # of symbols that are absolute values

    def settled(self, p: Form) -> Form:
        """Return the form without squares of absolute values."""
        found = Form()
        for (m, z), c in p.items():
            term: Form = {((), z): c}
            for s, k in m:
                half = k // 2 if s in self.squares and k > 1 else 0
                for _ in range(int(half)):
                    term = times(term, self.squares[s])
                term = times(term, symbol(s, k - 2 * half))
            found = plus(found, term)
        return found

    def known(self, op: str, p: Form, *rest: object) -> Form:
        """Return the symbol of a function of a form."""
        return symbol(self.name(op, frozenset(p.items()), *rest))

    def signed(self, op: str, v: Quotient, *rest: object) -> Quotient:
        """Return an odd function, of the form or of its negative, whichever has a symbol."""
        p = self.single(v)
        minus = plus({}, p, -ONE)
        known = (op, frozenset(minus.items()), *rest) in self.numbers
        found = self.known(op, minus if known else p, *rest)
        return plus({}, found, -ONE) if known else found, UNITY

    def single(self, v: Quotient) -> Form:
        """Return a quotient as one form."""
        n, d = v
        return n if d == UNITY else self.known("quotient", n, frozenset(d.items()))

    def parts(self, op: str, p: Form) -> tuple[Form, Form]:
        """Return c exp(z), nowhere 0, and |p| over it, or the logarithm of that, as a symbol."""
        plain = [(z, a) for (_, z), (a, b) in p.items() if not b and not imaginary(dict(z))]
        size = max(max(abs(a), abs(b)) for a, b in p.values())
        others = [constant(size), constant(-size)]
        units: list[Form] = [{((), z): (a, ZERO)} for z, a in plain] or others
        rests = [frozenset(times(p, inverse(unit)).items()) for unit in units]
        i = next((i for i, rest in enumerate(rests) if (op, rest) in self.numbers), 0)
        number = self.name(op, rests[i])
        if op == "abs":
            self.squares[number] = times(dict(rests[i]), dict(rests[i]))
        return units[i], symbol(number)

    def magnitude(self, p: Form) -> Form:
        """Return the absolute value of a form."""
        if len(p) != 1:
            unit, rest = self.parts("abs", p)
            return times(self.magnitude(unit), rest)
        (((m, z), (a, b)),) = p.items()
        require(not b and not imaginary(dict(z)), "not a real form")
        found: Form = {((), z): (abs(a), ZERO)}
        for s, k in m:
            even = k.denominator == 1 and k % 2 == 0
            one = UNITY if even else self.parts("abs", symbol(s))[1]
            found = times(times(found, symbol(s, k if even else k - 1)), one)
        return found

    def log(self, p: Form) -> Form:
        """Return the logarithm of the absolute value of a form."""
        if len(p) != 1:
            unit, rest = self.parts("log", p)
            return plus(self.log(unit), rest)
        (((m, z), (a, b)),) = p.items()
        require(not b and not imaginary(dict(z)), "not a real form")
        found = plus(dict(z), Form() if abs(a) == 1 else self.known("log", constant(abs(a))))
        for s, k in m:
            found = plus(found, self.known("log", symbol(s)), k)
        return found

    def other(self, node: Node, op: str, args: Sequence[Quotient]) -> Quotient:
        """Return the value of an operation by its laws, or as a symbol."""
        (n, d), parameters = args[0], frozenset(node.q.items())
        match op:
            case "abs":
                return quotient(self.magnitude(n), self.magnitude(d))
            case "log":
                return plus(self.log(n), self.log(d), -ONE), UNITY
            case "sqrt":
                return self.root(node, self.single(args[0])), UNITY
            case "ceil":
                minus = self.other(node, "floor", [sum_of(({}, UNITY), args[0], -ONE)])
                return sum_of(({}, UNITY), minus, -ONE)
            case "floor":
                whole = constant(n.get(UNIT, (ZERO, ZERO))[0].__floor__() if d == UNITY else 0)
                inner = self.single(sum_of(args[0], (whole, UNITY), -ONE))
                return plus(self.known("floor", inner), whole), UNITY
            case _ if op in ODD or (op == "round" and node.mode in ODD_MODES):
                return self.signed(op, args[0], node.mode)
            case "select":
                raise Reject("a choice is not followed")
            case _:
                forms = [frozenset(self.single(v).items()) for v in args]
                return symbol(self.name(op, *forms, parameters, node.mode)), UNITY

    def root(self, node: Node, p: Form) -> Form:
        """Return the square root of a form, which is an absolute value if that of one term is."""
        for (m, z), (a, _) in p.items() if len(p) == 1 else ():
            exact, half = apply(node, "sqrt", [point(a)]), tuple((s, k * HALF) for s, k in m)
            if exact.low and exact.low == exact.high and all(k.denominator == 1 for _, k in half):
                inner = frozenset(times(constant(HALF), dict(z)).items())
                return self.magnitude({(half, inner): (Fraction(exact.low), ZERO)})
        number = self.name("sqrt", frozenset(p.items()))
        self.squares[number] = p
        return symbol(number)

    def value(self, node: Node, op: str, args: Sequence[Quotient | None]) -> Quotient:
        """Return the normal form of the value of an operation."""
        given = [v for v in args if v is not None]
        require(len(given) == len(args), "an argument has no normal form")
        n, d = map(self.settled, self.combine(node, op, given))
        require(d != {}, "a divisor is 0")
        key, (a, b) = next(iter(d.items()))
        ratio = constant((n.get(key, (ZERO, ZERO))[0] / a) if a and not b else 0)
        return (ratio, UNITY) if n == times(ratio, d) else quotient(n, d)


def normal_form(proof: Facts, raw: Json) -> Fact:
    """The node is an affine or a rational function of others, where it is defined."""
    (k, _), words = proof.node(raw), proof.words(raw)
    known = proof.domains([raw["domain"]] if "domain" in raw else [], [k])
    require(known.issuperset(words), "the domain of the node is not shown to be in these")
    facts, functions = proof.among(raw["over"], "structure", range(k)), Functions()
    cited, atoms = {f.node for f in facts}, dict[int, list[int]]()
    for a, n in enumerate(proof.graph.nodes[: k + 1]):
        if n.op == "input" or a in cited:
            spend(n.size)
            atoms[a] = [functions.name("atom", a, i) for i in range(n.size)]
    given = {a: [(symbol(s), UNITY) for s in numbers] for a, numbers in atoms.items()}
    found = follow(proof.graph, k, given, lambda c: (constant(c), UNITY), functions.value)
    affine, symbols = True, {s for numbers in atoms.values() for s in numbers}
    for v in found:
        require(v is not None, "the node has no normal form")
        for (m, z), (_, b) in (term for p in v or () for term in p.items()):
            plain = not z and not b and symbols.issuperset(s for s, _ in m)
            require(plain, "the normal form is not rational in these")
            affine = affine and m in ((), *(((s, ONE),) for s, _ in m))
        affine = affine and v is not None and v[1] == UNITY
    own = LINQ if affine else ALG
    require(all(s in ABOVE[own] and fit(facts, s) for s in words), "another structure is needed")
    return Fact("structure", k, words)
