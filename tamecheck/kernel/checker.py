"""The verdict on a certificate. Only the last line of `judge` says that one is valid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tamecheck.kernel import read
from tamecheck.kernel.facts import ABOVE, LOCAL, read_bounds
from tamecheck.kernel.graph import Graph, read_graph
from tamecheck.kernel.read import Json
from tamecheck.kernel.rules import Proof
from tamecheck.kernel.strict import Reject, Spent, allowance, pairs, require

STEPS, A_CHARACTER = 10_000_000, 8  # what a check may take


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict: valid; incomplete, when steps were trusted or too many; or invalid at `step`."""

    verdict: Literal["valid", "incomplete", "invalid"]
    trusted: tuple[str, ...]
    step: int | None
    why: str
    claim: Json | None
    model_sha256: str | None


def _claim(graph: Graph, proof: Proof, value: object) -> Json:
    claim = read.mapping(value)
    verdict = read.word(claim.get("verdict"))
    if verdict == "not-tame":
        refuted = read.word(read.fields(claim, "verdict refutes")["refutes"])
        found = any(f.kind == "refutes" and refuted in f.words for f in proof.facts)
        require(found, "no step refutes what is claimed")
        return claim
    require(verdict in ("tame", "locally-tame"), "unknown verdict")
    read.fields(claim, "verdict structures", "properties" + " total empty" * (proof.version > 1))
    structures = [read.word(s) for s in read.items(claim["structures"])]
    known = {LOCAL} if verdict == "locally-tame" else set(ABOVE) - {LOCAL}
    fits = 0 < len(structures) == len(set(structures)) and known.issuperset(structures)
    require(fits, "the claimed structures do not fit the verdict")
    properties = {read.word(p) for p in read.items(claim.get("properties", []))}
    shown, has = ({k: set[str]() for k in graph.outputs} for _ in range(2))
    for f in proof.facts:
        if f.kind == "structure" and f.node in shown:
            shown[f.node].update(*(ABOVE[w] for w in f.words))
        if f.kind == "property" and f.node in has:
            has[f.node].update(f.words)
    for k in graph.outputs:
        require(shown[k].issuperset(structures), f"output node {k} is not shown to be in them")
        require(has[k].issuperset(properties), f"output node {k} is not shown to have them")
    whole, nowhere, somewhere = (
        [any(f.kind == kind and f.node == k for f in proof.facts) for k in graph.outputs]
        for kind in ("total", "nowhere", "undefined")
    )
    total = all(known or proof.total[k] for known, k in pairs(whole, graph.outputs))
    known = {
        ("total", True): total,
        ("total", False): any(somewhere),
        ("empty", True): any(nowhere),
    }
    for word in {"total", "empty"} & set(claim):
        said = known.get((word, read.flag(claim[word])), False)
        require(said, f"what is claimed of '{word}' is not shown")
    return claim


def _certificate(raw: Json, at: list[int | None]) -> tuple[Json, Sequence[str], str | None]:
    read.fields(raw, "format version model tensors domain claim steps")
    require(raw["format"] == "tamecheck-certificate", "unknown format")
    version = read.integer(raw["version"], 1, 2)
    model = read.fields(raw["model"], "sha256 graph")
    graph = read_graph(model["graph"], raw["tensors"])
    require(model["sha256"] == graph.sha256, "the hash of the graph is another")
    inputs = {n.name: n.size for n in graph.nodes if n.op == "input"}
    box = read.mapping(raw["domain"])
    require(set(box) == set(inputs), "the domain names other inputs than the graph")
    domain = {
        name: read_bounds(read.fields(box[name], "lower upper"), n) for name, n in inputs.items()
    }
    proof = Proof(graph, domain, version)
    for i, step in enumerate(read.items(raw["steps"])):
        at[0] = i
        proof.facts.append(proof.step(step))
    at[0] = None
    return _claim(graph, proof, raw["claim"]), proof.trusted, graph.sha256


Prove = Callable[[Json, list[int | None]], tuple[Json, Sequence[str], str | None]]


def judge(text: str | bytes | Json, prove: Prove, steps: int) -> Report:
    """Return the verdict of a checker that may take so many steps, and more for a longer text.

    What is no text is taken as what would be read from one: readers look at every type.
    """
    at: list[int | None] = [None]
    written = isinstance(text, str | bytes)
    allowed = steps + (A_CHARACTER * len(text) if written else 0)
    try:
        with allowance(allowed):
            raw = read.document(text) if written else text
            claim, trusted, digest = prove(read.mapping(raw), at)
    except Reject as error:
        return Report("invalid", (), at[0], str(error), None, None)
    except Spent:
        why = f"it needs more than the {allowed} elementary steps that this check may take"
        return Report("incomplete", (), at[0], why, None, None)
    except Exception as error:  # noqa: BLE001  (a checker that cannot go on has checked nothing)
        return Report("invalid", (), at[0], f"malformed: {type(error).__name__}", None, None)
    if trusted:
        return Report("incomplete", tuple(trusted), None, "some steps are trusted", claim, digest)
    return Report("valid", (), None, "", claim, digest)


def check(text: str | bytes, steps: int = STEPS) -> Report:
    """Check a certificate, given as JSON text. Never raises: what cannot be checked is invalid."""
    return judge(text, _certificate, steps)
