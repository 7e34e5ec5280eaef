"""The kernel's word on a proof about a program, before anybody hears it.

It is the one module of this package that knows a kernel; `solve` asks it at the end, and no search
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.judge import judge

if TYPE_CHECKING:
    from tamecheck.programs.solved import Solved


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
