"""The checker of regions: a right certificate for each rule, lies that one condition refuses."""

# ruff: noqa: E501  (a case a line)

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from tamecheck.kernel_bnn import check_region
from tests.kernel.builders import replaced


def layer(windows, weights, groups, lower, upper=None):
    return {
        "windows": windows, "weights": weights, "groups": groups,
        "lower": lower, "upper": upper or lower,
    }  # fmt: skip


def network(layers, weights, scale="1", offsets=None):
    offsets = offsets or ["0"] * len(weights)
    readout = {"weights": weights, "scale": scale, "offsets": offsets}
    inputs = 1 + max(max(window) for window in layers[0]["windows"])
    return {"inputs": inputs, "layers": layers, "readout": readout}


def region(low, high, *cases):
    return {"lower": low, "upper": high, "unsafe": [list(case) for case in cases]}


def at_most(bound, *terms, strict=False):
    return {"outputs": [list(term) for term in terms], "bound": bound, "strict": strict}


def certificate(net, regions, proofs):
    return {
        "format": "tamecheck-region-certificate",
        "version": 1,
        "network": net,
        "claim": {"verdict": "holds", "regions": regions},
        "proofs": proofs,
    }


def leaf(*cases, clusters=(), unit=1):
    entries = [{"row": row, "multipliers": [list(m) for m in lists]} for row, lists in cases]
    shown = [{"groups": list(g), "signs": list(s)} for g, s in clusters]
    return {"unit": unit, "clusters": shown, "cases": entries}


def proof(*nodes, clauses=()):
    return {"clauses": [[list(one) for one in clause] for clause in clauses], "tree": list(nodes)}


# signs of x, y and x + y; then, of the first two and of the last two: both are 1, a >= b
SIGNS = layer([[0, 1]], [[1, 0], [0, 1], [1, 1]], [[0]], ["0", "0", "0"])
PAIRS = layer([[0, 1], [2, 1]], [[1, 1], [1, -1]], [[0], [1]], ["2", "0"])
# at least -2, in each pattern of signs
NET = network([SIGNS, PAIRS], [[1, -1, 1, 1]])
# at least 0, as x and y below 0 have no sum that is not; in some pattern it is -4
SUM = network([SIGNS, PAIRS], [[-1, -1, 1, 1]])
BOX = (["-1", "-1"], ["1", "1"])


def value(net, x, y):
    """The output at a point."""
    first = [1 if v >= 0 else -1 for v in (x, y, x + y)]
    pairs = [first[0] + first[1] >= 2, first[0] - first[1] >= 0]
    pairs += [first[2] + first[1] >= 2, first[2] - first[1] >= 0]
    states = [1 if v else -1 for v in pairs]
    return sum(map(int.__mul__, states, net["readout"]["weights"][0]))


def least_certificate(bound, *, clauses=(), node=None, net=NET):
    """That the output exceeds a bound on the square."""
    node = node or leaf((0, []))
    regions = [region(*BOX, [at_most(bound, (0, "1"))])]
    return certificate(net, regions, [proof(node, clauses=clauses)])


def verdict(document):
    report = check_region(json.dumps(document))
    return report.verdict, report.why


WHOLE = leaf((0, [[0, 0, 0]]), clusters=[((0, 1), (0, 1, 2))])
SPLIT = leaf((0, [[0, -2], [0, 2]]), clusters=[((0,), (0, 1)), ((1,), (2, 1))], unit=2)
# x >= 0 and y >= 0, but x + y < 0; and the reverse
XY = ((0, 0, 1), (1, 0, 1), (2, 0, -1))
BELOW = ((0, 0, -1), (1, 0, -1), (2, 0, 1))


def test_values():
    grid = list(product(np.linspace(-1, 1, 21), repeat=2))
    assert min(value(NET, x, y) for x, y in grid) == -2
    assert min(value(SUM, x, y) for x, y in grid) == 0


@pytest.mark.parametrize(
    ("net", "bound", "node", "clauses"),
    [
        (NET, "-5", leaf((0, [])), ()),
        (NET, "-3", WHOLE, ()),
        (NET, "-3", SPLIT, ()),
        (NET, "-3", WHOLE, (XY, BELOW)),
        (SUM, "-5", WHOLE, ()),
        (SUM, "-1", WHOLE, (XY,)),
        (SUM, "-1", WHOLE, (BELOW, XY)),
    ],
)
def test_right_certificates_are_valid(net, bound, node, clauses):
    document = least_certificate(bound, node=node, clauses=clauses, net=net)
    assert verdict(document) == ("valid", "")


@pytest.mark.parametrize("node", [leaf((0, [])), WHOLE, SPLIT])
@pytest.mark.parametrize("clauses", [(), (XY, BELOW)])
@pytest.mark.parametrize(("net", "bound"), [(NET, "-2"), (NET, "0"), (SUM, "0"), (SUM, "3")])
def test_false_bounds_are_refused(net, bound, node, clauses):
    document = least_certificate(bound, node=node, clauses=clauses, net=net)
    assert verdict(document) == ("invalid", "bounds do not exclude it")


def test_without_the_clause_the_bound_is_that_of_all_patterns():
    for clauses in ((), (BELOW,)):
        document = least_certificate("-4", node=WHOLE, clauses=clauses, net=SUM)
        assert verdict(document) == ("invalid", "bounds do not exclude it")


def test_a_strict_row_fails_at_its_bound():
    for strict, expected in ((True, "valid"), (False, "invalid")):
        rows = [at_most("-2", (0, "1"), strict=strict)]
        regions = [region(*BOX, rows)]
        assert verdict(certificate(NET, regions, [proof(WHOLE)]))[0] == expected


def test_a_tree_covers_the_box():
    closed = leaf((0, [[0, 0]]), clusters=[((0, 1), (1, 2))])
    document = least_certificate("-3")
    document["proofs"] = [proof(0, closed, closed)]
    assert verdict(document) == ("valid", "")
    for nodes, why in (
        ((0, closed), "a part of the box is missing"),
        ((0, closed, closed, closed), "the tree has ended before"),
        ((0, 0, closed, closed, closed), "the sign is not open here"),
        ((0, WHOLE, closed), "a sign is not open here"),
        ((3, closed, closed), "an integer in [0, 2] was expected"),
    ):
        document["proofs"] = [proof(*nodes)]
        assert verdict(document) == ("invalid", why)


def test_a_part_without_inputs_is_apart():
    two = leaf((0, [[0, 0]]), clusters=[((0, 1), (1, 2))])
    one = leaf((0, [[0]]), clusters=[((0, 1), (2,))])
    nodes = [0, 1, 2, leaf((0, [])), {"apart": 0}, one, two]
    document = least_certificate("-1", net=SUM)
    document["proofs"] = [proof(*nodes, clauses=[XY])]
    assert verdict(document) == ("valid", "")
    for clause, why in (
        (BELOW, "not all literals hold here"),
        (((0, 0, 1), (1, 0, 1), (2, 0, -2)), "the literals may hold together"),
        (((0, 0, 1), (1, 0, 1), (2, 0, 1)), "the literals may hold together"),
        (((0, 0, 1), (0, 0, -1)), "a neuron is named twice, or none is"),
        ((), "a neuron is named twice, or none is"),
        (((3, 0, 1),), "there is no such literal"),
        (((0, 0, 0),), "there is no such literal"),
        (((0, 1, 1),), "the group has no such window"),
    ):
        document["proofs"] = [proof(*nodes, clauses=[clause])]
        assert verdict(document) == ("invalid", why)
    document["proofs"] = [proof(*nodes)]
    assert verdict(document)[0] == "invalid"


def test_literals_about_a_pooled_neuron():
    """A neuron is 1 where some window reaches the end, so only one that must be that one counts."""
    pooled = layer([[0], [1]], [[1]], [[0, 1]], ["0"])
    net = network([pooled, layer([[0]], [[1]], [[0]], ["1"])], [[1]])
    tail = [at_most("-2", (0, "1"))]

    def said(high, clause):
        box = region(["-1", "-1"], ["1", high], tail)
        return verdict(certificate(net, [box], [proof(leaf((0, [])), clauses=[clause])]))

    assert said("1", ((0, 0, 1),)) == ("invalid", "another window may reach the threshold")
    assert said("-1", ((0, 0, 1),)) == ("invalid", "the literals may hold together")
    assert said("-1", ((0, 1, -1),)) == ("invalid", "the literals may hold together")


def changed(document, path, value):
    return replaced(document, *path, value)


LEAF = ("proofs", 0, "tree", 0)
FIRST_LAYER = ("network", "layers", 0)


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("format",), "other", "unknown format"),
        (("version",), 2, "an integer in [1, 1] was expected"),
        (("claim", "verdict"), "distance", "unknown verdict"),
        (("claim", "regions", 0, "lower"), ["-1"], "a box has two ends an input"),
        (("claim", "regions", 0, "lower"), ["-1", "2"], "a lower end is above the upper"),
        (("claim", "regions", 0, "unsafe", 0, 0, "outputs"), [], "an output is named twice, or none is"),
        (("network", "layers"), [], "there is no layer"),
        ((*FIRST_LAYER, "windows", 0), [0], "the windows and weights have different lengths"),
        ((*FIRST_LAYER, "windows", 0), [0, 2], "an integer in [-1, 1] was expected"),
        ((*FIRST_LAYER, "groups"), [[]], "there is a group without a window"),
        ((*FIRST_LAYER, "lower"), ["1", "0", "0"], "a lower end is above the upper"),
        ((*FIRST_LAYER, "lower"), ["0", "0"], "a channel has two ends"),
        (("network", "layers", 1, "lower"), ["1", "0"], "only the first layer may have two ends"),
        (("network", "readout", "weights"), [[1, 1, 1]], "a row does not fit the last layer"),
        (("network", "readout", "offsets"), ["0", "0"], "there is one offset an output"),
        ((*LEAF, "cases", 0, "row"), 1, "an integer in [0, 0] was expected"),
        ((*LEAF, "cases", 0, "multipliers"), [[0, -2], [1, 2]], "the multipliers of a sign do not sum to 0"),
        ((*LEAF, "cases", 0, "multipliers"), [[0, -2], [0, -2]], "the multipliers of a sign do not sum to 0"),
        ((*LEAF, "cases", 0, "multipliers"), [[0], [0, 2]], "there is one multiplier a sign"),
        ((*LEAF, "cases", 0, "multipliers"), [[0, 30], [0, -30]], "bounds do not exclude it"),
        ((*LEAF, "unit"), 0, "an integer in [1, 1099511627776] was expected"),
        ((*LEAF, "clusters", 1, "groups"), [0, 1], "two clusters have the same group"),
        ((*LEAF, "clusters", 1, "groups"), [], "bounds do not exclude it"),
        ((*LEAF, "clusters", 1, "signs"), [1, 1], "a sign is named twice"),
    ],
)  # fmt: skip
def test_lies_are_refused_for_their_reason(path, value, why):
    right = least_certificate("-3", node=SPLIT)
    assert verdict(changed(right, path, value)) == ("invalid", why)


def test_with_one_layer_nothing_is_enumerated():
    net = network([SIGNS], [[1, 1, 1]])
    regions = [region(*BOX, [at_most("-4", (0, "1"))])]
    assert verdict(certificate(net, regions, [proof(leaf((0, [])))])) == ("valid", "")
    nodes = proof(leaf((0, [[]]), clusters=[((0,), ())]))
    why = "before the first layer are no signs"
    assert verdict(certificate(net, regions, [nodes])) == ("invalid", why)


def test_signs_that_are_not_enumerated_stay_open():
    part = leaf((0, [[0]]), clusters=[((0, 1), (1,))])
    assert verdict(least_certificate("-5", node=part)) == ("valid", "")
    assert verdict(least_certificate("-3", node=part))[0] == "invalid"


def test_scale_and_offsets_count():
    net = network([SIGNS, PAIRS], [[1, -1, 1, 1]], scale="1/2", offsets=["3"])
    # the output is at least 2
    for bound, expected in (("3/2", "valid"), ("2", "invalid")):
        regions = [region(*BOX, [at_most(bound, (0, "1"))])]
        assert verdict(certificate(net, regions, [proof(WHOLE)]))[0] == expected


def test_what_needs_more_steps_is_incomplete():
    document = least_certificate("-3", node=WHOLE)
    assert check_region(json.dumps(document), -(10**6)).verdict == "incomplete"
    # 2**24 patterns of three open signs a window
    many = layer([[0] * 8], [[1] * 8] * 24, [[0]], ["0"] * 24)
    net = network([many, layer([list(range(24))], [[1] * 24], [[0]], ["0"])], [[1]])
    every = leaf((0, [[0] * 24]), clusters=[((0,), range(24))])
    regions = [region(["-1"], ["1"], [at_most("-1", (0, "1"))])]
    report = check_region(json.dumps(certificate(net, regions, [proof(every)])), 10**6)
    assert report.verdict == "incomplete"


def numbers_in(value, path=()):
    if isinstance(value, dict):
        for key, one in value.items():
            yield from numbers_in(one, (*path, key))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from numbers_in(one, (*path, i))
    elif isinstance(value, int | str) and not isinstance(value, bool):
        yield path, value


def test_no_mutation_of_the_proof_or_claim_proves_something_false():
    rng = np.random.default_rng(0)
    accepted = 0
    for net, bound, node in ((NET, "-3", WHOLE), (NET, "-3", SPLIT), (SUM, "-1", WHOLE)):
        right = least_certificate(bound, node=node, clauses=(XY, BELOW), net=net)
        places = [p for p in numbers_in(right) if p[0][0] in ("claim", "proofs")]
        for _ in range(400):
            document = right
            for _ in range(rng.integers(1, 3)):
                path, old = places[rng.integers(len(places))]
                step = int(rng.choice([-2, -1, 1, 2]))
                new = old + step if isinstance(old, int) else str(rng.choice(["0", "1", "-1/2"]))
                document = changed(document, path, new)
            if verdict(document)[0] == "valid":
                accepted += 1
                assert claim_is_true(net, document)
    assert accepted > 10


def claim_is_true(net, document):
    (one,) = document["claim"]["regions"]
    ends = [list(map(Fraction, one[side])) for side in ("lower", "upper")]
    grid = [[a + (b - a) * Fraction(k, 12) for k in range(13)] for a, b in zip(*ends, strict=True)]
    ((row,),) = one["unsafe"]
    ((_, factor),) = row["outputs"]
    found = [Fraction(factor) * value(net, x, y) for x, y in product(*grid)]
    end = Fraction(row["bound"])
    return min(found) > end or (row["strict"] and min(found) == end)
