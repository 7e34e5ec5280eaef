"""Waves along a curve whose coefficients are out of proportion, as in no Hardy field."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from tamecheck.kernel.curves import curve, follow
from tamecheck.kernel.forms import UNITY, Form, Quotient, constant, plus, rational, times
from tamecheck.kernel.graph import Graph, Node
from tamecheck.kernel.hardy import Germs, form_of
from tamecheck.kernel.interval import ONE
from tamecheck.kernel.ranges import Bounds
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, require

INJECTIVE = {"neg", "exp", "sigmoid", "tanh", "softplus", "sinh", "asinh", "atan"}
WILD: Quotient = ({}, {})  # the value of a germ that is in no Hardy field


class Waves(Germs):
    """Values along a curve, analytic for large t but at isolated points: quotients, or WILD."""

    def __init__(self, free: Sequence[bool]) -> None:
        super().__init__()
        self.free = free  # of each node, whether no input is among its ancestors

    def wild(self, v: Quotient) -> bool:
        """Return whether two waves have coefficients in other proportions above than below."""
        waves: list[Form] = [{}]
        above, below = (self.split(p, waves) for p in v)
        return any(
            self.nonzero(plus(times(a, d), times(b, c), -ONE))
            for i, j in combinations(range(len(waves)), 2)
            for (a, b, c, d) in [[x.get(k, Form()) for x in (above, below) for k in (i, j)]]
        )

    def value(self, node: Node, op: str, args: Sequence[Quotient | None]) -> Quotient:
        """Return the value of an operation."""
        if op == "select":
            given = [v for v in args[:1] if v is not None and v != WILD]
            args = [args[1 if self.sign(given[0]) else 2]] if given else [None]
        given = [v for v in args if v is not None]
        require(len(given) == len(args), "an argument is not known")
        if op == "select":
            return given[0]
        if op == "power" and (rational(given[1]) is None or not self.free[node.args[1]]):
            scaled = self.value(node, "mul", [given[1], (self.log(given[0]), UNITY)])
            return self.value(node, "exp", [scaled])
        others = [v for v in given if v != WILD]
        if others == given:
            try:
                return self.combine(node, op, given)
            except Reject:
                keeps = op in INJECTIVE or (op in ("log", "sqrt") and self.sign(given[0]) > 0)
                require(keeps and self.wild(given[0]), f"{op} is not followed along the curve")
                return WILD
        for v in others:
            steady = self.single(v)
            require(op in ("add", "sub") or self.nonzero(steady), "a factor may be 0")
        one = len(given) == len(others) + 1 and op in ("add", "sub", "mul", "div", *INJECTIVE)
        require(one, f"{op} is not followed along the curve")
        return WILD


def exp_trig(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> tuple[int, tuple[str, ...]]:
    """Check that along a curve an output is a quotient of waves that are not in proportion."""
    node, element, inputs = curve(graph, raw, domain)
    given = {k: [(form_of(e), UNITY) for e in elements] for k, elements in inputs.items()}
    waves = Waves(graph.free)
    found = follow(graph, node, given, lambda c: (constant(c), UNITY), waves.value)[element]
    if found is None:
        raise Reject("the output cannot be followed along the curve")
    require(found == WILD or waves.wild(found), "the waves may be in proportion")
    return node, ("o-minimal",)
