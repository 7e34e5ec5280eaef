"""The families of dual functions by name, and how to build one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from tamecheck.duality.answer import DualFunction
from tamecheck.ir.arguments import choice, instance, natural, seconds
from tamecheck.ir.program import Program

__all__ = ["METHODS", "dual"]

METHODS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "chvatal": ("tamecheck.duality.chvatal", "chvatal_dual"),
        "gomory": ("tamecheck.duality.gomory", "gomory_dual"),
        "tree": ("tamecheck.duality.tree", "tree_dual"),
        "generator": ("tamecheck.duality.generator.dual", "generator_dual"),
        "value": ("tamecheck.duality.value.dual", "value_dual"),
    }
)
"""Where the builder ``(program, *, seconds, seed, ...) -> DualFunction`` of each family is."""


def dual(program: Program, method: str = "tree", **options: Any) -> DualFunction:
    """A dual function of a program: exact, with its own check.

    Parameters
    ----------
    program
        The program.
    method
        ``tree`` (branch and bound), ``value`` (the value function itself), ``chvatal``,
        ``gomory`` or ``generator``.
    **options
        Of the family: all take ``seconds`` and ``seed``.

    Raises
    ------
    InputError
        If there is no such method.
    DomainError
        If the program is infeasible, unbounded, or has a relaxation without a feasible dual.
    """
    instance(program, Program, what="program", hint="Read it by tc.load_program.")
    module, name = METHODS[choice(method, METHODS, what="dual method")]
    if "seconds" in options:
        options["seconds"] = seconds(options["seconds"], what="limit")
    if "seed" in options:
        options["seed"] = natural(options["seed"], what="seed")
    builder = getattr(import_module(module), name)
    return builder(program, **options)
