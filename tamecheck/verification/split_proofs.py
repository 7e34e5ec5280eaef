"""Certificates that a property of a piecewise linear network holds: a tree of splits.

Floats search, with the bounds of `verify`, for a tree whose leaves are closed with some room; what
is written is the tree and, where that helps, slopes and multipliers.  All bounds are computed again
by the kernel, in integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np

from tamecheck.bounds.layers import Dense, Pointwise
from tamecheck.bounds.rounding import rounding_in
from tamecheck.budget import Budget
from tamecheck.errors import TamecheckError, TimeLimitError, UnsupportedError
from tamecheck.ir.arguments import path
from tamecheck.ir.exact import bound_text, rational_text
from tamecheck.ir.floats import FloatFormat
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.spec import Case, Inequality, Specification
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.model import Model
from tamecheck.ops import DIV
from tamecheck.tame.document import tensor_document
from tamecheck.verification.contradiction import Multipliers, contradiction
from tamecheck.verification.formula_proofs import formula_step
from tamecheck.verification.problem import (
    Problem,
    Region,
    halves_inputs,
    problem_of,
    separate_layers,
    signs_share,
)
from tamecheck.verification.rectify import BENT, rectify
from tamecheck.verification.split_boxes import Boxes
from tamecheck.verification.split_pieces import FewPieces, Pieces
from tamecheck.verification.split_search import (
    ATTEMPTS,
    VALUES,
    Names,
    Neurons,
    Search,
    Step,
    Tree,
    in_steps,
)
from tamecheck.verification.witness import Watch, graph_of

FORMAT = "tamecheck-split-certificate"
_WEIGHTS = 40
"""Bits of the largest weight."""

_EXACT = 256

_SEARCHES: Mapping[bool, tuple[type[Search], ...]] = {
    True: (FewPieces, Boxes, Pieces),
    False: (FewPieces, Neurons, Boxes, Pieces),
}
"""By whether inputs are halved: which searches are tried in turn."""


def rows_of(case: Case) -> tuple[Inequality, ...]:
    """The rows of a case, in the order of the certificate."""
    return (*case.region, *case.outputs)


def proofs_of(
    model: Model | Graph, spec: Specification | str | Path, arithmetic: FloatFormat | None = None
) -> SplitProofs | str:
    """The proofs of a property that are to be found, or why there are none.

    In an arithmetic they are about every execution, and the property is the one that `rounded_spec`
    gives.
    """
    asked = spec if isinstance(spec, Specification) else read_vnnlib(path(spec, what="property"))
    found = SplitProofs.of(graph_of(model), asked, arithmetic)
    if found is None:
        return "those of verify are about piecewise linear networks over bounded boxes"
    return found


def before_last_op(graph: Graph, spec: Specification) -> tuple[Graph, tuple[Case, ...]]:
    """The network without a last op that keeps order, and what is shown of it in that case.

    Its boxes are those that relations between inputs imply, where the property has none.
    """
    problem = problem_of(graph, spec)
    return problem.scores, problem.spec.cases


class SplitProofs:
    """Proofs about all regions of a property, found one after the other."""

    def __init__(
        self,
        graph: Graph,
        problem: Problem,
        groups: Mapping[int, int],
        bends: Mapping[int, tuple[str, float]],
    ) -> None:
        self.graph, self.problem, self.before_last = graph, problem, False
        self.arithmetic: FloatFormat | None = None
        self.trees: list[Tree] = []
        self.searches: list[Search | None] = []
        self.exact = self.reached = self.stopped = False
        self.found: float | None = None
        """The room of the leaves of the trees that are known."""
        rows: dict[Inequality, int] = {}
        for row in (row for case in problem.spec.cases for row in rows_of(case)):
            rows.setdefault(row, len(rows))
        cases = problem.spec.cases
        places = [{rows[row]: k for k, row in enumerate(rows_of(case))} for case in cases]
        numbers = {
            int(case): k
            for region in problem.regions
            for k, case in enumerate(np.flatnonzero(region.cases))
        }
        self.names = Names(groups, bends, numbers, places, list(map(_scale, rows)), ATTEMPTS[0])

    @classmethod
    def of(
        cls, graph: Graph, spec: Specification, arithmetic: FloatFormat | None = None
    ) -> SplitProofs | None:
        """The proofs to be found; None for a network that is not known to be piecewise linear."""
        try:
            asked = problem_of(graph, spec)
            found = rectify(asked.scores)
            problem = None if found is None else problem_of(found.graph, asked.spec)
        except TamecheckError:
            return None
        if found is None or problem is None or (problem.layers is None and problem.regions):
            return None
        finite = all(region.finite for region in problem.regions)
        known = problem.spec.cases == asked.spec.cases and problem.scores is found.graph
        # of a case without rows every point is unsafe
        rowless = any(not problem.members[one.cases].any(axis=1).all() for one in problem.regions)
        if not finite or not known or rowless or not spec.input_size:
            return None
        bent, nodes = list[int](), list[Apply]()
        if problem.regions:  # else no input is asked about
            try:
                layers = in_steps(separate_layers(problem, rounding_in(arithmetic)))
            except UnsupportedError:
                return None
            problem = replace(problem, layers=layers)
            bent = [k for k, one in enumerate(layers.computed, 1) if isinstance(one, Pointwise)]
            nodes = [n for n in found.graph.nodes if isinstance(n, Apply) and n.op in BENT]
            if len(nodes) != len(bent):  # what divides by a variable, say
                return None
        groups = {k: found.groups.index(place) + 1 for place, k in enumerate(bent)}
        bends = {
            k: (node.op.name, float(Fraction(str(node.params.get("at_zero", 0)))))
            for k, node in zip(bent, nodes, strict=True)
        }
        made = cls(asked.scores, problem, groups, bends)
        made.arithmetic = arithmetic
        made.before_last = asked.scores is not graph or asked.spec.cases != spec.cases
        return made

    def find(
        self, budget: Budget, *, slack: float = ATTEMPTS[0], watch: Watch | None = None
    ) -> bool:
        """Whether proofs of all regions were found in time, whose leaves have this room.

        With a watch, which may end it, only the searches that most come from are made.  Proofs that
        were found before are found at once.
        """
        if self.found == slack:
            return True
        problem, names, self.found = self.problem, replace(self.names, slack=slack), None
        self.trees, self.searches, layers = [], [], problem.layers
        self.exact = False
        if layers is None:  # no input is asked about
            return True
        shares: Mapping[type[Search], float] = {Pieces: 0.5, Neurons: signs_share(layers)}
        for whole in problem.regions:
            formulas, region = self.formulas(whole, budget)
            if not region.cases.any():
                self.trees.append(Tree([formulas]))
                self.searches.append(None)
                continue
            kinds = _SEARCHES[halves_inputs(layers)] if slack else (Pieces,)
            kinds = kinds if watch is None else kinds[:2]
            tree, search = None, None
            for kind in () if self.reached and slack else kinds:
                search = kind(problem, names, region, budget.share(shares.get(kind, 1.0)))
                search.watch = watch
                tree = search.find()
                self.reached |= isinstance(search, Pieces) and search.reached
                self.stopped |= search.stopped
                if tree is not None or self.reached or self.stopped:
                    break
            if tree is None:
                return False
            tree.steps[0] = formulas + tree.steps[0]
            self.trees.append(tree)
            self.searches.append(search)
        self.found = slack
        return True

    def mend(self, step: int, budget: Budget) -> bool:
        """Whether a part that the kernel refuses at a step could be split further, in time."""
        for tree, search in zip(self.trees, self.searches, strict=True):
            nodes = [node for node, _ in tree.preorder()]
            if step < len(nodes):
                mended = search is not None and search.mend(nodes[step], budget)
                self.found = self.found if mended else None
                return mended
            step -= len(nodes)
        return False

    def formulas(self, region: Region, budget: Budget) -> tuple[list[Step], Region]:
        """Steps that close cases by rows alone, or as formulas, and the region with the others."""
        steps, left = list[Step](), region.cases.copy()
        for case in np.flatnonzero(left).tolist():
            found = contradiction(self.problem.spec.cases[case])
            if found is not None:
                said = _in_integers(self.problem.spec.cases[case], found)
                steps.append(["combine", self.names.numbers[case], said, [], []])
                left[case] = False
        exact = self.arithmetic is None and _is_dyadic(self.graph)
        for case in np.flatnonzero(left).tolist() if exact else ():
            with suppress(TimeLimitError):
                found = formula_step(self.graph, self.problem.spec.cases[case], budget)
                if found is not None:
                    steps.append(["formula", self.names.numbers[case], *found])
                    left[case], self.exact = False, True
        return steps, replace(region, cases=left)

    def certificate(self) -> dict[str, Any]:
        """The document for `recheck`."""
        graph, needed = self.graph, self.graph.ancestors([n for _, n in self.graph.outputs])
        nodes = [graph.nodes[k] for k in needed]
        tensors = {n.tensor.digest: n.tensor for n in nodes if isinstance(n, Constant)}
        layers = self.problem.layers
        dense = (one for one in (layers.computed if layers else ()) if isinstance(one, Dense))
        sizes = [float(np.abs(one.weight).max(initial=0.0)) for one in dense]
        claim: dict[str, Any] = {
            "verdict": "holds",
            "regions": regions_json(self.problem.spec.cases),
        }
        if self.arithmetic is not None:
            claim["arithmetic"] = self.arithmetic.name
        weights = _WEIGHTS - int(np.ceil(np.log2(max([*sizes, 2.0**-20]))))
        return {
            "format": FORMAT,
            "version": 1,
            "model": {"sha256": graph.sha256, "graph": graph.document()},
            "tensors": {digest: tensor_document(one) for digest, one in tensors.items()},
            "bits": {"weights": _EXACT if self.exact else max(weights, 1), "values": VALUES},
            "claim": claim,
            "proofs": [[step for _, step in tree.preorder()] for tree in self.trees],
        }


def regions_json(cases: Sequence[Case]) -> list[dict[str, Any]] | None:
    """The regions of a property as they stand in a certificate; None if one is unbounded."""
    groups: dict[object, list[Case]] = {}
    for case in cases:
        groups.setdefault((case.lower, case.upper), []).append(case)
    found: list[dict[str, Any]] = []
    for first, *rest in groups.values():
        ends = [[*map(bound_text, side)] for side in (first.lower, first.upper)]
        if any(end is None for side in ends for end in side):
            return None
        rows = [[_row(row) for row in rows_of(case)] for case in (first, *rest)]
        found.append({"lower": ends[0], "upper": ends[1], "unsafe": rows})
    return found


def _row(row: Inequality) -> dict[str, Any]:
    return {
        "inputs": [[i, rational_text(c)] for i, c in row.inputs],
        "outputs": [[j, rational_text(c)] for j, c in row.outputs],
        "bound": rational_text(row.bound),
        "strict": row.strict,
    }


def _is_dyadic(graph: Graph) -> bool:
    """Whether all weights are exact with enough bits, as the kernel needs them for a formula."""
    values: list[Any] = []
    for node in graph.nodes:
        if isinstance(node, Constant) and node.tensor.encoding == "q":
            values += node.tensor.array.reshape(-1).tolist()
        elif isinstance(node, Apply):
            values += [v for v in node.params.values() if isinstance(v, Fraction)]
    ends = (Fraction(v).denominator for v in values)
    divided = any(isinstance(n, Apply) and n.op is DIV for n in graph.nodes)
    return not divided and all(end & (end - 1) == 0 and end < 1 << _EXACT for end in ends)


def _in_integers(case: Case, multipliers: Multipliers) -> list[list[int]]:
    """Multipliers of rows as those of the kernel's rows, which have whole coefficients."""
    rows = rows_of(case)
    units = {
        k: lcm(*(c.denominator for _, c in (*rows[k].inputs, *rows[k].outputs)))
        for k in multipliers
    }
    factors = {k: v / units[k] for k, v in multipliers.items()}
    whole = lcm(*(v.denominator for v in factors.values()))
    return [[k, int(v * whole)] for k, v in factors.items()]


def _scale(row: Inequality) -> float:
    """The factor of a row among the outputs of the layers, over that in the kernel's integers."""
    terms = (*row.inputs, *row.outputs)
    exponent = max(
        (c.numerator.bit_length() - c.denominator.bit_length() for _, c in terms), default=0
    )
    unit = lcm(*(c.denominator for _, c in terms))
    return 2.0**-exponent / unit
