"""Values of which only the side of a number matters: behind clips and logistic functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.binarized.affine import Affine, Fixed, UnfitError, Value, arithmetic, routed
from tamecheck.ir.graph import Apply
from tamecheck.ir.tensor import Array

__all__ = ["Shadow", "difference", "shadow_of", "shifted"]

_CENTRES = {"sigmoid": Fraction(1, 2), "tanh": Fraction(0)}


@dataclass(frozen=True, slots=True, eq=False)
class Shadow:
    """A tensor that is above, at and below ``centre`` just where ``value`` is so about 0."""

    value: Affine
    centre: Fraction

    def routed(self, route: Callable[[list[Array]], Array]) -> Shadow | None:
        """Copies of the elements, as a function of arrays takes them."""
        value = routed(route, [self.value])
        return replace(self, value=value) if isinstance(value, Affine) else None


def shadow_of(name: str, node: Apply, value: Affine) -> Shadow | None:
    """What is known of an increasing function of a value; None if that is too little."""
    if name == "clip":
        ends = [(node.params[end], sign) for end, sign in (("lo", -1), ("hi", 1))]
        inside = all(x is None or (isinstance(x, Fraction) and x * sign > 0) for x, sign in ends)
        return Shadow(value, Fraction(0)) if inside else None
    return Shadow(value, _CENTRES[name]) if name in _CENTRES else None


def shifted(name: str, left: Value | Shadow, right: Value | Shadow) -> Shadow | None:
    """A shadow plus or less a number; None if it is anything else."""
    if not isinstance(left, Shadow) or not isinstance(right, Fixed) or name not in ("add", "sub"):
        return None
    number = _number(right)
    return replace(left, centre=left.centre + (number if name == "add" else -number))


def difference(left: Value | Shadow, right: Value | Shadow, shape: tuple[int, ...]) -> Value | None:
    """A value with the sign of ``right - left``."""
    if isinstance(left, Shadow) and isinstance(right, Fixed):
        return arithmetic("neg", [_about(left, right)], shape)
    if isinstance(right, Shadow) and isinstance(left, Fixed):
        return _about(right, left)
    if isinstance(left, Shadow) or isinstance(right, Shadow):
        return None
    return arithmetic("sub", [right, left], shape)


def _about(shadow: Shadow, constant: Fixed) -> Affine:
    if _number(constant) != shadow.centre:
        raise UnfitError(f"only its side of {shadow.centre} is known here")
    return shadow.value


def _number(constant: Fixed) -> Fraction:
    """The one number that a constant consists of."""
    numbers = set(constant.values.reshape(-1).tolist())
    number = numbers.pop()
    if numbers or not isinstance(number, Fraction):
        raise UnfitError("only its side of one number is known here")
    return number
