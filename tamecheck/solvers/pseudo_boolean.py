"""Networks of threshold neurons for z3, as pseudo-Boolean constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tamecheck.solvers.contexts import z3_answer, z3_context

__all__ = ["Threshold", "another_class"]

_LARGEST = 2**31 - 1
"""Of the coefficients and bounds of z3's pseudo-Boolean constraints."""

Threshold = tuple[Sequence[int], int]
"""Integer weights of the states before, and the least sum of a neuron that is +1."""


def another_class(
    inputs: int,
    possible: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]],
    layers: Sequence[Sequence[Threshold]],
    leads: Sequence[Threshold],
    *,
    seconds: float,
) -> bool | None:
    """Whether z3 finds states of the inputs with one of the leads at least its bound.

    Parameters
    ----------
    inputs
        The number of inputs, with states -1 and 1.
    possible
        Groups of inputs with the combinations that can occur.
    layers
        The neurons of each layer.
    leads
        Integer combinations of the last layer's states.
    seconds
        Limit.

    Returns
    -------
    bool or None
        None if z3 gives no answer in time.
    """
    import z3

    lib: Any = z3
    context = z3_context()
    states = [lib.Bool(f"x{i}", context) for i in range(inputs)]
    solver = lib.Solver(ctx=context)
    solver.set("timeout", max(1, int(min(seconds, 1e6) * 1000)))
    for group, codes in possible:
        cases = [
            lib.And(
                [
                    states[i] if s > 0 else lib.Not(states[i])
                    for i, s in zip(group, code, strict=True)
                ],
                context,
            )
            for code in codes
        ]
        solver.add(lib.Or(cases, context))
    for number, layer in enumerate(layers):
        after = [lib.Bool(f"y{number}_{j}", context) for j in range(len(layer))]
        for neuron, threshold in zip(after, layer, strict=True):
            solver.add(neuron == _reaches(lib, context, states, *threshold))
        states = after
    solver.add(lib.Or([_reaches(lib, context, states, *lead) for lead in leads], context))
    answer = z3_answer(solver, context)
    if answer == lib.sat:
        return True
    return False if answer == lib.unsat else None


def _reaches(
    lib: Any, context: Any, states: Sequence[Any], weights: Sequence[int], least: int
) -> Any:
    """That the sum of weights times ±1 states is at least a bound."""
    pairs = [(state, int(w)) for state, w in zip(states, weights, strict=True) if w]
    # with b = (s + 1) / 2, the sum is 2 Σ w b - Σ w; negative weights count the negation
    bound = least + sum(w for _, w in pairs) - 2 * sum(min(w, 0) for _, w in pairs)
    needed = -((-bound) // 2)
    terms = [(s, w) if w > 0 else (lib.Not(s), -w) for s, w in pairs]
    if needed <= 0:
        return lib.BoolVal(True, context)  # noqa: FBT003  # z3's own signature
    if not terms or needed > sum(w for _, w in terms):
        return lib.BoolVal(False, context)  # noqa: FBT003
    if sum(w for _, w in terms) > _LARGEST:
        return (
            lib.Sum([lib.If(s, lib.IntVal(w, context), lib.IntVal(0, context)) for s, w in terms])
            >= needed
        )
    return lib.PbGe(terms, needed)
