"""Steps that refute a case as a Boolean formula."""

import copy
import json
import random
from fractions import Fraction

import numpy as np
import pytest

from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.kernel_pwl import check
from tamecheck.verification.split_proofs import SplitProofs


def document_of(clauses, count):
    """The certificate that clauses about numbers 0 and 1 have no model; None if they have one."""
    proofs = proofs_of(clauses, count)
    steps, region = proofs.formulas(proofs.problem.regions[0], Budget.of(5))
    if region.cases.any():
        return None
    proofs.find(Budget.of(5))
    assert [step for _, step in proofs.trees[0].preorder()] == steps
    return json.loads(json.dumps(proofs.certificate()))


def proofs_of(clauses, count):
    """The proofs of a network and a property that have a model of clauses as their violation.

    The network is ``sum of x - max(2x - 1, 0)``, which is 0 where all x are 0 or 1, and the sum of
    ``max(1 - literals, 0)``.
    """
    build = GraphBuilder()
    x = build.input("x", (1, count))
    first = np.zeros((count, count + len(clauses)), dtype=int)
    bias = np.zeros(count + len(clauses), dtype=int)
    first[:, :count] = 2 * np.eye(count, dtype=int)
    bias[:count] = -1
    for k, clause in enumerate(clauses, count):
        bias[k] = 1 - sum(literal < 0 for literal in clause)
        for literal in clause:
            first[abs(literal) - 1, k] -= 1 if literal > 0 else -1
    z = build.apply(
        ops.ADD, [build.apply(ops.MATMUL, [x, build.constant(first)]), build.constant(bias)]
    )
    last = np.zeros((count + len(clauses), 2), dtype=int)
    last[:count, 0], last[count:, 1] = -1, 1
    t = build.apply(ops.MATMUL, [build.apply(ops.RELU, [z]), build.constant(last)])
    straight = build.constant(np.stack([np.ones(count, int), np.zeros(count, int)], 1))
    y = build.apply(ops.ADD, [build.apply(ops.MATMUL, [x, straight]), t])
    graph = build.build([("y", y)])
    rows = tuple(Inequality((), ((j, Fraction(1)),), Fraction(0)) for j in range(2))
    case = Case((Fraction(0),) * count, (Fraction(1),) * count, (), rows)
    spec = Specification((TensorName("X", (count,)),), (TensorName("Y", (2,)),), (case,))
    return SplitProofs.of(graph, spec)


SQUARE = [(1, 2), (1, -2), (-1, 2), (-1, -2)]


def verdict(document):
    report = check(json.dumps(document))
    return report.verdict, report.why


def test_accepted():
    document = document_of(SQUARE, 2)
    assert verdict(document) == ("valid", "")
    (step,) = document["proofs"][0]
    assert step[0] == "formula"
    assert {tuple(literals) for _, literals in step[3]} <= {*SQUARE, *(c[::-1] for c in SQUARE)}


def change(document, place, value):
    changed = copy.deepcopy(document)
    holder = changed["proofs"][0][0]
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ((2,), [], "a literal about an input without two values"),
        ((2,), [2], "an integer in [0, 1] was expected"),
        ((3, 0, 1), [1], "clause 0 does not follow"),
        ((3, 0, 0), 2, "there is no such row"),
        ((3, 0, 0), -99, "there is no such rectifier"),
        ((3, 0, 1), [3], "an integer in [-2, 2] was expected"),
        ((3, 0, 1), [0], "0 is no literal"),
        ((4, -1, 1), [], "clause 5 does not follow"),
        ((4, -1, 1), [9], "an integer in [0, 4] was expected"),
        ((4,), [], "the clauses are not refuted"),
        ((1,), 1, "an integer in [0, 0] was expected"),
    ],
)
def test_refused(place, value, why):
    assert verdict(change(document_of(SQUARE, 2), place, value)) == ("invalid", why)


def test_a_formula_needs_all_bits_of_the_weights():
    document = document_of(SQUARE, 2)
    first = json.dumps(document).replace('"weights": 256', '"weights": 1')
    assert verdict(json.loads(first)) == ("valid", "")  # the weights are integers


@pytest.mark.slow
def test_random_formulas():
    rng = random.Random(3)
    refuted = 0
    for _ in range(12):
        count = rng.choice([3, 4])
        clauses = [
            tuple(
                rng.choice([-1, 1]) * v for v in rng.sample(range(1, count + 1), rng.choice([2, 3]))
            )
            for _ in range(rng.randint(8, 22))
        ]
        models = [
            bits
            for bits in range(1 << count)
            if all(any((bits >> (abs(x) - 1) & 1) == (x > 0) for x in c) for c in clauses)
        ]
        document = document_of(clauses, count)
        assert (document is None) == bool(models)
        if document is None:
            continue
        refuted += 1
        assert verdict(document) == ("valid", "")
        # without one of its clauses the network is another, and what it claims may be false
        for k in range(len(clauses)):
            fewer = clauses[:k] + clauses[k + 1 :]
            if any(
                all(any((bits >> (abs(x) - 1) & 1) == (x > 0) for x in c) for c in fewer)
                for bits in range(1 << count)
            ):
                other = json.loads(json.dumps(proofs_of(fewer, count).certificate()))
                other |= {"proofs": document["proofs"], "bits": document["bits"]}
                assert verdict(other)[0] == "invalid"
    assert refuted > 2
