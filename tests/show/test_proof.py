"""The derivation is arranged so that nothing is lost, repeated or nested without end."""

import pytest

from tamecheck.ir.box import Box
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.structure import Structure
from tamecheck.ops import BY_NAME
from tamecheck.show.proof import Arms, Repeat, See, Step, arrange, collapse, entry_count
from tamecheck.tame.verdict import Check, Line, Verdict


def check_of(graph):
    lines = tuple(
        Line(
            node=index,
            name=graph.name_of(index),
            op=getattr(getattr(node, "op", None), "name", type(node).__name__.lower()),
            structures=(Structure.RATIONAL_SEMILINEAR,),
            why="by its pieces",
            args=getattr(node, "args", ()),
        )
        for index, node in enumerate(graph.nodes)
    )
    return Check(graph=graph, box=Box.everything(), verdict=Verdict.TAME, derivation=lines)


def chain(length):
    build = GraphBuilder()
    node = build.input("x", ())
    for number in range(length):
        shifted = build.apply(BY_NAME["add"], [node, build.constant(float(number + 1))])
        node = build.apply(BY_NAME["relu"], [shifted])
    return build.build({"y": node})


def residual(blocks):
    build = GraphBuilder()
    node = build.input("x", ())
    for number in range(blocks):
        shifted = build.apply(BY_NAME["mul"], [node, build.constant(float(number + 2))])
        node = build.apply(BY_NAME["add"], [build.apply(BY_NAME["relu"], [shifted]), node])
    return build.build({"y": node})


def fibonacci(size):
    build = GraphBuilder()
    nodes = [build.input("x", ()), build.input("z", ())]
    for _ in range(size):
        nodes.append(build.apply(BY_NAME["add"], nodes[-2:]))
    return build.build({"y": nodes[-1]})


def lopsided(size):
    build = GraphBuilder()
    node = build.input("x0", ())
    for number in range(size):
        node = build.apply(BY_NAME["maximum"], [build.input(f"x{number + 1}", ()), node])
    return build.build({"y": node})


def steps(entries):
    for entry in entries:
        match entry:
            case Step(line):
                yield line.node
            case Arms(arms):
                for arm in arms:
                    yield from steps(arm)
            case Repeat(_, inner):
                yield from steps(inner)
            case See():
                pass


def depth(entries):
    return 1 + max(
        (depth(arm) for entry in entries if isinstance(entry, Arms) for arm in entry.arms),
        default=0,
    )


GRAPHS = {
    "chain": chain(300),
    "residual": residual(200),
    "fibonacci": fibonacci(200),
    "lopsided": lopsided(2000),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_node_that_depends_on_an_input_is_shown_exactly_once(graph):
    shown = [node for _, entries in arrange(check_of(graph)) for node in steps(entries)]
    wanted = [i for i, free in enumerate(graph.input_free) if not free]
    assert sorted(shown) == wanted


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_nesting_stays_shallow(graph):
    ((_, entries),) = arrange(check_of(graph))
    assert depth(entries) <= 10


@pytest.mark.parametrize(("name", "lines"), [("chain", 4), ("residual", 6)])
def test_equal_layers_collapse(name, lines):
    ((_, entries),) = arrange(check_of(GRAPHS[name]))
    assert entry_count(collapse(entries)) <= lines


def test_collapsing_counts_the_layers():
    ((_, entries),) = arrange(check_of(chain(7)))
    first, last = collapse(entries)
    assert isinstance(first, Repeat)
    assert first.times == 7
    assert isinstance(last, Step)
    assert last.line.op == "input"


def test_different_reasons_do_not_collapse():
    ((_, entries),) = arrange(check_of(chain(1)))
    assert collapse(entries) == entries
