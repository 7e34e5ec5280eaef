"""What follows from a verdict: theorems, each given only when all its hypotheses are checked.

`THEOREMS` is the whole list; docs/theorems.md states each with its source in full.  Bounds with
numbers are in `tamecheck.tame.complexity`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tamecheck.ir.box import Bound, Box
from tamecheck.ir.formula import TRUE
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.structure import Antichain, Structure, join_all
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import is_analytic
from tamecheck.tame.complexity import bounds
from tamecheck.tame.definable import Situation, domain_of, structures_of
from tamecheck.tame.verdict import Consequence, Properties, Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """What is known about a function when its consequences are drawn."""

    graph: Graph
    box: Box
    verdict: Verdict
    structures: Antichain
    properties: Properties
    total: bool


Hypothesis = Callable[[Case], "str | None"]
"""The fact that fulfils a hypothesis, in words; None where it is not known to hold."""


@dataclass(frozen=True, slots=True)
class Theorem:
    """A theorem: its name, what it says about the function, its source and its hypotheses."""

    name: str
    says: str
    source: str
    hypotheses: tuple[Hypothesis, ...]


def consequences(  # noqa: PLR0913 (what is known)
    graph: Graph,
    box: Box,
    verdict: Verdict,
    structures: Antichain,
    properties: Properties,
    *,
    total: bool,
) -> tuple[Consequence, ...]:
    """The theorems that apply to a function with this verdict.

    Parameters
    ----------
    graph, box
        The function and its domain.
    verdict, structures, properties
        What is proved about it.
    total
        Whether it is shown to be defined on the whole box.

    Returns
    -------
    tuple of Consequence
        Each with the facts that fulfil its hypotheses, in the order of `THEOREMS`; then bounds.
    """
    if verdict not in (Verdict.TAME, Verdict.LOCALLY_TAME):
        return ()
    case = Case(graph, box, verdict, structures, properties, total)
    found: list[Consequence] = []
    for theorem in THEOREMS:
        facts = [hypothesis(case) for hypothesis in theorem.hypotheses]
        known = tuple(fact for fact in facts if fact is not None)
        if len(known) == len(facts):
            found.append(Consequence(f"{theorem.name}: {theorem.says}", theorem.source, known))
    return (*found, *(bounds(graph, box, verdict) if total else ()))


# -- hypotheses ---------------------------------------------------------------------------------


def _preferred(case: Case) -> Structure:
    return case.structures[0]


def definable(case: Case) -> str | None:
    """Definable in a structure of the list, o-minimal or locally so."""
    structure = _preferred(case)
    return f"definable in {structure.symbol}: derived op by op"


def o_minimal(case: Case) -> str | None:
    """Definable in an o-minimal structure."""
    structure = _preferred(case)
    if case.verdict is not Verdict.TAME or not structure.o_minimal:
        return None
    return f"definable in {structure.symbol}, which is o-minimal ({structure.source})"


def locally_o_minimal(case: Case) -> str | None:
    """Definable in (ℝ, <, +, ℤ), and not shown definable in an o-minimal structure."""
    if case.verdict is not Verdict.LOCALLY_TAME:
        return None
    structure = _preferred(case)
    return f"definable in {structure.symbol}, which is locally o-minimal ({structure.source})"


def polynomially_bounded(case: Case) -> str | None:
    """Definable in a structure below ℝ_an."""
    found = _definable(case, Structure.AN)
    return found and f"{found}, inside the polynomially bounded ℝ_an"


def scalar(case: Case) -> str | None:
    """One real output."""
    sizes = [size_of(case.graph.nodes[node].shape) for _, node in case.graph.outputs]
    return "one real output" if sizes == [1] else None


def one_input(case: Case) -> str | None:
    """One real input."""
    sizes = [size_of(shape) for shape in case.graph.inputs.values()]
    return "one real input" if sizes == [1] else None


def continuous(case: Case) -> str | None:
    """Continuous on the domain."""
    return "continuous: every op on the way is" if case.properties.continuous else None


def lipschitz(case: Case) -> str | None:
    """Locally Lipschitz on the domain, since every op is."""
    if not case.properties.locally_lipschitz:
        return None
    return "locally Lipschitz: every op on the way is, on the range of its arguments"


def piecewise_linear(case: Case) -> str | None:
    """Piecewise linear, with finitely many pieces."""
    if case.verdict is not Verdict.TAME or not case.properties.piecewise_linear:
        return None
    return "piecewise linear with finitely many pieces: every op on the way is"


def piecewise_constant(case: Case) -> str | None:
    """Piecewise constant, with finitely many pieces."""
    if case.verdict is not Verdict.TAME or not case.properties.piecewise_constant:
        return None
    return "piecewise constant: inputs act only through ops with discrete values"


def total(case: Case) -> str | None:
    """Defined on the whole domain."""
    return "defined on the whole domain: every op on the way is" if case.total else None


def everywhere(case: Case) -> str | None:
    """The domain is all of the input space."""
    unbounded = all(bound is None for bound in _bounds(case))
    return "the domain is all of the input space" if unbounded and case.graph.inputs else None


def closed(_case: Case) -> str | None:
    """The domain is closed; every box is."""
    return "the domain is a product of closed intervals"


def bounded_box(case: Case) -> str | None:
    """Every input has finite bounds."""
    bounded = None not in _bounds(case)
    return "the domain is a bounded box" if bounded and case.graph.inputs else None


def _bounds(case: Case) -> list[Bound]:
    """The bounds of all inputs."""
    sides = [case.box.side(name) for name in case.graph.inputs]
    return [bound for side in sides for bound in (*side.lower, *side.upper)]


def bounded(case: Case) -> str | None:
    """Bounded on a bounded box: continuous on a compact set, or affine on finitely many pieces."""
    if bounded_box(case) is None or not (case.properties.continuous or piecewise_linear(case)):
        return None
    reason = "continuous" if case.properties.continuous else "piecewise linear"
    return f"bounded, since {reason} on a bounded box"


def semilinear(case: Case) -> str | None:
    """Definable in an ordered vector space."""
    return _definable(case, Structure.SEMILINEAR)


def _definable(case: Case, most: Structure) -> str | None:
    """That a tame function is definable in a structure that is no larger than another."""
    fits = [s for s in case.structures if s <= most]
    return f"definable in {fits[0].symbol}" if case.verdict is Verdict.TAME and fits else None


def analytic(case: Case) -> str | None:
    """Analytic inside the domain: every op is, wherever it is defined."""
    graph = case.graph
    reached = graph.ancestors([node for _, node in graph.outputs])
    varying = (graph.nodes[index] for index in reached if not graph.input_free[index])
    if not all(is_analytic(n.op, n.params) for n in varying if isinstance(n, Apply)):
        return None
    return "continuously differentiable inside the domain: every op on the way is analytic"


def architecture(case: Case) -> str | None:
    """The family over all weights is definable: each op without any bound on its arguments."""
    applied = [node for node in case.graph.nodes if isinstance(node, Apply)]
    weights = any(isinstance(node, Constant) for node in case.graph.nodes)
    if not weights or any(domain_of(node.op, node.params) != TRUE for node in applied):
        return None
    common = join_all(
        structures_of(node.op, node.params, Situation(fixed=(False,) * len(node.args)))
        for node in applied
    )
    fits = [s for s in common if s.o_minimal]
    if not fits:
        return None
    return f"every op is total and, with the weights as variables, definable in {fits[0].symbol}"


# -- theorems -----------------------------------------------------------------------------------

_DRIES = "van den Dries 1998"

THEOREMS: tuple[Theorem, ...] = (
    Theorem(
        "Cell decomposition",
        "the domain is a disjoint union of finitely many definable cells on each of which every "
        "output is p times continuously differentiable, for every finite p",
        f"{_DRIES}, ch. 3 (2.11) and ch. 7 (3.2)",
        (o_minimal,),
    ),
    Theorem(
        "Monotonicity",
        "the domain splits into finitely many points and intervals, and on each interval every "
        "output is continuous and either constant or strictly monotone; one-sided limits exist "
        "everywhere, also at infinity, in [-∞, ∞]",
        f"{_DRIES}, ch. 3 (1.2)",
        (o_minimal, one_input),
    ),
    Theorem(
        "Puiseux asymptotics",
        "at every point a from either side, with t = |x - a|, and at ±∞, with t = |x|, each output "
        "is undefined, or 0, or f(x) / (c t^r) tends to 1 for some real c ≠ 0 and a rational r",
        "Miller 1994; van den Dries 1986",
        (polynomially_bounded, one_input),
    ),
    Theorem(
        "Eventually affine",
        "there is a number beyond which, and one below which, each output is undefined or affine",
        f"{_DRIES}, ch. 1 §7",
        (semilinear, one_input),
    ),
    Theorem(
        "Uniform finiteness",
        "one number bounds the connected components of every level set {f = c} and every "
        "sublevel set {f ≤ c}, and of their sections with every line",
        f"{_DRIES}, ch. 3 §3",
        (o_minimal,),
    ),
    Theorem(
        "Whitney stratification",
        "the graph of the function is a finite union of p times continuously differentiable "
        "strata that satisfy Whitney's conditions, for every finite p",
        "van den Dries, Miller 1996, Theorem 4.8",
        (o_minimal,),
    ),
    Theorem(
        "Closure under first-order definitions",
        "level sets, projections, closures, infima and suprema over some of the inputs, and the "
        "sets of minimisers are definable in the same structure",
        f"{_DRIES}, ch. 1",
        (definable,),
    ),
    Theorem(
        "Definable choice",
        "where minimisers over some of the inputs exist, one can be chosen as a definable "
        "function of the other inputs",
        f"{_DRIES}, ch. 6 (1.2)",
        (o_minimal,),
    ),
    Theorem(
        "Kurdyka-Łojasiewicz inequality",
        "at every point a of the domain there is a concave φ with φ(0) = 0 and φ' > 0 such that "
        "φ'(f(x) - f(a)) dist(0, ∂f(x)) ≥ 1 for x near a with f(a) < f(x) < f(a) + η, where f is "
        "+∞ outside the domain",
        "Kurdyka 1998 (differentiable f); Bolte, Daniilidis, Lewis, Shiota 2007",
        (o_minimal, scalar, continuous, closed, total),
    ),
    Theorem(
        "Łojasiewicz exponent",
        "in the Kurdyka-Łojasiewicz inequality one may take φ(s) = C s^(1 - θ) with some θ in "
        "[0, 1)",
        "Łojasiewicz 1963; Bolte, Daniilidis, Lewis 2007, Theorem 3.1",
        (polynomially_bounded, scalar, continuous, closed, total),
    ),
    Theorem(
        "Convergence of descent methods",
        "iterates with sufficient decrease, subgradients bounded by the steps and a limit point at "
        "which the values converge too (assumptions on the run, not checked here) have finite "
        "length and converge to a critical point, where f is +∞ outside the domain",
        "Attouch, Bolte, Svaiter 2013, Theorem 2.9",
        (o_minimal, scalar, continuous, closed, total),
    ),
    Theorem(
        "Finite length of gradient curves",
        "one number bounds the length of every solution of x' = -∇f(x) inside the domain",
        "Kurdyka 1998, Theorem 2",
        (o_minimal, scalar, bounded_box, analytic),
    ),
    Theorem(
        "Morse-Sard",
        "the function takes only finitely many values at its Clarke critical points",
        "Bolte, Daniilidis, Lewis, Shiota 2007",
        (o_minimal, scalar, lipschitz, everywhere, total),
    ),
    Theorem(
        "Path-differentiability",
        "along every absolutely continuous curve x(t) in the interior of the domain, for almost "
        "all t, d/dt f(x(t)) = V x'(t) for every V in the Clarke Jacobian at x(t) of each output",
        "Davis, Drusvyatskiy, Kakade, Lee 2020, Theorem 5.8; Bolte, Pauwels 2021",
        (definable, lipschitz, total),
    ),
    Theorem(
        "Automatic differentiation",
        "backpropagation with any element of the Clarke subdifferential at each kink of an op "
        "computes an element of a conservative field, which is the derivative almost everywhere",
        "Bolte, Pauwels 2021",
        (definable, lipschitz, total),
    ),
    Theorem(
        "Stochastic subgradient method",
        "minimising the output over the inputs: if the iterates stay bounded, the steps are "
        "positive with infinite sum and finite sum of squares, and the noise is a martingale "
        "difference of bounded conditional variance on bounded sets (assumptions on the run, not "
        "checked here), then almost surely every limit point is Clarke critical and the values "
        "converge",
        "Davis, Drusvyatskiy, Kakade, Lee 2020, Corollary 5.9",
        (o_minimal, scalar, lipschitz, everywhere, total),
    ),
    Theorem(
        "Polynomial growth",
        "there are C and N with |f(x)| ≤ C (1 + |x|)^N on the domain",
        "van den Dries 1986; Miller 1994",
        (polynomially_bounded, continuous, closed, total),
    ),
    Theorem(
        "Averages over inputs",
        "for every split of the inputs into u and v, the integral of each output over all u in the "
        "box is, as a function of v, a polynomial in functions definable in ℝ_an and in logarithms "
        "of positive ones, hence definable in ℝ_an,exp",
        "Lion, Rolin 1998; Comte, Lion, Rolin 2000",
        (polynomially_bounded, bounded, total),
    ),
    Theorem(
        "Global Lipschitz constant",
        "the function is Lipschitz on the whole domain, with the largest slope of its pieces",
        "Scholtes 2012, ch. 2",
        (piecewise_linear, continuous, total),
    ),
    Theorem(
        "Max-min form",
        "each output element is a maximum of minima of finitely many affine functions",
        "Ovchinnikov 2002",
        (piecewise_linear, continuous, closed, total),
    ),
    Theorem(
        "ReLU form",
        "each output element is computed by a ReLU network with at most ⌈log2(n + 1)⌉ hidden "
        "layers, n being the number of inputs",
        "Arora, Basu, Mianjy, Mukherjee 2018, Theorem 2.1",
        (piecewise_linear, continuous, everywhere, total),
    ),
    Theorem(
        "Finitely many values",
        "the outputs take finitely many values and are locally constant off a closed nowhere "
        "dense set, so their gradient is 0 wherever it exists there and guides no descent",
        f"{_DRIES}, ch. 3 (1.2) and (2.11)",
        (o_minimal, piecewise_constant),
    ),
    Theorem(
        "Finite VC dimension",
        "for every split of the inputs into variables u and parameters v, the sets "
        "{u : f(u, v) > c}, over all v and c, have finite VC dimension for each output element",
        f"Laskowski 1992; {_DRIES}, ch. 5",
        (o_minimal,),
    ),
    Theorem(
        "Finite VC dimension of the architecture",
        "the sets {x : f(x) > c} over all values of the weights and all c have finite VC "
        "dimension for each output element",
        "Laskowski 1992; Karpinski, Macintyre 1997",
        (o_minimal, architecture),
    ),
    Theorem(
        "Finite sample complexity",
        "for each output element and all ε, δ > 0 there is a number of independent examples, "
        "whatever their distribution, on which weights with the fewest errors of the decision "
        "f(x) > 0 are within ε of the best weights with probability 1 - δ",
        "Kratsios, Cousins, Sáez de Ocáriz Borde, Kim, Brugiapaglia 2026; Laskowski 1992; "
        "Vapnik, Chervonenkis 1971",
        (o_minimal, architecture),
    ),
    Theorem(
        "Semilinear on bounded sets",
        "on every bounded box the function is piecewise linear with finitely many pieces, so "
        "there all consequences of o-minimality hold",
        "Miller 2001; Toffalori, Vozoris 2009",
        (locally_o_minimal,),
    ),
)
