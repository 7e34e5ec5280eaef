"""The kernel's word on a proof about a program, before anybody hears it, and how long it takes.

It is the one module of this package that knows a kernel; `solve` asks it at the end, and no search
does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.judge import judge
from tamecheck.programs.certificate import Bounded, Excluded, Gap, Node
from tamecheck.programs.scaled import Scaled, hull_box

if TYPE_CHECKING:
    from tamecheck.ir.program import Program
    from tamecheck.programs.solved import Solved

_SOME, _DEARER = 20, 4.0
"""Leaves that are tried; how much dearer it is to prune, to write, to read and to check one."""


def confirm(solved: Solved) -> Solved:
    """The same, once the kernel accepts the certificate of a definite answer.

    Raises
    ------
    CertificateError
        If it does not: a defect of tamecheck.
    """
    answer = solved.answer
    if isinstance(answer, Optimal | Infeasible | Unbounded):
        from tamecheck.kernel_mip import check

        judge(check, answer.certificate)
    return solved


def seconds_to_confirm(program: Program, nodes: Sequence[Node], derived: int) -> float:
    """About how long the kernel takes over a tree with so many steps before it.

    Some leaves are tried, at the bounds of the root: as many sums are added as in its own place.
    """
    leaves = [node.multipliers for node in nodes if isinstance(node, Bounded | Excluded | Gap)]
    if not leaves:
        return 0.0
    scaled, box = Scaled(program), hull_box(program)
    some = leaves[:: max(1, len(leaves) // _SOME)]
    start = time.monotonic()
    for multipliers in some:
        scaled.bound(multipliers, box)
    # most steps are left out by pruning, and others are no dearer
    return (time.monotonic() - start) / len(some) * (_DEARER * len(leaves) + derived)
