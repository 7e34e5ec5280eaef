"""The checker of balls: a right certificate for each rule, and lies that one condition refuses."""

# ruff: noqa: E501, PLR0913, PLR0917  (a case a line, and a word for each of its fields)
from dataclasses import FrozenInstanceError

import pytest
from acceptance import accepts, refuses, takes

from tamecheck.kernel.checker import A_CHARACTER
from tamecheck.kernel_bnn import check, checker, network
from tests.kernel.builders import edited as changed


def layer(weights, thresholds):
    return {"weights": weights, "thresholds": thresholds}


def ball(layers, readout, offsets, claim, tree, levels=None):
    """A certificate; ``levels`` are (low, high) of each input, by default -1 and 1."""
    levels = levels or [("-1", "1")] * len(claim["centre"])
    low, high = ([pair[side] for pair in levels] for side in (0, 1))
    return {
        "format": "tamecheck-ball-certificate",
        "version": 1,
        "network": {
            "low": low, "high": high, "layers": layers, "readout": readout, "offsets": offsets,
        },
        "claim": claim,
        "tree": tree,
    }  # fmt: skip


def holds(decision, centre, radius):
    return {
        "verdict": "holds", "decision": decision, "centre": list(centre), "radius": radius,
    }  # fmt: skip


def distance(decision, centre, witness):
    return {
        "verdict": "distance", "decision": decision,
        "centre": list(centre), "witness": list(witness),
    }  # fmt: skip


def apart(*pairs):
    return {"apart": [list(p) for p in pairs]}


def neuron(j):
    return {"neuron": j}


UP, DOWN = ("1",) * 3, ("-1",) * 3
# the scores are 0 and the sum, class 0 wins ties: at three ones class 1 wins by 3
SUM = [[0, 0, 0], [1, 1, 1]]
LINEAR = ball([], SUM, [0, 0], holds(1, UP, 1), [-1])
# the same with a hidden neuron that is 1 where the sum is at least 1
HIDDEN = ball([layer([[1, 1, 1]], [1])], [[0], [1]], [0, 0], holds(1, UP, 1), [-1])
# each neuron alone may change, but not both with one flip
BOTH = [layer([[1, 0], [0, 1]], [1, 1])]
EITHER = ball(
    [layer([[1, 0], [0, 1]], [0, 0])], [[1, 1], [0, 0]], [0, -1], holds(0, ("1", "1"), 1),
    [neuron(0), -1, neuron(1), -1, apart((0, 1), (1, 1))],
)  # fmt: skip
SPLIT = changed(EITHER, tree=[0, -1, -1])
NEVER = ball(BOTH, [[0, 0], [1, 1]], [0, 0], holds(0, ("-1", "-1"), 1),
    [neuron(0), neuron(1), apart((0, 1), (1, 1)), -1, -1])  # fmt: skip
NEAREST = ball([], SUM, [0, 0], distance(1, UP, ("-1", "-1", "1")), [-1])
# two layers: the second counts what the first says
DEEP = ball(
    [layer([[1, 1, 1], [1, 1, 1], [-1, -1, -1]], [1, -1, 2]), layer([[1, 1, 1], [1, -1, 0]], [1, 0])],
    [[0, 0], [1, 0]], [0, 0], holds(1, UP, 1), [-1],
)  # fmt: skip

# only the first input can lower the sum, by 2, and 3 are needed
APART = ball([layer([[1, -1, -1]], [-3])], [[0], [1]], [0, 0], holds(1, UP, 2),
    [neuron(0), -1, apart((0, 1))])  # fmt: skip

ACCEPTED = {
    "fewer inputs help than may be flipped": APART,
    "a linear network": LINEAR,
    "a hidden neuron": HIDDEN,
    "a split": SPLIT,
    "two splits": changed(SPLIT, tree=[1, 0, -1, -1, -1]),
    "neurons that cannot both change": EITHER,
    "neurons that cannot both change upwards": NEVER,
    "a distance": NEAREST,
    "two hidden layers": DEEP,
    "no flip at all": changed(LINEAR, claim__radius=0),
    "a split with the last flip": changed(HIDDEN, tree=[2, -1, -1]),
    "a split of the last input": changed(HIDDEN, claim__radius=1, tree=[0, 1, 2, -1, -1, -1, -1]),
    "two flips of a wider majority": ball(
        [layer([[1] * 5], [0])], [[0], [1]], [0, 0], holds(1, ("1",) * 5, 2),
        [0, 1, -1, -1, 2, -1, -1],
    ),
    "another class wins ties": ball([], SUM, [1, 0], holds(0, DOWN, 0), [-1]),
    "a tie is for the first class": ball(
        [], [[0, 0, 0], [1, 1, 1]], [1, 0], holds(0, DOWN, 2), [-1]
    ),
    "a tie with a class before is none": ball(
        [], [[0, 0, 0], [1, 1, 1], [0, 0, 0]], [0, 0, 0], holds(1, UP, 1), [-1]
    ),
    "the first of three at a tie": ball(
        [], [[0] * 3] * 3, [2, 2, 2], holds(0, UP, 3), [-1]
    ),
    "the second of three": ball([], [[0] * 3] * 3, [1, 2, 2], holds(1, UP, 3), [-1]),
    "a single class": ball([], [[5, 5, 5]], [0], holds(0, UP, 3), [-1]),
    "other levels": ball(
        [], SUM, [0, 0], holds(1, ("3/2", "0", "7"), 1), [-1],
        levels=[("0", "3/2"), ("-1/3", "0"), ("6", "7")],
    ),
    "a fixed input": ball(
        [], SUM, [0, 0], holds(1, ("1", "1", "1"), 1), [-1],
        levels=[("1", "1"), ("-1", "1"), ("-1", "1")],
    ),
    "a fixed input counts as one": ball(
        [], [[0, 0, 0], [5, 1, 1]], [0, 0], holds(1, ("-1", "1", "1"), 2), [-1],
        levels=[("-1", "-1"), ("-1", "1"), ("-1", "1")],
    ),
    "a threshold is reached": ball(
        [layer([[1, 1, 1]], [3])], [[0], [1]], [0, 0], holds(1, UP, 0), [-1]
    ),
    "a threshold is missed": ball(
        [layer([[1, 1, 1]], [4])], [[0], [1]], [0, 0], holds(0, UP, 3), [-1]
    ),
    "a state that the bounds exclude": changed(HIDDEN, tree=[neuron(0), -1, -1]),
    "a state that is known makes the difference": ball(
        [layer([[1, 1, 1]], [3])], [[0], [1]], [0, 0], holds(0, ("-1", "1", "1"), 0),
        [neuron(0), -1, -1],
    ),
    "large multipliers": changed(EITHER, tree__4=apart((0, 2**40), (1, 2**40))),
    "the largest weights": ball(
        [], [[0, 0, 0], [2**60, 0, 0]], [2**60, 1], holds(1, UP, 0), [-1]
    ),
    "hidden neurons of no weight": ball(
        [layer([[0, 0, 0]], [0])], [[0], [1]], [0, 0], holds(1, UP, 3), [-1]
    ),
    "more flips than inputs are not split": changed(HIDDEN, claim__radius=1, tree=[0, 1, -1, -1, -1]),
    "flips of any sign": ball(
        [], [[0, 0, 0], [3, -2, 1]], [0, 1], holds(1, ("1", "-1", "1"), 1), [0, -1, -1],
    ),
    "a single input": ball([], [[0], [1]], [0, 1], holds(1, ("1",), 0), [-1]),
    "the largest changes count": ball(
        [], [[0, 0, 0], [3, 1, 1]], [0, 3], holds(1, UP, 1), [-1],
    ),
}  # fmt: skip

FIELD, RANGE = "a missing or unknown field: ", "an integer in [{}, {}] was expected"
SHOWN, NOTHING = "bounds do not exclude another decision", "the multipliers exclude nothing"
MISSING, ENDED = "a part of the ball is missing", "the tree has ended before"
WEIGHT = RANGE.format(-(2**60), 2**60)
LIES = [
    (changed(LINEAR, format="ball"), None, "unknown format"),
    (changed(LINEAR, version=2), None, RANGE.format(1, 1)),
    (changed(LINEAR, more=0), None, FIELD + "'more'"),
    (changed(LINEAR, claim__verdict="robust"), None, "unknown verdict"),
    (changed(LINEAR, claim__witness=UP), None, FIELD + "'witness'"),
    (changed(NEAREST, claim__radius=1), None, FIELD + "'radius'"),
    # networks
    (changed(LINEAR, network__low=["-1"] * 2), None, "the levels do not match"),
    (changed(LINEAR, network__low=[], network__high=[]), None, "the levels do not match"),
    (changed(LINEAR, network__low__0="2"), None, "a low level is above the high"),
    (changed(LINEAR, network__low__2="2"), None, "a low level is above the high"),
    (changed(HIDDEN, network__layers__0__thresholds=[1, 1]), None, "a layer has one number a neuron"),
    (changed(HIDDEN, network__layers__0__weights__0=[1, 1]), None, "a row does not fit the layer before"),
    (changed(HIDDEN, network__readout__1=[1, 1]), None, "a row does not fit the layer before"),
    (changed(LINEAR, network__offsets=[0]), None, "a layer has one number a neuron"),
    (changed(LINEAR, network__readout=[], network__offsets=[]), None, "there is no class"),
    (changed(LINEAR, network__offsets__0=2**60 + 1), None, WEIGHT),
    (changed(LINEAR, network__offsets__0=True), None, WEIGHT),
    # points
    (changed(LINEAR, claim__centre=["1", "1"]), None, "a point has one number an input"),
    (changed(LINEAR, claim__centre=["1"] * 4), None, "a point has one number an input"),
    (changed(LINEAR, claim__centre__1="0"), None, "a point is off the levels"),
    (changed(LINEAR, claim__decision=0), None, "the decision at the centre is another"),
    (changed(LINEAR, claim__decision=2), None, RANGE.format(0, 1)),
    (changed(LINEAR, claim__decision=-1), None, RANGE.format(0, 1)),
    (changed(LINEAR, claim__radius=4), None, RANGE.format(0, 3)),
    (changed(LINEAR, claim__radius=-1), None, RANGE.format(0, 3)),
    (changed(ACCEPTED["a fixed input"], claim__radius=3), None,
     "the radius is larger than the number of free inputs, 2"),
    (changed(NEAREST, claim__witness=["1", "1", "-1"]), None, "the decision at the witness is the same"),
    (changed(NEAREST, claim__witness=UP), None, "the decision at the witness is the same"),
    (changed(NEAREST, claim__witness=["-1", "-1", "0"]), None, "a point is off the levels"),
    (changed(NEAREST, claim__witness=DOWN), 0, SHOWN),
    # trees
    (changed(LINEAR, tree=[]), 0, MISSING),
    (changed(SPLIT, tree=[0, -1]), 2, MISSING),
    (changed(LINEAR, tree=[-1, -1]), 1, ENDED),
    (changed(SPLIT, tree=[2, -1, -1]), 0, RANGE.format(-1, 1)),
    (changed(SPLIT, tree=[-2, -1, -1]), 0, RANGE.format(-1, 1)),
    (changed(SPLIT, tree=[0, 0, -1, -1, -1]), 1, "input 0 is not open here"),
    (changed(SPLIT, tree=[0, -1, 0, -1, -1]), 2, "input 0 is not open here"),
    (changed(ACCEPTED["a fixed input"], tree=[0, -1, -1]), 0, "input 0 is not open here"),
    (changed(SPLIT, tree=[0, -1, 1, -1, -1]), 2, "no flip is left"),
    (changed(HIDDEN, claim__radius=0, tree=[0, -1, -1]), 0, "no flip is left"),
    (changed(HIDDEN, tree=[neuron(1), -1, -1]), 0, RANGE.format(0, 0)),
    (changed(HIDDEN, tree=[neuron(-1), -1, -1]), 0, RANGE.format(0, 0)),
    (changed(HIDDEN, tree=[neuron(0), neuron(0), -1, -1, -1]), 1, "neuron 0 is not open here"),
    (changed(HIDDEN, tree=[neuron(0), -1]), 2, MISSING),
    (changed(HIDDEN, tree=[neuron(0) | {"apart": []}, -1, -1]), 0, FIELD + "'apart'"),
    (changed(HIDDEN, tree=[{"part": []}]), 0, FIELD + "'apart'"),
    (changed(LINEAR, tree=[neuron(0), -1, -1]), 0, "there is no hidden layer"),
    (changed(LINEAR, tree=["-1"]), 0, "an object was expected"),
    (changed(LINEAR, tree=[True]), 0, "an object was expected"),
    # bounds
    (changed(LINEAR, claim__radius=2), 0, SHOWN),
    (changed(HIDDEN, claim__radius=2), 0, SHOWN),
    (changed(SPLIT, claim__radius=2), 2, SHOWN),
    (changed(SPLIT, network__offsets=[0, 0], network__layers__0__thresholds=[1, 2]), 2, SHOWN),
    (changed(HIDDEN, network__layers__0__thresholds=[2]), 0, SHOWN),
    (changed(DEEP, claim__radius=2), 0, SHOWN),
    (changed(ACCEPTED["a tie is for the first class"], claim__radius=3), 0, SHOWN),
    # an earlier class wins the tie
    (ball([], [[0, 0, 0], [1, 1, 1]], [1, 0], holds(1, UP, 1), [-1]), 0, SHOWN),
    (ball([], [[0, 0, 0], [1, 1, 1]], [-1, 0], holds(1, UP, 2), [-1]), 0, SHOWN),
    (changed(EITHER, tree=[-1]), 0, SHOWN),
    (changed(EITHER, tree=[neuron(0), -1, -1]), 2, SHOWN),
    (changed(EITHER, tree=[neuron(0), apart((0, 1)), -1]), 1, NOTHING),
    (changed(EITHER, claim__radius=2), 4, NOTHING),
    (changed(NEVER, claim__radius=2), 2, NOTHING),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 1))]), 4, NOTHING),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 1), (0, 1))]), 4, "a neuron is named twice"),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 1), (2, 1))]), 4, RANGE.format(0, 1)),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 1), (-1, 1))]), 4, RANGE.format(0, 1)),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 0), (1, 1))]), 4, RANGE.format(1, 2**40)),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 2**40 + 1))]), 4, RANGE.format(1, 2**40)),
    (changed(EITHER, tree=[neuron(0), -1, neuron(1), -1, apart((0, 1, 1))]), 4, "multipliers are pairs"),
    (changed(EITHER, tree=[neuron(0), -1, apart((0, 1), (1, 1))]), 2, "the state of a neuron is not known here"),
    (changed(EITHER, tree=[apart()]), 0, NOTHING),
    # fewer flips than may be made: one makes the second neuron 1, and not the first
    (ball([layer([[1, 1, 1], [0, 0, 1]], [0, 1])], [[0, 0], [-1, 1]], [1, 0], holds(0, DOWN, 3), [-1]), 0, SHOWN),
    # a bound that reaches the threshold leaves the state open
    (ball([layer([[1, 1, 1]], [-1])], [[0], [1]], [0, 0], holds(0, DOWN, 1), [-1]), 0, SHOWN),
    # the flip that is left can reach the state exactly
    (changed(HIDDEN, network__layers__0__thresholds=[2], tree=[neuron(0), -1, apart((0, 1))]), 2, NOTHING),
    (ball([layer([[1, 1, 1]], [-1])], [[0], [1]], [0, 0], holds(0, DOWN, 1),
          [neuron(0), apart((0, 1)), -1]), 1, NOTHING),
]  # fmt: skip

STEPS = [
    (LINEAR, 21),
    (HIDDEN, 19),
    (SPLIT, 31),
    (EITHER, 53),
    (DEEP, 35),
    (NEAREST, 24),
    (APART, 34),
]
"""How many steps a check takes."""


def says_what_is_written(report, document):
    return report.claim == document["claim"] and report.model_sha256 is not None


test_true_claims_are_accepted = accepts(check, ACCEPTED, says_what_is_written)


test_each_lie_is_refused_for_its_reason_at_its_node = refuses(check, LIES)


test_a_check_takes_so_many_steps = takes(check, STEPS, A_CHARACTER)


def test_limits_and_records_are_those_that_are_documented():
    assert checker.STEPS == 150_000_000
    found = network.read_network(HIDDEN["network"])
    for record, name in ((found, "sha256"), (found.layers[0], "rows")):
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, None)
        assert not hasattr(record, "__dict__")
