"""What a tree certificate proves; the verdict is that of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from tamecheck.kernel import read
from tamecheck.kernel.checker import Report, judge
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import pairs, require, spend
from tamecheck.kernel_mip.derived import derive, terms_of, whole
from tamecheck.kernel_mip.program import End, Form, Program, rational, read_program

FORMAT = "tamecheck-tree-certificate"
STEPS = 600_000_000
FIELDS = {"infeasible": "", "bound": "bound", "optimal": "x value", "unbounded": "x ray"}
Accept = Callable[[Fraction], bool]
Ends = tuple[End, End]


def _meet(one: Ends, other: Ends) -> Ends:
    """Return the ends of the numbers that are between both."""
    lower, upper = ([v for v in own if v is not None] for own in pairs(one, other))
    return max(lower, default=None), min(upper, default=None)


def _tree(
    program: Program,
    hulls: tuple[list[End], list[End]],
    raw: Sequence[object],
    accept: Accept,
    at: list[int | None],
) -> None:
    """Check that the leaves cover all points, and that each leaf has none or is accepted."""
    require(len(raw) > 0, "the tree has no root")
    lower, upper = hulls
    root = list(pairs(lower, upper))
    waiting: dict[int, dict[int, Ends]] = {0: {}}
    for k, value in enumerate(raw):
        at[0] = k
        require(k in waiting, "no earlier node has this child")
        box = waiting.pop(k)
        spend(1 + len(box))
        node = read.mapping(value)
        if "children" in node:
            j, sides = _branch(program, node)
            ends = box.get(j, root[j])
            children = [read.integer(c, k + 1, len(raw) - 1) for c in read.items(node["children"])]
            require(len(children) == len(set(children)) == 2, "a branching has two children")
            require(not waiting.keys() & set(children), "a node has two parents")
            waiting |= {c: {**box, j: _meet(ends, side)} for c, side in pairs(children, sides)}
            continue
        for j in box:
            lower[j], upper[j] = box[j]
        if "crossed" in node or "row" in node:
            what = "crossed" if "crossed" in node else "row"
            ends = (lower, upper) if what == "crossed" else (program.row_lower, program.row_upper)
            j = read.integer(read.fields(node, what)[what], 0, len(ends[0]) - 1)
            low, high = ends[0][j], ends[1][j]
            require(low is not None and high is not None and low > high, "no bounds are crossed")
        else:
            kind = "none" if "none" in node else "gap" if "gap" in node else "bound"
            leaf = read.fields(node, kind if kind == "none" else f"{kind} over")
            y, over = terms_of(leaf[kind], len(program.rows)), whole(leaf.get("over", 1))
            require(over > 0, "multipliers have a positive denominator")
            if kind == "gap":
                program.require_gap(y, over, lower, upper)
            else:
                costs = [(j, c * over) for j, c in program.costs if kind == "bound"]
                least = program.least(y, Form(int, costs), lower, upper)
                if kind == "none":
                    require(least is not None and least > 0, "the multipliers exclude nothing")
                else:
                    shown = least is not None and accept(Fraction(least) / (program.scale * over))
                    require(shown, "the bound is too weak")
        for j in box:
            lower[j], upper[j] = root[j]
    require(not waiting, "a child is missing")
    at[0] = None


def _branch(program: Program, node: Json) -> tuple[int, tuple[Ends, Ends]]:
    """Return a column and the ends of its values in two parts that hold all of them."""
    semi = "semi" in node
    read.fields(node, "semi children" if semi else "branch at children")
    j = read.integer(node["semi" if semi else "branch"], 0, len(program.lower) - 1)
    if semi:
        require(program.semi[j], f"column {j} is no semi variable")
        return j, ((0, 0), (program.lower[j], program.upper[j]))
    require(program.integral[j], f"column {j} is no integer variable")
    split = whole(node["at"])
    return j, ((None, split), (split + 1, None))


def _granularity(program: Program, value: object) -> Fraction:
    """Return the step between objective values, 0 if none is claimed."""
    if value is None:
        return Fraction(0)
    raw = read.fields(value, "step rows")
    given = read.pairs(raw["rows"], "rows are pairs")
    rows = [(read.integer(i, 0, len(program.rows) - 1), rational(y)) for i, y in given]
    step = rational(raw["step"])
    program.require_step(step, rows)
    return step


def _certificate(raw: Json, at: list[int | None]) -> tuple[Json, Sequence[str], str]:
    version = read.integer(raw.get("version"), 1, 3)
    derived = " derived" if version > 1 else ""
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
    best = program.require_feasible(program.point(claim["x"])) if "x" in claim else Fraction(0)
    if verdict == "unbounded":
        require(not (nodes or raw.get("derived")), "an unbounded program needs no tree")
        program.require_ray(program.point(claim["ray"]))
        return claim, (), program.sha256
    cutoff = None
    if verdict == "bound":
        cutoff = program.sign * (rational(claim["bound"]) - program.constant)
    elif verdict == "optimal":
        stated = rational(claim["value"])
        require(stated == program.sign * best + program.constant, "the value at x is another")
        cutoff = best - step
    # all values differ by multiples of the step, if there is one, and the best is one of them
    strict = verdict == "optimal" and step > 0
    own = (program, program.hulls())
    if derived:
        own = derive(program, read.items(raw["derived"]), cutoff, at)

    def accept(shown: Fraction) -> bool:
        return cutoff is not None and (shown > cutoff if strict else shown >= cutoff)

    _tree(*own, nodes, accept, at)
    return claim, (), program.sha256


def check(text: str | bytes | Json, steps: int = STEPS) -> Report:
    """Check a certificate, given as JSON text or as what is read from it.

    Never raises: what cannot be checked is invalid.
    """
    return judge(text, _certificate, steps)
