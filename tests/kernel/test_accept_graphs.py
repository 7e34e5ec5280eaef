"""Graphs, tensors and documents: each right one is accepted, each wrong one for its own reason."""

# ruff: noqa: E501  (one case a line, so that it reads as a table)
import json
from contextvars import Context
from dataclasses import FrozenInstanceError
from sys import maxsize

import pytest
from acceptance import accepts, takes

from tamecheck.kernel import check, checker, graph, interval, rules
from tamecheck.kernel.read import document
from tamecheck.kernel.strict import Reject, Spent, common, spend
from tests.kernel.builders import (
    LIN,
    LINQ,
    LOCAL,
    c,
    certificate,
    changed,
    enclosure,
    has,
    op,
    structure,
    tame,
    tensor,
    x,
)

KERNEL = "kernel"
MOST = 1 << 40
FLAT = {"axis": 0}
KEPT, DROPPED = {"keepdims": True}, {"keepdims": False}


def reduced(axes, **more):
    return {"axes": axes, "keepdims": False} | more


def one(name, *shapes, shape=(), **params):
    """A graph of inputs of these shapes and one node on all of them."""
    inputs = [x(f"x{i}", s) for i, s in enumerate(shapes)]
    return [*inputs, op(name, *range(len(shapes)), shape=shape, **params)]


def into(name, shape, wanted, said=None):
    """A graph of an input that is given another shape, and says to be of that one or another."""
    said = wanted if said is None else said
    node = {"op": name, "args": [0], "params": {"shape": list(wanted)}, "shape": list(said)}
    return [x(shape=shape), node]


GOOD = {
    "pointwise": one("add", (2, 3), (2, 3), shape=(2, 3)),
    "stretched": one("add", (2, 1), (3,), shape=(2, 3)),
    "a scalar is stretched": one("mul", (), (2, 2), shape=(2, 2)),
    "three arguments": one("select", (2,), (), (1,), shape=(2,)),
    "reshape": into("reshape", (2, 3), (3, 2)),
    "broadcast": into("broadcast", (2, 1), (4, 2, 3)),
    "transpose": one("transpose", (2, 3, 4), shape=(4, 2, 3), perm=[2, 0, 1]),
    "transpose of a scalar": one("transpose", (), perm=[]),
    "slice": one("slice", (5, 4), shape=(2, 2), starts=[0, 3], steps=[2, -1], sizes=[2, 2]),
    "slice to both ends": one("slice", (5, 5), shape=(5, 5), starts=[0, 4], steps=[1, -1], sizes=[5, 5]),
    "slice of one": one("slice", (5, 1), shape=(1, 1), starts=[4, 0], steps=[9, 0], sizes=[1, 1]),
    "gather": one("gather", (2, 3, 4), (5, 6), shape=(2, 5, 6, 4), axis=1),
    "gather along the first": one("gather", (2, 3), (), shape=(3,), axis=0),
    "gather along the last": one("gather", (2, 3), (4,), shape=(2, 4), axis=1),
    "gather elements": one("gather_elements", (2, 3), (1, 5), shape=(1, 5), axis=1),
    "gather as many elements": one("gather_elements", (2, 3), (2, 5), shape=(2, 5), axis=1),
    "concat of one": one("concat", (2, 3), shape=(2, 3), axis=1),
    "concat of three": one("concat", (2, 3), (2, 1), (2, 3), shape=(2, 7), axis=1),
    "concat along the first": one("concat", (2, 3), (4, 3), shape=(6, 3), axis=0),
    "pad": one("pad", (2, 3), shape=(3, 5), before=[1, 0], after=[0, 2], value="1/2"),
    "pad of a scalar": one("pad", (), before=[], after=[], value="0"),
    "matmul": one("matmul", (2, 3), (3, 4), shape=(2, 4)),
    "matmul of vectors": one("matmul", (3,), (3,)),
    "matmul of a vector and a matrix": one("matmul", (3,), (3, 4), shape=(4,)),
    "matmul of a matrix and a vector": one("matmul", (2, 3), (3,), shape=(2,)),
    "matmul of batches": one("matmul", (5, 1, 2, 3), (6, 3, 4), shape=(5, 6, 2, 4)),
    "matmul of a batch and a vector": one("matmul", (5, 2, 3), (3,), shape=(5, 2)),
    "a sum of all": one("sum", (2, 3), **reduced([0, 1])),
    "a sum along one": one("sum", (2, 3), shape=(2,), **reduced([1])),
    "a sum that keeps axes": one("sum", (2, 3), shape=(1, 3), axes=[0], keepdims=True),
    "a sum of nothing": one("sum", (2, 3), shape=(2, 3), **reduced([])),
    "a maximum of elements": one("reduce_max", (2, 3), **reduced([1, 0])),
    "a smallest place": one("argmin", (2, 3), shape=(2,), axis=1, last=True, **DROPPED),
    "a largest place": one("argmax", (2, 3), shape=(1, 3), axis=0, last=False, **KEPT),
    "an order": one("argsort", (2, 3), shape=(2, 3), axis=1, descending=True),
    "softmax": one("softmax", (2, 3), shape=(2, 3), axis=1),
    "logsumexp": one("logsumexp", (2, 3), shape=(2,), **reduced([1])),
    "elu": one("elu", (), alpha="-1", beta="1/9"),
    "clip at one side": one("clip", (), lo=None, hi="3"),
    "clip to one value": one("clip", (), lo="3", hi="3"),
    "clip at no side": one("clip", (), lo=None, hi=None),
    "round": one("round", (), mode="half_even"),
    "32 axes": [x(shape=(1,) * 32)],
    "the largest tensor": [x(shape=(1 << 20, 1 << 20))],
    "the largest axis": [x(shape=(MOST,))],
    "one constant twice": [c("w", (2,)), c("w", (2,)), x()],
    "indices without data": [x(shape=(3,)), c("i"), op("gather", 0, 1, axis=0)],
}  # fmt: skip
FIT, ARGS = "the shapes do not fit the operation", "wrong number of arguments"
WRONG, UNEQUAL = "wrong shape", "unequal shapes"
FIELD, RANGE = "a missing or unknown field: ", "an integer in [{}, {}] was expected"
RATIONAL = "a rational 'p' or 'p/q' of at most 4000 digits was expected"
EXTENT, MALFORMED = RANGE.format(1, MOST), "zip() argument"
BAD = [
    (one("add", (2,), (3,), shape=(3,)), UNEQUAL),
    (one("add", (2, 3), (2,), shape=(2, 3)), UNEQUAL),
    (one("add", (2,), (2,), shape=(1,)), WRONG),
    (one("add", (2,), shape=(2,)), ARGS),
    (one("neg", (2,), (2,), shape=(2,)), ARGS),
    (one("concat", axis=0), ARGS),
    (one("power", (), (), ()), ARGS),
    (one("bend", ()), "unknown op 'bend'"),
    (one("b" * 50, ()), f"unknown op '{'b' * 40}'"),
    ([x(), op("neg", 1)], RANGE.format(0, 0)),
    ([x(), op("neg", -1)], RANGE.format(0, 0)),
    ([x(), op("neg", 0, more=1)], FIELD + "'more'"),
    ([x(), op("clip", 0, lo="0")], FIELD + "'hi'"),
    ([x(), op("clip", 0, lo="1", hi="1/2")], "clip with lo > hi"),
    ([x(), op("elu", 0, alpha="1", beta="0")], "elu with beta <= 0"),
    ([x(), op("elu", 0, alpha="1", beta="-1")], "elu with beta <= 0"),
    ([x(), op("pow", 0, exponent=None)], RATIONAL),
    ([x(), op("pow", 0, exponent=2)], RATIONAL),
    ([x(), op("round", 0, mode="half")], "unknown rounding mode"),
    ([x(shape=(0,))], EXTENT),
    ([x(shape=(MOST + 1,))], EXTENT),
    ([x(shape=(True,))], EXTENT),
    ([x(shape=(1,) * 33)], "a tensor is too large"),
    ([x(shape=(1 << 21, 1 << 20))], "a tensor is too large"),
    ([x() | {"op": 3}], "a string was expected"),
    ([x() | {"more": 3}], FIELD + "'more'"),
    ([c("w") | {"more": 3}], FIELD + "'more'"),
    (into("reshape", (2, 3), (3, 3), (3, 3)), FIT),
    (into("reshape", (2, 3), (6,), (2, 3)), WRONG),
    (into("broadcast", (2,), (2, 1), (2, 1)), FIT),
    (into("broadcast", (2,), (1,), (1,)), FIT),
    (into("broadcast", (2,), (3,), (3,)), UNEQUAL),
    (into("broadcast", (2,), (MOST + 1, 2), (2,)), RANGE.format(-MOST, MOST)),
    (into("broadcast", (2,), (-MOST - 1, 2), (2,)), RANGE.format(-MOST, MOST)),
    (one("transpose", (2, 3), shape=(2, 2), perm=[0, 0]), FIT),
    (one("transpose", (2, 3), shape=(2,), perm=[0]), FIT),
    (one("transpose", (2, 3), shape=(2, 3), perm=[1, 0]), WRONG),
    (one("slice", (5,), shape=(3,), starts=[0], steps=[3], sizes=[3]), FIT),
    (one("slice", (5,), shape=(2,), starts=[-1], steps=[1], sizes=[2]), FIT),
    (one("slice", (5,), shape=(1,), starts=[5], steps=[-1], sizes=[1]), FIT),
    (one("slice", (5,), shape=(6,), starts=[4], steps=[-1], sizes=[6]), FIT),
    (one("slice", (5,), shape=(2,), starts=[5], steps=[-1], sizes=[2]), FIT),
    (one("slice", (5,), shape=(2,), starts=[4], steps=[1], sizes=[2]), FIT),
    (one("slice", (5, 5), shape=(1,), starts=[4], steps=[1], sizes=[1]), FIT),
    (one("slice", (5,), shape=(1, 1), starts=[4], steps=[1], sizes=[1, 1]), FIT),
    (one("slice", (5,), shape=(2,), starts=[0], steps=[1], sizes=[1]), WRONG),
    (one("gather", (2, 3, 4), (5, 6), shape=(2, 5, 4), axis=1), WRONG),
    (one("gather", (2, 3), (4,), shape=(4, 3), axis=2), RANGE.format(0, 1)),
    (one("gather", (2, 3), (4,), shape=(4, 3), axis=-1), RANGE.format(0, 1)),
    (one("gather", (), (4,), shape=(4,), axis=0), RANGE.format(0, -1)),
    (one("gather_elements", (2, 3), (3, 5), shape=(3, 5), axis=1), FIT),
    (one("gather_elements", (2, 3), (1, 5), shape=(1, 5), axis=0), FIT),
    (one("gather_elements", (2, 3), (5,), shape=(5,), axis=0), MALFORMED),
    (one("gather_elements", (2, 3), (1, 5), shape=(2, 5), axis=1), WRONG),
    (one("concat", (2, 3), (3, 3), shape=(5, 3), axis=1), FIT),
    (one("concat", (3, 2, 3), (2, 2, 3), shape=(3, 4, 3), axis=1), FIT),
    (one("concat", (3, 2, 3), (3, 2, 2), shape=(3, 4, 3), axis=1), FIT),
    (one("concat", (2, 3), (3,), shape=(5, 3), axis=0), FIT),
    (one("concat", (2, 3), (2, 3), shape=(2, 3), axis=0), WRONG),
    (one("pad", (2,), shape=(1,), before=[-1], after=[0], value="0"), FIT),
    (one("pad", (2,), shape=(1,), before=[0], after=[-1], value="0"), FIT),
    (one("pad", (2,), shape=(3,), before=[1, 0], after=[0], value="0"), FIT),
    (one("pad", (2,), shape=(3,), before=[1], after=[0, 0], value="0"), FIT),
    (one("pad", (2,), shape=(2,), before=[1], after=[0], value="0"), WRONG),
    (one("matmul", (2, 3), (4, 3), shape=(2, 3)), FIT),
    (one("matmul", (3,), (2, 3)), FIT),
    (one("matmul", (2, 3), (2,), shape=(2,)), FIT),
    (one("matmul", (2, 3), (3, 4), shape=(4,)), WRONG),
    (one("matmul", (5, 2, 3), (4, 3, 4), shape=(5, 2, 4)), UNEQUAL),
    (one("sum", (2, 3), **reduced([2])), RANGE.format(0, 1)),
    (one("sum", (2, 3), **reduced([-1])), RANGE.format(0, 1)),
    (one("sum", (2, 3), shape=(3,), **reduced([0, 0])), "an axis is repeated"),
    (one("sum", (2, 3), shape=(3,), **reduced([1])), WRONG),
    (one("sum", (2, 3), shape=(2,), axes=[1], keepdims=1), "true or false was expected"),
    (one("argmax", (2, 3), shape=(2,), axis=[1], last=True, **DROPPED), RANGE.format(0, 1)),
    (one("softmax", (2, 3), shape=(2, 3), axis=2), RANGE.format(0, 1)),
    (one("softmax", (2, 3), shape=(2,), axis=1), WRONG),
]  # fmt: skip


def indexed(values, *, encoding="q", axis=0, extent=(3,), name="gather"):
    shape = (len(values),)
    digest, form = tensor(values, shape, encoding)
    out = [*extent[:axis], *shape, *extent[axis + 1 :]] if name == "gather" else shape
    nodes = [x(shape=extent), c(digest, shape), op(name, 0, 1, shape=out, axis=axis)]
    return certificate(nodes, [], tensors={digest: form})


def of_tensor(values, size, code, **form):
    """A graph with a constant whose data are given."""
    digest, right = tensor(values, size, code)
    return certificate([x(), c(digest, size)], [], tensors={digest: right | form})


def valued(values, encoding, lower, upper):
    """The elements of a tensor are enclosed."""
    shape = (len(values),)
    digest, form = tensor(values, shape, encoding)
    steps = [enclosure(1, [str(v) for v in lower], [str(v) for v in upper])]
    return certificate([x(), c(digest, shape)], steps, tensors={digest: form})


def exactly(values, encoding, rationals=None):
    rationals = values if rationals is None else rationals
    return valued(values, encoding, rationals, rationals)


PLAIN = certificate([x()], [])
TWO = certificate(
    [x("a"), x("b")], [structure(0, LINQ), structure(1, LINQ)], tame(LINQ), outputs=[0, 1]
)
LINEAR = certificate([x()], [structure(0, LIN), has(0, "continuous")], tame(LIN, "continuous"))
STAIRS = certificate(
    [x(), op("floor", 0)], [structure(0, LINQ), structure(1, LOCAL, 0)],
    tame(LOCAL, verdict="locally-tame"),
)  # fmt: skip
DIGITS = "1" + "0" * 3999
LONG = 3**5000  # of 7925 bits
LONGEST = [f"1/{LONG}", f"1/{1 << (1 << 14) - LONG.bit_length()}"]  # together of 2^14
ACCEPTED = {
    **{name: certificate(nodes, [structure(next(k for k, n in enumerate(nodes) if "args" not in n), LINQ)],
        tame(LINQ), outputs=[next(k for k, n in enumerate(nodes) if "args" not in n)])
       for name, nodes in GOOD.items()},
    "two outputs": TWO,
    "a property": LINEAR,
    "a structure above": changed(LINEAR, claim__structures=["semilinear", "an", "exp"]),
    "locally": STAIRS,
    "indices": indexed([0, 2, -3, -1]),
    "indices along the second": indexed([0, 4, -5], extent=(2, 5), axis=1),
    "element indices": indexed([0, 2, -3], name="gather_elements"),
    "indices in floats": indexed([2.0, -3.0], encoding="f64"),
    "indices in integers": indexed([2, -3], encoding="i64"),
    "f32": exactly([1.0, -0.5, 0.0, 1.5, 2.0**-126, 2.0**-149, 2.0**127, -(2.0**-133)], "f32",
                   [1, "-1/2", 0, "3/2", f"1/{2**126}", f"1/{2**149}", 2**127, f"-1/{2**133}"]),
    "f32 of even mantissas": exactly([3.0, 6.0, 1024.0], "f32", [3, 6, 1024]),
    "f64": exactly([1.0, -0.75, 0.0, 2.0**-1022, 5e-324, -(2.0**1023)], "f64",
                   [1, "-3/4", 0, f"1/{2**1022}", f"1/{2**1074}", -(2**1023)]),
    "zeros": exactly([0.0, -0.0], "f64", [0, 0]),
    "i64": exactly([0, -(2**63), 2**63 - 1], "i64"),
    "the longest common denominator": exactly(LONGEST, "q"),
    "another alphabet": certificate([x("é")], []),
    "q": exactly(["0", "-1/3", "5/7"], "q"),
    "empty list of fields": changed(LINEAR, claim={"verdict": "tame", "structures": ["semilinear"]}),
    "a number of 4000 digits": certificate([x()], [enclosure(0, f"-{DIGITS[:-1]}", DIGITS)], boxes=[("0", DIGITS)]),
}  # fmt: skip
OTHERS, NONE_OF = (
    "the claimed structures do not fit the verdict",
    "a tensor is not that of a constant of its shape",
)
INDEX = "node 2: a constant index is no integer in range"
LIES = [
    *((certificate(nodes, []), None, f"node {len(nodes) - 1}: {why}") for nodes, why in BAD),
    (changed(PLAIN, format="x"), None, "unknown format"),
    (changed(PLAIN, version=3), None, RANGE.format(1, 2)),
    (changed(PLAIN, more=2), None, FIELD + "'more'"),
    ({k: v for k, v in PLAIN.items() if k != "steps"}, None, FIELD + "'steps'"),
    (PLAIN | {"model": PLAIN["model"] | {"sha256": "0"}}, None, "the hash of the graph is another"),
    (changed(PLAIN, model__graph__format="x"), None, "unknown graph format"),
    (changed(PLAIN, model__graph__version=0), None, RANGE.format(1, 1)),
    (changed(PLAIN, model__graph__version=2), None, RANGE.format(1, 1)),
    (changed(PLAIN, model__graph__outputs=[]), None, "no outputs, or two of one name"),
    (changed(PLAIN, model__graph__outputs__0__node=1), None, RANGE.format(0, 0)),
    (changed(PLAIN, model__graph__outputs__0__node=-1), None, RANGE.format(0, 0)),
    (changed(TWO, model__graph__outputs__1__name="y0"), None, "no outputs, or two of one name"),
    (changed(TWO, model__graph__nodes__1__name="a"), None, "two inputs have one name"),
    (changed(PLAIN, domain={}), None, "the domain names other inputs than the graph"),
    (changed(PLAIN, domain__y=PLAIN["domain"]["x"]), None, "the domain names other inputs than the graph"),
    (changed(PLAIN, domain__x__lower=["1"], domain__x__upper=["0"]), None, "lower > upper"),
    (changed(PLAIN, domain__x__lower=[], domain__x__upper=[]), None, "bounds are one for all elements, or one for each"),
    (changed(PLAIN, domain__x__lower=[None] * 2), None, "malformed: ValueError"),
    (certificate([x(shape=(3,))], [], boxes=[([None] * 2, [None] * 2)]), None, "bounds are one for all elements, or one for each"),
    # claims
    (changed(LINEAR, claim__verdict="nice"), None, "unknown verdict"),
    (changed(LINEAR, claim__more=0), None, FIELD + "'more'"),
    (changed(LINEAR, claim__structures=[]), None, OTHERS),
    (changed(LINEAR, claim__structures=["semilinear"] * 2), None, OTHERS),
    (changed(LINEAR, claim__structures=["local"]), None, OTHERS),
    (changed(LINEAR, claim__structures=["linear"]), None, OTHERS),
    (changed(LINEAR, claim__verdict="locally-tame"), None, OTHERS),
    (changed(LINEAR, claim__structures=[LINQ]), None, "output node 0 is not shown to be in them"),
    (changed(LINEAR, claim__structures=["exp", LINQ]), None, "output node 0 is not shown to be in them"),
    (changed(LINEAR, claim__properties=["piecewise_linear"]), None, "output node 0 is not shown to have them"),
    (changed(LINEAR, steps=LINEAR["steps"][:1]), None, "output node 0 is not shown to have them"),
    (changed(LINEAR, steps=[has(0, "continuous")]), None, "output node 0 is not shown to be in them"),
    (changed(TWO, steps=TWO["steps"][:1]), None, "output node 1 is not shown to be in them"),
    (changed(TWO, steps=TWO["steps"][1:]), None, "output node 0 is not shown to be in them"),
    (changed(TWO, claim=tame(LINQ, "continuous"), steps=[*TWO["steps"], has(0, "continuous")]), None, "output node 1 is not shown to have them"),
    (changed(STAIRS, claim__verdict="tame"), None, OTHERS),
    (changed(STAIRS, claim={"verdict": "not-tame", "refutes": "o-minimal"}), None, "no step refutes what is claimed"),
    (changed(STAIRS, claim={"verdict": "not-tame"}), None, FIELD + "'refutes'"),
    # indices
    (indexed([3]), None, INDEX),
    (indexed([0, -4]), None, INDEX),
    (indexed(["1/2"]), None, INDEX),
    (indexed([5], extent=(2, 5), axis=1), None, INDEX),
    (indexed([-6], extent=(2, 5), axis=1), None, INDEX),
    (indexed([2], extent=(2, 5), axis=0), None, INDEX),
    (indexed([3], name="gather_elements"), None, INDEX),
    (indexed([0.5], encoding="f32"), None, INDEX),
    # tensors
    (changed(PLAIN, tensors={"w": tensor([1])[1]}), None, NONE_OF),
    (of_tensor([1, 2], (2,), "i64", shape=[1, 2]), None, NONE_OF),
    (of_tensor(["1", "2"], (2,), "q", data=["1", "3"]), None, "wrong tensor digest"),
    (of_tensor([*LONGEST, "1/5"], (3,), "q"), None, "the common denominator is too long"),
    (of_tensor(["1", "2", "3"], (2,), "q"), None, "a tensor has the wrong number of elements"),
    (of_tensor(["1"], (2,), "q"), None, "a tensor has the wrong number of elements"),
    (of_tensor([1.0], (2,), "f64"), None, "a tensor has the wrong number of elements"),
    (of_tensor(["1", "2/4"], (2,), "q"), None, "a rational not in lowest terms"),
    (of_tensor([float("nan")], (1,), "f64"), None, "a tensor holds NaN or infinity"),
    (of_tensor([float("-inf")], (1,), "f32"), None, "a tensor holds NaN or infinity"),
    (of_tensor([float("inf"), 1.0], (2,), "f64"), None, "a tensor holds NaN or infinity"),
    (of_tensor([1.0], (1,), "f32", data="AACAPw=?="), None, "malformed: Error"),
    (of_tensor([1.0], (1,), "f32", more=0), None, FIELD + "'more'"),
    (of_tensor([1.0], (1,), "f32", encoding=0), None, "a string was expected"),
    (certificate([c("w", (2,)), c("w", (1,)), x()], []), None, "one tensor is used with two shapes"),
    # lexical rules
    *((json.dumps(changed(PLAIN, domain__x__lower=["@"])).replace('"@"', token), None, why)
      for token, why in (
        ('"01"', RATIONAL), ('"-0"', RATIONAL), ('"+1"', RATIONAL), ('"1/0"', RATIONAL), ('"0/1"', "a rational not in lowest terms"),
        ('"1/1"', "a rational not in lowest terms"), ('"2/4"', "a rational not in lowest terms"), ('"1/-2"', RATIONAL), ('" 1"', RATIONAL), ('"1\\n"', RATIONAL), ('"\\u0661"', RATIONAL),
        ('""', RATIONAL), ("0", RATIONAL), ("false", RATIONAL), (f'"{DIGITS}0"', RATIONAL), (f'"1/{DIGITS}0"', RATIONAL),
        ("NaN", "'NaN' is not a small integer; other numbers are strings"), ("-Infinity", "'-Infinity' is not a small integer; other numbers are strings"),
        ("1.0", "'1.0' is not a small integer; other numbers are strings"), ("1e9", "'1e9' is not a small integer; other numbers are strings"),
        ("9" * 20, f"'{'9' * 20}' is not a small integer; other numbers are strings"), ("9" * 30, f"'{'9' * 20}' is not a small integer; other numbers are strings"),
        ("9" * 19, RATIONAL), ('{"a": 1, "a": 2}', "an object repeats a key"), ("]", "malformed: JSONDecodeError"))),
    (json.dumps(PLAIN) + "0", None, "malformed: JSONDecodeError"),
    ("\ufeff" + json.dumps(PLAIN), None, "malformed: JSONDecodeError"),
    ("[]", None, "an object was expected"),
    ({"k" * 60: 0}, None, FIELD + "'claim'"),
    (PLAIN | {"a" * 60: 0}, None, FIELD + f"'{'a' * 40}'"),
    (changed(PLAIN, steps={}), None, "a list was expected"),
    (changed(PLAIN, steps=["structure"]), 0, "an object was expected"),
]  # fmt: skip


def says_what_is_written(report, document):
    return (report.claim, report.model_sha256) == (document["claim"], document["model"]["sha256"])


test_right_documents_are_accepted = accepts(check, ACCEPTED, says_what_is_written)


@pytest.mark.parametrize("number", range(len(LIES)))
def test_each_wrong_document_is_refused_for_its_reason(number):
    document, step, why = LIES[number]
    report = check(document if isinstance(document, str) else json.dumps(document))
    assert (report.verdict, report.step) == ("invalid", step)
    assert report.why.startswith(why), report.why
    assert (report.claim, report.model_sha256) == (None, None)


STEPS = [
    (PLAIN, 16),
    (ACCEPTED["indices"], 29),
    (ACCEPTED["a number of 4000 digits"], 7639),
    (ACCEPTED["the longest common denominator"], 6864),
    (ACCEPTED["f64"], 448),
    (ACCEPTED["f32"], 424),
    (exactly([1.0, 2.0], "f64", [1, 2]), 118),
]
"""How many steps a check takes."""


test_a_check_takes_so_many_steps = takes(check, STEPS, checker.A_CHARACTER)


def test_limits_are_those_that_are_documented():
    assert (checker.STEPS, checker.A_CHARACTER) == (10_000_000, 8)
    assert common([2**9, 6], 11) == 3 * 2**9
    assert common([2**9, 6], 10) is None

    class Text(bytes):
        def __len__(self):
            return said

    said = 1 << 28
    assert document(Text(b"{}")) == {}
    said += 1
    with pytest.raises(Reject, match="too long"):
        document(Text(b"{}"))


def test_outside_of_a_check_work_is_not_bounded():
    def work():
        spend(maxsize)
        with pytest.raises(Spent):
            spend(1)

    Context().run(work)
    check(json.dumps(PLAIN), 0)
    Context().run(work)


def test_records_cannot_be_changed():
    found = graph.read_graph(PLAIN["model"]["graph"], {})
    for record, name in (
        (found, "sha256"), (found.nodes[0], "op"), (interval.UNIT, "low"),
        (rules.Fact("enclosure", 0), "node"), (check("{}"), "verdict"),
    ):  # fmt: skip
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, None)
        assert not hasattr(record, "__dict__")
    assert not hasattr(rules.Proof(found, {}, 2), "__dict__")
