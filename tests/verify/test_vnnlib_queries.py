"""VNN-LIB 2.0 queries: several networks, hidden tensors, products; the standard's command line."""

import json
from fractions import Fraction

import numpy as np
import onnx
import pytest
from corpus import onnx_model
from onnx import TensorProto, helper, numpy_helper

import tamecheck as tc
from tamecheck import ops
from tamecheck.cli import main
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib

NETWORKS = """(vnnlib-version <2.0>)
(declare-network f
  (declare-input A float32 [1,2])
  (declare-hidden H float32 [1,1] "h")
  (declare-output B float32 [1,1]))
(declare-network g
  (equal-to f)
  (declare-input C float32 [1,2])
  (declare-output D float32 [1,1]))
(assert (and (<= -1 A[0,0]) (<= A[0,0] 1) (<= -1 A[0,1]) (<= A[0,1] 1)))
"""


def save(path, weights, nodes=("MatMul", "Relu")):
    """relu(x w), whose hidden tensor is called h."""
    w = np.asarray(weights, dtype=np.float32)
    made = [
        helper.make_node(nodes[0], ["x", "w"], ["h"], name="product"),
        helper.make_node(nodes[1], ["h"], ["y"]),
    ]
    rows, columns = np.shape(weights)
    onnx.save(onnx_model(made, [1, rows], {"w": w}, {"y": [1, columns]}), path)
    return path


@pytest.fixture
def net(tmp_path):
    return save(tmp_path / "net.onnx", [[1.0], [0.0]])


def ask(tmp_path, query, *options):
    path = tmp_path / "query.vnnlib"
    path.write_text(query)
    return main(["verify", str(path), *map(str, options)])


def read_assignment(lines):
    """The printed variables: name, type, shape and values."""
    found = {}
    for line in lines:
        words = line.split()
        if len(words) == 3:
            values = []
            found[words[0]] = (words[1], json.loads(words[2]), values)
        else:
            values.append(float(line))
    return found


MONOTONE = "(assert (and (<= A[0,0] C[0,0]) (<= C[0,0] 1) (== A[0,1] C[0,1])))"


def test_a_monotone_network_is_monotone(tmp_path, net, capsys):
    query = NETWORKS + MONOTONE + "(assert (> B[0,0] D[0,0]))"
    assert ask(tmp_path, query, "--network", f"f={net}") == 0
    printed = capsys.readouterr()
    assert printed.out == "unsat\n"
    # equal inputs may round apart: at A = C one network may be above the other
    assert "Proved of real arithmetic, not of float32" in printed.err


def test_all_variables_are_printed_in_the_order_of_the_query(tmp_path, net, capsys):
    query = NETWORKS + MONOTONE + "(assert (< B[0,0] D[0,0]))"
    assert ask(tmp_path, query, "--network", f"f={net}") == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "sat"
    found = read_assignment(rest)
    assert list(found) == ["A", "H", "B", "C", "D"]
    assert {kind for kind, _, _ in found.values()} == {"float32"}
    assert [shape for _, shape, _ in found.values()] == [[1, 2], [1, 1], [1, 1], [1, 2], [1, 1]]
    values = {name: one[2] for name, one in found.items()}
    assert values["H"] == values["A"][:1]
    assert values["B"][0] == max(values["A"][0], 0) < values["D"][0] == max(values["C"][0], 0)
    assert values["A"][1] == values["C"][1]


def test_assignments_are_stored_as_tensors_of_their_types(tmp_path, net, capsys):
    query = NETWORKS.replace("float32 [1,1]))", "real [1,1]))") + MONOTONE
    query = query.replace("(equal-to f)", "")
    folder = tmp_path / "out"
    options = ["--network", f"f={net}", "--network", f"g={net}", "--serialise-assignments", folder]
    assert ask(tmp_path, query + "(assert (>= (* H[0,0] C[0,0]) 0.25))", *options) == 0
    assert capsys.readouterr().out == "sat\n"
    tensors = {path.stem: onnx.load_tensor(path) for path in folder.iterdir()}
    assert set(tensors) == {"A", "H", "B", "C", "D"}
    assert tensors["A"].data_type == TensorProto.FLOAT
    assert tensors["B"].data_type == TensorProto.DOUBLE
    arrays = {name: numpy_helper.to_array(proto) for name, proto in tensors.items()}
    assert arrays["A"].shape == (1, 2)
    assert arrays["H"][0, 0] * arrays["C"][0, 0] >= 0.25
    # an earlier assignment is replaced, a file of somebody else is not
    assert ask(tmp_path, query, *options) == 0
    (folder / "A.pb").write_bytes(b"mine")
    assert ask(tmp_path, query, *options) == 2
    assert (folder / "A.pb").read_bytes() == b"mine"


def test_json_holds_exact_values(tmp_path, net, capsys):
    query = NETWORKS + MONOTONE + "(assert (>= H[0,0] 0.3))"
    assert ask(tmp_path, query, "--network", f"f={net}", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "sat"
    assert answer["verdict"] == "violated"
    assert answer["rests_on"] == "replay"
    assert Fraction(answer["assignment"]["H"]["values"][0]) >= Fraction(3, 10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["g={net}"], "'f' has no model"),
        (["f={net}", "g={net}"], "No network needs the model that is given for 'g'"),
        (["f"], "NAME=FILE"),
        (["f={net}", "f={net}"], "given twice"),
        (["f={other}"], "declares input A [1, 2], its model has x [1, 3]"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, net, capsys, options, words):
    other = save(tmp_path / "other.onnx", [[1.0], [0.0], [0.0]])
    given = [word for one in options for word in ("--network", one.format(net=net, other=other))]
    assert ask(tmp_path, NETWORKS, *given) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(declare-network g (equal-to h) (declare-input C Real [1])(declare-output D Real [1]))",
         "must be an earlier network"),
        ("(declare-network g (equal-to f) (declare-input C Real [1,2])(declare-output D Real [1]))",
         "declares other tensors"),
        (("(declare-network g (isomorphic-to f) (equal-to f) (declare-input C Real [1,2])"
         "(declare-output D Real [1,1]))"), "more than one"),
        ("(declare-network g (declare-input A Real [1,2])(declare-output D Real [1,1]))",
         "'A' is declared twice"),
        ("(declare-network f (declare-input C Real [1,2])(declare-output D Real [1,1]))",
         "'f' is declared twice"),
        (("(assert (<= (* A[0,0] A[0,0]) 1))(declare-network k (declare-input C Real [1,2])"
         "(declare-output D Real [1,1]))"), "stands after an assertion"),
    ],
)  # fmt: skip
def test_declarations_that_do_not_fit_are_refused(text, words):
    head = NETWORKS[: NETWORKS.index("(declare-network g")]
    with pytest.raises(tc.TamecheckError, match=words):
        parse_vnnlib(head + text)


def declared(inputs, outputs, *conditions, name="f"):
    text = f"(vnnlib-version <2.0>)(declare-network {name} (declare-input {inputs})"
    return text + f"(declare-output {outputs}))" + "".join(f"(assert {one})" for one in conditions)


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        (declared("X real [3,2]", "Y real [2,2]"), [], "X [3, 2], its model has x [2, 3]"),
        (declared("f real [2,3]", "Y real [2,2]"), [], "'f' is declared twice"),
        (declared("X float99 [2,3]", "Y real [2,2]"), [], "elements of type float99"),
        (declared("X real [2,3]", "Y int8 [2,2]", "(== Y[0,1] 2.5)"), [], "but 5/2 is an element"),
        (declared("X real [2,3]", "Y real [2,2]", "(<= 0 Y[0,-1])"), [], "'[0,-1]' is no list"),
        (declared("X real [2,3]", "a/Y real [2,2]"), ["--serialise-assignments", "out"],
         "'a/Y' names no file"),
    ],
)  # fmt: skip
def test_what_fits_no_model_or_type_is_refused_in_a_line(tmp_path, capsys, query, options, words):
    model = tmp_path / "f.onnx"
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    onnx.save(onnx_model(nodes, [2, 3], {"w": np.ones((3, 2), np.float32)}, {"y": [2, 2]}), model)
    assert ask(tmp_path, query, "--network", f"f={model}", *options) in (2, 4)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err
    assert printed.err.count("\n") == 1


def test_comments_end_with_any_line_and_strings_have_escapes():
    text = declared("X real [1]", "Y real [1]") + "; no more\r(assert (<= X[0] 1))\r"
    (case,) = parse_vnnlib(text).cases
    assert case.upper == (1,)
    text = text.replace(
        "(declare-output", '(declare-hidden H real [1] "a\\"b\\\\") (declare-output'
    )
    assert parse_vnnlib(text).networks[0].hidden[0].model_name == 'a"b\\'


def test_isomorphic_networks_may_have_other_types():
    head = NETWORKS[: NETWORKS.index("(declare-network g")]
    spec = parse_vnnlib(
        head + "(declare-network g (isomorphic-to f) (declare-input C float16 [1,2])"
        "(declare-output D float16 [1,1]))"
    )
    assert [network.equal_to for network in spec.networks] == ["", ""]


def test_a_hidden_tensor_may_go_by_its_node_and_must_exist(tmp_path, net, capsys):
    query = NETWORKS.replace('"h"', '"product"') + "(assert (>= H[0,0] 0.5))"
    assert ask(tmp_path, query, "--network", f"f={net}") == 0
    assert capsys.readouterr().out.startswith("sat\n")
    query = NETWORKS.replace('"h"', '"nowhere"')
    assert ask(tmp_path, query, "--network", f"f={net}") == 2
    assert "output 'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(12))
def test_two_random_networks_against_samples(tmp_path, seed):
    """An answer sat is replayed in NumPy, an answer unsat has no counterexample in a fine grid."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-3, 4, (2, 1)).astype(float) for _ in range(2)]
    models = {
        name: tc.load(save(tmp_path / f"{name}.onnx", w))
        for name, w in zip("fg", weights, strict=True)
    }
    bound = Fraction(int(rng.integers(-4, 10)), 2)
    spec = parse_vnnlib(
        "(vnnlib-version <2.0>)"
        "(declare-network f (declare-input A Real [1,2])(declare-output B Real [1,1]))"
        "(declare-network g (declare-input C Real [1,2])(declare-output D Real [1,1]))"
        + "".join(
            f"(assert (and (<= -1 {v}[0,{i}]) (<= {v}[0,{i}] 1)))" for v in "AC" for i in (0, 1)
        )
        + f"(assert (== A[0,0] C[0,0]))(assert (>= (+ B[0,0] (* -1 D[0,0]) A[0,1]) {bound}))"
    )

    def value(x):
        f, g = (
            np.maximum(part @ w, 0)[..., 0]
            for part, w in zip((x[..., :2], x[..., 2:]), weights, strict=True)
        )
        return f - g + x[..., 1]

    answer = tc.verify(models, spec, timeout=20)
    assert answer.status != "unknown"
    if answer.status == "violated":
        x = np.array([float(v) for v in answer.witness.inputs])
        assert x[0] == x[2]
        assert value(x) >= float(bound) - 1e-9
    else:
        axis = np.linspace(-1, 1, 21)
        a, b, c = (part.reshape(-1) for part in np.meshgrid(axis, axis, axis))
        assert value(np.stack([a, b, a, c], axis=-1)).max() < float(bound)


@pytest.mark.parametrize("seed", range(8))
def test_products_against_a_grid(seed):
    """x y and x^2 - y on a box, where the extrema are known from a grid that holds the corners."""
    rng = np.random.default_rng(100 + seed)
    a, b, c, bound = (int(v) for v in rng.integers(-3, 4, 4))
    spec = parse_vnnlib(
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
        "(assert (and (<= -1 X_0) (<= X_0 1) (<= -1 X_1) (<= X_1 1)))"
        f"(assert (>= (+ (* {a} X_0 X_1) (* {b} Y_0 Y_0) (* {c} X_0)) {bound}))"
    )
    answer = tc.verify(tc.expression("relu(x) + y"), spec, timeout=10)
    axis = np.linspace(-1, 1, 81)
    x, y = np.meshgrid(axis, axis)
    largest = (a * x * y + b * (np.maximum(x, 0) + y) ** 2 + c * x).max()
    if answer.status == "violated":
        u, v = answer.witness.inputs
        exact = a * u * v + b * (max(u, 0) + v) ** 2 + c * u
        assert exact >= bound
    elif answer.status == "holds":
        assert largest < bound
    else:
        # a maximum that only touches the bound need not be found
        assert abs(largest - bound) < 0.1


SOFTMAX = """(vnnlib-version <2.0>)
(declare-network f (declare-input X real [2,3]) (declare-output Y real [3,2]))
"""


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        # Y is the transpose, so that a column of it is a distribution
        ("(>= (+ Y[0,0] Y[1,0] Y[2,0]) 1.001)", "holds"),
        ("(< (+ Y[0,0] Y[1,0] Y[2,0]) 1)", "holds"),
        ("(>= (+ (* 2 Y[0,1]) (* 2 Y[1,1]) (* 2 Y[2,1]) Y[0,0]) 3.001)", "holds"),
        ("(>= (+ Y[0,0] Y[1,0] Y[2,0]) 1)", "violated"),
        ("(>= (+ Y[0,0] Y[0,1] Y[1,0]) 1.001)", "violated"),
    ],
)
def test_the_sum_of_a_softmax_is_known(condition, status):
    builder = GraphBuilder()
    x = builder.input("x", (2, 3))
    y = builder.apply(ops.TRANSPOSE, [builder.apply(ops.SOFTMAX, [x], axis=1)], perm=(1, 0))
    box = "".join(
        f"(assert (and (<= -9 X[{i},{j}]) (<= X[{i},{j}] 9)))" for i in (0, 1) for j in range(3)
    )
    spec = parse_vnnlib(SOFTMAX + box + f"(assert {condition})")
    assert tc.verify(builder.build({"y": y}), spec, timeout=10).status == status


@pytest.mark.parametrize(
    ("capability", "lines"),
    [
        ("onnx-opset-versions", ["1", "28"]),
        ("onnx-element-types", ["real"]),
        ("vnnlib-versions", ["1.0", "2.1"]),
        ("hidden-node-theories", ["NH", "H"]),
        ("multiple-input-output-theories", ["SIO", "MIO"]),
        ("multiple-network-theories", ["SNET", "MENET", "MINET", "MNET"]),
        ("multiple-node-comparison-theories", ["SNC", "MNC"]),
        ("arithmetic-complexity-theories", ["BND", "OUTC", "LIN", "POLY"]),
        ("optimised-disjunctive-reasoning", ["false"]),
        ("serialise-assignments", ["true"]),
    ],
)
def test_capabilities_are_printed_a_line_each(capsys, capability, lines):
    assert main(["supports", f"--{capability}"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_the_operators_are_those_that_are_read(capsys):
    assert main(["supports", "--onnx-operators"]) == 0
    operators = capsys.readouterr().out.splitlines()
    assert {"Conv", "Gemm", "MatMul", "Relu", "Softmax"} <= set(operators)
    assert operators == sorted(set(operators))


def test_name_and_version_are_printed_alone(capsys):
    for option, text in (("--name", "tamecheck"), ("--version", tc.__version__)):
        with pytest.raises(SystemExit) as ended:
            main([option])
        assert ended.value.code == 0
        assert capsys.readouterr().out == f"{text}\n"


def conformance_cases():
    from vnntest.core.registry import get_cases

    return list(get_cases(suite="full", node_type=None))


@pytest.mark.slow
def test_the_conformance_suite_passes(tmp_path, capsys):
    """Every case of vnnlib-satisfactory, asked as its runner asks."""
    from vnntest.core.generator import _manifest_entry, _vnnlib_text

    wrong = []
    cases = conformance_cases()
    assert len(cases) >= 178
    for number, case in enumerate(cases):
        model, query = (tmp_path / f"{number}.{end}" for end in ("onnx", "vnnlib"))
        onnx.save(case.build_onnx_model(), model)
        query.write_text(_vnnlib_text(case.build_vnnlib_spec()))
        entry = _manifest_entry(case, model, query)
        networks = [word for name in entry["networks"] for word in ("--network", f"{name}={model}")]
        code = main(["verify", str(query), *networks, "--timeout", "60"])
        first = (capsys.readouterr().out.splitlines() or [""])[0]
        if code != 0 or first != entry["expected"].lower():
            wrong.append((case.id, code, first))
    assert wrong == []


def test_open_dimensions_have_the_sizes_that_the_query_declares(tmp_path, capsys):
    nodes = [
        helper.make_node("Relu", ["x"], ["h"]),
        helper.make_node("ReduceSum", ["h"], ["y"], keepdims=0),
    ]
    model = onnx_model(nodes, ["batch", "length"], outputs={"y": []})
    onnx.save(model, tmp_path / "open.onnx")
    query = """(vnnlib-version <2.0>)
(declare-network f (declare-input X float32 [2,3]) (declare-hidden H float32 [2,3] "h")
  (declare-output Y float32 []))
"""
    for i in range(2):
        for j in range(3):
            query += f"(assert (and (<= 0 X[{i},{j}]) (<= X[{i},{j}] 1)))"
    options = ["--network", f"f={tmp_path / 'open.onnx'}"]
    for bound, status in ((6, "sat"), (7, "unsat")):
        assert (
            ask(tmp_path, query + f"(assert (>= Y {bound}))(assert (>= H[1,2] 1))", *options) == 0
        )
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == status
    assert ask(tmp_path, query.replace("[2,3]", "[2,4]"), *options) == 0


@pytest.mark.parametrize(
    ("declared", "refused"),
    [
        *((kind, False) for kind in ("float32", "Real", "float")),
        *((kind, True) for kind in ("float64", "int8", "float16")),
    ],
)
def test_a_declared_type_is_that_of_the_file(tmp_path, capsys, declared, refused):
    onnx.save(
        onnx_model([helper.make_node("Relu", ["x"], ["y"])], [1], outputs={"y": [1]}),
        tmp_path / "f.onnx",
    )
    query = f"""(vnnlib-version <2.0>)
(declare-network f (declare-input X {declared} [1]) (declare-output Y float32 [1]))
(assert (and (<= 0 X[0]) (<= X[0] 1) (>= Y[0] 2)))
"""
    code = ask(tmp_path, query, "--network", f"f={tmp_path / 'f.onnx'}")
    out, err = capsys.readouterr()
    if refused:
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert f"{tmp_path / 'query.vnnlib'}: Network 'f' declares X {declared}" in err
        assert "x in its model is float32" in err
    else:
        assert (code, out.splitlines()[0]) == (0, "unsat")


def test_the_numbers_that_a_formula_reads_may_be_declared_as_one_vector():
    conditions = ["(>= X[0] 1)", "(<= X[1] 0)", "(<= Y[0] 0)"]
    asked = parse_vnnlib(declared("X real [2]", "Y real [1]", *conditions))
    assert tc.verify(tc.expression("x - y"), asked).status == "holds"
    longer = parse_vnnlib(declared("X real [3]", "Y real [1]"))
    with pytest.raises(tc.TamecheckError, match=r"X \[3\], its model has x \[\], y \[\]"):
        tc.verify(tc.expression("x - y"), longer)
