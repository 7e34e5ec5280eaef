"""A search that gets stuck on plateaus, alone and with Fleming–Viot particles.

Run: python examples/restarts.py
"""

from tamecheck.learn.plateaus import MaxCut, random_regular
from tamecheck.learn.restarts import (
    Annealing,
    fleming_viot,
    geometric,
    independent,
    small_gradient,
)


def main() -> None:
    """Cut a random 3-regular graph, where all cuts below a level look the same."""
    graph = MaxCut(16, random_regular(16, 3, seed=0))
    best = graph.largest()
    print(f"the largest cut has {best} of {len(graph.edges)} edges")
    for level in (0, best - 3, best - 1):
        flat_graph = MaxCut(16, graph.edges, level)
        flat = small_gradient(flat_graph.gradient_norm)
        alone = together = absorbed = 0
        for seed in range(8):
            annealing = Annealing(5, 2000, geometric(1.5, 0.99, 0.3), target=-best, seed=seed)
            alone += independent(flat_graph, annealing).steps
            found = fleming_viot(flat_graph, flat, annealing)
            together += found.steps
            absorbed += found.regenerations
        print(
            f"level {level}: steps to the largest cut, mean of 8 runs: {alone / 8:.0f} alone, "
            f"{together / 8:.0f} with restarts ({absorbed / 8:.0f} particles absorbed)"
        )


if __name__ == "__main__":
    main()
