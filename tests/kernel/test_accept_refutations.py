"""Lines, staircases and bounds by squares: each true one is accepted, each false one refused."""

# ruff: noqa: E501, PLR0913, PLR0917  (a case a line, and a word for each of its fields)

from acceptance import accepts, refuses, takes

from tamecheck.kernel import check, checker
from tests.kernel.builders import (
    ALG,
    LINQ,
    bounded,
    c,
    certificate,
    changed,
    op,
    structure,
    tame,
    tensor,
    wild,
    x,
)

KERNEL = "kernel"


def line(
    nodes,
    *,
    base=("0",),
    direction=("1",),
    t=("0", "1"),
    output=None,
    box=(None, None),
    which="o-minimal",
    tensors=(),
):
    """A refutation along a ray of the only input."""
    step = {"rule": "line", "base": {"x": list(base)}, "direction": {"x": list(direction)},
        "output": output or [len(nodes) - 1, 0], "t": list(t)}  # fmt: skip
    return certificate(nodes, [step], wild(which), boxes=[box], tensors=tensors)


def stairs(
    nodes,
    *,
    base=("0",),
    direction=("1",),
    output=None,
    box=(None, None),
    which="locally-o-minimal",
):
    """A refutation along a ray where a rounding makes ever steeper steps."""
    step = {"rule": "staircase", "base": {"x": list(base)}, "direction": {"x": list(direction)},
        "output": output or [len(nodes) - 1, 0]}  # fmt: skip
    return certificate(nodes, [step], wild(which), boxes=[box])


def squares(*terms):
    """A sum of squares: each a weight, and a polynomial as a mapping."""
    return [{"weight": weight, "square": square} for weight, square in terms]


def quotient(nodes, bound, delta, positive, upper, lower, *, tensors=()):
    """The last node, a quotient, is bounded by sums of squares; and enclosed, where asked for."""
    step = {"rule": "polynomial-bound", "node": len(nodes) - 1, "bound": bound, "certificate": {
        "delta": delta, "positive": positive, "upper": upper, "lower": lower}}  # fmt: skip
    return certificate(nodes, [step, structure(0, LINQ)], tame(LINQ), outputs=[0], tensors=tensors)


def constant(*values, shape=()):
    """A constant node and its data."""
    digest, form = tensor(values, shape)
    return c(digest, shape), {digest: form}


def spread(size):
    """So many elements that are one sine."""
    node = {"op": "broadcast", "args": [1], "params": {"shape": [size]}, "shape": [size]}
    return [x(), op("sin", 0), node]


SINE = [x(), op("sin", 0)]
# x sin(x) + x: the leading term is x (sin(x) + 1)
GROWING = [x(), op("sin", 0), op("mul", 0, 1), op("add", 2, 0)]
HALF, HALVES = constant("1/2")
TWO, TWOS = constant("2")
# x floor(x)
STEEP = [x(), op("floor", 0), op("mul", 0, 1)]
# the quotient of x and x^2 + 1
ONE, ONES = constant("1")
BELL = [x(), op("mul", 0, 0), ONE, op("add", 1, 2), op("div", 0, 3)]
RAISED = squares(("1", {"0": "1"}))
ABOVE = squares(("1/2", {"0": "1", "": "-1"}))
BELOW = squares(("1/2", {"0": "1", "": "1"}))
BOUND = quotient(BELL, "1/2", "1", RAISED, ABOVE, BELOW, tensors=ONES)
PAIR, PAIRS = constant("2", "3", shape=(2,))
LIST = [x(shape=(2,)), op("sin", 0, shape=(2,)), op("sum", 1, axes=[0], keepdims=False)]
EXPONENT = [x(), op("pow", 0, exponent="16"), op("sin", 0), op("add", 1, 2)]
# (x0 x1) / (x0^2 + x1^2 + 1) with both in one input
BOTH = [
    x(shape=(2,)), op("mul", 0, 0, shape=(2,)), op("sum", 1, axes=[0], keepdims=False), ONE, op("add", 2, 3),
    op("prod", 0, axes=[0], keepdims=False), op("div", 5, 4),
]  # fmt: skip
PRODUCT = quotient(
    BOTH, "1/2", "1", squares(("1", {"0": "1"}), ("1", {"1": "1"})),
    squares(("1/2", {"0": "1", "1": "-1"}), ("1/2", {"": "1"})),
    squares(("1/2", {"0": "1", "1": "1"}), ("1/2", {"": "1"})), tensors=ONES,
)  # fmt: skip
OF_TWO = [
    x("a"),
    x("b"),
    op("mul", 0, 1),
    op("mul", 0, 0),
    op("mul", 1, 1),
    op("add", 3, 4),
    ONE,
    op("add", 5, 6),
    op("div", 2, 7),
]

# a coefficient of 65536 bits
STRONG, STRONGS = constant(2**13107)
LONGEST = line(
    [x(), STRONG, op("mul", 1, 1), op("mul", 2, 2), op("mul", 3, 1), op("sin", 0), op("mul", 4, 5)],
    tensors=STRONGS,
)
PLACE, PLACES = constant("-1")
GATHERED = line([x(shape=(2,)), op("sin", 0, shape=(2,)), PLACE, op("gather", 1, 2, axis=0)],
    base=("0", "0"), direction=("0", "1"), tensors=PLACES)  # fmt: skip
GRID, GRIDS = constant("1", "2", "3", "4", "5", "6", shape=(2, 3))
MIXED = line([x(shape=(2,)), GRID, op("matmul", 0, 1, shape=(3,)), op("sin", 2, shape=(3,))],
    base=("0", "0"), direction=("1", "0"), tensors=GRIDS)  # fmt: skip

ACCEPTED = {
    "a sine": line(SINE),
    "a cosine": line([x(), op("cos", 0)]),
    "a sine on a half line": line(SINE, box=("0", None)),
    "a sine to the left": line(SINE, box=(None, "0"), direction=("-1",)),
    "a fast sine from elsewhere": line(SINE, base=("7",), direction=("22",), box=("7", None)),
    "a growing wave": line(GROWING),
    "what is added does not matter": line([x(), op("exp", 0), op("sin", 0), op("sub", 2, 0)]),
    "what cannot be followed is not needed": line([x(), op("exp", 0), op("sin", 0)]),
    "an unused element cannot be followed": line(
        [x(shape=(2,)), op("sin", 0, shape=(2,)), op("exp", 0, shape=(2,)), op("concat", 1, 2, axis=0, shape=(4,))],
        base=("0", "0"), direction=("1", "0"), output=[3, 0]),
    "a function of a wave": line([x(), op("sin", 0), op("exp", 1)]),
    "a function of two waves": line([x(), op("sin", 0), op("cos", 0), op("maximum", 1, 2)]),
    "a wave of a quotient": line([x(), TWO, op("div", 0, 1), op("sin", 2)], t=("0", "2"), tensors=TWOS),
    "a negated wave": line([x(), op("sin", 0), op("neg", 1)]),
    "a wave with a root of a constant": line([x(), TWO, op("mul", 1, 1), op("sqrt", 2), op("mul", 0, 3), op("sin", 4)], tensors=TWOS),
    "a moved wave": line([x(), HALF, op("add", 0, 1), op("sin", 2)], tensors=HALVES),
    "a product of waves": line([x(), op("sin", 0), op("mul", 1, 1)]),
    "a sum of waves": line(LIST, base=("0", "0"), direction=("1", "1")),
    "a wave of one element": line(LIST, base=("0", "3"), direction=("1", "0")),
    "an element": line([x(shape=(2,)), op("sin", 0, shape=(2,))], base=("0", "0"), direction=("0", "1"), output=[1, 1]),
    "a padded wave": line([x(shape=(2,)), op("sin", 0, shape=(2,)), op("pad", 1, before=[1], after=[0], value="1", shape=(3,)),
        op("sum", 2, axes=[0], keepdims=False)], base=("0", "0"), direction=("1", "1")),
    "a weighted wave": line([x(shape=(2,)), PAIR, op("matmul", 0, 1), op("sin", 2)], base=("0", "0"), direction=("1", "1"), t=("0", "1/4"), tensors=PAIRS),
    "powers and a wave": line(EXPONENT),
    "no power": line([x(), op("sin", 0), op("pow", 1, exponent="1"), op("pow", 0, exponent="0"), op("add", 2, 3)]),
    "a polynomial of degree 16 in waves": line([x(), op("sin", 0), op("pow", 1, exponent="8"), op("mul", 2, 2)]),
    "the second output": changed(line([x(), op("sin", 0)]), model__graph__outputs=[{"name": "a", "node": 0}, {"name": "b", "node": 1}]),
    "a staircase": stairs(STEEP),
    "a staircase is not o-minimal": stairs(STEEP, which="o-minimal"),
    "a staircase of ceilings": stairs([x(), op("ceil", 0), op("mul", 0, 1)]),
    "a staircase of nearest": stairs([x(), op("round", 0, mode="half_up"), op("mul", 0, 1)]),
    "a moved staircase": stairs([x(), op("floor", 0), op("mul", 0, 1), op("mul", 1, 1), op("add", 2, 3), op("sub", 4, 0)], base=("1/2",), direction=("3",)),
    "one rounding twice": stairs([x(), op("floor", 0), op("floor", 0), op("mul", 0, 1), op("mul", 0, 2), op("add", 3, 4)]),
    "the longest numbers": LONGEST,
    "a matrix and a wave": MIXED,
    "a quotient of halves": quotient(
        [x(), op("mul", 0, 0), ONE, op("add", 1, 2), TWO, op("div", 0, 4), op("div", 5, 3)], "1/4", "1", RAISED,
        squares(("1/4", {"0": "1", "": "-1"})), squares(("1/4", {"0": "1", "": "1"})), tensors=ONES | TWOS),
    "a gathered wave": GATHERED,
    "as many elements as are followed": line(spread(65536), output=[2, 65535]),
    "a domain for each element": line(LIST, base=("0", "3"), direction=("1", "0"), box=(["0", "3"], [None, "3"])),
    "a quotient": BOUND,
    "a quotient of two elements": PRODUCT,
    "a quotient of two inputs": quotient(OF_TWO, "1/2", "1", squares(("1", {"0": "1"}), ("1", {"1": "1"})),
        squares(("1/2", {"0": "1", "1": "-1"}), ("1/2", {"": "1"})), squares(("1/2", {"0": "1", "1": "1"}), ("1/2", {"": "1"})), tensors=ONES),
    "a larger bound": quotient(BELL, "1", "1", RAISED, squares(("1", {"0": "1", "": "-1/2"}), ("3/4", {"": "1"})),
        squares(("1", {"0": "1", "": "1/2"}), ("3/4", {"": "1"})), tensors=ONES),
    "a weight of nothing": quotient(BELL, "1/2", "1", [*RAISED, *squares(("0", {"0": "9"}))], ABOVE, BELOW, tensors=ONES),
    "a smaller delta": quotient(BELL, "1/2", "1/4", squares(("1", {"0": "1"}), ("3/4", {"": "1"})), ABOVE, BELOW, tensors=ONES),
    "a mixed monomial": quotient(
        [x("a"), x("b"), op("mul", 0, 1), op("mul", 2, 2), ONE, op("add", 3, 4), op("div", 2, 5)], "1/2", "1",
        squares(("1", {"1,0": "1"})), squares(("1/2", {"0,1": "1", "": "-1"})), squares(("1/2", {"0,1": "1", "": "1"})), tensors=ONES),
    "64 variables": quotient(
        [x("v", (63,)), x("w"), op("mul", 1, 1), ONE, op("add", 2, 3), op("div", 1, 4)], "1/2", "1", squares(("1", {"63": "1"})),
        squares(("1/2", {"63": "1", "": "-1"})), squares(("1/2", {"63": "1", "": "1"})), tensors=ONES),
    # the bound of a quotient shows that it is defined and bounded
    "a bounded quotient": certificate(BELL, [
        *(structure(k, LINQ) for k in (0,)), structure(1, ALG, 0, 0), structure(2, LINQ), structure(3, ALG, 1, 2),
        BOUND["steps"][0], structure(4, ALG, 0, 3, enclosures=[4]), bounded(4, 4)], tame(ALG), tensors=ONES),
}  # fmt: skip

OTHER, OUTSIDE = "the output cannot be followed along the ray", "the ray leaves the domain"
FLAT = "no oscillation is proved: the two values may be equal"
FORM = "the output is not of the form that a staircase needs"
RATIO = "not a quotient of polynomials, or delta <= 0"
SQUARES = "the sum of squares '{}' is another polynomial"
FIELD, RANGE = "a missing or unknown field: ", "an integer in [{}, {}] was expected"
LARGE = "the graph is too large to be followed along a ray"
NUMBERS = "a ray has one number for each element of an input"
LIES = [
    (line(SINE, t=("0",)), 0, "two phases are needed"),
    (line(SINE, t=("0", "1", "2")), 0, "two phases are needed"),
    (line(SINE, t=("0", "0")), 0, FLAT),
    (line(SINE, direction=("0",)), 0, FLAT),
    (line(SINE, box=("-9", "9")), 0, OUTSIDE),
    (line(SINE, box=(None, "0")), 0, OUTSIDE),
    (line(SINE, box=("0", None), direction=("-1",)), 0, OUTSIDE),
    (line(SINE, box=("1", None)), 0, OUTSIDE),
    (line(SINE, box=("0", "0"), base=("1",), direction=("0",)), 0, OUTSIDE),
    (line(LIST, base=("0", "3"), direction=("1", "0"), box=(["0", "0"], [None, "2"])), 0, OUTSIDE),
    (line(LIST, base=("0",), direction=("1", "0")), 0, NUMBERS),
    (line(LIST, base=("0",), direction=("1",)), 0, NUMBERS),
    # no rational, so no rational coefficient
    (line([x(), ONE, op("exp", 1), op("mul", 0, 2), op("sin", 3)], tensors=ONES), 0, OTHER),
    (changed(LONGEST, model__graph__nodes__5=op("add", 0, 0), model__graph__nodes__6=op("mul", 4, 5)), 0, OTHER),
    (changed(GATHERED, tensors={}), 0, OTHER),
    (changed(line(SINE), steps__0__base={"y": ["0"]}), 0, "a ray names other inputs than the graph"),
    (changed(line(SINE), steps__0__direction={}), 0, "a ray names other inputs than the graph"),
    (line(SINE, output=[0, 0]), 0, "the node is not an output"),
    (line(SINE, output=[2, 0]), 0, RANGE.format(0, 1)),
    (line(SINE, output=[1, 1]), 0, RANGE.format(0, 0)),
    (line(SINE, output=[1, -1]), 0, RANGE.format(0, 0)),
    (line(SINE, output=[1]), 0, "an output is a node and an element"),
    (line(SINE, output=[1, 0, 0]), 0, "an output is a node and an element"),
    (line(SINE, which="locally-o-minimal"), None, "no step refutes what is claimed"),
    (line([x()]), 0, FLAT),
    (line([x(), op("exp", 0)]), 0, OTHER),
    (line([x(), op("exp", 0), op("sin", 1)]), 0, OTHER),
    (line([x(), op("mul", 0, 0), op("sin", 1)]), 0, OTHER),
    (line([x(), op("sin", 0), op("mul", 0, 1), op("sin", 2)]), 0, OTHER),
    (line([x(), op("sin", 0), op("mul", 0, 1), op("exp", 2)]), 0, OTHER),
    (line([x(), op("sin", 0), op("sin", 1)], t=("0", "0")), 0, FLAT),
    (line([x(), op("sin", 0), op("log", 1)]), 0, OTHER),
    # a power is defined for a positive base alone, if its exponent has inputs
    (line([x(), PLACE, op("sub", 0, 0), op("sub", 2, 1), op("power", 1, 3), op("sin", 0), op("add", 4, 5)], tensors=PLACES), 0, OTHER),
    (line([x(), op("sin", 0), op("div", 0, 1)]), 0, OTHER),
    (line([x(), c("w"), op("div", 0, 1), op("sin", 2)]), 0, OTHER),
    (line([x(), op("sin", 0), op("mul", 0, 0), op("add", 1, 2), op("mul", 2, 0), op("mul", 3, 4)], t=("0", "0")), 0, FLAT),
    # the wave is not in the leading term, or cancels
    (line([x(), op("sin", 0), op("sub", 1, 1)]), 0, FLAT),
    (line([x(), op("sin", 0), op("mul", 0, 1), op("sub", 2, 2), op("add", 3, 0)]), 0, FLAT),
    (line([x(), op("sin", 0), op("relu", 1)], t=("4", "5")), 0, FLAT),
    # of degree 17, or powers that are none
    (line([x(), op("sin", 0), op("pow", 0, exponent="16"), op("mul", 1, 2)]), 0, OTHER),
    (line([x(), op("sin", 0), op("pow", 0, exponent="17"), op("add", 1, 2)]), 0, OTHER),
    (line([x(), op("sin", 0), op("pow", 0, exponent="-1"), op("add", 1, 2)]), 0, OTHER),
    (line([x(), op("sin", 0), op("pow", 0, exponent="1/2"), op("add", 1, 2)]), 0, OTHER),
    (line([x(shape=(1 << 40,)), op("slice", 0, starts=[0], steps=[1], sizes=[1], shape=(1,))]), 0, NUMBERS),
    (line(spread(65537), output=[2, 65536]), 0, LARGE),
    # staircases
    (stairs([x(), op("floor", 0)]), 0, FORM),
    (stairs([x(), op("mul", 0, 0)]), 0, FORM),
    (stairs([x(), op("floor", 0), op("mul", 1, 1)]), 0, FORM),
    (stairs([x(), op("floor", 0), op("mul", 0, 1), op("mul", 0, 0), op("add", 2, 3)]), 0, FORM),
    (stairs([x(), op("floor", 0), op("mul", 0, 1), op("mul", 0, 2)]), 0, FORM),
    (stairs([x(), op("floor", 0), op("mul", 0, 1), op("mul", 1, 2)]), 0, FORM),
    (stairs([x(), op("floor", 0), op("mul", 0, 1), op("sub", 2, 2)]), 0, FORM),
    (stairs([x(), op("floor", 0), op("ceil", 0), op("add", 1, 2), op("mul", 0, 3)]), 0, OTHER),
    (stairs([x(), op("round", 0, mode="half_up"), op("round", 0, mode="half_down"), op("add", 1, 2), op("mul", 0, 3)]), 0, OTHER),
    (stairs([x(), op("add", 0, 0), op("floor", 0), op("floor", 1), op("add", 2, 3), op("mul", 0, 4)]), 0, OTHER),
    (stairs([x(), op("mul", 0, 0), op("floor", 1), op("mul", 0, 2)]), 0, OTHER),
    (stairs(STEEP, direction=("0",)), 0, FORM),
    (stairs([*STEEP, op("mul", 2, 0), op("add", 2, 3)]), 0, FORM),
    (stairs(STEEP, box=("0", "9")), 0, OUTSIDE),
    (stairs([x(), op("sin", 0), op("floor", 0), op("mul", 0, 2), op("add", 1, 3)]), 0, OTHER),
    # quotients
    # the bound of a divisor does not show that it is not zero
    (certificate([*BELL, op("div", 0, 4)], [
        structure(0, LINQ), structure(1, ALG, 0, 0), structure(2, LINQ), structure(3, ALG, 1, 2), BOUND["steps"][0],
        structure(4, ALG, 0, 3, enclosures=[4]), structure(5, ALG, 0, 5, enclosures=[4])], tame(ALG), tensors=ONES),
     6, "div is not proved to be defined"),
    (changed(BOUND, steps__0__bound="49/100"), 0, SQUARES.format("upper")),
    (changed(BOUND, steps__0__certificate__delta="1/2"), 0, SQUARES.format("positive")),
    (changed(BOUND, steps__0__certificate__delta="0"), 0, RATIO),
    (changed(BOUND, steps__0__certificate__delta="-1"), 0, RATIO),
    (changed(BOUND, steps__0__certificate__positive=[]), 0, SQUARES.format("positive")),
    (changed(BOUND, steps__0__certificate__upper=BELOW), 0, SQUARES.format("upper")),
    (changed(BOUND, steps__0__certificate__lower=ABOVE), 0, SQUARES.format("lower")),
    (changed(BOUND, steps__0__certificate__lower=[*BELOW, *squares(("-1", {"0": "1"})), *squares(("1", {"0": "1"}))]), 0, "a square has a negative weight"),
    (changed(BOUND, steps__0__certificate__lower=squares(("1/2", {"0": "1", "": "1"}), ("1", {"": "1"}))), 0, SQUARES.format("lower")),
    (changed(BOUND, steps__0__node=3), 0, "not a quotient of scalars"),
    (changed(BOUND, steps__0__node=5), 0, RANGE.format(0, 4)),
    (quotient([x(shape=(2,)), op("mul", 0, 0, shape=(2,)), ONE, op("add", 1, 2, shape=(2,)), op("div", 0, 3, shape=(2,))], "1/2", "1", RAISED, ABOVE, BELOW, tensors=ONES), 0, "not a quotient of scalars"),
    (quotient([x("v", (64,)), x("w"), op("mul", 1, 1), ONE, op("add", 2, 3), op("div", 1, 4)], "1/2", "1", RAISED, ABOVE, BELOW, tensors=ONES), 0, "too many variables"),
    (quotient([x(), op("exp", 0), ONE, op("add", 1, 2), op("div", 0, 3)], "1/2", "1", RAISED, ABOVE, BELOW, tensors=ONES), 0, RATIO),
    (quotient([x(), op("mul", 0, 0), ONE, op("add", 1, 2), op("exp", 0), op("div", 4, 3)], "1/2", "1", RAISED, ABOVE, BELOW, tensors=ONES), 0, RATIO),
    (quotient([x(), op("mul", 0, 0), c("w"), op("add", 1, 2), op("div", 0, 3)], "1/2", "1", RAISED, ABOVE, BELOW), 0, RATIO),
    (changed(BOUND, steps__0__certificate__upper=squares(("1/2", {"0": "1", "": "-1", "0,0,0,0,0,0,0,0,0": "1"}))), 0, "a polynomial is too large"),
    (changed(BOUND, steps__0__certificate__upper=squares(("1", {str(i): "1" for i in range(32)}))), 0, SQUARES.format("upper")),
    (changed(BOUND, steps__0__certificate__upper=squares(("1", {str(i): "1" for i in range(33)}))), 0, "a polynomial with too many terms"),
]  # fmt: skip
STEPS = [
    (MIXED, 4775),
    (ACCEPTED["a growing wave"], 1793), (ACCEPTED["a weighted wave"], 1869), (ACCEPTED["a staircase"], 139),
    (PRODUCT, 1199), (ACCEPTED["a polynomial of degree 16 in waves"], 2929),
]  # fmt: skip
"""How many steps a check takes."""


test_true_refutations_and_bounds_are_accepted = accepts(check, ACCEPTED)


test_what_refutes_and_bounds_nothing_is_refused = refuses(check, LIES)


test_a_check_takes_so_many_steps = takes(check, STEPS, checker.A_CHARACTER)
