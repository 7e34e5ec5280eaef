"""Elementary functions: the exponential family, hyperbolic and trigonometric functions, erf."""

from __future__ import annotations

from tamecheck.ir.exact import ONE
from tamecheck.ir.formula import TRUE, And, Condition, Elementary, Var, call, everywhere, when
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

SIGMOID = Op(
    name="sigmoid",
    summary="1 / (1 + exp(-x))",
    shape=same,
    meaning=Pointwise(
        lambda _: (
            when(X >= 0, ONE / (1 + call(Elementary.EXP, -X))),
            when(X <= 0, call(Elementary.EXP, X) / (1 + call(Elementary.EXP, X))),
        ),
        whole=ONE / (1 + call(Elementary.EXP, -X)),
    ),
    source="two forms of one function, so that neither overflows",
)

SOFTPLUS = Op(
    name="softplus",
    summary="log(1 + exp(x))",
    shape=same,
    meaning=Pointwise(
        lambda _: (
            when(X >= 0, X + call(Elementary.LOG, 1 + call(Elementary.EXP, -X))),
            when(X <= 0, call(Elementary.LOG, 1 + call(Elementary.EXP, X))),
        ),
        whole=call(Elementary.LOG, 1 + call(Elementary.EXP, X)),
    ),
    source="two forms of one function, so that neither overflows",
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
