"""The families of dual functions by name, and how to build one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tamecheck.duality.answer import DualFunction
from tamecheck.ir.arguments import choice, instance, natural, seconds
from tamecheck.ir.program import Program

METHODS = ("chvatal", "gomory", "tree", "generator", "value", "network")


def _builder(method: str) -> Callable[..., DualFunction]:
    """``(program, *, seconds, seed, ...) -> DualFunction`` of a family, imported when asked for."""
    match method:
        case "chvatal":
            from tamecheck.duality.chvatal import chvatal_dual as build
        case "gomory":
            from tamecheck.duality.gomory import gomory_dual as build
        case "generator":
            from tamecheck.duality.generator.dual import generator_dual as build
        case "value":
            from tamecheck.duality.value.dual import value_dual as build
        case "network":
            from tamecheck.duality.neural.dual import neural_dual as build
        case _:
            from tamecheck.duality.tree import tree_dual as build
    return build


def dual(program: Program, method: str = "tree", **options: Any) -> DualFunction:
    """A dual function of a program: exact, with its own check.

    Parameters
    ----------
    program
        The program.
    method
        ``tree`` (branch and bound), ``value`` (the value function itself), ``chvatal``,
        ``gomory``, ``generator`` or ``network`` (a neural network on a box).
    **options
        Of the family: all take ``seconds`` (limits of the searches; a minute where one could go on
        for ever) and ``seed`` (of random choices, solvers' included).

    Raises
    ------
    InputError
        If there is no such method.
    InfeasibleProgramError, DomainError
        If the program is infeasible, unbounded, or has a relaxation without a feasible dual.
    UnsupportedError, SolverError
        If it has semicontinuous variables, or was not solved in time.
    """
    instance(program, Program, what="program", hint="Read it by tc.load_program.")
    build = _builder(choice(method, METHODS, what="dual method"))
    if "seconds" in options:
        options["seconds"] = seconds(options["seconds"], what="limit")
    if "seed" in options:
        options["seed"] = natural(options["seed"], what="seed")
    return build(program, **options)
