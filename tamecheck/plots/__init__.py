"""Figures by matplotlib, of everything that is computed exactly."""

from tamecheck.plots.canvas import SUFFIXES, Picture, checked_path, save
from tamecheck.plots.curve import draw_curve
from tamecheck.plots.decision import RULES, Points, draw_decision
from tamecheck.plots.derivation import draw_derivation
from tamecheck.plots.descent import draw_descent
from tamecheck.plots.field import draw_field
from tamecheck.plots.jacobian import draw_jacobian
from tamecheck.plots.page import interactive_page
from tamecheck.plots.plane import Plane, plane_of
from tamecheck.plots.reasons import draw_explanation, draw_relevancy
from tamecheck.plots.regions import draw_adjacency, draw_cells
from tamecheck.plots.results import complex_axes, draw_model, model_axes
from tamecheck.plots.surface import draw_surface
from tamecheck.plots.value import bound_of, draw_value

__all__ = [
    "RULES",
    "SUFFIXES",
    "Picture",
    "Plane",
    "Points",
    "bound_of",
    "checked_path",
    "complex_axes",
    "draw_adjacency",
    "draw_cells",
    "draw_curve",
    "draw_decision",
    "draw_derivation",
    "draw_descent",
    "draw_explanation",
    "draw_field",
    "draw_jacobian",
    "draw_model",
    "draw_relevancy",
    "draw_surface",
    "draw_value",
    "interactive_page",
    "model_axes",
    "plane_of",
    "save",
]
