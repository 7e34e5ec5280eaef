"""Every VNN-LIB file of the shared data, against an independent reading by regular expressions."""

import gzip
import re
from fractions import Fraction

import pytest

from tamecheck.loaders import read_vnnlib

BOUND = re.compile(r"\(\s*(<=|>=)\s+X_(\d+)\s+([-+0-9.eE]+)\s*\)")
OUTPUT = re.compile(r"\(\s*(?:<=|>=)\s+(Y_\d+)\s+(\S+?)\s*\)")


def text_of(path):
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return re.sub(r";[^\n]*", "", text)


def top_level(text):
    """The text of each command."""
    depth, start = 0, 0
    for match in re.finditer(r"[()]", text):
        depth += 1 if match.group() == "(" else -1
        if depth == 0:
            yield text[start : match.end()]
            start = match.end()


def hull_of(commands, size):
    """Bounds by brute force: those of plain assertions, and the loosest of each alternative."""
    low, high = [None] * size, [None] * size
    for command in commands:
        branches = (
            re.split(r"\(\s*and\b", command) if "(or" in command.replace(" ", "") else [command]
        )
        found = [bounds(branch) for branch in branches if BOUND.search(branch)]
        if not found or (len(branches) > 1 and len(found) != len(branches) - 1):
            continue
        for index in set.intersection(*(set(one) for one in found)):
            lows, highs = zip(*(one[index] for one in found), strict=True)
            if None not in lows:
                low[index] = min(lows) if low[index] is None else max(low[index], min(lows))
            if None not in highs:
                high[index] = max(highs) if high[index] is None else min(high[index], max(highs))
    return tuple(low), tuple(high)


def bounds(text):
    found = {}
    for relation, index, number in BOUND.findall(text):
        low, high = found.get(int(index), (None, None))
        value = Fraction(number)
        if relation == "<=":
            high = value if high is None else min(high, value)
        else:
            low = value if low is None else max(low, value)
        found[int(index)] = low, high
    return found


FOLDERS = ["bnn", *(f"nets/{name}" for name in ("acasxu", "collins_rul_cnn", "lsnc", "mnist_fc"))]
FOLDERS += [f"nets/{name}" for name in ("ml4acopf_2023", "reach_prob_density", "rl_benchmarks")]
FOLDERS += [f"nets/{name}" for name in ("safenlp", "test", "tllverifybench", "verivital")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_bounds_agree_with_a_reading_by_regular_expressions(data, folder):
    paths = sorted((data / folder).rglob("*.vnnlib*"))
    assert paths
    for path in paths:
        text = text_of(path)
        commands = list(top_level(text))
        sizes = [len(set(re.findall(rf"declare-const\s+({kind}_\d+)", text))) for kind in "XY"]
        spec = read_vnnlib(path)
        assert [spec.input_size, spec.output_size] == sizes, path
        assert spec.hull() == hull_of(commands, sizes[0]), path
        mentioned = {name for name, _ in OUTPUT.findall(text)}
        used = {f"Y_{j}" for case in spec.cases for one in case.outputs for j, _ in one.outputs}
        assert mentioned <= used, path
