"""Enclosures: the exact range is accepted, and no tighter one; for many elements, and for hulls."""

# ruff: noqa: E501, PLR0913  (a case a line, and a word for each of its fields)
import json
from fractions import Fraction
from math import prod

import numpy as np
import pytest
from acceptance import accepts, refuses, takes
from flint import arb, ctx

from tamecheck.kernel import check, checker, ranges
from tests.kernel.builders import LINQ, c, certificate, enclosure, structure, tame, tensor, x

KERNEL = "kernel"
TIGHTER = Fraction(1, 10**30)
LARGE = 10**20
SIGN, STEP = {"at_zero": "1/2"}, {"at_zero": "-2"}
UNIT, SIGNED, UP, DOWN = ("0", "1"), ("-1", "1"), ("0", None), (None, "0")


def enclosed(name, boxes, lower, upper, *, shapes=None, out=(), tensors=None, cut=None, **params):
    """An operation on inputs of these boxes, or on constants (strings), is in these bounds."""
    shapes = shapes or [()] * len(boxes)
    nodes = [
        c(b, s) if isinstance(b, str) else x(f"x{i}", s)
        for i, (b, s) in enumerate(zip(boxes, shapes, strict=True))
    ]
    n = len(nodes)
    given = [b for b in boxes if not isinstance(b, str)]
    steps = [
        enclosure(i, *((None, None) if isinstance(b, str) else b)) for i, b in enumerate(boxes)
    ]
    node = {"op": name, "args": list(range(n)), "params": params, "shape": list(out)}
    if cut is not None:
        node["params"] = {"shape": list(cut)}
    nodes.append(node)
    first = next((k for k, b in enumerate(nodes) if b["op"] == "input"), None)
    if first is None:
        nodes.append(x())
        first = n + 1
    steps += [enclosure(n, lower, upper, *range(n)), structure(first, LINQ)]
    return certificate(
        nodes, steps, tame(LINQ), outputs=[first], boxes=given, tensors=tensors or {}
    )


# name, boxes, the exact range, parameters
RANGES = [
    ("add", [("1", "2"), ("3", "5")], ("4", "7"), {}),
    ("add", [("1", None), ("3", "5")], ("4", None), {}),
    ("add", [(None, "2"), ("3", "5")], (None, "7"), {}),
    ("add", [("1", "2"), UP], ("1", None), {}),
    ("sub", [("1", "2"), ("3", "5")], ("-4", "-1"), {}),
    ("sub", [UP, UP], (None, None), {}),
    ("sub", [("1", "2"), UP], (None, "2"), {}),
    ("neg", [("1", "2")], ("-2", "-1"), {}),
    ("neg", [UP], (None, "0"), {}),
    ("mul", [("2", "3"), ("5", "7")], ("10", "21"), {}),
    ("mul", [("-2", "3"), ("5", "7")], ("-14", "21"), {}),
    ("mul", [("-2", "3"), ("-7", "5")], ("-21", "15"), {}),
    ("mul", [("-3", "-2"), ("-7", "-5")], ("10", "21"), {}),
    ("mul", [("2", None), ("5", "7")], ("10", None), {}),
    ("mul", [("2", None), ("-5", "7")], (None, None), {}),
    ("mul", [("2", None), ("-7", "-5")], (None, "-10"), {}),
    ("mul", [(None, "2"), ("5", "7")], (None, "14"), {}),
    ("mul", [UP, UP], ("0", None), {}),
    ("mul", [("1/2", "1/2"), UP], ("0", None), {}), ("mul", [("0", "1/2"), UP], ("0", None), {}),
    ("mul", [("1/2", None), ("1", None)], ("1/2", None), {}), ("mul", [("-1/2", "0"), UP], (None, "0"), {}),
    ("mul", [(None, "-1/2"), (None, "-1")], ("1/2", None), {}), ("mul", [(None, "1/2"), ("1", None)], (None, None), {}),
    ("mul", [("0", "0"), (None, None)], ("0", "0"), {}),
    ("mul", [DOWN, ("0", "7")], (None, "0"), {}),
    ("mul", [(None, None), ("3", "4")], (None, None), {}),
    ("div", [("1", "2"), ("2", "4")], ("1/4", "1"), {}),
    ("div", [("1", "2"), ("2", None)], ("0", "1"), {}),
    ("div", [("1", "2"), (None, "-2")], ("-1", "0"), {}),
    ("div", [("-1", "2"), ("-4", "-2")], ("-1", "1/2"), {}),
    ("abs", [("1", "2")], ("1", "2"), {}),
    ("abs", [("-2", "-1")], ("1", "2"), {}),
    ("abs", [("-3", "2")], ("0", "3"), {}),
    ("abs", [("-2", "3")], ("0", "3"), {}),
    ("abs", [("-2", "0")], ("0", "2"), {}),
    ("abs", [(None, "3")], ("0", None), {}),
    ("relu", [("-3", "2")], ("0", "2"), {}),
    ("relu", [("1", "2")], ("1", "2"), {}),
    ("relu", [("-2", "-1")], ("0", "0"), {}),
    ("relu", [(None, "2")], ("0", "2"), {}),
    ("leaky_relu", [("-3", "2")], ("-1", "2"), {"alpha": "1/3"}),
    ("leaky_relu", [("-3", "2")], ("0", "6"), {"alpha": "-2"}),
    ("leaky_relu", [("-3", "-1")], ("-6", "-2"), {"alpha": "2"}),
    ("leaky_relu", [("1", "2")], ("1", "2"), {"alpha": "9"}),
    ("prelu", [("-3", "2"), ("1/3", "2")], ("-6", "2"), {}),
    ("prelu", [("-3", "2"), ("-2", "-1")], ("0", "6"), {}),
    ("prelu", [("1", "2"), SIGNED], ("1", "2"), {}),
    ("prelu", [("-3", "-1"), SIGNED], ("-3", "3"), {}),
    ("elu", [("0", "2")], ("0", "2"), {"alpha": "5", "beta": "1"}),
    ("maximum", [("1", "4"), ("2", "3")], ("2", "4"), {}),
    ("maximum", [DOWN, ("-2", "3")], ("-2", "3"), {}),
    ("maximum", [("1", None), ("2", "3")], ("2", None), {}),
    ("minimum", [("1", "4"), ("2", "3")], ("1", "3"), {}),
    ("minimum", [UP, ("-2", "3")], ("-2", "3"), {}),
    ("clip", [("-5", "5")], ("-1", "2"), {"lo": "-1", "hi": "2"}),
    ("clip", [("-5", "5")], ("-1", "5"), {"lo": "-1", "hi": None}),
    ("clip", [("-5", "5")], ("-5", "2"), {"lo": None, "hi": "2"}),
    ("clip", [(None, None)], ("-1", "2"), {"lo": "-1", "hi": "2"}),
    ("clip", [("5", "7")], ("2", "2"), {"lo": "-1", "hi": "2"}),
    ("clip", [("0", "1")], ("0", "1"), {"lo": "-1", "hi": "2"}),
    ("sign", [("1", "2")], ("1", "1"), SIGN), ("sign", [("-2", "-1")], ("-1", "-1"), SIGN),
    ("sign", [("0", "0")], ("1/2", "1/2"), SIGN), ("sign", [("0", "2")], ("1/2", "1"), SIGN),
    ("sign", [("-2", "0")], ("-1", "1/2"), SIGN), ("sign", [SIGNED], ("-1", "1"), SIGN),
    ("sign", [("-2", "0")], ("-1", "7"), {"at_zero": "7"}),
    ("step", [("1", "2")], ("1", "1"), STEP), ("step", [("-2", "-1")], ("0", "0"), STEP),
    ("step", [("0", "0")], ("-2", "-2"), STEP), ("step", [("0", "2")], ("-2", "1"), STEP),
    ("step", [("-2", "0")], ("-2", "0"), STEP), ("step", [SIGNED], ("-2", "1"), STEP),
    ("floor", [("-3/2", "5/2")], ("-2", "2"), {}), ("floor", [("2", "3")], ("2", "3"), {}),
    ("ceil", [("-3/2", "5/2")], ("-1", "3"), {}), ("ceil", [("2", None)], ("2", None), {}),
    *(("round", [(low, high)], ends, {"mode": mode}) for mode, low, high, ends in (
        ("half_even", "1/2", "3/2", ("0", "2")), ("half_even", "-3/2", "5/2", ("-2", "2")),
        ("half_even", "1/3", "2/3", ("0", "1")), ("half_even", "-1/2", "7/2", ("0", "4")),
        ("half_up", "1/2", "3/2", ("1", "2")), ("half_up", "-3/2", "-1/2", ("-1", "0")),
        ("half_up", "1/3", "2/3", ("0", "1")),
        ("half_down", "1/2", "3/2", ("0", "1")), ("half_down", "-3/2", "-1/2", ("-2", "-1")),
        ("half_down", "1/3", "2/3", ("0", "1")),
        ("half_away", "1/2", "3/2", ("1", "2")), ("half_away", "-3/2", "-1/2", ("-2", "-1")),
        ("half_away", "1/3", "2/3", ("0", "1")),
        ("half_toward_zero", "1/2", "3/2", ("0", "1")), ("half_toward_zero", "-3/2", "-1/2", ("-1", "0")),
        ("half_toward_zero", "1/3", "2/3", ("0", "1")),
        ("toward_zero", "1/3", "5/3", ("0", "1")), ("toward_zero", "-5/3", "-1/3", ("-1", "0")),
        ("toward_zero", "0", "2", ("0", "2")), ("toward_zero", "-2", "0", ("-2", "0")),
        ("away_from_zero", "1/3", "5/3", ("1", "2")), ("away_from_zero", "-5/3", "-1/3", ("-2", "-1")),
        ("away_from_zero", "0", "2", ("0", "2")), ("away_from_zero", "-2", "0", ("-2", "0")),
    )),
    ("select", [("1", "2"), ("3", "4"), ("5", "6")], ("3", "4"), {}),
    ("select", [("0", "0"), ("3", "4"), ("5", "6")], ("5", "6"), {}),
    ("select", [("0", "1"), ("3", "4"), ("5", "6")], ("3", "6"), {}),
    ("equal", [("1", "1"), ("1", "1")], ("1", "1"), {}), ("equal", [("1", "2"), ("2", "3")], ("0", "1"), {}),
    ("equal", [("1", "2"), ("3", "4")], ("0", "0"), {}), ("equal", [("3", "4"), ("1", "2")], ("0", "0"), {}),
    ("less", [("1", "2"), ("3", "4")], ("1", "1"), {}), ("less", [("1", "2"), ("2", "3")], ("0", "1"), {}),
    ("less", [("2", "3"), ("1", "2")], ("0", "0"), {}), ("less", [("3", "4"), ("1", "2")], ("0", "0"), {}),
    ("less", [("1", "1"), ("1", "1")], ("0", "0"), {}), ("less", [("1", "3"), ("2", "4")], ("0", "1"), {}),
    ("less_equal", [("1", "2"), ("3", "4")], ("1", "1"), {}), ("less_equal", [("1", "2"), ("2", "3")], ("1", "1"), {}),
    ("less_equal", [("2", "3"), ("1", "2")], ("0", "1"), {}), ("less_equal", [("3", "4"), ("1", "2")], ("0", "0"), {}),
    ("less_equal", [("1", "1"), ("1", "1")], ("1", "1"), {}),
    ("pow", [("-2", "3")], ("0", "9"), {"exponent": "2"}), ("pow", [("-2", "3")], ("-8", "27"), {"exponent": "3"}),
    ("pow", [("2", "3")], ("4", "9"), {"exponent": "2"}), ("pow", [("-3", "-2")], ("4", "9"), {"exponent": "2"}),
    ("pow", [("-3", "2")], ("0", "9"), {"exponent": "2"}), ("pow", [("-5", "5")], ("1", "1"), {"exponent": "0"}), ("pow", [(None, None)], ("1", "1"), {"exponent": "0"}),
    ("pow", [("-5", "5")], ("-5", "5"), {"exponent": "1"}), ("pow", [("2", "4")], ("1/4", "1/2"), {"exponent": "-1"}),
    ("pow", [("-4", "-2")], ("1/16", "1/4"), {"exponent": "-2"}), ("pow", [("2", None)], ("0", "1/8"), {"exponent": "-3"}),
    ("pow", [UP], ("0", None), {"exponent": "2"}), ("pow", [(None, "3")], ("0", None), {"exponent": "2"}),
    ("pow", [(None, "3")], (None, "27"), {"exponent": "3"}), ("pow", [("0", "0")], ("0", "0"), {"exponent": "1/2"}),
    ("power", [("-2", "3"), ("2", "2")], ("0", "9"), {}), ("power", [("2", "2"), ("10", "10")], ("1024", "1024"), {}),
    ("power", [("-1", "1"), ("0", "0")], ("1", "1"), {}),
    ("sqrt", [("0", "9/4")], ("0", "3/2"), {}), ("sqrt", [("4", None)], ("2", None), {}),
    ("exp", [(None, None)], ("0", None), {}),
    ("sigmoid", [(None, None)], ("0", "1"), {}), ("tanh", [(None, None)], ("-1", "1"), {}),
    ("erf", [(None, None)], ("-1", "1"), {}), ("softplus", [(None, None)], ("0", None), {}),
    ("sin", [(None, None)], ("-1", "1"), {}), ("sin", [("0", "7")], ("-1", "1"), {}),
    ("cos", [("-1", "4")], ("-1", "1"), {}), ("cos", [("5", "10")], ("-1", "1"), {}),
    ("cosh", [(None, None)], ("1", None), {}), ("sinh", [(None, None)], (None, None), {}),
    ("asinh", [(None, None)], (None, None), {}),
    ("acos", [("1", "1")], ("0", "0"), {}),
]  # fmt: skip


def tightened(name, boxes, ends, params):
    """The claims that are tighter at one end, and loose at the other."""
    low, high = ends
    more = None if high is None else str(Fraction(high) + 1)
    less = None if low is None else str(Fraction(low) - 1)
    fewer = str(-LARGE if low is None else Fraction(low) + TIGHTER)
    lower = str(LARGE if high is None else Fraction(high) - TIGHTER)
    return [
        enclosed(name, boxes, fewer, more, **params),
        enclosed(name, boxes, less, lower, **params),
    ]


def data(values, shape):
    """A constant's digest, and its data as the certificate gives them."""
    digest, form = tensor(values, shape)
    return digest, {digest: form}


LIST, LISTS = data(["1", "-2", "3"], (3,))
MATRIX, MATRICES = data(["1", "-2", "3", "1/2", "0", "1/3"], (2, 3))
ONES, ALL_ONES = data(["1"] * 6, (2, 3))
AT, ATS = data(["2", "0", "-1", "1"], (4,))
AT_ROWS, ROWS = data(["-1", "0"], (2,))
PAIR, PAIRS = data(["1", "2"], (2,))
NUMBER, NUMBERS = data(["7"], ())
SIX = (["0", "1", "2", "3", "4", "5"], ["0", "11", "12", "13", "14", "15"])
MANY = {"shapes": [(2, 3)]}


def batches(a, b, weights=None):
    """Products of tensors of these shapes, of positive numbers, as NumPy has them; or of data."""
    low, high = ([np.arange(1, prod(s) + 1).reshape(s) * (k + 1) for s in (a, b)] for k in (0, 1))
    boxes = [tuple([str(v) for v in side[i].ravel()] for side in (low, high)) for i in (0, 1)]
    tensors = {}
    if weights is not None:
        digest, tensors = data(boxes[weights][0], (a, b)[weights])
        boxes[weights], high[weights] = digest, low[weights]
    ends = [np.matmul(*side) for side in (low, high)]
    sides = [[str(v) for v in end.ravel()] for end in ends]
    return "matmul", boxes, *sides, {"shapes": [a, b], "out": ends[0].shape, "tensors": tensors}


# name, boxes, lower, upper, the rest: exact for each element
ELEMENTS = [
    ("neg", [SIX], ["0", "-11", "-12", "-13", "-14", "-15"], ["0", "-1", "-2", "-3", "-4", "-5"], MANY | {"out": (2, 3)}),
    ("add", [SIX, (["0", "100", "200"], ["0", "100", "200"])], ["0", "101", "202", "3", "104", "205"],
     ["0", "111", "212", "13", "114", "215"], {"shapes": [(2, 3), (3,)], "out": (2, 3)}),
    ("add", [SIX, (["100", "200"], ["100", "200"])], ["100", "101", "102", "203", "204", "205"],
     ["100", "111", "112", "213", "214", "215"], {"shapes": [(2, 3), (2, 1)], "out": (2, 3)}),
    ("add", [SIX, ("1", "2")], ["1", "2", "3", "4", "5", "6"], ["2", "13", "14", "15", "16", "17"], {"shapes": [(2, 3), ()], "out": (2, 3)}),
    ("reshape", [SIX], *SIX, MANY | {"out": (3, 2), "cut": (3, 2)}),
    ("broadcast", [(["1", "2"], ["3", "4"])], ["1", "1", "1", "2", "2", "2"], ["3", "3", "3", "4", "4", "4"],
     {"shapes": [(2, 1)], "out": (2, 3), "cut": (2, 3)}),
    ("broadcast", [(["1", "2"], ["3", "4"])], ["1", "2", "1", "2"], ["3", "4", "3", "4"], {"shapes": [(2,)], "out": (2, 2), "cut": (2, 2)}),
    ("transpose", [SIX], ["0", "3", "1", "4", "2", "5"], ["0", "13", "11", "14", "12", "15"], MANY | {"out": (3, 2), "perm": [1, 0]}),
    ("slice", [SIX], ["5", "3", "2", "0"], ["15", "13", "12", "0"],
     MANY | {"out": (2, 2), "starts": [1, 2], "steps": [-1, -2], "sizes": [2, 2]}),
    ("pad", [(["1", "2"], ["3", "4"])], ["9", "1", "2", "9", "9"], ["9", "3", "4", "9", "9"],
     {"shapes": [(2,)], "out": (5,), "before": [1], "after": [2], "value": "9"}),
    ("pad", [(["1", "2"], ["3", "4"])], ["1", "9", "2", "9", "9", "9"], ["3", "9", "4", "9", "9", "9"],
     {"shapes": [(2, 1)], "out": (3, 2), "before": [0, 0], "after": [1, 1], "value": "9"}),
    ("concat", [SIX, (["6", "7"], ["16", "17"])], ["0", "1", "2", "6", "3", "4", "5", "7"], ["0", "11", "12", "16", "13", "14", "15", "17"],
     {"shapes": [(2, 3), (2, 1)], "out": (2, 4), "axis": 1}),
    ("concat", [(["6", "7", "8"], ["16", "17", "18"]), SIX], ["6", "7", "8", "0", "1", "2", "3", "4", "5"], ["16", "17", "18", "0", "11", "12", "13", "14", "15"],
     {"shapes": [(1, 3), (2, 3)], "out": (3, 3), "axis": 0}),
    ("gather", [SIX, AT], ["2", "0", "2", "1", "5", "3", "5", "4"], ["12", "0", "12", "11", "15", "13", "15", "14"],
     {"shapes": [(2, 3), (4,)], "out": (2, 4), "axis": 1, "tensors": ATS}),
    ("gather", [SIX, AT_ROWS], ["3", "4", "5", "0", "1", "2"], ["13", "14", "15", "0", "11", "12"],
     {"shapes": [(2, 3), (2,)], "out": (2, 3), "axis": 0, "tensors": ROWS}),
    ("gather_elements", [(["0", "1", "2"], ["10", "11", "12"]), AT], ["2", "0", "2", "1"], ["12", "10", "12", "11"],
     {"shapes": [(3,), (4,)], "out": (4,), "axis": 0, "tensors": ATS}),
    ("gather_elements", [SIX, data(["1", "-2", "0"], (1, 3))[0]], ["3", "1", "2"], ["13", "11", "12"],
     {"shapes": [(2, 3), (1, 3)], "out": (1, 3), "axis": 0, "tensors": data(["1", "-2", "0"], (1, 3))[1]}),
    ("sum", [SIX], ["3", "12"], ["23", "42"], MANY | {"out": (2,), "axes": [1], "keepdims": False}),
    ("sum", [SIX], ["3", "5", "7"], ["13", "25", "27"], MANY | {"out": (1, 3), "axes": [0], "keepdims": True}),
    ("prod", [SIX], ["0", "4", "10"], ["0", "154", "180"], MANY | {"out": (3,), "axes": [0], "keepdims": False}),
    ("reduce_max", [SIX], ["2", "5"], ["12", "15"], MANY | {"out": (2,), "axes": [1], "keepdims": False}),
    ("reduce_min", [SIX], ["0", "3"], ["0", "13"], MANY | {"out": (2,), "axes": [1], "keepdims": False}),
    ("matmul", [SIX, (["1", "0", "-1"], ["1", "0", "-1"])], ["-12", "-12"], ["-2", "8"], {"shapes": [(2, 3), (3,)], "out": (2,)}),
    ("matmul", [(["1", "-1"], ["1", "-1"]), SIX], ["-13", "-13", "-13"], ["-3", "7", "7"], {"shapes": [(2,), (2, 3)], "out": (3,)}),
    ("matmul", [SIX, (["1", "0", "0", "1", "1", "1"], ["1", "0", "0", "1", "1", "1"])], ["2", "3", "8", "9"], ["12", "23", "28", "29"],
     {"shapes": [(2, 3), (3, 2)], "out": (2, 2)}),
    # by data: w*x over the box, exactly
    ("matmul", [MATRIX, (["0", "-1", "1"], ["1", "1", "2"])], ["1", "1/3"], ["9", "7/6"],
     {"shapes": [(2, 3), (3,)], "out": (2,), "tensors": MATRICES}),
    ("matmul", [(["0", "1/3"], ["1", "2"]), MATRIX], ["1/6", "-2", "1/9"], ["2", "0", "11/3"],
     {"shapes": [(2,), (2, 3)], "out": (3,), "tensors": MATRICES}),
    ("matmul", [SIGNED, LIST], ["-6"], ["6"], {"shapes": [(3,), (3,)], "tensors": LISTS}),
    ("matmul", [("1", "1"), LIST], ["2"], ["2"], {"shapes": [(3,), (3,)], "tensors": LISTS}),
    ("matmul", [(["1", "0", None], ["1", "1", None]), LIST], [None], [None], {"shapes": [(3,), (3,)], "tensors": LISTS}),
    ("matmul", [(["1", "0", "0"], ["1", "1", None]), LIST], ["-1"], [None], {"shapes": [(3,), (3,)], "tensors": LISTS}),
    ("matmul", [LIST, LIST], ["14"], ["14"], {"shapes": [(3,), (3,)], "tensors": LISTS}),
    ("matmul", [MATRIX, LIST], ["14", "3/2"], ["14", "3/2"], {"shapes": [(2, 3), (3,)], "out": (2,), "tensors": MATRICES | LISTS}),
    ("mul", [LIST, SIGNED], ["-1", "-2", "-3"], ["1", "2", "3"], {"shapes": [(3,), ()], "out": (3,), "tensors": LISTS}),
    # data that a cited step says nothing of
    ("neg", [LIST], ["-1", "2", "-3"], ["-1", "2", "-3"], {"shapes": [(3,)], "out": (3,), "tensors": LISTS}),
    # single intervals for all elements
    ("sum", [("1", "2")], ["3"], ["6"], {"shapes": [(3,)], "axes": [0], "keepdims": False}),
    ("sum", [("1", "2")], ["3"], ["6"], MANY | {"out": (2,), "axes": [1], "keepdims": False}),
    ("prod", [("-2", "1")], ["-8"], ["4"], {"shapes": [(3,)], "axes": [0], "keepdims": False}),
    ("prod", [("1", "1")], ["1"], ["1"], {"shapes": [(64,)], "axes": [0], "keepdims": False}),
    ("matmul", [("1", "2"), ("3", "4")], ["9"], ["24"], {"shapes": [(3,), (3,)]}),
    ("matmul", [("1", "2"), ("3", "4")], ["9"], ["24"], {"shapes": [(2, 3), (3, 5)], "out": (2, 5)}),
    ("pad", [("1", "2")], ["1"], ["7"], {"shapes": [(3,)], "out": (4,), "before": [1], "after": [0], "value": "7"}),
    ("concat", [("1", "2"), ("-4", "-3")], ["-4"], ["2"], {"shapes": [(3,), (2,)], "out": (5,), "axis": 0}),
    # only a constant of more than one element is looked at
    ("neg", [PAIR], ["-2"], ["-1"], {"shapes": [(2,)], "out": (2,), "tensors": PAIRS}),
    ("neg", [NUMBER], [None], [None], {"shapes": [()], "tensors": NUMBERS}),
    ("neg", [(["1", "5"], ["2", "6"])], ["-2", "-6"], ["-1", "-5"], {"shapes": [(2,)], "out": (2,)}),
    ("reduce_max", [("1", "2")], ["1"], ["2"], {"shapes": [(3,)], "axes": [0], "keepdims": False}),
    ("transpose", [("1", "2")], ["1"], ["2"], MANY | {"out": (3, 2), "perm": [1, 0]}),
    ("softmax", [SIX], ["0"], ["1"], MANY | {"out": (2, 3), "axis": 1}),
    ("argmax", [SIX], ["0"], ["2"], MANY | {"out": (2,), "axis": 1, "keepdims": False, "last": False}),
    ("argmin", [SIX], ["0"], ["1"], MANY | {"out": (3,), "axis": 0, "keepdims": False, "last": False}),
    ("argsort", [SIX], ["0"], ["2"], MANY | {"out": (2, 3), "axis": 1, "descending": False}),
    ("gather", [("1", "2"), (None, None)], ["1"], ["2"], {"shapes": [(2, 3), ()], "out": (2,), "axis": 1}),
    ("gather", [SIX, (None, None)], ["0"], ["15"], {"shapes": [(2, 3), ()], "out": (2,), "axis": 1}),
    # a single interval where the elements have their own
    ("relu", [SIX], ["0"], ["15"], MANY | {"out": (2, 3)}),
    batches((2, 2, 2), (2, 2, 1)), batches((2, 1, 2), (2, 2)), batches((1, 2), (2, 2, 1)), batches((3,), (2, 3, 2)),
    batches((2, 2, 2), (2,)), batches((2, 1, 1, 2), (3, 2, 1)), batches((1, 2), (2, 2, 2, 1), 0), batches((2, 2, 2), (2, 1), 1),
]  # fmt: skip
CITE, BELOW = (
    "one cited step for each argument was expected",
    "interval arithmetic does not give these bounds",
)


def narrowed(ends, i, side):
    """The bounds with that of element i moved inwards."""
    found = [list(part) for part in ends]
    value = found[side][i]
    found[side][i] = (
        (str(LARGE) if side else str(-LARGE)) if value is None
        else str(Fraction(value) + (1 - 2 * side) * TIGHTER)
    )  # fmt: skip
    if None not in (found[0][i], found[1][i]) and Fraction(found[0][i]) > Fraction(found[1][i]):
        found[1 - side][i] = str(Fraction(found[side][i]) + (2 * side - 1) * -1)
    return found


def powers(bits, exponent):
    """A power of a power of two."""
    return enclosed(
        "pow", [(str(2 ** (bits - 1)), str(2 ** (bits - 1)))], "0", None, exponent=str(exponent)
    )


def products(*exponents):
    """The product of powers of two, one after the other."""
    ends = [str(2**e) for e in exponents]
    n = len(ends)
    return enclosed("prod", [(ends, ends)], "0", None, shapes=[(n,)], axes=[0], keepdims=False)


def negated(size):
    """Data of so many elements are negated, one after the other."""
    digest, form = tensor([1.0] * (size - 1) + [-2.0], (size,), "f32")
    return enclosed(
        "neg", [digest], "-1", "2", shapes=[(size,)], out=(size,), tensors={digest: form}
    )


def weighted(size):
    """A sum of so many elements, weighted by data."""
    digest, form = tensor([1.0] * size, (size,), "f32")
    return enclosed(
        "matmul",
        [("0", "1"), digest],
        "0",
        str(size),
        shapes=[(size,), (size,)],
        tensors={digest: form},
    )


def within(name, shape, out, before, after):
    """A claim about a number between 1 and 5 for each element, near 1 and 5 and a logarithm of 3."""
    ctx.prec = 200
    log = Fraction(int((arb(3).log() * 2**100).floor().unique_fmpz()), 2**100)
    lower, upper = (str(Fraction(end[0]) + end[1] * log) for end in (before, after))
    along = {"axis": 0} if name == "log_softmax" else {"axes": [0], "keepdims": False}
    return enclosed(name, [("1", "5")], lower, upper, shapes=[shape], out=out, **along)


NEARER, FARTHER = Fraction(1, 10**20), Fraction(1, 10**25)
LOGARITHMS = [
    (within("logsumexp", (3,), (), (1 - FARTHER, 1), (5 + FARTHER, 1)), "valid"),
    (within("logsumexp", (3,), (), (1 + NEARER, 1), (6, 1)), "invalid"),
    (within("logsumexp", (3,), (), (0, 1), (5 - NEARER, 1)), "invalid"),
    (within("logsumexp", (3, 2), (2,), (1 - FARTHER, 1), (5 + FARTHER, 1)), "valid"),
    (within("log_softmax", (3, 2), (3, 2), (-4 - FARTHER, -1), (0, 0)), "valid"),
    (within("log_softmax", (3,), (3,), (-4 + NEARER, -1), (0, 0)), "invalid"),
    (within("log_softmax", (3,), (3,), (-9, 0), (-NEARER, 0)), "invalid"),
]  # fmt: skip
HALF_OPEN = {"shapes": [(3,), (3,)], "tensors": LISTS}
LARGE_TENSOR = 1 << 16
ACCEPTED = {
    **{f"{i}: {name}": enclosed(name, boxes, *ends, **params)
       for i, (name, boxes, ends, params) in enumerate(RANGES)},
    **{f"{i}: elements of {name}": enclosed(name, boxes, lower, upper, **params)
       for i, (name, boxes, lower, upper, params) in enumerate(ELEMENTS)},
    "the longest power": powers(16, 1024),
    "the longest product": products(*[13107] * 5),
    "more weights than elements": weighted(LARGE_TENSOR + 1),
    "as many elements as are looked at": negated(LARGE_TENSOR),
}  # fmt: skip
LIES = [
    (enclosed("neg", [NUMBER], "-7", "-7", shapes=[()], tensors=NUMBERS), 1, BELOW),
    (enclosed("matmul", [(["1", "0", "0"], ["1", "1", None]), LIST], "-1", "100", **HALF_OPEN), 2, BELOW),
    (enclosed("matmul", [(["1", "0", None], ["1", "1", None]), LIST], "-100", "100", **HALF_OPEN), 2, BELOW),
    *((lie, len(boxes), BELOW) for name, boxes, ends, params in RANGES if ends != (None, None)
      for lie in tightened(name, boxes, ends, params)),
    *((enclosed(name, boxes, *narrowed((lower, upper), i, side), **params), len(boxes), BELOW)
      for name, boxes, lower, upper, params in ELEMENTS for i in range(len(lower)) for side in (0, 1)
      if (lower, upper)[side][i] is not None),
    (powers(16, 1025), 1, "a power is too long a number"),
    (products(*[13107] * 5, 1), 1, "a number is too long"),
    (negated(LARGE_TENSOR + 1), 1, BELOW),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(LOGARITHMS)))
def test_a_sum_of_exponentials_is_enclosed_by_its_number_of_terms(number):
    document, verdict = LOGARITHMS[number]
    assert check(json.dumps(document)).verdict == verdict


test_the_exact_range_is_accepted = accepts(check, ACCEPTED)


test_a_tighter_range_is_refused = refuses(check, LIES)


def test_products_with_data_are_exact_up_to_a_number_of_weights(monkeypatch):
    assert (ranges.ELEMENTS, ranges.WEIGHTS, ranges.BITS) == (2**16, 2**24, 2**16)
    monkeypatch.setattr(ranges, "ELEMENTS", 0)
    for most, verdict in ((6, "valid"), (5, "invalid")):
        monkeypatch.setattr(ranges, "WEIGHTS", most)
        name, boxes, lower, upper, params = ELEMENTS[BY_DATA]
        report = check(json.dumps(enclosed(name, boxes, lower, upper, **params)))
        assert report.verdict == verdict


BY_DATA = next(i for i, e in enumerate(ELEMENTS) if e[0] == "matmul" and e[1][0] is MATRIX)
COUNTS = [
    473,
    491,
    729,
    694,
    1122,
    309,
    306,
    139,
    139,
    361,
    364,
    115,
    186,
    120,
    120,
    190,
    190,
    990,
    778,
    504,
    1281,
    884,
    1052,
    673,
    673,
]
FOLDED = [name for name in ACCEPTED if "elements of matmul" in name or "elements of sum" in name]
STEPS = [(ACCEPTED[name], steps) for name, steps in zip(FOLDED, COUNTS, strict=True)]
"""How many steps a check takes."""


test_a_check_takes_so_many_steps = takes(check, STEPS, checker.A_CHARACTER)
