"""The rules: each step that follows is accepted, each that does not is refused, and why."""

# ruff: noqa: E501, PLR0913  (a case a line, and a word for each of its fields)
import json

import pytest
from acceptance import accepts, refuses, takes

from tamecheck.kernel import check, checker
from tests.kernel.builders import (
    ALG,
    ALONG,
    FLAT,
    LIN,
    LINEAR,
    LINQ,
    LOCAL,
    REALS,
    bounded,
    c,
    changed,
    enclosure,
    op,
    proof,
    structure,
    tensor,
    x,
)

KERNEL = "kernel"
UNIT, SIGNED, WIDE, POSITIVE = ("0", "1"), ("-1", "1"), ("-9", "9"), ("0", None)


def defined(n, words=LINQ):
    """Structure steps of the first nodes."""
    return [structure(k, words) for k in range(n)]


def of(name, words, *boxes, shapes=None, enclosed=False, bound=False, **params):
    """An operation on inputs is in these structures; enclosures or bounds of its arguments cited."""
    n = max(len(boxes), 1)
    boxes = boxes or (REALS,)
    shapes = shapes or [()] * n
    nodes = [*(x(f"x{i}", s) for i, s in enumerate(shapes)), op(name, *range(n), **params)]
    if "shape" in params:
        nodes[-1]["shape"] = list(params["shape"])
    steps = defined(n)
    cited = list(range(n, 2 * n))
    steps += (
        [bounded(i) if bound else enclosure(i, *boxes[i]) for i in range(n)]
        if enclosed or bound
        else []
    )
    last = structure(
        n,
        words,
        *range(n),
        **({"enclosures": cited} if enclosed else {"bounded": cited} if bound else {}),
    )
    return proof(nodes, *steps, last, boxes=boxes)


def shown(words, name):
    return f"{name} is not shown to be in {words}"


def undefined(name):
    return f"{name} is not proved to be defined"


# the structure of an operation; with what else if its argument is bounded
OWN = [
    ("mul", 2, {}, ALG, None), ("prelu", 2, {}, ALG, None), ("pow", 1, {"exponent": "2"}, ALG, None),
    ("matmul", 2, {"shapes": [(3,), (3,)]}, ALG, None), ("prod", 1, FLAT, ALG, None),
    ("floor", 1, {}, LOCAL, LINQ), ("ceil", 1, {}, LOCAL, LINQ),
    ("round", 1, {"mode": "half_up"}, LOCAL, LINQ),
    ("atan", 1, {}, "an", None), ("sin", 1, {}, None, "an"), ("cos", 1, {}, None, "an"),
    ("erf", 1, {}, "pfaffian", "an"), ("elu", 1, {"alpha": "1", "beta": "1"}, "exp", "an"),
    *((name, 1, {}, "exp", "an") for name in
      ("exp", "sigmoid", "tanh", "softplus", "sinh", "cosh", "asinh")),
    ("softmax", 1, ALONG, "exp", "an"), ("log_softmax", 1, ALONG, "exp", "an"),
    ("logsumexp", 1, FLAT, "exp", "an"),
]  # fmt: skip
# where operations are defined: boxes inside, and boxes that leave their domain
DOMAIN = [
    ("sqrt", {}, [POSITIVE], [[("-1/9", "1")], [(None, "1")]]),
    ("log", {}, [("1/9", None)], [[UNIT], [SIGNED]]),
    ("acosh", {}, [("1", None)], [[("8/9", "2")]]),
    ("asin", {}, [SIGNED], [[("-1", "9/8")], [("-9/8", "1")]]),
    ("acos", {}, [SIGNED], [[("-1", "9/8")], [("-9/8", "1")]]),
    ("atanh", {}, [("-8/9", "8/9")], [[("-1", "0")], [UNIT], [WIDE]]),
    ("tan", {}, [("-3/2", "3/2")], [[("1", "2")], [POSITIVE], [(None, "0")]]),
    ("tan", {}, [("2", "4")], [[("-2", "-1")]]),
    ("pow", {"exponent": "-1"}, [("1/9", None)], [[UNIT], [SIGNED]]),
    ("pow", {"exponent": "-2"}, [(None, "-1/9")], [[("-1", "0")]]),
    ("pow", {"exponent": "1/2"}, [POSITIVE], [[SIGNED]]),
    ("pow", {"exponent": "-1/2"}, [("1/9", None)], [[UNIT]]),
    ("div", {}, [REALS, ("1/9", None)], [[REALS, POSITIVE], [("1", "2"), SIGNED]]),
    ("power", {}, [("1/9", None), REALS], [[POSITIVE, REALS], [REALS, UNIT], [SIGNED, ("1/2", "1/2")]]),
    ("power", {}, [REALS, ("2", "2")], [[REALS, ("-2", "-2")], [REALS, ("2", None)], [REALS, (None, "2")], [SIGNED, ("1", "2")]]),
]  # fmt: skip


def constant(values, shape=()):
    """A constant node and its data."""
    digest, form = tensor(values, shape)
    return c(digest, shape), {digest: form}


TWO, TWOS = constant(["2"])
PAIR, PAIRS = constant(["2", "0"], (2,))
NATURAL = proof([x(), TWO, op("power", 0, 1)], *defined(2), enclosure(0, None, None), enclosure(1, "2", "2"),
    structure(2, ALG, 0, 1, enclosures=[2, 3]), tensors=TWOS)  # fmt: skip
POWERS = proof([x(), PAIR, op("power", 0, 1, shape=(2,))], *defined(2), enclosure(1, ["2", "0"], ["2", "0"]),
    structure(2, ALG, 0, 1, enclosures=[2]), tensors=PAIRS)  # fmt: skip


def saturated(
    nodes,
    chain,
    args,
    source,
    *,
    enclosures=(),
    first=(),
    words="rational-semilinear local",
    tensors=(),
):
    """The last node is a step function of what is rounded at the end of the chain."""
    last = {"rule": "saturated", "node": len(nodes) - 1, "in": words.split(), "chain": list(chain),
        "args": list(args), "source": source, "enclosures": list(enclosures)}  # fmt: skip
    return proof(nodes, *first, last, tensors=tensors)


SIGN = {"at_zero": "1/2"}
SATURATED = saturated(
    [x(), op("floor", 0), c("w"), op("add", 1, 2), op("less_equal", 3, 2)],
    [4, 3, 1], [1, 1], 0, first=[structure(0, LINQ), structure(2, LINQ)],
)  # fmt: skip
QUOTIENT = saturated(
    [x(), op("floor", 0), TWO, op("div", 1, 2), op("sign", 3, **SIGN)], [4, 3, 1], [1], 0,
    first=[structure(0, LINQ), structure(2, LINQ), enclosure(2, "2", "2")], enclosures=[2], tensors=TWOS,
)  # fmt: skip
SHORT = saturated(
    [x(), op("floor", 0), op("neg", 1), op("step", 2, **SIGN)],
    [3, 2, 1],
    [],
    0,
    first=[structure(0, LINQ)],
)
GATHERED = saturated(
    [x(shape=(3,)), op("floor", 0, shape=(3,)), c("i"), op("gather", 1, 2, axis=0), op("sign", 3, **SIGN)],
    [4, 3, 1], [1], 0, first=[structure(0, LINQ), structure(2, LINQ)],
)  # fmt: skip
ELEMENTS = saturated(
    [x(shape=(3,)), op("floor", 0, shape=(3,)), c("i", (3,)), op("gather_elements", 1, 2, axis=0, shape=(3,)),
     op("sign", 3, **SIGN, shape=(3,))],
    [4, 3, 1], [1], 0, first=[structure(0, LINQ), structure(2, LINQ)],
)  # fmt: skip
SCALED = saturated(
    [x(), op("floor", 0), op("reshape", 1), op("transpose", 2, perm=[]), op("sign", 3, **SIGN)],
    [4, 3, 2, 1], [], 0, first=[structure(0, LINQ)],
)  # fmt: skip
SCALED = changed(
    SCALED,
    model__graph__nodes__2={"op": "reshape", "args": [1], "params": {"shape": []}, "shape": []},
)
ACCEPTED = {
    **{f"{name} is linear": of(name, LINQ, *[REALS] * n, **params) for name, n, params in LINEAR},
    **{f"{name} is in {own}": of(name, own, *[REALS] * n, **params)
       for name, n, params, own, _ in OWN if own},
    **{f"{name} is in {inner} of a bounded argument": of(name, inner, *[UNIT] * n, bound=True, **params)
       for name, n, params, _, inner in OWN if inner},
    **{f"{name} of an enclosed argument": of(name, inner, *[UNIT] * n, enclosed=True, **params)
       for name, n, params, _, inner in OWN if inner},
    **{f"{i}: {name} is defined": of(name, "", *boxes, enclosed=True, **params)
       for i, (name, params, boxes, _) in enumerate(DOMAIN)},
    "nothing is claimed of sin": of("sin", ""),
    "log": of("log", "exp", ("1", None), enclosed=True),
    "bounded log": of("log", "an exp", ("1", "2"), enclosed=True),
    "atanh": of("atanh", "an exp", ("0", "1/2"), enclosed=True),
    "acosh": of("acosh", "exp", ("1", "2"), enclosed=True),
    "acosh away from 1": of("acosh", "an exp", ("9/8", "2"), enclosed=True),
    "asin up to its ends": of("asin", "an", SIGNED, enclosed=True),
    "tan": of("tan", "an", SIGNED, enclosed=True),
    "sqrt": of("sqrt", ALG, POSITIVE, enclosed=True),
    "div": of("div", ALG, REALS, ("1", None), enclosed=True),
    "pow 0": of("pow", LINQ, exponent="0"),
    "pow 1": of("pow", LINQ, exponent="1"),
    "prod of nothing": of("prod", LINQ, shapes=[(3,)], shape=(3,), axes=[], keepdims=True),
    "prod of one": of("prod", LINQ, shapes=[(1,)], shape=(1,), axes=[0], keepdims=True),
    "power": of("power", "exp", ("1", None), REALS, enclosed=True),
    "bounded power": of("power", "an exp", ("1", "2"), SIGNED, enclosed=True),
    "mul by a constant": proof([x(), c("w"), op("mul", 0, 1)], *defined(2), structure(2, LINQ, 0, 1)),
    "mul of a constant": proof([x(), c("w"), op("mul", 1, 0)], *defined(2), structure(2, LINQ, 1, 0)),
    "prelu by a constant": proof([x(), c("w"), op("prelu", 0, 1)], *defined(2), structure(2, LINQ, 0, 1)),
    "matmul by a constant": proof([x(shape=(2,)), c("w", (2,)), op("matmul", 0, 1)], *defined(2), structure(2, LINQ, 0, 1)),
    "mul by what has no input": proof(
        [x(), c("w"), op("neg", 1), op("mul", 0, 2)], *defined(2), structure(2, LINQ, 1), structure(3, LINQ, 0, 2)),
    "semilinear below": proof([x(), op("neg", 0)], structure(0, LIN), structure(1, "semilinear exp an pfaffian", 0)),
    "all above": proof([x()], structure(0, "rational-semilinear semilinear local semialgebraic an exp an-exp pfaffian")),
    "an and exp below": proof([x(), op("neg", 0)], structure(0, "an exp"), structure(1, "an exp an-exp pfaffian", 0)),
    "an-exp below": proof([x(), op("neg", 0)], structure(0, "an-exp"), structure(1, "an-exp pfaffian", 0)),
    "local below": proof([x(), op("neg", 0)], structure(0, "local"), structure(1, "local", 0)),
    # where it is bounded
    "an input": proof([x()], bounded(0), boxes=[WIDE]),
    "a constant": proof([x(), c("w")], bounded(1)),
    "clip": proof([x(), op("clip", 0, lo="0", hi="1")], bounded(1)),
    "cited itself": proof([x(), op("relu", 0)], enclosure(0, *UNIT), enclosure(1, *UNIT, 0), bounded(1, 1), boxes=[UNIT]),
    "cited as bounded": proof([x(), op("relu", 0)], bounded(0), bounded(1, 0), boxes=[UNIT]),
    "both arguments": proof([x(), op("add", 0, 0)], bounded(0), bounded(1, 0), boxes=[UNIT]),
    "two arguments": proof([x("a"), x("b"), op("add", 0, 1)], bounded(0), bounded(1), bounded(2, 0, 1), boxes=[UNIT, UNIT]),
    "data of a gather": proof([x("a", (3,)), x("b"), op("gather", 0, 1, axis=0)], bounded(0), bounded(2, 0), boxes=[UNIT]),
    "data of gathered elements": proof(
        [x("a", (3,)), x("b", (3,)), op("gather_elements", 0, 1, axis=0, shape=(3,))], bounded(0), bounded(2, 0), boxes=[UNIT]),
    "values of a select": proof(
        [x("a"), x("b"), x("c"), op("select", 0, 1, 2)], bounded(1), bounded(2), bounded(3, 0, 1), boxes=[REALS, UNIT, UNIT]),
    "a quotient": proof(
        [x("a"), x("b"), op("div", 0, 1)], bounded(0), enclosure(1, "1", None), bounded(2, 0, 1), boxes=[UNIT, ("1", None)]),
    "a positive power": proof([x(), op("pow", 0, exponent="0")], bounded(0), bounded(1, 0), boxes=[UNIT]),
    **{f"{name} is bounded": proof([x(), op(name, 0, **params)], bounded(1)) for name, params in (
        ("sign", {"at_zero": "0"}), ("step", {"at_zero": "0"}), ("sigmoid", {}), ("tanh", {}), ("sin", {}),
        ("cos", {}), ("atan", {}), ("asin", {}), ("acos", {}), ("erf", {}))},
    **{f"{name} of two is bounded": proof([x(), op(name, 0, 0)], bounded(1)) for name in ("equal", "less", "less_equal")},
    **{f"{name} of many is bounded": proof([x(shape=(3,)), op(name, 0, shape=shape, **params)], bounded(1))
       for name, shape, params in (("softmax", (3,), {"axis": 0}), ("argsort", (3,), {"axis": 0, "descending": True}),
         ("argmax", (1,), {"axis": 0, "keepdims": True, "last": False}), ("argmin", (1,), {"axis": 0, "keepdims": True, "last": False}))},
    # constants, differences and products
    "a real parameter": proof([x(), c("w"), op("exp", 1)], *defined(2), structure(2, "exp", 1),
        {"rule": "constant", "node": 2, "in": ["semilinear", "an", "pfaffian"], "step": 2}),
    "a difference of equals": proof([x(), op("sin", 0), op("sub", 1, 1)], structure(0, LINQ), structure(1, "", 0),
        {"rule": "self-difference", "node": 2, "in": [LINQ, "local"], "arg": 1}),
    "a product with zero": proof([x("a"), x("b"), op("mul", 0, 1)], *defined(2), enclosure(1, "0", "0"),
        {"rule": "zero-product", "node": 2, "in": [LINQ], "args": [0, 1], "enclosure": 2}, boxes=[REALS, ("0", "0")]),
    "a matmul with zeros": proof([x("a", (2,)), x("b", (2,)), op("matmul", 0, 1)], *defined(2), enclosure(0, ["0", "0"], ["0", "0"]),
        {"rule": "zero-product", "node": 2, "in": [LINQ], "args": [0, 1], "enclosure": 2}, boxes=[("0", "0")]),
    "what says nothing of what is not followed": proof([x(), op("sin", 0)], enclosure(1, None, None)),
    "div by a constant": proof([x(), TWO, op("div", 0, 1)], *defined(2), enclosure(1, "2", "2"), structure(2, LINQ, 0, 1, enclosures=[2]), tensors=TWOS),
    "a saturated quotient by at least one": changed(QUOTIENT, steps__2__lower=["1"]),
    "the hull of data": proof([x(), PAIR], enclosure(1, "0", "2"), tensors=PAIRS),
    "a natural power": NATURAL,
    "natural powers": POWERS,
    "a saturated sum": SATURATED,
    "a saturated quotient": QUOTIENT,
    "a saturated difference of the other order": changed(SATURATED, model__graph__nodes__3=op("sub", 2, 1)),
    **{f"{last} saturates": changed(QUOTIENT, model__graph__nodes__4=op(last, 3, **params))
       for last, params in (("sign", {"at_zero": "0"}), ("step", {"at_zero": "0"}), ("clip", {"lo": "0", "hi": "1"}))},
    **{f"{last} of a constant saturates": changed(SATURATED, model__graph__nodes__4=op(last, 3, 2)) for last in ("equal", "less", "less_equal")},
    "a constant that is less": changed(SATURATED, model__graph__nodes__4=op("less", 2, 3)),
    "a saturated product": changed(SATURATED, model__graph__nodes__3=op("mul", 1, 2)),
    "a saturated negation": SHORT,
    **{f"saturated {name}": changed(SHORT, model__graph__nodes__1=op(name, 0, **params)) for name, params in (("ceil", {}), ("round", {"mode": "half_up"}))},
    "saturated data": GATHERED,
    "saturated elements": ELEMENTS,
    "no data is saturated": SCALED,
}  # fmt: skip


# structures in which an operation of a structure is not
WORSE = {
    (LINQ, LOCAL): [], (LOCAL, LOCAL): [LIN, LINQ, "pfaffian"], (ALG, ALG): [LIN, LOCAL],
    ("an", "an"): [ALG, "exp"], ("exp", "exp"): [ALG, "an"], ("an", "exp"): [ALG, LOCAL],
    ("pfaffian", "pfaffian"): ["an-exp", "exp"], ("an", "pfaffian"): [ALG, "exp"],
    (None, None): ["pfaffian", LOCAL], ("an", None): [ALG, "exp", LOCAL],
}  # fmt: skip
FOLLOWS, CITED = "boundedness does not follow", "one cited step for each argument was expected"
STATES = "step {} does not state '{}' of a node in question"
FIELD, RANGE = "a missing or unknown field: ", "an integer in [{}, {}] was expected"
REPEATED, PARAMETER = "unknown or repeated structures", "a real parameter is only semilinear"
CHAIN, ROUNDING = "the chain does not start at the node", "the chain does not end in a rounding"
LINK, SOURCE = (
    "node {} is not a step of a saturated rounding",
    "the source or an operand is not shown to be in these structures",
)
SUM = ACCEPTED["two arguments"]
EQUALS, ZERO = ACCEPTED["a difference of equals"], ACCEPTED["a product with zero"]
SELECT, FREE = ACCEPTED["values of a select"], ACCEPTED["a real parameter"]
RATIO = ACCEPTED["a quotient"]


def last(document, why, step=None):
    """A lie in the last step but one, since the last one states the claim."""
    return document, len(document["steps"]) - 2 if step is None else step, why


LIES = [
    *(last(of(name, words, *[REALS] * n, **params), shown(words, name))
      for name, n, params, own, _ in OWN for words in WORSE[own, own]),
    *(last(of(name, words, *[UNIT] * n, bound=True, **params), shown(words, name))
      for name, n, params, own, inner in OWN for words in WORSE[own if inner is None else inner, own]),
    *(last(of(name, "", *boxes, enclosed=True, **params), undefined(name))
      for name, params, _, wrong in DOMAIN for boxes in wrong),
    *(last(of(name, "", *boxes, **params), undefined(name)) for name, params, boxes, _ in DOMAIN),
    last(of("log", "an", ("1", None), enclosed=True), shown("an", "log")),
    last(of("atanh", "semialgebraic", ("0", "1/2"), enclosed=True), shown(ALG, "atanh")),
    last(of("acosh", "an", ("1", "2"), enclosed=True), shown("an", "acosh")),
    last(of("asin", "exp", SIGNED, enclosed=True), shown("exp", "asin")),
    last(of("acos", "exp", SIGNED, enclosed=True), shown("exp", "acos")),
    last(of("tan", "exp", SIGNED, enclosed=True), shown("exp", "tan")),
    last(of("sqrt", LIN, POSITIVE, enclosed=True), shown(LIN, "sqrt")),
    last(of("div", LIN, REALS, ("1", None), enclosed=True), shown(LIN, "div")),
    last(of("pow", LIN, ("1", None), enclosed=True, exponent="-1"), shown(LIN, "pow")),
    last(of("power", "an", ("1", None), SIGNED, enclosed=True), shown("an", "power")),
    last(of("power", "an", ("1", "2"), REALS, enclosed=True), shown("an", "power")),
    last(of("power", ALG, ("1", None), ("2", "2"), enclosed=True), shown(ALG, "power")),
    last(changed(NATURAL, steps__4__in=[LIN]), shown(LIN, "power")),
    last(changed(POWERS, steps__2__lower=["2", "-1"]), undefined("power")),
    last(proof([x(), op("neg", 0)], structure(0, ALG), structure(1, LIN, 0)), "an argument is not shown to be in semilinear"),
    last(proof([x(), op("neg", 0)], structure(0, "an exp"), structure(1, "an semialgebraic", 0)), "an argument is not shown to be in semialgebraic"),
    last(proof([x(), op("neg", 0)], structure(0, LIN), structure(1, LOCAL, 0)), "an argument is not shown to be in local"),
    last(proof([x("a"), x("b"), op("add", 0, 1)], structure(0, LINQ), structure(1, "exp"), structure(2, "an", 0, 1)), "an argument is not shown to be in an"),
    last(proof([x(), op("neg", 0)], structure(0, LINQ), structure(1, LINQ)), CITED),
    last(proof([x(), op("neg", 0)], structure(0, LINQ), structure(1, LINQ, 0, 0)), CITED),
    last(proof([x("a"), x("b"), op("sub", 0, 1)], *defined(2), structure(2, LINQ, 1, 0)), STATES.format(1, "structure")),
    last(proof([x(), op("neg", 0)], bounded(0), structure(1, LINQ, 0), boxes=[UNIT]), STATES.format(0, "structure")),
    last(proof([x(), op("neg", 0)], structure(0, LINQ), structure(1, LINQ, 1)), RANGE.format(0, 0)),
    last(proof([x(), op("neg", 0)], structure(0, LINQ), structure(1, LINQ, -1)), RANGE.format(0, 0)),
    last(proof([x(), op("neg", 0)], structure(0, LINQ), structure(2, LINQ, 0)), RANGE.format(0, 1)),
    last(proof([x()], structure(0, "linear")), REPEATED),
    last(proof([x()], structure(0, "an an")), REPEATED),
    last(proof([x()], structure(0, LINQ) | {"rule": "guess"}), "unknown rule 'guess'"),
    last(proof([x()], structure(0, LINQ) | {"rule": "g" * 50}), f"unknown rule '{'g' * 40}'"),
    last(proof([x()], structure(0, LINQ) | {"more": 0}), FIELD + "'more'"),
    last(proof([x(), op("div", 0, 0)], structure(0, LINQ), enclosure(1, None, None), structure(1, ALG, 0, 0, enclosures=[1])), undefined("div")),
    *(last(proof([x(), PAIR], enclosure(1, *ends), tensors=PAIRS), "interval arithmetic does not give these bounds") for ends in (("1", "2"), ("0", "1"))),
    # what is not bounded
    *(last(document, FOLLOWS) for document in (
        proof([x()], bounded(0)), proof([x()], bounded(0), boxes=[POSITIVE]),
        proof([x(), op("relu", 0)], bounded(1)), proof([x(), op("clip", 0, lo="0", hi=None)], bounded(1)),
        changed(SUM, steps__2__from=[0]), changed(SUM, steps__2__from=[1]),
        changed(ACCEPTED["data of a gather"], steps__1__from=[]),
        changed(SELECT, steps__2__from=[0]), changed(SELECT, steps__2__from=[1]),
        changed(RATIO, steps__2__from=[0]), changed(RATIO, steps__2__from=[1]),
        *(proof([x(), op(name, 0, **params)], bounded(0), bounded(1, 0), boxes=[UNIT]) for name, params in (
            ("log", {}), ("tan", {}), ("atanh", {}), ("pow", {"exponent": "-1"}))),
        proof([x(), op("power", 0, 0)], bounded(0), bounded(1, 0), boxes=[UNIT]),
        proof([x(), op("div", 0, 0)], enclosure(0, *UNIT), bounded(1, 0), boxes=[UNIT]),
        proof([x("a", (3,)), x("b"), op("gather", 0, 1, axis=0)], bounded(1), bounded(2, 0), boxes=[REALS, UNIT]),
        proof([x("a"), x("b"), x("c"), op("select", 0, 1, 2)], bounded(0), bounded(1), bounded(3, 0, 1), boxes=[UNIT, UNIT]),
        proof([x(), op("relu", 0)], enclosure(0, "0", None), bounded(1, 0), boxes=[POSITIVE]),
        proof([x("a"), x("b"), op("div", 0, 1)], bounded(0), bounded(1), bounded(2, 0, 1), boxes=[UNIT, UNIT]),
        proof([x("a"), x("b", (2,)), op("div", 0, 1, shape=(2,))], bounded(0), enclosure(1, ["1", "0"], ["2", "2"]), bounded(2, 0, 1), boxes=[UNIT, (["1", "0"], ["2", "2"])]),
    )),
    last(changed(SUM, steps__2__from=[0, 0, 2]), RANGE.format(0, 1)),
    last(proof([x(), op("relu", 0)], structure(0, LINQ), bounded(1, 0)), STATES.format(0, "bounded enclosure")),
    # constants, differences, products
    last(changed(FREE, steps__3__node=0, steps__3__step=0), "the node depends on an input"),
    last(changed(FREE, steps__3__step=1), STATES.format(1, "structure")),
    *(last(changed(FREE, steps__3__in=[word]), PARAMETER) for word in (LINQ, "local")),
    last(changed(EQUALS, model__graph__nodes__2=op("sub", 1, 0)), "not a difference of equals"),
    last(changed(EQUALS, model__graph__nodes__2=op("add", 1, 1)), "not a difference of equals"),
    last(changed(EQUALS, steps__2__arg=0), STATES.format(0, "structure")),
    last(changed(ZERO, model__graph__nodes__2=op("add", 0, 1)), "not a product"),
    last(changed(ZERO, steps__3__args=[0]), CITED),
    last(changed(ZERO, steps__3__args=[1, 0]), STATES.format(1, "structure")),
    last(changed(ZERO, steps__3__enclosure=0), STATES.format(0, "enclosure")),
    last(changed(ZERO, steps__2__upper=["1"]), "no factor is zero"),
    last(changed(ACCEPTED["a matmul with zeros"], steps__2__upper=["0", "1"]), "no factor is zero"),
    # saturated chains
    last(changed(SATURATED, steps__2__chain=[4]), CHAIN),
    last(changed(SATURATED, steps__2__chain=[3, 1]), CHAIN),
    last(changed(SATURATED, steps__2__chain=[4, 3]), ROUNDING),
    last(changed(SATURATED, steps__2__chain=[4, 3, 5]), RANGE.format(0, 4)),
    last(changed(SATURATED, steps__2__chain=[4, 1], steps__2__args=[1]), LINK.format(4)),
    last(changed(SATURATED, model__graph__nodes__3=op("maximum", 1, 2)), LINK.format(3)),
    last(changed(SATURATED, model__graph__nodes__3=op("add", 1, 1)), LINK.format(3)),
    last(changed(SATURATED, model__graph__nodes__3=op("add", 1, 0), steps__2__args=[0, 1]), LINK.format(3)),
    last(changed(SATURATED, model__graph__nodes__4=op("less", 3, 3), steps__2__args=[1]), LINK.format(4)),
    last(changed(SATURATED, model__graph__nodes__4=op("maximum", 3, 2)), LINK.format(4)),
    last(changed(SATURATED, steps__2__args=[1]), CITED),
    last(changed(SATURATED, steps__2__args=[0, 1]), STATES.format(0, "structure")),
    last(changed(SATURATED, steps__2__source=1), STATES.format(1, "structure")),
    last(changed(SATURATED, steps__0__in=[LIN]), SOURCE),
    last(changed(SATURATED, steps__1__in=[LIN]), SOURCE),
    last(changed(QUOTIENT, model__graph__nodes__4=op("clip", 3, lo="0", hi=None)), LINK.format(4)),
    last(changed(QUOTIENT, model__graph__nodes__4=op("floor", 3)), LINK.format(4)),
    last(changed(QUOTIENT, model__graph__nodes__3=op("div", 2, 1)), LINK.format(3)),
    last(changed(QUOTIENT, steps__3__enclosures=[]), "a divisor in the chain may be 0"),
    last(changed(QUOTIENT, steps__2__lower=["0"]), "a divisor in the chain may be 0"),
    last(changed(QUOTIENT, steps__2=enclosure(0, None, None)), "a divisor in the chain may be 0"),
    last(changed(GATHERED, model__graph__nodes__1=c("w", (3,)), model__graph__nodes__2=op("floor", 0, shape=(3,)),
         model__graph__nodes__3=op("gather", 1, 2, axis=0, shape=(3,)), model__graph__nodes__4=op("sign", 3, **SIGN, shape=(3,)),
         steps__2__chain=[4, 3, 2], steps__1=structure(1, LINQ)), LINK.format(3)),
    last(changed(ELEMENTS, model__graph__nodes__1=c("w", (3,)), model__graph__nodes__2=op("floor", 0, shape=(3,)),
         model__graph__nodes__3=op("gather_elements", 1, 2, axis=0, shape=(3,)),
         steps__2__chain=[4, 3, 2], steps__1=structure(1, LINQ)), LINK.format(3)),
]  # fmt: skip


test_what_follows_is_accepted = accepts(check, ACCEPTED)


test_what_does_not_follow_is_refused_at_its_step = refuses(check, LIES)


TRUSTED = {
    "rule": "trust",
    "by": "a solver",
    "statement": {"kind": "enclosure", "node": 1, "lower": ["0"], "upper": ["1"]},
}
TRUST = proof([x(), op("exp", 0)], TRUSTED)


def test_what_is_trusted_is_said():
    report = check(json.dumps(TRUST))
    assert (report.verdict, report.step, report.why) == (
        "incomplete",
        None,
        "some steps are trusted",
    )
    assert report.trusted == ("enclosure of node 1, by 'a solver'",)
    assert report.claim == TRUST["claim"]
    long = check(json.dumps(changed(TRUST, steps__0__by="b" * 90)))
    assert long.trusted == (f"enclosure of node 1, by '{'b' * 80}'",)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": "structure"}, "only an enclosure can be trusted"),
        ({"node": 2}, RANGE.format(0, 1)),
        ({"node": -1}, RANGE.format(0, 1)),
        ({"upper": ["-1"]}, "lower > upper"),
        ({"more": 0}, FIELD + "'more'"),
    ],
)
def test_only_enclosures_of_nodes_are_trusted(fields, why):
    document = changed(TRUST, steps__0__statement=TRUSTED["statement"] | fields)
    report = check(json.dumps(document))
    assert (report.verdict, report.step, report.why) == ("invalid", 0, why)


STEPS = [(NATURAL, 143), (POWERS, 145), (QUOTIENT, 109), (RATIO, 71)]
"""How many steps a check takes."""


test_a_check_takes_so_many_steps = takes(check, STEPS, checker.A_CHARACTER)
