"""What is derived from an op's pieces is what the kernel's own table accepts.

The derivation reads structures off the formulas of `tamecheck.ops`; the kernel has a table of its
own.  Two independent statements of the same facts must agree on every op and on random graphs.
"""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from op_samples import SAMPLES, Sample

from tamecheck import ops
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.ir.op import Pointwise
from tamecheck.ir.structure import Structure
from tamecheck.kernel import check as recheck
from tamecheck.ops import BY_NAME
from tamecheck.tame import Verdict, check

F = Fraction
BOXES = {
    "everywhere": Box.everything(),
    "around 0": (F(-1, 2), F(1, 2)),
    "positive": (F(1, 4), F(3, 4)),
    "above 1": (F(2), F(3)),
    "half-line": (F(1), None),
}


def box_of(graph: Graph, name: str) -> Box:
    bounds = BOXES[name]
    if isinstance(bounds, Box):
        return bounds
    return Box.uniform(list(graph.inputs), *bounds)


def graph_of(sample: Sample, fixed: int | None) -> Graph:
    builder = GraphBuilder()
    shapes = sample.shapes or ((),) * (sample.op.arity or 1)
    args: list[int] = []
    for i, shape in enumerate(shapes):
        if sample.indices and i == 1:
            args.append(builder.constant(np.array(sample.indices, dtype=np.int64)))
        elif i == fixed:
            args.append(builder.constant(np.full(shape, 0.75)))
        else:
            args.append(builder.input(f"x{i}", shape))
    return builder.build({"y": builder.apply(sample.op, args, **sample.params)})


def assert_accepted(graph: Graph, box: Box) -> Verdict:
    answer = check(graph, box)
    if answer.certificate is None:
        assert answer.verdict is Verdict.UNKNOWN
        assert answer.open
        return answer.verdict
    report = recheck(json.dumps(answer.certificate))
    assert report.verdict == ("incomplete" if answer.trusted else "valid"), (
        report.why,
        answer.certificate["steps"][report.step] if report.step is not None else None,
    )
    return answer.verdict


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_op_is_judged_alike_by_the_kernel(sample, name):
    for fixed in (None, 0, 1):
        graph = graph_of(sample, fixed)
        if graph.inputs:
            assert_accepted(graph, box_of(graph, name))


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if isinstance(s.op.meaning, Pointwise)], ids=str
)
def test_every_pointwise_op_is_tame_somewhere(sample):
    graph = graph_of(sample, None)
    verdicts = [
        check(graph, Box.uniform(list(graph.inputs), *bounds)).verdict
        for bounds in ((F(1, 4), F(3, 4)), (F(2), F(3)))
    ]
    assert Verdict.TAME in verdicts


UNARY = [
    *("neg", "abs", "relu", "floor", "ceil", "exp", "sigmoid", "tanh", "softplus", "sin", "cos"),
    *("atan", "erf", "sqrt", "log", "asin", "tan", "sinh", "asinh"),
]
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum", "less", "equal", "prelu"]


@st.composite
def random_graphs(draw):
    builder = GraphBuilder()
    nodes = [builder.input("x", ()), builder.input("y", (2,))]
    nodes.append(builder.constant(draw(st.sampled_from([0.0, 1.0, -2.5, 3.0]))))
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["unary", "binary", "clip", "sign", "round", "pow", "concat"]))
        first = draw(st.sampled_from(nodes))
        if kind == "unary":
            node = builder.apply(BY_NAME[draw(st.sampled_from(UNARY))], [first])
        elif kind == "binary":
            second = draw(st.sampled_from(nodes))
            node = builder.apply(BY_NAME[draw(st.sampled_from(BINARY))], [first, second])
        elif kind == "clip":
            node = builder.apply(ops.CLIP, [first], lo=F(-1), hi=F(2))
        elif kind == "sign":
            node = builder.apply(ops.SIGN, [first], at_zero=F(1))
        elif kind == "round":
            node = builder.apply(ops.ROUND, [first], mode="half_even")
        elif kind == "pow":
            exponent = draw(st.sampled_from([F(2), F(3), F(1, 2), F(-1)]))
            node = builder.apply(ops.POW, [first], exponent=exponent)
        else:
            wide = builder.apply(ops.BROADCAST, [first], shape=(2,))
            node = builder.apply(ops.CONCAT, [wide, nodes[1]], axis=0)
            node = builder.apply(ops.SLICE, [node], starts=(3,), steps=(-1,), sizes=(2,))
        nodes.append(node)
    return builder.build({"out": nodes[-1]})


@given(random_graphs(), st.sampled_from(list(BOXES)))
def test_random_graphs_get_certificates_that_the_kernel_accepts(graph, name):
    assert_accepted(graph, box_of(graph, name))


@given(random_graphs())
def test_a_smaller_domain_never_loses_tameness(graph):
    whole = check(graph, Box.everything())
    assume(whole.verdict is Verdict.TAME)
    part = check(graph, Box.uniform(list(graph.inputs), F(1, 4), F(3, 4)))
    assert part.verdict is Verdict.TAME
    assert all(any(p <= w for p in part.structures) for w in whole.structures)


@given(random_graphs())
def test_on_a_bounded_box_nothing_is_only_locally_tame(graph):
    answer = check(graph, Box.uniform(list(graph.inputs), F(-3), F(3)))
    assert Structure.LOCAL not in answer.structures
