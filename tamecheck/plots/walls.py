"""What no arrow may cross: boundaries of pieces, and the edge of the domain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.plots.mosaic import FLAT
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import sample
from tamecheck.plots.scene import BOUNDARIES, Scene

_MARGIN = 0.009
"""Half the width of an arrow's head, as a part of the width of the axes."""

_ALONG = np.linspace(0, 1, 9)


@dataclass(frozen=True, slots=True, eq=False)
class Walls:
    """The boundaries as segments in coordinates in which the axes' box has width 1.

    ``known`` says that they are all there to a fraction of a pixel; if not, patterns are compared.
    """

    plane: Plane
    segments: Array
    known: bool

    @classmethod
    def of(cls, plane: Plane, scene: Scene) -> Walls:
        """The kinks, jumps, poles and edges of the domain of a scene."""
        found = [part for kind in BOUNDARIES if kind != FLAT for part in scene.segments(kind)]
        # a pole at a point is a segment of no length
        found += [np.array([point, point]) for point in scene.poles]
        segments = np.array(found).reshape((-1, 2, 2)) / plane.scale
        raster = scene.raster
        return cls(plane, segments, raster is None or (raster.traced and raster.sharp))

    def clear(self, starts: Array, stops: Array) -> Array:
        """Which of some arrows are in one piece, in the domain and in the figure."""
        plane = self.plane
        ends = np.stack([starts, stops], axis=1)
        free = np.asarray(((ends >= plane.low) & (ends <= plane.high)).all(axis=(1, 2)))
        free[free] = self._inside(ends[free])
        for row in np.flatnonzero(free).tolist():
            free[row] = not _near(ends[row] / plane.scale, self.segments)
        return free

    def _inside(self, ends: Array) -> Array:
        """Which arrows have values all along, and the pattern of their start if need be."""
        if not len(ends):
            return np.zeros(0, dtype=bool)
        along = ends[:, None, 0] + (ends[:, 1] - ends[:, 0])[:, None] * _ALONG[:, None]
        seen = sample(self.plane.graph, along.reshape((-1, 2)))
        shape = len(ends), len(_ALONG)
        patterns = seen.patterns if not self.known else seen.domains
        alike = patterns.reshape(shape) == patterns.reshape(shape)[:, :1]
        return (alike & ~seen.outside.reshape(shape)).all(axis=1)


def _near(arrow: Array, segments: Array) -> bool:
    """Whether an arrow comes nearer to a segment than half its head's width."""
    low, high = arrow.min(axis=0) - _MARGIN, arrow.max(axis=0) + _MARGIN
    around = (segments.max(axis=1) >= low) & (segments.min(axis=1) <= high)
    near = segments[around.all(axis=1)]
    if not len(near):
        return False
    a, b = np.broadcast_to(arrow[0], near[:, 0].shape), np.broadcast_to(arrow[1], near[:, 1].shape)
    p, q = near[:, 0], near[:, 1]
    crossed = (_side(a, b, p) * _side(a, b, q) < 0) & (_side(p, q, a) * _side(p, q, b) < 0)
    ways = ((a, p, q), (b, p, q), (p, a, b), (q, a, b))
    return bool(crossed.any() or min(_distance(*way).min() for way in ways) < _MARGIN)


def _side(start: Array, stop: Array, point: Array) -> Array:
    """On which side of lines points are, as the sign of a number."""
    along, away = stop - start, point - start
    return along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]


def _distance(point: Array, start: Array, stop: Array) -> Array:
    """The distance of points from segments."""
    along, away = stop - start, point - start
    square = (along**2).sum(axis=1)
    part = np.clip((along * away).sum(axis=1) / np.where(square > 0, square, 1), 0, 1)
    return np.hypot(*(away - part[:, None] * along).T)
