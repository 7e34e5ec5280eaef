"""The extreme values of a small network: by an exact program, and by walks alone."""

from __future__ import annotations

import tamecheck as tc

NETWORK = "relu(x) - 2*relu(x - 0.2) + 3*relu(x - 0.6) - abs(y - x)"


def main() -> None:
    """Print both extremes, and what walks alone find."""
    model = tc.expression(NETWORK)
    for word, optimise in (("at most", tc.maximise), ("at least", tc.minimise)):
        found = optimise(model, box="0:1")
        point = ", ".join(map(str, found.x or ()))
        print(f"{found.status}: {word} {found.value} at {point} ({found.checked})")
    walked = tc.relax_and_walk(model, box="0:1", timeout=1)
    print(f"walks alone: {walked.value}, and a gap of {float(walked.gap or 0):.2g} to the bound")


if __name__ == "__main__":
    main()
