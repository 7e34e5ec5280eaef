"""A proof about float32 covers every execution: any order of sums, fused or not, flushed or not."""

import json
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck import ops
from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.crown import bound
from tamecheck.bounds.propagation import back, least_on
from tamecheck.bounds.rounding import with_rounding
from tamecheck.ir.floats import FLOATS
from tamecheck.ir.graph import Apply, Constant, GraphBuilder, Input
from tamecheck.kernel.graph import read_graph
from tamecheck.kernel.strict import Reject
from tamecheck.kernel_pwl.blocks import down, up
from tamecheck.kernel_pwl.bounds import Bounds
from tamecheck.kernel_pwl.floats import FORMATS
from tamecheck.kernel_pwl.network import Network
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.tame.document import tensor_document
from tamecheck.verification import Holds, verify
from tamecheck.verification.falsify import deepen
from tamecheck.verification.problem import problem_of
from tamecheck.verification.rounding import rounded_spec
from tamecheck.verification.witness import Search

SINGLE = FLOATS["float32"]
F = np.float32
BITS = 34
TINY = F(2.0**-126)


def single(value, flush):
    """A float32; one below the normal numbers may be flushed to 0."""
    found = F(value)
    return F(0) if flush and abs(found) < TINY else found


def add_up(terms, rng, flush):
    """The sum of pairs, products not yet rounded, in a random order, fused or not."""
    parts = [(F(a), F(b)) for a, b in terms]
    rng.shuffle(parts)

    def times(pair):
        return single(pair[0] * pair[1], flush)

    if rng.random() < 0.4:
        # a chain of fused operations: float64 has the product exactly
        total = times(parts[0])
        for a, b in parts[1:]:
            total = single(np.float64(a) * np.float64(b) + np.float64(total), flush)
        return total
    values = [times(pair) for pair in parts]
    if rng.random() < 0.5:
        values.sort(key=abs, reverse=bool(rng.random() < 0.5))
    while len(values) > 1:
        chain = rng.random() < 0.5
        i = 0 if chain else int(rng.integers(len(values) - 1))
        values[i : i + 2] = [single(values[i] + values[i + 1], flush)]
    return values[0]


def execute(graph, x, rng):
    """One execution of a graph in float32."""
    flush = rng.random() < 0.3
    found = {}

    def matmul(a, b, bias=None):
        result = np.zeros((a.shape[0], b.shape[1]), dtype=F)
        for i in range(a.shape[0]):
            for j in range(b.shape[1]):
                terms = [(a[i, k], b[k, j]) for k in range(a.shape[1])]
                extra = [] if bias is None else [(F(1), np.broadcast_to(bias, result.shape)[i, j])]
                result[i, j] = add_up(terms + extra, rng, flush)
        return result

    with np.errstate(all="ignore"):
        for k, node in enumerate(graph.nodes):
            match node:
                case Input():
                    found[k] = x.reshape(node.shape)
                case Constant():
                    found[k] = node.tensor.array.astype(F)
                case Apply():
                    args = [found[a] for a in node.args]
                    before = graph.nodes[node.args[0]]
                    if node.op is ops.MATMUL:
                        found[k] = matmul(*args)
                    elif (
                        node.op is ops.ADD
                        and isinstance(before, Apply)
                        and rng.random() < 0.5
                        and before.op is ops.MATMUL
                        and graph.input_free[node.args[1]]
                    ):
                        found[k] = matmul(*(found[a] for a in before.args), args[1])
                    else:
                        found[k] = pointwise(node, args, flush)
    return np.concatenate([found[k].reshape(-1) for _, k in graph.outputs])


def pointwise(node, args, flush):
    x = args[0]
    match node.op.name:
        case "relu":
            found = np.maximum(x, F(0))
        case "abs":
            found = np.abs(x)
        case "sign":
            found = np.sign(x)
        case "floor":
            found = np.floor(x)
        case "leaky_relu":
            found = np.where(x < 0, x * F(float(node.params["alpha"])), x)
        case "add":
            found = x + args[1]
        case "sub":
            found = x - args[1]
        case "mul":
            found = x * args[1]
        case "maximum":
            found = np.maximum(x, args[1])
    found = found.astype(F)
    return np.where(np.abs(found) < TINY, F(0), found) if flush else found


BENDS = (
    (ops.RELU, {}),
    (ops.ABS, {}),
    (ops.SIGN, {"at_zero": Fraction(0)}),
    (ops.FLOOR, {}),
    (ops.LEAKY_RELU, {"alpha": Fraction(float(F(0.1)))}),
)


def bend(builder, node, constant, kind):
    """One of several ops after a sum, or none."""
    if kind < len(BENDS):
        op, params = BENDS[kind]
        return builder.apply(op, [node], **params)
    match kind - len(BENDS):
        case 0:
            return builder.apply(ops.SUB, [node, builder.apply(ops.RELU, [node])])
        case 1:
            return builder.apply(ops.MUL, [node, node])
        case 2:
            return builder.apply(ops.MAXIMUM, [node, constant])
        case _:
            return node


def random_graph(rng, scale=1.0):
    builder = GraphBuilder()
    width = int(rng.integers(1, 7))
    node = builder.input("x", (1, width))
    for _ in range(int(rng.integers(1, 4))):
        out = int(rng.integers(1, 9))
        weights = (rng.normal(size=(width, out)) * scale).astype(F)
        bias = (rng.normal(size=(1, out)) * scale).astype(F)
        node = builder.apply(ops.MATMUL, [node, builder.constant(weights)])
        if rng.random() < 0.8:
            node = builder.apply(ops.ADD, [node, builder.constant(bias)])
        kind = int(rng.integers(len(BENDS) + 4))
        node = bend(builder, node, builder.constant(bias), kind)
        width = out
    return builder.build([("y", node)])


def law(rng, rounds):
    """Executions lie within bounds with error terms, over points and over boxes."""
    for _ in range(rounds):
        graph = random_graph(rng, float(rng.choice([1, 1, 1, 1e-3, 1e3, 1e-20])))
        layers = with_rounding(layers_of(graph), SINGLE)
        x = (rng.normal(size=layers.inputs) * rng.choice([1, 1, 1e3, 1e-38])).astype(F)
        width = np.abs(x) * rng.choice([0, 0, 0, 1e-6, 0.1])
        lower, upper = (np.asarray(x, float) - width)[None], (np.asarray(x, float) + width)[None]
        state = bound(layers, lower, upper)
        size = layers.sizes[-1]
        rows = np.concatenate([np.eye(size), -np.eye(size)])[np.newaxis]
        least = least_on(state.bounds[0], back(state, layers.output, rows))[0]
        for _ in range(6):
            y = execute(graph, x, rng).astype(float)
            assert (state.bounds[-1].lower[0] <= y).all()
            assert (y <= state.bounds[-1].upper[0]).all()
            assert (least <= np.concatenate([y, -y])).all()


def test_every_execution_is_within_the_error_terms():
    law(np.random.default_rng(7), 25)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_the_nearest_number_is_that_of_numpy(name):
    rng, kind = np.random.default_rng(1), np.dtype(name).type
    for _ in range(300):
        value = Fraction(float(rng.normal())) * Fraction(2) ** int(rng.integers(-180, 140))
        with np.errstate(over="ignore"):
            wanted = kind(float(value))
        found = FLOATS[name].nearest(value)
        assert found == (Fraction(float(wanted)) if np.isfinite(wanted) else None)
    assert FLOATS[name].nearest(Fraction(0)) == 0


QUERY = """(vnnlib-version <2.0>)
(declare-network f (declare-input X {0} [1,2]) (declare-output Y {0} [1,1]))
(assert (and (<= -1 X[0,0]) (<= X[0,0] 1) (<= -1 X[0,1]) (<= X[0,1] 1)))
(assert {1})
"""


def product(*weights, op=ops.RELU, **params):
    """One op after a product with a column of weights."""
    builder = GraphBuilder()
    column = builder.constant(np.array(weights, dtype=F).reshape(-1, 1))
    node = builder.apply(ops.MATMUL, [builder.input("X", (1, len(weights))), column])
    return builder.build([("Y", builder.apply(op, [node], **params))])


@pytest.fixture(scope="module")
def slope():
    """relu(1.5 x + 2 y), at most 3.5 on the box of the query."""
    return product(1.5, 2.0)


@pytest.mark.parametrize(
    ("kind", "row", "proved"),
    [
        # 3.5 is attained: a float may be above it; the last number is read as the next float
        *(("real", "(> Y[0,0] 3.5)", "real"), ("float32", "(> Y[0,0] 3.5)", "real")),
        *(("float32", "(> Y[0,0] 3.5001)", "float32"), ("float16", "(> Y[0,0] 3.5001)", "real")),
        ("float16", "(> Y[0,0] 3.6)", "float16"),
        ("float64", "(> Y[0,0] 3.50000000001)", "float64"),
        ("float32", "(>= Y[0,0] 3.50000001)", "real"),
    ],
)
def test_the_answer_says_which_arithmetic_it_covers(slope, kind, row, proved):
    answer = verify(slope, parse_vnnlib(QUERY.format(kind, row)))
    assert isinstance(answer, Holds)
    assert (answer.arithmetic.declared, answer.arithmetic.proved) == (kind, proved)
    assert bool(answer.arithmetic.reason) == (kind != proved)
    assert answer.to_json()["arithmetic"]["proved"] == proved


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exp(x)", "library"),
        ("max(x/10, 0)", ""),
        ("max(0.1*x, 0)", "no float32"),
        ("1/(2 + x)", "library"),
        ("sigmoid(x)", "library"),
        ("sqrt(x + 2)", "library"),
    ],
)
def test_only_sums_products_and_exact_functions_have_error_terms(text, why):
    region = "(declare-const X_0 Real) (declare-const Y_0 Real)"
    region += "(assert (and (>= X_0 -1) (<= X_0 1) (>= Y_0 9)))"
    answer = tc.verify(tc.expression(text), parse_vnnlib(region), arithmetic="float32")
    assert (answer.arithmetic.proved == "float32") == (not why)
    assert why in answer.arithmetic.reason


def test_sums_beyond_the_largest_float_have_no_error_terms():
    spec = QUERY.format("float32", "(< Y[0,0] 0)").replace("-1 ", "-3e38 ").replace(" 1)", " 3e38)")
    answer = verify(product(2.0, -2.0), parse_vnnlib(spec))
    assert answer.arithmetic.proved == "real"
    assert "largest number" in answer.arithmetic.reason


def test_a_sign_whose_argument_may_round_to_the_other_side_is_not_proved():
    third = F(1) / F(3)
    graph = product(1.0, third, op=ops.SIGN, at_zero=Fraction(0))
    # x + y/3 >= 0 is what real numbers have on this box, where 0 is attained
    text = QUERY.format("float32", "(< Y[0,0] 0)").replace("(<= -1 X[0,0])", "(<= {} X[0,0])")
    for least, proved in ((Fraction(float(third)), "real"), (Fraction(1, 2), "float32")):
        answer = verify(graph, parse_vnnlib(text.format(f"{float(least):.40g}")))
        assert answer.arithmetic.proved == proved


def test_constants_are_read_exactly_and_as_floats():
    text = QUERY.format("float32", "(>= Y[0,0] 0.1)").replace("X[0,0] 1)", "X[0,0] 0.7)")
    (case,) = rounded_spec(parse_vnnlib(text), SINGLE).cases
    # 0.7 is above its float, 0.1 below it
    assert case.upper[0] == Fraction(7, 10)
    assert case.outputs[0].bound == -Fraction(1, 10)
    (case,) = rounded_spec(parse_vnnlib(text.replace(" 0.7)", " 0.1)")), SINGLE).cases
    assert case.upper[0] == Fraction(float(F(0.1)))


def kernel_law(rng, rounds):
    """Executions lie within the kernel's bounds, at a point and on a box; how many it has read."""
    read = 0
    for _ in range(rounds):
        graph = random_graph(rng, float(rng.choice([1, 1, 1e-3, 1e3])))
        x = rng.normal(size=graph.inputs["x"][1]).astype(F)
        constants = [n.tensor for n in graph.nodes if isinstance(n, Constant)]
        tensors = {tensor.digest: tensor_document(tensor) for tensor in constants}
        try:
            network = Network(read_graph(graph.document(), tensors), 200, FORMATS["float32"])
        except Reject:
            continue
        read += 1
        width = Fraction(int(rng.choice([0, 0, 1])), 1 << int(rng.choice([4, 20])))
        low, high = (
            [rounded(Fraction(float(v)) + way * width, BITS) for v in x]
            for rounded, way in ((down, -1), (up, 1))
        )
        bounds = Bounds(network, low, high, BITS)
        part = bounds.root.copy()
        bounds.tighten(part, deep=True)
        for _ in range(4):
            y = [Fraction(float(v)) for v in execute(graph, x, rng)]
            for v, value in zip(network.outputs, y, strict=True):
                assert part.low[v] <= value * (1 << BITS) <= part.high[v]
            # a functional of all outputs
            row = {v: int(rng.integers(-5, 6)) for v in network.outputs}
            least = bounds.functional(part, {v: c << 28 for v, c in row.items()}, 0, {}, {})[2]
            total = sum(c * y[i] for i, c in enumerate(row.values()))
            assert len(row) < len(y) or least <= total * (1 << (28 + BITS))
    return read


def test_every_execution_is_within_the_bounds_of_the_kernel():
    assert kernel_law(np.random.default_rng(3), 40) > 20


def test_a_certificate_covers_every_execution(slope):
    spec = parse_vnnlib(QUERY.format("float32", "(>= Y[0,0] 3.51)"))
    answer = verify(slope, spec, certify=True)
    assert answer.rests_on == answer.arithmetic.rests_on == "certificate"
    assert answer.certificate["claim"]["arithmetic"] == "float32"
    assert tc.recheck(answer.certificate).verdict == "valid"
    # with less room it is refused, though it is true of real numbers
    document = json.loads(json.dumps(answer.certificate))
    document["claim"]["regions"][0]["unsafe"][0][0]["bound"] = "-35000001/10000000"
    assert tc.recheck(document).verdict == "invalid"
    del document["claim"]["arithmetic"]
    assert tc.recheck(document).verdict == "valid"


def test_a_witness_is_deepened_until_a_float32_run_confirms_it():
    # both rows are at most 0 near one point only, (1/3, -1/5), and deepest there
    text = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1"))
    text += "(assert (and (>= X_0 -7) (<= X_0 9) (>= X_1 -8) (<= X_1 5)))"
    text += "(assert (and (<= Y_0 0.000001) (<= Y_1 0.000001)))"
    net = "max(p, -p - q, 0) + max(q, 0); max(-p, p - q, 0) + max(-q, 0)"
    net = tc.expression(net.replace("p", "(x - 1/3)").replace("q", "(y + 1/5)"))

    def replay(v):
        p, q = v[0] - F(1 / 3), v[1] + F(0.2)
        sums = max(p, -p - q, F(0)) + max(q, F(0)), max(-p, p - q, F(0)) + max(-q, F(0))
        return np.array(sums, dtype=F) + F(9.5e-7)

    problem = problem_of(net.graph, parse_vnnlib(text))
    search = Search(problem, problem.layers, np.random.default_rng(0), replay)
    point = np.array([1 / 3 + 9e-7, -1 / 5])
    found = deepen(search, problem.regions[0], point, count=8, steps=0)
    assert found is not None
    assert found.float32
