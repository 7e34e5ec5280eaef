"""Figures by matplotlib, of everything that is computed exactly."""

from tamecheck.show.plots.adjacency import draw_adjacency
from tamecheck.show.plots.canvas import SUFFIXES, Picture, checked_path, save
from tamecheck.show.plots.complexes import draw_cells
from tamecheck.show.plots.curve import draw_curve
from tamecheck.show.plots.decision import RULES, Points, draw_decision
from tamecheck.show.plots.derivation import draw_derivation
from tamecheck.show.plots.field import draw_field
from tamecheck.show.plots.plane import Plane, plane_of
from tamecheck.show.plots.polytope import draw_jacobian
from tamecheck.show.plots.reasons import draw_explanation, draw_relevancy
from tamecheck.show.plots.results import complex_axes, draw_model, model_axes
from tamecheck.show.plots.surface import draw_surface
from tamecheck.show.plots.value import AffinePiece, draw_value

__all__ = [
    "RULES",
    "SUFFIXES",
    "AffinePiece",
    "Picture",
    "Plane",
    "Points",
    "checked_path",
    "complex_axes",
    "draw_adjacency",
    "draw_cells",
    "draw_curve",
    "draw_decision",
    "draw_derivation",
    "draw_explanation",
    "draw_field",
    "draw_jacobian",
    "draw_model",
    "draw_relevancy",
    "draw_surface",
    "draw_value",
    "model_axes",
    "plane_of",
    "save",
]
