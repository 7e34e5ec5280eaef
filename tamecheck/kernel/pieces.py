"""Nodes that enclosures decide: constants, and those that are equal to an argument."""

from functools import reduce

from tamecheck.kernel import read
from tamecheck.kernel.facts import Fact, Facts, fit
from tamecheck.kernel.interval import POSITIVE, ZERO, Interval, point
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import require


def value(proof: Facts, raw: Json) -> Fact:
    """A node of which each element can have one value only, where it is defined."""
    (k, _), words = proof.node(raw), proof.words(raw)
    bounds = proof.cite(raw["enclosure"], "enclosure", [k]).bounds
    single = all(x.low is not None and x.low == x.high for x in bounds)
    require(single, "an element may have several values")
    known = proof.domains([raw["domain"]] if "domain" in raw else [], [k])
    require(known.issuperset(words), "the domain of the node is not shown to be in these")
    return Fact("structure", k, words)


def decided(proof: Facts, raw: Json) -> Fact:
    """A choice of which enclosures say what is chosen; the rest only cuts its domain."""
    (k, node), words = proof.node(raw), proof.words(raw)
    live = read.integer(raw["live"], 0, len(node.args) - 1)
    ranges = [reduce(Interval.__or__, bounds) for bounds in proof.ranges(raw, k)[0]]
    first, second = ranges[0], ranges[-1]
    match node.op:
        case "maximum":
            chosen = [first - second <= POSITIVE, second - first <= POSITIVE]
        case "minimum":
            chosen = [second - first <= POSITIVE, first - second <= POSITIVE]
        case "prelu" | "elu":
            chosen = [first <= POSITIVE, False]
        case "select":
            chosen = [False, not first.has(ZERO), first == point(ZERO)]
        case _:
            chosen = [False] * len(node.args)
    require(chosen[live], f"{node.op} is not shown to choose this argument")
    dead = [node.args[0]] if node.op == "select" else [a for a in node.args if a != node.args[live]]
    known = proof.domains(raw["args"], dead)
    structure = proof.cite(raw["structure"], "structure", [node.args[live]])
    fits = all(fit([structure], s) for s in words) and known.issuperset(words)
    require(fits, "the argument, or the domain of another, is not shown to be in these")
    return Fact("structure", k, words)
