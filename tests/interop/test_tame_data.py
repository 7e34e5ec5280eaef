"""Real networks: a verdict for each, every certificate accepted by the kernel, and the page."""

from collections import Counter
from dataclasses import dataclass

import corpus
import pytest

import tamecheck as tc
from tamecheck.tame.verdict import Check, Verdict

LINEAR = {
    *("Gemm", "MatMul", "Conv", "Relu", "Sign", "MaxPool", "BatchNormalization", "Add", "Sub"),
    *("Reshape", "Flatten", "Transpose", "Dropout", "Softmax"),
}
"""Operators whose composition, up to a final Softmax, is semilinear."""

WHOLE = ("bnn", "nets")
"""Folders of which every network is asked."""


@dataclass(frozen=True)
class Answer:
    """What the tests need of a check; the graphs of all networks would fill the memory."""

    verdict: Verdict
    structures: tuple[str, ...]
    scores: tuple[str, ...]
    rests_on: str

    @classmethod
    def of(cls, found: Check, *, again: bool) -> "Answer":
        if again:
            assert tc.recheck(found).model_sha256 == found.graph.sha256
        names = [tuple(s.public_name for s in a) for a in (found.structures, found.before_softmax)]
        return cls(found.verdict, *names, found.rests_on)


@pytest.fixture(scope="module")
def script():
    return corpus.script("docs/make_networks_table.py")


@pytest.fixture(scope="module")
def asked(script, data):
    """The rows of the page, and for each network its answers and its operators."""
    rows, answers = [], {}
    for number, (path, spec) in enumerate(script.networks(data)):
        if path.relative_to(data).parts[0] not in WHOLE and number % 3:
            continue
        found = script.ask(path, spec)
        rows += script.about(script.folder_of(path, data), found)
        name = path.relative_to(data)
        # the kernel has accepted each; of every fifth small one that is told of the file here
        again = name.parts[0] in WHOLE and len(answers) % 5 == 0 and not is_wild(name)
        answers[name] = [None if a is None else Answer.of(a, again=again) for a in found]
    return rows, answers


def small(asked):
    """The networks beside those of the competition of 2025."""
    return {path: found for path, found in asked[1].items() if path.parts[0] in WHOLE}


def is_wild(path):
    """Whether a network has sines of what is not bounded."""
    return "lsnc" in path.parts or "ml4acopf_2023" in path.parts


def lines_of(text):
    """The cells of each line of the table."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines]


def test_the_page_of_networks_is_fresh(script, asked, data):
    """Of the competition of 2025 each third network, and how many there are."""
    page = script.PAGE.read_text(encoding="utf-8")
    told, fresh = lines_of(page), lines_of(script.table(asked[0]))
    whole, answers = [
        [line for line in lines if line[0].split("/")[0] in WHOLE] for lines in (told, fresh)
    ]
    assert whole == answers, "python docs/make_networks_table.py"
    assert {(c[0], *c[4:9]) for c in fresh} <= {(c[0], *c[4:9]) for c in told}
    counts = Counter()
    for folder, count, _, _, on, *_ in told:
        counts[folder] += int(count) * (on == "ℝⁿ")
    assert counts == Counter(script.folder_of(path, data) for path, _ in script.networks(data))
    assert page.startswith(script.HEAD)
    assert page.count("VNN-COMP") >= 2
    assert " unknown " not in page


def test_every_network_gets_a_verdict_that_the_kernel_confirms(asked, data):
    assert len(small(asked)) > 50
    for path, (answer, _) in small(asked).items():
        assert answer.rests_on == "certificate", path
        assert answer.verdict is (Verdict.NOT_TAME if is_wild(path) else Verdict.TAME), path
        if is_wild(path):
            continue
        if "qonnx" in path.parts or set(tc.load(data / path).loaded.source_ops) <= LINEAR:
            assert (answer.scores or answer.structures)[0] == "semilinear", path


def test_every_network_is_tame_on_the_box_of_its_property(asked):
    boxed = {path: found for path, (_, found) in small(asked).items() if found is not None}
    assert len(boxed) > 30
    for path, answer in boxed.items():
        assert answer.verdict is Verdict.TAME, path
        if is_wild(path):
            assert answer.structures[0] == "an"


@pytest.mark.parametrize("name", ["TFC_1W1A", "qkeras_jettagging"])
def test_a_quantised_network_is_one_without_any_box(data, name):
    answer = tc.load(data / "bnn" / "qonnx" / f"{name}.onnx").check()
    assert any("quantiser" in line.why or "sign" in line.op for line in answer.derivation)
