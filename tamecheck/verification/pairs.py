"""Properties of pairs of inputs: what a model says rises with some inputs, or does not see them.

Both inputs are in the box and agree on all elements but those in question.  What a model says is
its *decision*, the number of the class of the largest output, the first of several; of a single
output 1 where it is positive and else 0.  Or it is its *score*, the single output.  The property is
one of a network that holds the model twice, and whose inputs are those of the model and a second
value of each element in question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import arb

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Graph, GraphBuilder, Input
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName, Terms
from tamecheck.ir.tensor import Array, size_of
from tamecheck.model import Model
from tamecheck.verification.answer import Holds, Unknown, Violated, output_texts
from tamecheck.verification.confirm import verify
from tamecheck.verification.pair_answers import (
    Of,
    PairAnswer,
    PairWitness,
    Rule,
    element_names,
    said_of,
    said_text,
)
from tamecheck.verification.witness import Replay, exact_outputs, graph_of, replay_of

_MOST = 1024

Sign: TypeAlias = Literal["+", "-", "="]
"""What is said does not fall as the element rises, does not rise, or does not depend on it."""

Value: TypeAlias = tuple[Bound, Bound]
Part: TypeAlias = Mapping[int, Value]
"""Narrower intervals of some elements."""


def verify_pairs(  # noqa: PLR0913 (keywords, all of them optional)
    model: Model | Graph,
    box: Box,
    signs: Mapping[int, Sign],
    *,
    of: Of | None = None,
    parts: Sequence[Sequence[Part]] = (),
    timeout: float | None = None,
    seed: int = 0,
    replay: Replay | None = None,
    certify: bool = False,
) -> PairAnswer:
    """Whether what a model says keeps an order, wherever two inputs differ in some elements only.

    Parameters
    ----------
    model
        The model, or its graph.
    box
        Where both inputs are.
    signs
        For each flat element in which the inputs may differ: ``"+"`` if the second is not the
        smaller and may not be said less of, ``"-"`` if it is not the larger, ``"="`` if it is any
        and must be said the same of.  Elements with ``"="`` go with no others.
    of
        Decision or score; by default the score where there is one output and an order is asked
        for, else the decision.
    parts
        For elements that take several values together, the alternatives of each such group, as
        intervals of its elements.
    timeout, seed, replay, certify
        As of `verify`.

    Raises
    ------
    InputError
        If there is no such element, or no single score.
    """
    question = PairQuestion.of_model(model, box, signs, of=of, parts=parts)
    return question.verify(timeout=timeout, seed=seed, replay=replay, certify=certify)


def _reason(answer: Holds) -> str:
    return answer.reason.replace("No input", "No pair of inputs", 1)


class PairQuestion:
    """The network that holds the model twice, and what is unsafe of it."""

    def __init__(  # noqa: PLR0913, PLR0917 (what the question consists of)
        self,
        graph: Graph,
        box: Box,
        signs: Mapping[int, Sign],
        of: Of,
        outputs: int,
        parts: Sequence[Sequence[Part]],
        rule: Rule,
    ) -> None:
        self.model, self.outputs, self.parts = graph, outputs, parts
        self.of: Of = of
        self.rule: Rule = rule
        self.integral: frozenset[int] = frozenset()
        self.run: Replay | None = None
        self.box = box.elements(graph.inputs)
        self.signs = dict(sorted(signs.items()))
        self.graph = self._twice()

    @classmethod
    def of_model(  # noqa: PLR0913 (what the question consists of)
        cls,
        model: Model | Graph,
        box: Box,
        signs: Mapping[int, Sign],
        *,
        of: Of | None = None,
        parts: Sequence[Sequence[Part]] = (),
        rule: Rule | None = None,
    ) -> PairQuestion:
        """The question; parameters and errors are those of `verify_pairs`.

        ``rule`` says how outputs decide, if not by the largest, or by whether one is positive.
        """
        graph = graph_of(model)
        count = sum(map(size_of, graph.inputs.values()))
        outputs = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
        kinds = set(signs.values())
        if not signs or ("=" in kinds and len(kinds) > 1):
            raise InputError("A property of pairs is about an order, or about what is not seen.")
        if any(not 0 <= k < count for k in signs):
            raise InputError(f"There are {count} input elements, from 0 on.")
        asked: Of = of or ("score" if outputs == 1 and "=" not in kinds else "decision")
        if asked == "score" and outputs != 1:
            raise InputError(
                f"There is no one score: the model has {outputs} outputs.",
                hint="Ask about the decision.",
            )
        usual: Rule = "largest" if outputs > 1 else "positive"
        made = cls(graph, box, signs, asked, outputs, parts, rule or usual)
        made.run = replay_of(model)
        return made

    @property
    def second(self) -> dict[int, int]:
        """For each element that may differ, where its second value is among the inputs."""
        return {k: len(self.box) + place for place, k in enumerate(self.signs)}

    def _twice(self) -> Graph:
        builder = GraphBuilder()
        first: dict[str, int] = {}

        def source(node: Input) -> int:
            first[node.name] = builder.input(node.name, node.shape, node.label)
            return first[node.name]

        own = builder.include(self.model, source)
        taken = set(first)
        name = next(
            f"other{'_' * k}" for k in range(len(taken) + 1) if f"other{'_' * k}" not in taken
        )
        values = builder.input(name, (len(self.signs),), "")
        place = {k: at for at, k in enumerate(self.signs)}
        starts, start = dict[str, int](), 0
        for label, shape in self.model.inputs.items():
            starts[label], start = start, start + size_of(shape)

        def element(node: int, at: int, count: int) -> int:
            return builder.apply(ops.SLICE, [node], starts=(at,), steps=(1,), sizes=(count,))

        def other(node: Input) -> int:
            start, size = starts[node.name], size_of(node.shape)
            here = [k - start for k in place if start <= k < start + size]
            if not here:
                return first[node.name]
            flat = builder.apply(ops.RESHAPE, [first[node.name]], shape=(size,))
            pieces: list[int] = []
            end = 0
            for at in here:
                if at > end:
                    pieces.append(element(flat, end, at - end))
                pieces.append(element(values, place[start + at], 1))
                end = at + 1
            if end < size:
                pieces.append(element(flat, end, size - end))
            joined = pieces[0] if len(pieces) == 1 else builder.apply(ops.CONCAT, pieces, axis=0)
            return builder.apply(ops.RESHAPE, [joined], shape=node.shape)

        again = builder.include(self.model, other)
        pairs = [(f"first_{name}", own[node]) for name, node in self.model.outputs]
        pairs += [(f"second_{name}", again[node]) for name, node in self.model.outputs]
        return builder.build(pairs)

    def spec(self) -> Specification:
        """What is unsafe: that less is said of the second input, or if asked so, anything else."""
        region = tuple(self._order())
        cases = [
            Case(
                tuple(low for low, _ in ends), tuple(high for _, high in ends), region, tuple(rows)
            )
            for ends in self._boxes()
            for rows in self._unsafe()
        ]
        whole = [self._is_whole(k) for k in (*range(len(self.box)), *self.signs)]
        inputs = tuple(TensorName(n, s) for n, s in self.graph.inputs.items())
        if any(whole):
            # each element has a type of its own
            kinds = {True: "int64", False: "real"}
            inputs = tuple(TensorName(f"{k}", (), "", kinds[one]) for k, one in enumerate(whole))
        outputs = tuple(
            TensorName(n, self.graph.nodes[node].shape) for n, node in self.graph.outputs
        )
        return Specification(inputs, outputs, tuple(cases)).whole()

    def _is_whole(self, k: int) -> bool:
        """Whether an element is an integer in bounds that its type does not narrow."""
        low, high = self.box[k]
        bounded = low is not None and high is not None and max(-low, high) < 2**63
        return k in self.integral and bounded

    def _order(self) -> Iterator[Inequality]:
        """That the second values are not below the first, or not above."""
        for k, sign in self.signs.items():
            if sign != "=":
                up = Fraction(1 if sign == "+" else -1)
                yield Inequality(((k, up), (self.second[k], -up)), (), Fraction(0))

    def _boxes(self) -> Iterator[list[Value]]:
        """The box of both inputs, in each combination of the alternatives of its groups."""
        whole = [*self.box, *(self.box[k] for k in self.signs)]
        found = [whole]
        for group in self.parts:
            grown: list[list[Value]] = []
            moved = any(k in self.signs for part in group for k in part)
            for ends in found:
                for part in group:
                    for other in group if moved else (part,):
                        if not self._may_follow(part, other):
                            continue
                        made = list(ends)
                        for k, pair in part.items():
                            made[k] = pair
                        for k, pair in other.items():
                            if k in self.signs:
                                made[self.second[k]] = pair
                        grown.append(made)
            found = grown
            if len(found) > _MOST:
                raise InputError(
                    "The values of groups have too many combinations.",
                    hint=f"At most {_MOST} are asked about; hold some inputs in --box.",
                )
        return iter(found)

    def _may_follow(self, part: Part, other: Part) -> bool:
        """Whether values of a group that are points are in the order that is asked about."""
        for k, (low, high) in part.items():
            after = other[k]
            points = low == high is not None and after[0] == after[1] is not None
            if points and low is not None and after[0] is not None and k in self.signs:
                sign = self.signs[k]
                if (sign == "+" and after[0] < low) or (sign == "-" and after[0] > low):
                    return False
        return True

    def _unsafe(self) -> Iterator[list[Inequality]]:
        """The rows of each way to say less of the second input."""
        zero, one, second = Fraction(0), Fraction(1), self.outputs
        if self.of == "score" or self.rule == "number":
            yield [Inequality((), ((0, -one), (second, one)), zero, strict=True)]
        elif self.outputs == 1:
            positive = self.rule == "positive"
            yield [
                Inequality((), ((0, -one),), zero, strict=positive),
                Inequality((), ((second, one),), zero, strict=not positive),
            ]
        else:
            for low, high in combinations(range(self.outputs), 2):
                yield [*self._decides(high, 0), *self._decides(low, second)]

    def _decides(self, winner: int, start: int) -> Iterator[Inequality]:
        """That a class is decided by outputs from a place on: of equal ones the first."""
        for k in range(self.outputs):
            if k != winner:
                terms: Terms = tuple(
                    sorted([(start + k, Fraction(1)), (start + winner, Fraction(-1))])
                )
                yield Inequality((), terms, Fraction(0), strict=k < winner)

    def verify(
        self,
        *,
        timeout: float | None = None,
        seed: int = 0,
        replay: Replay | None = None,
        certify: bool = False,
    ) -> PairAnswer:
        """The answer, as `verify_pairs` gives it."""
        run = None if (one := replay or self.run) is None else self.replay(one)
        answer = verify(
            self.graph, self.spec(), timeout=timeout, seed=seed, replay=run, certify=certify
        )
        if isinstance(answer, Violated):
            x = answer.witness.inputs
            places = [*self.integral, *(self.second[k] for k in self.integral & self.second.keys())]
            if any(x[place].denominator != 1 for place in places):
                why = "Only inputs were found at which an integer is none."
                return PairAnswer("unknown", why, answer.seconds, self.of)
            witness = self.witness(answer.witness.inputs, answer.witness.float32)
            reason = "An exact evaluation of both inputs shows it."
            return PairAnswer(
                "violated", reason, answer.seconds, self.of, witness, answer.method, "replay"
            )
        if isinstance(answer, Unknown):
            return PairAnswer(
                "unknown", answer.reason, answer.seconds, self.of, facts=dict(answer.facts)
            )
        return PairAnswer(
            "holds", _reason(answer), answer.seconds, self.of, None, answer.method, answer.rests_on,
            answer.checked, dict(answer.facts), answer.certificate, answer.note,
        )  # fmt: skip

    def replay(self, run: Replay) -> Replay:
        """A float32 run of both."""

        def both(x: Array) -> Array | None:
            first, other = self._split(x)
            found = [run(first), run(other)]
            known = [outputs for outputs in found if outputs is not None]
            return np.concatenate(known) if len(known) == 2 else None

        return both

    def _split(self, x: Any) -> tuple[Any, Any]:
        first, other = x[: len(self.box)], x[: len(self.box)].copy()
        for k, place in self.second.items():
            other[k] = x[place]
        return first, other

    def witness(self, x: Sequence[Fraction], float32: bool | None) -> PairWitness:  # noqa: FBT001
        """The pair, with as few elements changed as can be if they may change one by one."""
        first, other = self._split(list(x))
        if not any(k in self.signs for group in self.parts for part in group for k in part):
            first, other, same = self._shorten(first, other)
            float32 = float32 if same else None
        sides = [exact_outputs(self.model, point) or [] for point in (first, other)]
        names = element_names(self.model)
        changed = tuple(
            (names[k], rational_text(first[k]), rational_text(other[k]))
            for k in self.signs
            if first[k] != other[k]
        )
        return PairWitness(
            tuple(first),
            tuple(other),
            output_texts(sides[0]),
            output_texts(sides[1]),
            (self._text(sides[0]), self._text(sides[1])),
            changed,
            float32,
        )

    def _shorten(
        self, first: list[Fraction], other: list[Fraction]
    ) -> tuple[list[Fraction], list[Fraction], bool]:
        """Of inputs on the way from one to the other two neighbours that show it; else these."""
        before, said = first, self._say(first)
        changed = [k for k in self.signs if first[k] != other[k]]
        for k in changed if len(changed) > 1 else ():
            after = list(before)
            after[k] = other[k]
            now = self._say(after)
            if said is None or now is None:
                break
            if now < said or ("=" in self.signs.values() and now != said):
                return before, after, False
            before, said = after, now
        return first, other, len(changed) <= 1

    def _say(self, point: Sequence[Fraction]) -> Fraction | None:
        """The class or the score at a point; None where it is no rational number."""
        outputs = exact_outputs(self.model, point)
        return None if outputs is None else said_of(outputs, self.of, self.rule)

    def _text(self, outputs: Sequence[Fraction | arb]) -> str:
        return said_text(outputs, self.of, self.rule)
