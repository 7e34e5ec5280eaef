"""Exact counts of binarized networks, beside an exact model counter on a formula of the same.

Run: python benchmarks/counting.py [--peer /work/peers/bin/python] [--seconds 100] [MODEL ...]

For each network the classes are counted over all inputs, and over those of wide networks that keep
all but N inputs of a point (--free).  The peer, pyganak, gets a formula whose models are the inputs
of one class: every neuron is a decision diagram of its sum (nodes of equal remainders are one, as
in Abio, Nieuwenhuis, Oliveras, Rodriguez-Carbonell 2012), with a variable and its definition for
each node, so that every input has just one model.
"""

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

import tamecheck as tc
from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.explain import count_within, domain_of, network_of
from tamecheck.ir.tensor import Array

_PEER = """
import json, sys, time
from pyganak import Counter
task = json.load(sys.stdin)
started = time.perf_counter()
counter = Counter()
counter.new_vars(task["variables"])
counter.add_clauses(task["clauses"])
found = counter.count()
print(json.dumps([str(found), time.perf_counter() - started]))
"""


class Formula:
    """Clauses in which every further variable is defined by the inputs."""

    def __init__(self, inputs: int) -> None:
        self.variables, self.clauses = inputs + 1, [[inputs + 1]]
        self.true = inputs + 1

    def choice(self, question: int, yes: int, no: int) -> int:
        """A literal for: yes if the question holds, else no."""
        if yes == no:
            return yes
        if (yes, no) == (self.true, -self.true):
            return question
        if (yes, no) == (-self.true, self.true):
            return -question
        self.variables += 1
        v = self.variables
        parts = [[-question, -yes, v], [-question, yes, -v], [question, -no, v], [question, no, -v]]
        parts += [[-yes, -no, v], [yes, no, -v]]
        for clause in parts:
            if self.true not in clause:
                self.clauses.append([x for x in clause if x != -self.true])
        return v

    def threshold(self, literals: list[int], weights: list[int], least: int) -> int:
        """A literal for: the weights of the literals that hold, less the others', are enough."""
        order = sorted(range(len(weights)), key=lambda k: -abs(weights[k]))
        terms = [(literals[k] if weights[k] > 0 else -literals[k], abs(weights[k])) for k in order]
        terms = [(literal, weight) for literal, weight in terms if weight]
        # a sum of 2 * weight for what holds
        needed = least + sum(weight for _, weight in terms)
        left = [0]
        for _, weight in reversed(terms):
            left.append(left[-1] + 2 * weight)
        left.reverse()
        nodes: list[list[tuple[int, int, int]]] = [[] for _ in terms]

        def node(depth: int, rest: int) -> tuple[int, int, int]:
            """The literal, and between which numbers the rest may lie for the same one."""
            if rest <= 0:
                return self.true, -(10**18), 0
            if rest > left[depth]:
                return -self.true, left[depth] + 1, 10**18
            for found in nodes[depth]:
                if found[1] <= rest <= found[2]:
                    return found
            literal, weight = terms[depth]
            yes, low1, high1 = node(depth + 1, rest - 2 * weight)
            no, low0, high0 = node(depth + 1, rest)
            made = self.choice(literal, yes, no)
            found = made, max(low1 + 2 * weight, low0), min(high1 + 2 * weight, high0)
            nodes[depth].append(found)
            return found

        return node(0, needed)[0]


def formula_of(network: ThresholdNetwork, decision: int) -> Formula:
    """A formula whose models are the inputs of a class."""
    sys.setrecursionlimit(10_000)
    formula = Formula(network.inputs)
    states = list(range(1, network.inputs + 1))
    for layer in network.layers:
        rows = zip(layer.weights.tolist(), layer.thresholds.tolist(), strict=True)
        states = [formula.threshold(states, weights, least) for weights, least in rows]
    others = [k for k in range(network.classes) if k != decision]
    wins = network.preferences([decision] * len(others), others)
    for weights, least in zip(wins.weights.tolist(), wins.thresholds.tolist(), strict=True):
        formula.clauses.append([formula.threshold(states, weights, least)])
    return formula


def held(network: ThresholdNetwork, point: Array, free: int) -> ThresholdNetwork:
    """The network over its first free inputs, the others as at a point."""
    first = network.layers[0]
    thresholds = first.thresholds - first.weights[:, free:] @ point[free:].astype(np.int64)
    layer = ThresholdLayer(first.weights[:, :free], thresholds)
    levels = {"low": network.low[:free], "high": network.high[:free]}
    return replace(network, layers=(layer, *network.layers[1:]), **levels)


def peer_count(python: str, formula: Formula, seconds: float) -> tuple[int | None, float]:
    """What the peer counts, and how long it takes; None out of time."""
    task = json.dumps({"variables": formula.variables, "clauses": formula.clauses})
    try:
        done = subprocess.run(
            [python, "-c", _PEER],
            check=False,
            input=task,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return None, seconds
    if done.returncode:
        print(done.stderr[-300:], file=sys.stderr)
        return None, seconds
    found, taken = json.loads(done.stdout.splitlines()[-1])
    return int(found), taken


def compare(name: str, network: ThresholdNetwork, python: str, seconds: float) -> float | None:
    """The time of the peer as a multiple of ours, which counts all classes; a lower bound late."""
    domain = domain_of(network)
    started = time.perf_counter()
    found = count_within(network, domain, seconds=seconds)
    ours = time.perf_counter() - started
    decision = int(np.argmax(found.lower))
    formula = formula_of(network, decision)
    theirs, taken = peer_count(python, formula, seconds)
    if theirs is not None and found.exact and theirs != found.lower[decision]:
        raise AssertionError(f"{name}: {found.lower} but the peer counts {theirs} of {decision}")
    said = "counted" if found.exact else f"open {found.open / domain.size:.2%}"
    peer = f"peer {taken:8.3f} s" if theirs is not None else f"peer > {taken:6.1f} s"
    size = f"2^{np.log2(float(domain.size)):.0f}"
    print(f"{name:28} {size:>5} {ours:8.3f} s {said:8} {peer} {taken / ours:9.1f}x", flush=True)
    return taken / ours if found.exact else None


def main() -> None:
    """Compare all networks that are asked for."""
    parser = ArgumentParser()
    parser.add_argument("models", nargs="*")
    parser.add_argument("--peer", default="/work/peers/bin/python")
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--free", type=int, nargs="*", default=[30, 34, 40, 50])
    args = parser.parse_args()
    folder = Path("/work/shared/data/bnn/npaq")
    paths = [Path(p) for p in args.models] or sorted(folder.glob("*.onnx"))
    ratios = []
    for path in paths:
        network = network_of(tc.load(str(path)), (-1, 1))
        cases = [(path.stem, network)]
        if network.inputs > 30:
            rng = np.random.default_rng(0)
            point = rng.choice([-1, 1], network.inputs)
            cases = [(f"{path.stem}/{free}", held(network, point, free)) for free in args.free]
        for name, one in cases:
            ratio = compare(name, one, args.peer, args.seconds)
            ratios += [] if ratio is None else [ratio]
    print(f"median ratio {median(ratios):.1f}, least {min(ratios):.1f}, of {len(ratios)}")


if __name__ == "__main__":
    main()
