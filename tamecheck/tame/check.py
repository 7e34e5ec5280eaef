"""Is a graph tame on a box?  Derive, else refute, else say what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tamecheck.budget import Budget
from tamecheck.ir.arguments import natural, seconds
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.op import Expansion
from tamecheck.ir.structure import Antichain, join_all
from tamecheck.ir.tensor import Tensor
from tamecheck.tame.consequences import consequences
from tamecheck.tame.derive import Derivation, derive
from tamecheck.tame.document import certificate_document
from tamecheck.tame.failures import failures, structures_on_boxes, weaker_statements
from tamecheck.tame.properties import CERTIFIED, merge, positive_properties
from tamecheck.tame.properties_refuted import refuted_properties
from tamecheck.tame.quotient import bound_prover, quotient_prover
from tamecheck.tame.split import MOST_CASES
from tamecheck.tame.steps import ProofSteps, Prover
from tamecheck.tame.undefined import undefined_step
from tamecheck.tame.verdict import Check, Defined, Properties, Step, Verdict, Witness

_CASES_OF_A_SOLVER = 200
DEFAULT_TIMEOUT = 60.0
"""Seconds that a check may take when the caller sets no limit."""


def check(graph: Graph, box: Box, *, timeout: float | None = None, seed: int = 0) -> Check:
    """The o-minimal structure in which the function of the graph is definable on the box.

    Parameters
    ----------
    graph
        The function.
    box
        The domain; its names and lengths are checked against the graph's inputs.
    timeout
        Seconds; when they are over, the answer is unknown.
    seed
        Seed of the searches for witnesses.

    Returns
    -------
    Check
        The verdict, with a certificate unless it is unknown.
    """
    box = box.checked(graph.inputs)
    timeout, seed = seconds(timeout), natural(seed, what="seed")
    budget = Budget.of(DEFAULT_TIMEOUT if timeout is None else timeout)
    run = _run(graph, box, quotient_prover, budget, seed)
    structures = run.derivation.of_outputs(graph)
    if structures:
        return _derived(run, structures, budget)
    witness = _refutation(run) if not budget.is_spent else None
    if witness is not None:
        return _refuted(run, witness, budget)
    # a solver's word is the last resort, since the kernel cannot check it
    run = _run(graph, box, bound_prover(budget), budget, seed, cases=_CASES_OF_A_SOLVER)
    structures = run.derivation.of_outputs(graph)
    if structures:
        return _derived(run, structures, budget)
    return Check(
        graph=graph,
        box=box,
        verdict=Verdict.UNKNOWN,
        weaker=weaker_statements(graph, box, None, structures_on_boxes(graph, box, budget)),
        defined=run.derivation.domains.defined([node for _, node in graph.outputs]),
        open=run.derivation.obstacles,
        derivation=run.derivation.lines,
    )


def _run(  # noqa: PLR0913 (the question, and what may be spent)
    graph: Graph, box: Box, prover: Prover, budget: Budget, seed: int, *, cases: int = MOST_CASES
) -> _Run:
    proof = ProofSteps(graph, box, prover)
    return _Run(graph, box, proof, derive(graph, proof, budget, cases=cases), seed)


@dataclass(frozen=True, slots=True)
class _Run:
    """One check: the question, and what was derived."""

    graph: Graph
    box: Box
    proof: ProofSteps
    derivation: Derivation
    seed: int


def _derived(run: _Run, structures: Antichain, budget: Budget) -> Check:
    tame = any(structure.o_minimal for structure in structures)
    verdict = Verdict.TAME if tame else Verdict.LOCALLY_TAME
    kept = tuple(s for s in structures if s.o_minimal) if tame else structures
    on_boxes = () if tame else structures_on_boxes(run.graph, run.box, budget)
    defined = _defined(run)
    derived = positive_properties(run.graph, proof=run.proof, domains=run.derivation.domains)
    refuted = (
        refuted_properties(run.graph, run.box, known=derived, seed=run.seed)
        if defined.total
        else Properties()
    )
    properties = merge(derived, refuted)
    claim: dict[str, Any] = {
        "verdict": verdict.value,
        "structures": [structure.value for structure in kept],
        "properties": [name for name in CERTIFIED if getattr(derived, name)],
        **({} if defined.total is None else {"total": defined.total}),
        **({"empty": True} if defined.empty else {}),
    }
    return Check(
        graph=run.graph,
        box=run.box,
        verdict=verdict,
        structures=kept,
        defined=defined,
        properties=properties,
        consequences=()
        if defined.empty
        else consequences(run.graph, run.box, verdict, kept, properties, total=bool(defined.total)),
        before_softmax=_before_softmax(run),
        weaker=() if tame else weaker_statements(run.graph, run.box, None, on_boxes),
        derivation=run.derivation.lines,
        certificate=certificate_document(
            run.graph, run.box, claim=claim, steps=run.proof.steps, tensors=run.proof.tensors
        ),
        trusted=_trusted(run.proof.steps),
    )


def _defined(run: _Run) -> Defined:
    """Where the outputs are defined, with steps for what is said."""
    outputs = [node for _, node in run.graph.outputs]
    defined = run.derivation.domains.defined(outputs)
    if defined.total:
        return defined
    empty = any(node in run.derivation.nowhere for node in outputs)
    found = undefined_step(run.graph, run.box, outputs, run.proof.tensors)
    if found is not None:
        run.proof.add(found[0])
        defined = replace(defined, total=False, undefined_at=found[1])
    return replace(defined, empty=True) if empty else defined


def _before_softmax(run: _Run) -> Antichain:
    """The structures of the scores, where every output is a softmax of some."""
    scores: list[Antichain] = []
    for _, output in run.graph.outputs:
        node = run.graph.nodes[output]
        meaning = node.op.meaning if isinstance(node, Apply) else None
        if not (isinstance(node, Apply) and isinstance(meaning, Expansion) and meaning.keeps_order):
            return ()
        scores.append(run.derivation.facts[node.args[0]].structures)
    return join_all(scores)


def _refutation(run: _Run) -> Witness | None:
    outputs = [node for _, node in run.graph.outputs]
    # most models are tame, and never need these
    from tamecheck.tame.refute import find_staircase
    from tamecheck.tame.refute_germs import find_germ
    from tamecheck.tame.refute_periodic import find_periodic
    from tamecheck.tame.waves import find_waves

    searches = find_staircase, find_periodic, find_germ, find_waves
    found = (search(run.graph, run.box, outputs, seed=run.seed) for search in searches)
    return next((witness for witness in found if witness is not None), None)


def _refuted(run: _Run, witness: Witness, budget: Budget) -> Check:
    claim = {"verdict": Verdict.NOT_TAME.value, "refutes": witness.refutes}
    on_boxes = structures_on_boxes(run.graph, run.box, budget)
    return Check(
        graph=run.graph,
        box=run.box,
        verdict=Verdict.NOT_TAME,
        defined=run.derivation.domains.defined([node for _, node in run.graph.outputs]),
        open=run.derivation.obstacles,
        witness=witness,
        consequences=failures(witness, on_boxes),
        weaker=weaker_statements(run.graph, run.box, witness, on_boxes),
        derivation=run.derivation.lines,
        certificate=certificate_document(
            run.graph,
            run.box,
            claim=claim,
            steps=[witness.document],
            tensors=_needed_tensors(run.graph),
        ),
    )


def _needed_tensors(graph: Graph) -> Mapping[str, Tensor]:
    """All constants: following a ray computes with every weight."""
    return {node.tensor.digest: node.tensor for node in graph.nodes if isinstance(node, Constant)}


def _trusted(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(
        f"{step['by']}: bounds of node {step['statement']['node']}"
        for step in steps
        if step["rule"] == "trust"
    )
