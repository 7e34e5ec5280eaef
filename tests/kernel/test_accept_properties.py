"""Properties: each operation that keeps one is accepted, each that does not is refused."""

# ruff: noqa: E501  (one case a line, so that it reads as a table)

from acceptance import accepts, refuses

from tamecheck.kernel import check
from tests.kernel.builders import (
    LINEAR,
    LINQ,
    ORDER,
    PLACE,
    REALS,
    c,
    enclosure,
    has,
    op,
    proof,
    structure,
    x,
)

KERNEL = "kernel"
POSITIVE = ("0", None)
PROPERTY = "{} is not shown to be {}"
CITED = "one cited step for each argument was expected"
STATES = "step {} does not state '{}' of a node in question"


def kept(name, word, *boxes, enclosed=False, **params):
    """An operation on inputs has a property, which these have."""
    n = max(len(boxes), 1)
    nodes = [*(x(f"x{i}") for i in range(n)), op(name, *range(n), **params)]
    steps = [has(i, word) for i in range(n)]
    steps += [enclosure(i, *boxes[i]) for i in range(n)] if enclosed else []
    cited = range(n, 2 * n) if enclosed else ()
    return proof(nodes, *steps, has(n, word, *range(n), enclosures=cited), boxes=boxes or [REALS])


ACCEPTED = {
    # properties
    **{f"{name} keeps all": kept(name, word, *[REALS] * n, **params)
       for name, n, params in LINEAR[:4] + LINEAR[7:12] for word in ("continuous", "locally_lipschitz", "piecewise_linear")},
    **{f"{name} is smooth: {word}": kept(name, word) for name in ("exp", "sin", "erf") for word in ("continuous", "locally_lipschitz")},
    **{f"{name} is not smooth: {word}": kept(name, word, POSITIVE) for name in ("sqrt",) for word in ("continuous",)},
    "sqrt away from 0": kept("sqrt", "locally_lipschitz", ("1", None), enclosed=True),
    "acosh away from 1 is steep nowhere": kept("acosh", "locally_lipschitz", ("9/8", None), enclosed=True),
    "asin inside": kept("asin", "locally_lipschitz", ("-1/2", "1/2"), enclosed=True),
    "acos inside": kept("acos", "locally_lipschitz", ("-1/2", "1/2"), enclosed=True),
    "a root away from 0": kept("pow", "locally_lipschitz", ("1", None), enclosed=True, exponent="1/2"),
    "a power of 0": kept("pow", "locally_lipschitz", POSITIVE, exponent="0"),
    "a power of 1": kept("pow", "locally_lipschitz", POSITIVE, exponent="1"),
    "a power of 3/2": kept("pow", "locally_lipschitz", POSITIVE, exponent="3/2"),
    "an inverse": kept("pow", "locally_lipschitz", POSITIVE, exponent="-1"),
    **{f"{name} is constant on pieces": proof([x(), op(name, 0, **params)], has(1, "piecewise_constant"))
       for name, params in (("floor", {}), ("ceil", {}), ("round", {"mode": "half_up"}), ("sign", {"at_zero": "0"}), ("step", {"at_zero": "0"}))},
    **{f"{name} of two is constant on pieces": proof([x(), op(name, 0, 0)], has(1, "piecewise_constant")) for name in ("equal", "less", "less_equal")},
    **{f"{name} is linear on pieces": kept(name, "piecewise_linear", **params)
       for name, params in (("floor", {}), ("ceil", {}), ("round", {"mode": "half_up"}), ("sign", {"at_zero": "0"}))},
    "what follows a step is constant on pieces": proof([x(), op("floor", 0), op("exp", 1)], has(1, "piecewise_constant"), has(2, "piecewise_constant", 0)),
    "a constant has all properties": proof([x(), c("w"), op("floor", 1)], has(2, "continuous"), has(1, "locally_lipschitz")),
    "a product with a constant": proof([x(), c("w"), op("mul", 0, 1)], has(0, "piecewise_linear"), has(1, "piecewise_linear"), has(2, "piecewise_linear", 0, 1)),
    "a gather at a constant": proof([x(shape=(3,)), c("i"), op("gather", 0, 1, axis=0)], has(0, "continuous"), has(1, "continuous"), has(2, "continuous", 0, 1)),
    "gathered pieces": proof([x("a", (3,)), x("b"), op("gather", 0, 1, axis=0)], has(0, "piecewise_linear"), has(1, "piecewise_linear"), has(2, "piecewise_linear", 0, 1)),
}  # fmt: skip


def last(document, why):
    """A lie in the last step but one, since the last one states the claim."""
    return document, len(document["steps"]) - 2, why


LIES = [
    # properties
    *(last(kept(name, word, *[REALS] * n, **params), PROPERTY.format(name, word))
      for name, n, params in LINEAR[4:7] + LINEAR[12:15] for word in ("continuous", "locally_lipschitz")),
    *(last(kept(name, word, **params), PROPERTY.format(name, word))
      for name, params in (("floor", {}), ("ceil", {}), ("round", {"mode": "half_up"})) for word in ("continuous", "locally_lipschitz")),
    *(last(proof([x(shape=(3,)), op(name, 0, shape=params["shape"], **{k: v for k, v in params.items() if k not in ("shape", "shapes")})],
                 has(0, word), has(1, word, 0)), PROPERTY.format(name, word))
      for name, params in (("argmax", PLACE), ("argmin", PLACE), ("argsort", ORDER)) for word in ("continuous", "locally_lipschitz")),
    last(kept("sqrt", "locally_lipschitz", POSITIVE, enclosed=True), PROPERTY.format("sqrt", "locally_lipschitz")),
    last(kept("sqrt", "locally_lipschitz", ("1", None)), PROPERTY.format("sqrt", "locally_lipschitz")),
    last(kept("acosh", "locally_lipschitz", ("1", "2"), enclosed=True), PROPERTY.format("acosh", "locally_lipschitz")),
    *(last(kept(name, "locally_lipschitz", box, enclosed=True), PROPERTY.format(name, "locally_lipschitz"))
      for name in ("asin", "acos") for box in (("0", "1"), ("-1", "0"))),
    last(kept("pow", "locally_lipschitz", POSITIVE, enclosed=True, exponent="1/2"), PROPERTY.format("pow", "locally_lipschitz")),
    *(last(kept(name, "piecewise_linear", *[REALS] * n, **params), PROPERTY.format(name, "piecewise_linear"))
      for name, n, params in (("exp", 1, {}), ("mul", 2, {}), ("sqrt", 1, {}), ("pow", 1, {"exponent": "2"}), ("div", 2, {}))),
    last(proof([x()], has(0, "piecewise_constant")), PROPERTY.format("input", "piecewise_constant")),
    last(proof([x()], has(0, "smooth")), "unknown property"),
    last(proof([x(), op("floor", 0)], has(0, "continuous"), has(1, "piecewise_constant", 0)), "no argument steps are needed here"),
    last(proof([x(), c("w")], has(0, "continuous"), has(1, "continuous", 0)), "no argument steps are needed here"),
    last(proof([x(), op("exp", 0)], has(0, "piecewise_linear"), has(1, "continuous", 0)), "an argument has another property"),
    last(proof([x(), op("exp", 0)], structure(0, LINQ), has(1, "continuous", 0)), STATES.format(0, "property")),
    last(proof([x(), op("exp", 0)], has(0, "continuous"), has(1, "continuous")), CITED),
    last(proof([x("a", (3,)), x("b"), op("gather", 0, 1, axis=0)], has(0, "continuous"), has(1, "continuous"), has(2, "continuous", 0, 1)), PROPERTY.format("gather", "continuous")),
    last(proof([x("a", (3,)), x("b", (3,)), op("gather_elements", 0, 1, axis=0, shape=(3,))], has(0, "locally_lipschitz"), has(1, "locally_lipschitz"), has(2, "locally_lipschitz", 0, 1)), PROPERTY.format("gather_elements", "locally_lipschitz")),
]  # fmt: skip


test_properties_that_are_kept_are_accepted = accepts(check, ACCEPTED)


test_properties_that_are_lost_are_refused_at_their_step = refuses(check, LIES)
