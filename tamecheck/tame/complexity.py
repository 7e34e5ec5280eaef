"""Numbers that a theorem gives for exactly this graph: pieces, values, components, solutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

from flint import arb, fmpq

from tamecheck.exact.reals import working_precision
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Elementary
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Op, Params
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import elementary_of
from tamecheck.tame.follow import WorkError
from tamecheck.tame.layers import (
    Layers,
    Threshold,
    affine_nodes,
    free_inputs,
    layers_of,
    threshold_of,
    weight_layers,
)
from tamecheck.tame.refute_forms import Form, affine_in_parameter, along_ray
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.verdict import Consequence, Verdict

_BUCK = "Buck 1943; Zaslavsky 1975"
_FEW = "the inputs act only through {} elements of few values each"
_MAX_WORK = 200_000
_MAX_BITS = 20_000
_FORM_BUDGET = 20_000


def bounds(graph: Graph, box: Box, verdict: Verdict) -> tuple[Consequence, ...]:
    """The numeric bounds that apply to a function with this verdict."""
    count = free_inputs(graph, box)
    if verdict is not Verdict.TAME or count == 0:
        return ()
    layers = layers_of(graph)
    found = [
        _value_bound(graph, count),
        None if layers is None else _region_bound(layers, count),
        None if layers is None else _piece_bound(layers, count, _facets(graph, box)),
        None if layers is None else _level_bound(layers, count, graph, box),
        _solution_bound(graph, box),
        _sample_bound(graph),
    ]
    return tuple(consequence for consequence in found if consequence is not None)


# -- formulas -----------------------------------------------------------------------------------


def arrangement_regions(hyperplanes: int, dimension: int) -> int:
    """The most regions into which hyperplanes cut a space: ``Σ_{i ≤ dimension} C(m, i)``."""
    if dimension >= hyperplanes:
        return 2**hyperplanes
    term = total = 1
    for i in range(1, dimension + 1):
        term = term * (hyperplanes - i + 1) // i
        total += term
    return total


def serra_bound(inputs: int, widths: Sequence[int]) -> int:
    """The bound on the linear regions of a ReLU network.

    ``Σ Π_l C(n_l, j_l)`` over ``0 ≤ j_l ≤ min(n_0, n_1 - j_1, .., n_(l-1) - j_(l-1), n_l)``
    (Serra, Tjandraatmadja, Ramalingam 2018, Theorem 1), with ``n_0`` inputs.
    """

    @cache
    def rest(layer: int, room: int) -> int:
        if layer == len(widths):
            return 1
        width = widths[layer]
        return sum(
            math.comb(width, j) * rest(layer + 1, min(room, width - j))
            for j in range(min(room, width) + 1)
        )

    return rest(0, inputs)


def warren_bound(polynomials: int, degree: int, variables: int) -> int:
    """The bound ``(4 e d m / n)^n`` on components off the zero sets, for ``m ≥ n`` polynomials.

    The number is rounded down, which is allowed since it bounds a whole number.
    """
    with working_precision(64 + 8 * variables * max(1, (polynomials * degree).bit_length())):
        bound = (arb(1).exp() * (4 * degree * polynomials) / variables) ** variables
        floor = bound.floor().unique_fmpz()
    if floor is None:
        raise ArithmeticError("the precision does not suffice to round the bound")
    return int(floor)


def milnor_bound(degree: int, variables: int) -> int:
    """The bound ``d (2 d - 1)^(n - 1)`` on the components of a real algebraic set in ℝⁿ."""
    return degree * (2 * degree - 1) ** (variables - 1)


def khovanskii_bound(degree: int, exponentials: int) -> int:
    """The bound ``m (m + 1)^k 2^(k (k - 1) / 2)`` on non-degenerate zeros in one variable."""
    k = exponentials
    return degree * (degree + 1) ** k * 2 ** (k * (k - 1) // 2)


def vc_bound(widths: Sequence[int], degrees: Sequence[int], parameters: int) -> int:
    """A bound on the VC dimension of sets that polynomials in the parameters decide in stages.

    Stage ``l`` compares ``K_l`` polynomials of degree at most ``D_l`` in ``n`` parameters with 0,
    and the stages before decide which polynomials these are. Then ``m`` points are labelled in at
    most ``Π_l min(3^(m K_l), (8 e m K_l D_l / n)^n)`` ways, the second where ``m K_l ≥ n`` (Warren
    1968; Goldberg, Jerrum 1995), and ``m`` points are shattered only if that is at least ``2^m``.
    The logarithm of that number is concave in ``m``, so what holds at one ``m`` holds beyond.
    """
    stages = list(zip(widths, degrees, strict=True))

    def shatters(points: int) -> bool:
        total = arb(0)
        for width, degree in stages:
            count = points * width
            patterns = arb(3).log() * count
            if count >= parameters:
                warren = (arb(8 * count * max(1, degree)) / parameters).log() + 1
                patterns = min(patterns, warren * parameters, key=lambda value: value.upper())
            total += patterns
        return not (total < arb(2).log() * points)

    with working_precision(128):
        high = 2
        while shatters(high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if shatters(middle) else (low, middle)
    return low


def sample_bound(dimension: int, accuracy: Fraction, doubt: Fraction) -> int:
    """``(64 / ε²) (2 d ln(12 / ε) + ln(4 / δ))``, rounded up.

    So many independent examples suffice for a class of VC dimension ``d`` (Anthony, Bartlett 1999,
    Theorem 4.2).
    """
    with working_precision(128 + dimension.bit_length()):
        epsilon, delta = (arb(fmpq(v.numerator, v.denominator)) for v in (accuracy, doubt))
        number = 64 / epsilon**2 * (2 * dimension * (12 / epsilon).log() + (4 / delta).log())
        ceiling = number.ceil().unique_fmpz()
    if ceiling is None:
        raise ArithmeticError("the precision does not suffice to round the bound")
    return int(ceiling)


def count_text(number: int) -> str:
    """A whole number for people; beyond 15 digits the next power of 2."""
    if number < 10**15:
        return f"{number:,}"
    return f"2^{(number - 1).bit_length()}"


# -- which of them apply ------------------------------------------------------------------------


def _region_bound(layers: Layers, count: int) -> Consequence | None:
    if not layers.widths or layers.output_degree > 1 or max(layers.degrees) > 1:
        return None
    total = sum(layers.widths)
    if layers.rectifiers_only and _serra_work(layers, count) <= _MAX_WORK:
        number = serra_bound(count, layers.widths)
        return Consequence(
            f"Linear regions: at most {count_text(number)} full-dimensional polyhedra, on each of "
            "which the outputs are affine",
            "Serra, Tjandraatmadja, Ramalingam 2018, Theorem 1",
            (
                (
                    f"a chain of {len(layers.widths)} ReLU layers with "
                    f"{', '.join(map(str, layers.widths))} units"
                ),
                f"{count} inputs that vary on the domain",
            ),
        )
    if total > _MAX_BITS:
        return None
    number = math.prod(arrangement_regions(width, count) for width in layers.widths)
    return Consequence(
        f"Linear regions: at most {count_text(number)} full-dimensional polyhedra, on each of "
        "which the outputs are affine",
        f"{_BUCK}, applied layer by layer",
        (
            (
                "every op is affine, or affine on either side of hyperplanes: level by level "
                f"{', '.join(map(str, layers.widths))} of them"
            ),
            f"{count} inputs that vary on the domain",
        ),
    )


def _serra_work(layers: Layers, count: int) -> int:
    """About how many additions the sum takes, weighted by the length of the numbers."""
    room, work = count, 0
    for width in layers.widths:
        room = min(room, width)
        work += (room + 1) ** 2 * (1 + width // 64)
    return work


def _value_bound(graph: Graph, count: int) -> Consequence | None:
    cut = _cut(graph)
    if cut is None:
        return None
    sizes = [(size_of(graph.nodes[index].shape), threshold) for index, threshold in cut]
    if sum(size for size, _ in sizes) > _MAX_BITS:
        return None
    number = math.prod(threshold.values**size for size, threshold in sizes)
    facts = [_FEW.format(sum(size for size, _ in sizes))]
    source = "counting"
    first = _first_cut(graph)
    if first is not None and sum(size for size, _ in first) <= _MAX_BITS:
        elements = sum(size for size, _ in first)
        comparisons = sum(size * (t.comparisons or 0) for size, t in first)
        patterns = arrangement_regions(comparisons, count)
        combinations = math.prod(t.values**size for size, t in first)
        if patterns < min(number, combinations):
            number, source = patterns, _BUCK
            facts = [
                f"the inputs act only through {comparisons} comparisons of affine functions with 0",
                f"{count} inputs that vary on the domain",
            ]
        elif combinations < number:
            number = combinations
            facts = [_FEW.format(elements)]
    return Consequence(
        f"Values: the outputs take at most {count_text(number)} values", source, tuple(facts)
    )


def _cut(graph: Graph) -> list[tuple[int, Threshold]] | None:
    """The ops of few values through which alone the inputs reach the outputs, the last ones."""
    found: list[tuple[int, Threshold]] = []

    def stops(index: int) -> bool:
        threshold = threshold_of(graph, index)
        if threshold is not None:
            found.append((index, threshold))
        return threshold is not None

    return found if _separates(graph, stops) else None


def _first_cut(graph: Graph) -> list[tuple[int, Threshold]] | None:
    """The comparisons of affine functions of the inputs that decide the outputs, with sizes."""
    affine = affine_nodes(graph)
    found: list[tuple[int, Threshold]] = []

    def stops(index: int) -> bool:
        node, threshold = graph.nodes[index], threshold_of(graph, index)
        if threshold is None or threshold.comparisons is None or not isinstance(node, Apply):
            return False
        if not all(arg in affine for arg in node.args):
            return False
        found.append((size_of(node.shape), threshold))
        return True

    return found if _separates(graph, stops) else None


def _separates(graph: Graph, stops: Callable[[int], bool]) -> bool:
    """Whether every path from an output to an input meets a node that stops it."""
    pending = {node for _, node in graph.outputs}
    met = False
    for index in range(len(graph.nodes) - 1, -1, -1):
        if index not in pending or graph.input_free[index]:
            continue
        node = graph.nodes[index]
        if stops(index):
            met = True
        elif isinstance(node, Input):
            return False
        elif isinstance(node, Apply):
            pending.update(node.args)
    return met


def _piece_bound(layers: Layers, count: int, facets: int) -> Consequence | None:
    """Pieces of a function with one level of polynomial bends, by Warren's theorem."""
    if len(layers.widths) != 1 or layers.degrees[0] < 2:
        return None
    polynomials = layers.widths[0] + facets
    if polynomials < count or count * polynomials > _MAX_BITS:
        return None
    number = warren_bound(polynomials, layers.degrees[0], count)
    return Consequence(
        f"Pieces: off a set of measure 0 the domain has at most {count_text(number)} connected "
        "pieces, on each of which the outputs are polynomials",
        "Warren 1968",
        (
            (
                f"{layers.widths[0]} bends along zero sets of polynomials of degree at most "
                f"{layers.degrees[0]}, and {facets} facets of the domain"
            ),
            f"{count} inputs that vary on the domain",
        ),
    )


def _facets(graph: Graph, box: Box) -> int:
    return sum(
        (low is not None) + (high is not None)
        for name, shape in graph.inputs.items()
        for low, high in box.side(name).elements(size_of(shape))
        if low is None or low != high
    )


def _level_bound(layers: Layers, count: int, graph: Graph, box: Box) -> Consequence | None:
    """Components of the level sets of polynomials on all of ℝⁿ."""
    degree = layers.output_degree
    if layers.widths or degree < 2 or _facets(graph, box) or count * degree > _MAX_BITS:
        return None
    if count != sum(size_of(shape) for shape in graph.inputs.values()):
        return None
    number = milnor_bound(degree, count)
    return Consequence(
        f"Level sets: for every c and every output element, {{f = c}} has at most "
        f"{count_text(number)} connected components",
        "Milnor 1964; Thom 1965",
        (
            f"each output element is a polynomial of degree at most {degree}",
            f"the domain is all of ℝ^{count}",
        ),
    )


def _solution_bound(graph: Graph, box: Box) -> Consequence | None:
    """Solutions of exponential polynomials in one variable, by Khovanskii's theorem."""
    if [size_of(shape) for shape in graph.inputs.values()] != [1] or _facets(graph, box):
        return None
    (name,) = graph.inputs
    line = Ray({name: (Fraction(0),)}, {name: (Fraction(1),)})
    symbols = _Exponentials()
    along = along_ray(line, symbols.name)
    degree = 0
    for _, root in graph.outputs:
        try:
            forms, _left = along.elements(graph, root, _FORM_BUDGET)
        except WorkError:
            return None
        for form in forms:
            if form is None:
                return None
            degree = max(degree, *(len(key) for key in form), 0)
    if not symbols.count or degree == 0:
        return None
    number = khovanskii_bound(degree, symbols.count)
    return Consequence(
        f"Solutions: for every c and every output element, f(x) = c has at most "
        f"{count_text(number)} solutions with f'(x) ≠ 0",
        "Khovanskii 1991, Fewnomials, ch. 1",
        (
            (
                f"each output element is a polynomial of degree at most {degree} in x and "
                f"{symbols.count} exponentials of affine functions of x"
            ),
            "the domain is ℝ",
        ),
    )


def _sample_bound(graph: Graph) -> Consequence | None:
    """Examples that suffice for learning the constants, if all is polynomial in them by pieces."""
    known = weight_layers(graph)
    if known is None or known[1] == 0:
        return None
    layers, weights = known
    widths, degrees = (*layers.widths, 1), (*layers.degrees, layers.output_degree)
    dimension = vc_bound(widths, degrees, weights + 1)
    examples = sample_bound(dimension, Fraction(1, 10), Fraction(1, 10))
    return Consequence(
        "Sample complexity: the sets {x : f(x) > c} over all values of the weights and all c have "
        f"VC dimension d ≤ {count_text(dimension)} for each output element; the weights and c with "
        "the fewest errors on (64/ε²)(2 d ln(12/ε) + ln(4/δ)) independent examples of any "
        "distribution are within ε of the best ones with probability 1 - δ, for ε = δ = 1/10 on "
        f"{count_text(examples)} examples",
        "Warren 1968; Goldberg, Jerrum 1995; Anthony, Bartlett 1999, Theorem 4.2",
        (
            f"{weights} weights",
            (
                "polynomials in the weights decide everything, level by level "
                f"{', '.join(map(str, widths))} of degree at most {', '.join(map(str, degrees))}"
            ),
        ),
    )


class _Exponentials:
    """Symbols for the exponentials of affine functions, one for each exponent."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[tuple[int, ...], fmpq], ...], int] = {}

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._known)

    def name(self, op: Op, params: Params, args: Sequence[Form]) -> Form | None:
        """The symbol of an exponential; None for any other op."""
        if elementary_of(op, params) is not Elementary.EXP or not affine_in_parameter(args[0]):
            return None
        key = tuple(sorted(args[0].items()))
        symbol = self._known.setdefault(key, len(self._known) + 1)
        return {(symbol,): fmpq(1)}
