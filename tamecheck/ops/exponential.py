"""Elementary functions: the exponential family, hyperbolic and trigonometric functions, erf."""

from __future__ import annotations

from tamecheck.ir.exact import ONE
from tamecheck.ir.formula import TRUE, And, Condition, Elementary, Term, Var, call, everywhere, when
from tamecheck.ir.op import Op, Pointwise, Regularity
from tamecheck.ops.shapes import same

X = Var(0)


def elementary(
    function: Elementary, summary: str, domain: Condition = TRUE, inside: Condition | None = None
) -> Op:
    """The op of one elementary function.

    ``inside`` is the part of the domain where the function is locally Lipschitz, if not all.
    """
    regularity = (
        Regularity()
        if inside is None
        else Regularity(lipschitz=False, lipschitz_inside=lambda _: inside)
    )
    return Op(
        name=function.value,
        summary=summary,
        shape=same,
        meaning=Pointwise(lambda _: everywhere(call(function, X)), domain=lambda _: domain),
        regularity=regularity,
    )


EXP = elementary(Elementary.EXP, "the exponential of x")
LOG = elementary(Elementary.LOG, "the natural logarithm of x, for x > 0", X > 0)
SINH = elementary(Elementary.SINH, "the hyperbolic sine of x")
COSH = elementary(Elementary.COSH, "the hyperbolic cosine of x")
TANH = elementary(Elementary.TANH, "the hyperbolic tangent of x")
ASINH = elementary(Elementary.ASINH, "the inverse hyperbolic sine of x")
ACOSH = elementary(
    Elementary.ACOSH, "the inverse hyperbolic cosine of x, for x ≥ 1", X >= 1, inside=X > 1
)
ATANH = elementary(
    Elementary.ATANH, "the inverse hyperbolic tangent of x, for |x| < 1", And((X > -1, X < 1))
)
ERF = elementary(Elementary.ERF, "2/√π times the integral of exp(-t²) from 0 to x")


def _in_two_forms(name: str, summary: str, above: Term, below: Term, whole: Term) -> Op:
    """A function by a term for ``x >= 0`` and one for ``x <= 0``."""
    return Op(
        name=name,
        summary=summary,
        shape=same,
        meaning=Pointwise(lambda _: (when(X >= 0, above), when(X <= 0, below)), whole=whole),
        source="two forms of one function, so that neither overflows",
    )


_UP, _DOWN = call(Elementary.EXP, X), call(Elementary.EXP, -X)
SIGMOID = _in_two_forms(
    "sigmoid", "1 / (1 + exp(-x))", ONE / (1 + _DOWN), _UP / (1 + _UP), ONE / (1 + _DOWN)
)
SOFTPLUS = _in_two_forms(
    "softplus",
    "log(1 + exp(x))",
    X + call(Elementary.LOG, 1 + _DOWN),
    call(Elementary.LOG, 1 + _UP),
    call(Elementary.LOG, 1 + _UP),
)


_CLOSED = And((X >= -1, X <= 1))
_OPEN = And((X > -1, X < 1))

SIN = elementary(Elementary.SIN, "the sine of x")
COS = elementary(Elementary.COS, "the cosine of x")
TAN = elementary(
    Elementary.TAN, "the tangent of x, where cos x ≠ 0", call(Elementary.COS, X).differs(0)
)
ASIN = elementary(Elementary.ASIN, "the inverse sine of x, for |x| ≤ 1", _CLOSED, inside=_OPEN)
ACOS = elementary(Elementary.ACOS, "the inverse cosine of x, for |x| ≤ 1", _CLOSED, inside=_OPEN)
ATAN = elementary(Elementary.ATAN, "the inverse tangent of x")
