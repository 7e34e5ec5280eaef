"""Which class a model decides for, as conditions on its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from flint import arb

from tamecheck import ops
from tamecheck.errors import DomainError, TamecheckError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.exact import ONE
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.op import Expansion, Routing
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.model import Model
from tamecheck.ops.facets import chooses_indices, extremum, jump_at_zero
from tamecheck.ops.monotone import anchor
from tamecheck.verification.witness import holds_at


def scores_of(graph: Graph) -> tuple[Graph, bool]:
    """The graph with the one output that decides, and whether by its sign: it is positive for 1.

    Else the largest score decides.  Softmax and logistic functions at the end are left out, as
    they are monotone, and so is the index of the largest score.
    """
    logit = logit_of(graph)
    if logit is not None:
        return ending(graph, logit), True
    node = _indexed(graph, graph.outputs[0][1])
    by_sign = size_of(graph.nodes[node].shape) == 1
    node = _peel(graph, node, _is_logistic if by_sign else _keeps_order)
    return ending(graph, node), by_sign


def ending(graph: Graph, node: int) -> Graph:
    """The graph with a node as its one output."""
    return replace(graph, outputs=(("scores", node),))


def _peel(graph: Graph, node: int, keeps: Callable[[Apply], bool] = lambda _: False) -> int:
    """What is before reshapes, and before functions that keep the decision."""
    found = graph.nodes[node]
    while isinstance(found, Apply) and (found.op is ops.RESHAPE or keeps(found)):
        if _is_logistic(found):
            # of the one before it another number is the threshold
            return _peel(graph, found.args[0])
        node = found.args[0]
        found = graph.nodes[node]
    return node


def _is_logistic(node: Apply) -> bool:
    """Whether a function increases strictly, and is 1/2 at 0."""
    return anchor(node.op, node.params) == Fraction(1, 2)


def _keeps_order(node: Apply) -> bool:
    """Whether the largest of all stays so; that of a part is another one."""
    meaning = node.op.meaning
    kept = isinstance(meaning, Expansion) and meaning.keeps_order
    return kept and _is_whole(node.shape, node.params["axis"])


def _is_first_largest(node: Apply) -> bool:
    return chooses_indices(node.op) and extremum(node.op) > 0 and not node.params["last"]


def _step_at_zero(node: Apply) -> int | None:
    """Of a number that is 1 for positive arguments and 0 for negative ones: which of both at 0."""
    found = jump_at_zero(node.op, node.params)
    return None if found not in ((0, 0, 1), (0, 1, 1)) else int(found[1])


def _indexed(graph: Graph, node: int) -> int:
    """Of the index of the first largest of all scores: the scores."""
    last = graph.nodes[_peel(graph, node)]
    if not isinstance(last, Apply) or not _is_first_largest(last):
        return node
    shape = graph.nodes[last.args[0]].shape
    whole = _is_whole(shape, last.params["axis"]) and size_of(shape) > 1
    return last.args[0] if whole else node


def _is_whole(shape: Shape, axis: object) -> bool:
    """Whether all elements lie along one axis."""
    return isinstance(axis, int) and shape[axis] == size_of(shape)


def logit_of(graph: Graph) -> int | None:
    """Of a label that is 1 where a number is positive, beside scores: the number.

    Of one that is 1 where a logistic function exceeds 1/2: the function's argument.
    """
    outputs = dict(graph.outputs)
    label = graph.nodes[outputs.get("label", graph.outputs[0][1])]
    if not isinstance(label, Apply) or _step_at_zero(label) != 0:
        return None
    shifted = graph.nodes[label.args[0]]
    if not isinstance(shifted, Apply) or shifted.op is not ops.SUB:
        return label.args[0] if "label" in outputs and size_of(shifted.shape) == 1 else None
    last = graph.nodes[_peel(graph, shifted.args[0])]
    if not isinstance(last, Apply) or not _is_logistic(last):
        return None
    zeros = {name: np.zeros(shape) for name, shape in graph.inputs.items()}
    half = exact_values(ending(graph, shifted.args[1]), zeros)["scores"]
    return last.args[0] if half.reshape(-1).tolist() == [Fraction(1, 2)] else None


def deciding(model: Model) -> Model:
    """The scores of a classifier alone: without a label beside them or a softmax after them.

    The largest score decides as the model does; of one score, whether it is positive.  A logistic
    function of one number decides by whether it exceeds 1/2, the index of the largest score by the
    score, and any other model with one number and no label is left as it is.
    """
    outputs = model.outputs
    if "label" not in outputs and len(outputs) != 1:
        return model
    graph, _ = scores_of(model.graph)
    return Model(replace(model.loaded, graph=graph))


Rule: TypeAlias = Literal["largest", "positive", "not-negative", "number"]
"""How scores decide: the first largest; class 1 where the one score is above 0, or where it is not
below; or the score is the number of the class."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The scores of a classifier as a graph with one output, and how they decide.

    ``classes`` is their number, and ``names`` what the model's file calls them, or empty.
    """

    graph: Graph
    rule: Rule
    classes: int
    names: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """The number of input elements."""
        return sum(map(size_of, self.graph.inputs.values()))

    @property
    def sha256(self) -> str:
        """The hash of the graph of the scores."""
        return self.graph.sha256

    def decide(self, point: Sequence[Fraction]) -> int:
        """The class at a point, by an exact evaluation.

        Raises `DomainError` if the model has no value there, or its balls leave the class open.
        """
        found = exact_values(self.graph, self.graph.split(point))["scores"].reshape(-1).tolist()
        if self.rule == "number":
            return self._number(found[0])
        scores: list[Fraction | arb] = found
        for number in range(self.classes):
            if all(self._beats(number, rival, scores) for rival in self._rivals(number)):
                return number
        raise DomainError("The scores are too close to be told apart at this point.")

    def class_at(self, point: Sequence[Fraction]) -> int | None:
        """The class at a point; None where the model has no value or it is not known."""
        try:
            return self.decide(point)
        except TamecheckError:
            return None

    def _number(self, score: Fraction | arb) -> int:
        whole = isinstance(score, Fraction) and score.denominator == 1
        if not isinstance(score, Fraction) or not whole or not 0 <= score < self.classes:
            raise DomainError(f"The label {score} is no number of a class.")
        return int(score)

    def _rivals(self, number: int) -> Iterator[int]:
        return (rival for rival in range(self.classes) if rival != number)

    def _beats(self, number: int, rival: int, scores: Sequence[Fraction | arb]) -> bool:
        """Whether a class certainly beats another one."""
        return holds_at(self.row(number, rival), (), scores)

    def row(self, number: int, rival: int) -> Inequality:
        """Where a class beats another one, as an inequality over the scores."""
        if self.rule in ("positive", "not-negative"):
            strict = (number == 1) == (self.rule == "positive")
            return Inequality((), ((0, -ONE if number else ONE),), Fraction(0), strict)
        # of equal scores the first is the largest
        terms = ((rival, ONE), (number, -ONE))
        return Inequality((), tuple(sorted(terms)), Fraction(0), strict=number > rival)

    def others(self, number: int, target: int | None = None) -> list[tuple[Inequality, ...]]:
        """Ways in which the class is another one, or the target; each a list of inequalities."""
        if self.rule == "number":
            wanted = [k for k in self._rivals(number) if target in (None, k)]
            half = Fraction(1, 2)
            return [
                (
                    Inequality((), ((0, ONE),), k + half),
                    Inequality((), ((0, -ONE),), half - k),
                )
                for k in wanted
            ]
        if target is not None:
            return [tuple(self.row(target, rival) for rival in self._rivals(target))]
        return [(self.row(rival, number),) for rival in self._rivals(number)]

    def property(self, cases: Sequence[Case]) -> Specification:
        """Cases as a property of the scores."""
        inputs = tuple(TensorName(name, shape) for name, shape in self.graph.inputs.items())
        shape = self.graph.nodes[self.graph.outputs[0][1]].shape
        return Specification(inputs, (TensorName("scores", shape),), tuple(cases))


def decision_of(graph: Graph, classes: int = 0) -> Decision:
    """How a model decides: by its label where it has one, else by its scores.

    ``classes`` is their number, if it is known.  Raises `UnsupportedError` if the model has several
    outputs, and none is a label.
    """
    found = _by_label(graph)
    if found is not None:
        return found
    names = dict(graph.outputs)
    if "label" in names:
        if size_of(graph.nodes[names["label"]].shape) != 1 or not classes:
            what = "This label cannot be explained: its classes are not known."
            raise UnsupportedError(what, nodes=[("label", "is computed in its own way")])
        return Decision(ending(graph, names["label"]), "number", classes)
    if len(names) > 1:
        what = "The model has several outputs; which one decides is not known."
        raise UnsupportedError(what, nodes=[(name, "is one of them") for name in names])
    scores, by_sign = scores_of(graph)
    size = size_of(scores.nodes[scores.outputs[0][1]].shape)
    return Decision(scores, "positive" if by_sign else "largest", max(size, 2))


def _by_label(graph: Graph) -> Decision | None:
    """By the first output that is the index of a largest score, or the sign of a number."""
    for _, output in graph.outputs:
        node, names = output, tuple[str, ...]()
        last = _apply(graph, node)
        if last is not None and last.op is ops.GATHER:
            table = graph.nodes[last.args[0]]
            if not isinstance(table, Constant):
                continue
            names = tuple(str(value) for value in table.tensor.array.reshape(-1).tolist())
            last = _apply(graph, last.args[1])
        if last is None:
            continue
        if _is_first_largest(last):
            shape, axis = graph.nodes[last.args[0]].shape, last.params["axis"]
            if _is_whole(shape, axis) and size_of(shape) > 1:
                scores, _ = scores_of(ending(graph, last.args[0]))
                count = size_of(shape)
                return Decision(scores, "largest", count, names if len(names) == count else ())
        at_zero = _step_at_zero(last)
        if at_zero is not None and size_of(last.shape) == 1 and len(names) in (0, 2):
            # a logistic function above one half is a number above 0
            logit = logit_of(ending(graph, output)) if at_zero == 0 else None
            scores = ending(graph, last.args[0] if logit is None else logit)
            rule: Rule = "not-negative" if at_zero else "positive"
            return Decision(scores, rule, 2, names)
    return None


def _apply(graph: Graph, node: int) -> Apply | None:
    """The op of a node, before what only moves its one element."""
    found = graph.nodes[node]
    while isinstance(found, Apply) and isinstance(found.op.meaning, Routing):
        if len(found.args) != 1 or size_of(graph.nodes[found.args[0]].shape) != 1:
            return None
        found = graph.nodes[found.args[0]]
    return found if isinstance(found, Apply) else None
