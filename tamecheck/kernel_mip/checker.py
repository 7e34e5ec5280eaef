"""What a tree certificate proves; the verdict is that of the kernel."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction

from tamecheck.kernel import read
from tamecheck.kernel.checker import Report, judge
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import pairs, require, spend
from tamecheck.kernel_mip.derived import derive, terms_of, whole
from tamecheck.kernel_mip.program import End, Number, Program, numbers, rational, read_program

FORMAT = "tamecheck-tree-certificate"
STEPS = 600_000_000
FIELDS = {"infeasible": "", "bound": "bound", "optimal": "x value", "unbounded": "x ray"}
Accept = Callable[[Fraction | None], bool]
Box = dict[int, tuple[End, End]]


def _point(value: object, program: Program) -> Sequence[Number]:
    x = numbers(value)
    require(len(x) == len(program.costs), "a point has one number a column")
    return x


def _least(a: End, b: End) -> End:
    return b if a is None else a if b is None else min(a, b)


def _most(a: End, b: End) -> End:
    return b if a is None else a if b is None else max(a, b)


def _crossed(low: End, high: End) -> bool:
    return low is not None and high is not None and low > high


def _tree(program: Program, raw: Sequence[object], accept: Accept, at: list[int | None]) -> None:
    """Check that the leaves cover all points, and that each leaf has none or is accepted."""
    require(len(raw) > 0, "the tree has no root")
    root = [program.hull(j) for j in range(len(program.costs))]
    waiting: dict[int, Box] = {0: {}}
    for k, value in enumerate(raw):
        at[0] = k
        require(k in waiting, "no earlier node has this child")
        box = waiting.pop(k)
        spend(1 + len(box))
        node = read.mapping(value)
        if "children" in node:
            j, *sides = _branch(program, box, node)
            children = [read.integer(c, k + 1, len(raw) - 1) for c in read.items(node["children"])]
            require(len(children) == len(set(children)) == 2, "a branching has two children")
            require(not waiting.keys() & set(children), "a node has two parents")
            waiting |= {c: {**box, j: ends} for c, ends in pairs(children, sides)}
            continue
        spend(len(root))
        lower = [box[j][0] if j in box else low for j, (low, _) in enumerate(root)]
        upper = [box[j][1] if j in box else high for j, (_, high) in enumerate(root)]
        if "crossed" in node:
            j = read.integer(read.fields(node, "crossed")["crossed"], 0, len(root) - 1)
            require(_crossed(lower[j], upper[j]), "no bounds are crossed")
        elif "row" in node:
            i = read.integer(read.fields(node, "row")["row"], 0, len(program.rows) - 1)
            crossed = _crossed(program.row_lower[i], program.row_upper[i])
            require(crossed, "no bounds are crossed")
        elif "none" in node:
            y = terms_of(read.fields(node, "none")["none"], len(program.rows))
            least = program.least(y, [0] * len(root), lower, upper)
            require(least is not None and least > 0, "the multipliers exclude nothing")
        else:
            kind = "gap" if "gap" in node else "bound"
            leaf = read.fields(node, f"{kind} over")
            y, over = terms_of(leaf[kind], len(program.rows)), whole(leaf["over"])
            require(over > 0, "multipliers have a positive denominator")
            if kind == "gap":
                program.require_gap(y, over, lower, upper)
            else:
                require(accept(program.bound(y, over, lower, upper)), "the bound is too weak")
    require(not waiting, "a child is missing")
    at[0] = None


def _branch(program: Program, box: Box, node: Json) -> tuple[int, tuple[End, End], tuple[End, End]]:
    """Return a column and its bounds in the two children, which together hold all points."""
    semi = "semi" in node
    read.fields(node, "semi children" if semi else "branch at children")
    j = read.integer(node["semi" if semi else "branch"], 0, len(program.costs) - 1)
    low, high = box.get(j, program.hull(j))
    if semi:
        require(program.semi[j], f"column {j} is no semi variable")
        first = _most(low, 0), _least(high, 0)
        second = _most(low, program.lower[j]), _least(high, program.upper[j])
    else:
        require(program.integral[j], f"column {j} is no integer variable")
        split = whole(node["at"])
        first, second = (low, _least(high, split)), (_most(low, split + 1), high)
    return j, first, second


def _granularity(program: Program, value: object) -> Fraction:
    """Return the step between objective values, 0 if none is claimed."""
    if value is None:
        return Fraction(0)
    raw = read.fields(value, "step rows")
    given = [read.pair(entry, "rows are pairs") for entry in read.items(raw["rows"])]
    rows = [(read.integer(i, 0, len(program.rows) - 1), rational(y)) for i, y in given]
    step = rational(raw["step"])
    program.require_step(step, rows)
    return step


def _certificate(raw: Json, at: list[int | None]) -> tuple[Json, Sequence[str], str]:
    version = read.integer(raw.get("version"), 1, 2)
    derived = " derived" if version == 2 else ""
    read.fields(raw, f"format version program claim granularity nodes{derived}")
    require(read.word(raw["format"]) == FORMAT, "unknown format")
    program = read_program(raw["program"])
    step = _granularity(program, raw["granularity"])
    claim, nodes = read.mapping(raw["claim"]), read.items(raw["nodes"])
    verdict = read.word(claim.get("verdict"))
    require(verdict in FIELDS, "unknown verdict")
    # a bound may come with the best point so far
    optional = "x" if verdict == "bound" and derived else ""
    read.fields(claim, f"verdict {FIELDS[verdict]}", optional)

    def tree(accept: Accept, cutoff: Fraction | None = None) -> None:
        own = derive(program, read.items(raw["derived"]), cutoff, at) if derived else program
        _tree(own, nodes, accept, at)

    if verdict == "infeasible":
        tree(lambda _: False)
        return claim, (), program.sha256
    if verdict == "bound":
        if "x" in claim:
            program.require_feasible(_point(claim["x"], program))
        limit = program.sign * (rational(claim["bound"]) - program.constant)
        tree(lambda shown: shown is not None and shown >= limit, limit)
        return claim, (), program.sha256
    x = _point(claim["x"], program)
    value = program.require_feasible(x)
    if verdict == "unbounded":
        require(
            not nodes and not (derived and raw["derived"]), "an unbounded program needs no tree"
        )
        program.require_ray(_point(claim["ray"], program))
        return claim, (), program.sha256
    stated = rational(claim["value"])
    require(stated == program.sign * value + program.constant, "the value at x is another")
    # all values differ by multiples of the step, if there is one, and value is one of them
    below = operator.gt if step else operator.ge
    tree(lambda shown: shown is not None and below(shown, value - step), value - step)
    return claim, (), program.sha256


def check(text: str | bytes | Json, steps: int = STEPS) -> Report:
    """Check a certificate, given as JSON text or as what is read from it.

    Never raises: what cannot be checked is invalid.
    """
    return judge(text, _certificate, steps)
