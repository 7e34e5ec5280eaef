"""Shares of a check look at a part of the tree each; products with packed integers are exact."""

import json
import random

import pytest

from tamecheck import ops
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.judge import judge_shares
from tamecheck.kernel_pwl import check, slots
from tamecheck.kernel_pwl.slots import Matrix, pack, unpack

UNIT = 1 << 34


def certificate(proof):
    """That |x| is never at most -1 on [-1, 1], by this proof."""
    build = GraphBuilder()
    graph = build.build([("y", build.apply(ops.ABS, [build.input("x", (1,))]))])
    row = {"inputs": [], "outputs": [[0, "1"]], "bound": "-1", "strict": False}
    region = {"lower": ["-1"], "upper": ["1"], "unsafe": [[row]]}
    return {
        "format": "tamecheck-split-certificate", "version": 1,
        "model": {"sha256": graph.sha256, "graph": graph.document()}, "tensors": {},
        "bits": {"weights": 20, "values": 34},
        "claim": {"verdict": "holds", "regions": [region]}, "proofs": [proof],
    }  # fmt: skip


def halves(depth, low, high):
    """The first input halved again and again, and closed by intervals."""
    middle = (low + high) // 2
    if depth == 0:
        return [["bound", 0], ["close", 0, 0]]
    sides = halves(depth - 1, low, middle), halves(depth - 1, middle, high)
    return [["split", 0, 0, middle, 0], *sides[0], *sides[1]]


def shares(document, count):
    reports = [check(json.dumps(document), share=(k, count)) for k in range(count)]
    return [report.verdict for report in reports], [report.step for report in reports]


@pytest.mark.parametrize("count", [2, 3])
def test_each_part_is_in_a_share(count):
    """What is wrong in any part is refused by some share, and by one alone below many splits."""
    proof = halves(8, -UNIT, UNIT)
    document = certificate(proof)
    assert shares(document, count)[0] == ["valid"] * count
    leaves = [k for k, step in enumerate(proof) if step[0] == "close"]
    refusing = set()
    for k in leaves[::50]:
        document["proofs"] = [[*proof[:k], ["close", 0, 1], *proof[k + 1 :]]]
        verdicts, steps = shares(document, count)
        assert verdicts.count("invalid") == 1
        refusing.add(verdicts.index("invalid"))
        assert steps[verdicts.index("invalid")] == k
    assert refusing == set(range(count))
    # that all cases are closed is seen by all
    for lie in (proof[:-1], [*proof, ["close", 0, 0]], [*proof[:-1], ["close", 1, 0]]):
        document["proofs"] = [lie]
        assert shares(document, count)[0] == ["invalid"] * count


@pytest.mark.parametrize("step", [["bound", 3], ["cut", 0, 7], ["split", 0, 9, 0, 0], ["never"]])
@pytest.mark.parametrize("place", [0, 1, 700])
def test_steps_that_close_nothing_are_in_a_share(step, place):
    proof = halves(8, -UNIT, UNIT)
    proof[place:place] = [step, ["bound", 0], ["close", 0, 0]] if step[0] == "split" else [step]
    verdicts, _ = shares(certificate(proof), 3)
    assert "invalid" in verdicts


@pytest.mark.parametrize("share", [(0, 0), (2, 2), (-1, 2), (1, 0)])
def test_no_other_share_is_valid(share):
    report = check(json.dumps(certificate([["close", 0, 0]])), share=share)
    assert (report.verdict, report.why) == ("invalid", "there is no such share")


def test_nobody_is_asked_about_shares_without_parts():
    asked = []

    def ask(parts):
        asked.extend(parts)
        text = json.dumps(certificate(halves(7, -UNIT, UNIT)))
        return [check(text, share=share) for share in parts[-1:]]

    assert judge_shares(ask, 10**6).verdict == "valid"
    assert asked == [(k, 64) for k in range(64)]


@pytest.mark.parametrize("few", [1, 4])
def test_products_are_exact(few, monkeypatch):
    monkeypatch.setattr(slots, "FEW", few)
    rng = random.Random(few)
    for _ in range(300):
        bits, n, m = rng.randint(1, 70), rng.randint(0, 6), rng.randint(1, 9)
        most = (1 << bits) - 1
        rows = [
            [rng.choice([-most, most, rng.randint(-most, most)]) for _ in range(m)]
            for _ in range(n)
        ]
        columns = [[row[j] for row in rows] for j in range(m)]
        matrix = Matrix(rows, columns, bits)
        for _ in range(3):
            size = (1 << rng.randint(0, 90)) - 1
            vector = [rng.choice([-size, size, rng.randint(-size, size)]) for _ in range(n)]
            plain = [sum(a * w for a, w in zip(vector, column, strict=True)) for column in columns]
            assert matrix.times(vector) == plain


def test_slots_hold_all_numbers_of_their_width():
    for width in (8, 16, 40):
        half = 1 << (width - 1)
        values = [-half, half - 1, 0, -1, 1, half - 1, -half]
        assert unpack(pack(values, width), width, len(values)) == values
