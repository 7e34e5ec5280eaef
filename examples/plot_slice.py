"""Draw a plane through a network with more inputs: gradient field, cells and decision regions.

Run: python examples/plot_slice.py [FOLDER]
"""

import sys
from pathlib import Path

import tamecheck as tc
from tamecheck.cells import slice_of_points
from tamecheck.plots import draw_cells, draw_decision, draw_field, plane_of


def main() -> None:
    """Cut a plane, and write three figures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    model = tc.expression("max(relu(x-y)+z, relu(y+z/2)-x) - relu(z-x/3)")
    plane = plane_of(
        model.graph,
        slice_of_points(
            model.inputs,
            {"origin": [0, 0, "1/4"], "directions": [[1, 0, 0], [0, 1, "1/2"]]},
        ),
        names=("distance", "angle"),
        units=("km", "rad"),
    )
    for picture in (
        draw_field(plane, at=[[0, 0]]),
        draw_cells(plane),
        draw_decision(plane, classes=("turn", "stay")),
    ):
        path = folder / f"slice_{picture.kind}.svg"
        picture.save(path)
        print(path.name, dict(picture.counts))


if __name__ == "__main__":
    main()
