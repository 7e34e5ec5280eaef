"""Gradient descent through a linear program that circles among points that are not critical.

Minimise ``(x - s₁)² + 4 (y - s₂)²`` where s maximises ``(a + b)(-3x + y + 2)`` on the box
``[0, 3] × [0, 5]``.  The solution map of the linear program is constant on both sides of a line and
jumps on it, so its derivative is 0 almost everywhere, and descent that uses this 0 never stops.
"""

from __future__ import annotations

import tamecheck as tc

Point = tuple[float, float]


def slope(x: float, y: float) -> float:
    """The common cost of a and b; zero on the line where the hypothesis fails."""
    return -3 * x + y + 2


def follower(x: float, y: float) -> Point:
    """The vertex that maximises ``(a + b)`` times the slope."""
    return (3.0, 5.0) if slope(x, y) > 0 else (0.0, 0.0)


def descent(start: Point, steps: int, rate: float = 0.01) -> list[Point]:
    """The points of gradient descent with the derivative 0 of the follower."""
    path = [start]
    for _ in range(steps):
        x, y = path[-1]
        a, b = follower(x, y)
        path.append((x - rate * 2 * (x - a), y - rate * 8 * (y - b)))
    return path


def main() -> None:
    """Run the descent, then ask for the verdict off the line and on it."""
    cycle = descent((1.0, 1.0), 4000)[2000:]
    gradients = []
    for x, y in cycle:
        a, b = follower(x, y)
        gradients.append(((2 * (x - a)) ** 2 + (8 * (y - b)) ** 2) ** 0.5)
    xs, ys = zip(*cycle, strict=True)
    print(f"x in [{min(xs):.3f}, {max(xs):.3f}], y in [{min(ys):.3f}, {max(ys):.3f}]")
    print(f"the gradient's norm is never below {min(gradients):.2f}")
    # a and b are optimal exactly if a step along the slope and back onto the box changes nothing
    residual = "a - min(max(a - 3*x + y + 2, 0), 3); b - min(max(b - 3*x + y + 2, 0), 5)"
    for x, y in ((1, 2), (1, 1)):
        t = slope(x, y)
        layer = tc.layers.linear_layer([-t, -t], [[1, 0], [0, 1]], [3, 5])
        a, b = follower(x, y)
        theorem = tc.implicit(residual, unknowns=["a", "b"], at={"a": a, "b": b, "x": x, "y": y})
        print(f"at ({x}, {y}): {layer.verdict}\n{theorem}")


if __name__ == "__main__":
    main()
