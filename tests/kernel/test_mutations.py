"""Corrupted certificates: none that states something false is accepted.

``TAMECHECK_MUTANTS=20 pytest tests/kernel/test_mutations.py`` tries so many thousand of them.
"""

import copy
import hashlib
import json
import os
import random
import runpy
from fractions import Fraction
from pathlib import Path

import pytest
from flint import ctx

from tamecheck.kernel import check

HERE = Path(__file__).parent
THOUSANDS = int(os.environ.get("TAMECHECK_MUTANTS", "1"))
first_lie = runpy.run_path(str(HERE / "truth.py"))["first_lie"]
CORPUS = {
    p.stem: json.loads(p.read_text(encoding="utf-8"))
    for p in sorted((HERE / "accept").glob("*.json"))
}
UNARY = [
    "neg",
    "abs",
    "relu",
    "floor",
    "ceil",
    "sqrt",
    "exp",
    "log",
    "sigmoid",
    "tanh",
    "softplus",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
]
BINARY = [
    "add",
    "sub",
    "mul",
    "div",
    "maximum",
    "minimum",
    "equal",
    "less",
    "less_equal",
    "power",
    "prelu",
]
STRUCTURES = [
    "rational-semilinear",
    "semilinear",
    "semialgebraic",
    "an",
    "exp",
    "an-exp",
    "pfaffian",
    "local",
]
PROPERTIES = ["continuous", "locally_lipschitz", "piecewise_linear", "piecewise_constant"]
NUMBERS = ["0", "1", "-1", "1/2", "-1/2", "2", "3", "-3", "1/100", "10", "100", "-7/3", "8/5"]


def refresh(certificate):
    """Make digests and hash right again, so that the corruption is deep."""
    if "model" not in certificate:
        return
    fresh = {}
    for node in certificate["model"]["graph"]["nodes"]:
        form = certificate["tensors"].get(node.get("tensor"))
        if form is not None and form["encoding"] == "q":
            head = f"q:{','.join(map(str, form['shape']))}:"
            digest = hashlib.sha256((head + "\n".join(form["data"])).encode()).hexdigest()
            fresh[digest], node["tensor"] = form, digest
        elif form is not None:
            fresh[node["tensor"]] = form
    certificate["tensors"] = fresh
    text = json.dumps(certificate["model"]["graph"], sort_keys=True, separators=(",", ":"))
    certificate["model"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()


def leaves(value, wanted, found):
    """Collect (container, key) of all leaves of a type."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        if isinstance(item, dict | list):
            leaves(item, wanted, found)
        elif wanted(item):
            found.append((value, key))
    return found


def is_number(value):
    try:
        return isinstance(value, str) and Fraction(value) is not None
    except ValueError:
        return False


def change_number(c, rng):
    container, key = rng.choice(leaves(c, is_number, []) or [({}, "")])
    if container:
        old = Fraction(container[key])
        container[key] = rng.choice(
            [*NUMBERS, str(old + 1), str(old / 2), str(-old), str(old * Fraction(101, 100))]
        )


def change_integer(c, rng):
    found = leaves(c, lambda v: type(v) is int, [])
    container, key = rng.choice(found)
    container[key] += rng.choice([-2, -1, 1, 2])


def change_op(c, rng):
    if "model" not in c:
        return
    node = rng.choice([n for n in c["model"]["graph"]["nodes"] if "args" in n] or [{"args": []}])
    if len(node["args"]) == 1 and not node["params"]:
        node["op"] = rng.choice(UNARY)
    elif len(node["args"]) == 2 and not node["params"]:
        node["op"] = rng.choice(BINARY)
    elif "mode" in node.get("params", {}):
        node["params"]["mode"] = rng.choice(["half_up", "half_away", "toward_zero", "half_down"])
    elif "lo" in node.get("params", {}):
        node["params"][rng.choice(["lo", "hi"])] = None
    return


def change_args(c, rng):
    nodes = c["model"]["graph"]["nodes"] if "model" in c else []
    choices = [n for n in nodes if n.get("args")]
    if choices:
        node = rng.choice(choices)
        node["args"][rng.randrange(len(node["args"]))] = rng.randrange(len(nodes))


def change_steps(c, rng):
    steps = c.get("steps", c.get("derivations"))
    i, j = rng.randrange(len(steps)), rng.randrange(len(steps))
    match rng.randrange(4):
        case 0:
            del steps[i]
        case 1:
            steps[i], steps[j] = steps[j], steps[i]
        case 2:
            steps[i] = copy.deepcopy(steps[j])
        case _:
            lists = [k for k, v in steps[i].items() if isinstance(v, list) and v]
            if lists:
                key = rng.choice(lists)
                steps[i][key] = rng.choice(
                    [steps[i][key][1:], steps[i][key] * 2, steps[i][key][::-1]]
                )


def change_words(c, rng):
    """Replace a structure or property, in one place or everywhere."""
    for family in rng.sample(
        [STRUCTURES, PROPERTIES, ["<=", ">=", "="], ["o-minimal", "locally-o-minimal"]], 4
    ):
        found = leaves(c, lambda v, f=family: isinstance(v, str) and v in f, [])
        if found:
            container, key = rng.choice(found)
            old, new = container[key], rng.choice(family)
            for other, k in found if rng.random() < 0.7 else [(container, key)]:
                other[k] = new if other[k] == old else other[k]
            if new == "local":
                c["claim"]["verdict"] = "locally-tame"
            return


def change_domain(c, rng):
    if c.get("domain"):
        side = rng.choice(list(c["domain"].values()))
        key = rng.choice(["lower", "upper"])
        side[key][rng.randrange(len(side[key]))] = rng.choice([None, None, *NUMBERS])


def change_everything(c, rng):
    """Widen the claim of every enclosure, so that it may follow from a changed graph."""
    for step in c.get("steps", []):
        for side in ("lower", "upper"):
            if side in step and rng.random() < 0.8:
                step[side] = [rng.choice([None, v]) for v in step[side]]


CHANGES = [
    change_number,
    change_number,
    change_integer,
    change_op,
    change_op,
    change_args,
    change_steps,
    change_steps,
    change_words,
    change_words,
    change_domain,
    change_everything,
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(THOUSANDS))
def test_no_corrupted_certificate_states_something_false(seed):
    ctx.prec = 200
    rng = random.Random(seed)
    names = sorted(CORPUS)
    texts = {name: json.dumps(certificate) for name, certificate in CORPUS.items()}
    accepted = checked = 0
    seen = set()
    for _ in range(1000):
        certificate = json.loads(texts[rng.choice(names)])
        for _ in range(rng.choice([1, 1, 2, 3])):
            change = rng.choice(CHANGES)
            if certificate.get("steps", certificate.get("derivations")):
                change(certificate, rng)
        refresh(certificate)
        text = json.dumps(certificate)
        report = check(text)
        checked += 1
        assert report.verdict in ("valid", "incomplete", "invalid")
        if report.verdict == "invalid":
            assert report.why
            continue
        accepted += 1
        if text not in seen and report.verdict == "valid":
            seen.add(text)
            assert first_lie(certificate) is None, text
    assert checked == 1000
    assert accepted > 30  # the corruptions are not all trivially wrong


@pytest.mark.parametrize("name", sorted(set(CORPUS) - {"trusted"}))
def test_the_oracle_finds_no_lie_in_right_certificates(name):
    ctx.prec = 200
    assert first_lie(CORPUS[name]) is None


LIES = {
    "sine-box": lambda c: c["steps"][-1].update({"in": ["semialgebraic"]}),
    "sigmoid": lambda c: c["steps"][-1].update({"in": ["an"]}),
    "floor": lambda c: c["steps"][-1].update({"in": ["pfaffian"]}),
    "staircase": lambda c: c["domain"]["x"].update(upper=["5"]),
    "real-parameter": lambda c: c["steps"][-1].update({"in": ["rational-semilinear"]}),
    "weighted-bounds": lambda c: c["steps"][2]["upper"].__setitem__(0, "8"),
    "quotient": lambda c: c["steps"][4].update(bound="49/100"),
    "log": lambda c: c["domain"]["x"].update(lower=["-1"]),
    "error-function": lambda c: c["steps"][-1].update({"in": ["exp"]}),
    "cube": lambda c: c["steps"][-1].update({"in": ["semilinear"]}),
    "wave-drift": lambda c: c["model"]["graph"]["nodes"][1].update(op="tanh"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_the_oracle_and_the_kernel_both_see_planted_lies(name):
    ctx.prec = 200
    certificate = copy.deepcopy(CORPUS[name])
    LIES[name](certificate)
    refresh(certificate)
    assert first_lie(certificate) is not None
    assert check(json.dumps(certificate)).verdict == "invalid"
