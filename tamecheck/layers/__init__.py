"""Optimisation problems and fixed points as layers, with their hypotheses checked."""

from tamecheck.layers.fixed_point import (
    Equilibrium,
    EquilibriumGradients,
    Monotone,
    equilibrium_layer,
    is_monotone,
)
from tamecheck.layers.integer import IntegerPart, IntegerValue, elastic, integer_value_layer
from tamecheck.layers.linear import LinearSolution, linear_layer
from tamecheck.layers.proximal import (
    Penalised,
    elastic_net_layer,
    lasso_layer,
    support_vector_layer,
)
from tamecheck.layers.quadratic import QuadraticGradients, QuadraticSolution, quadratic_layer

__all__ = [
    "Equilibrium",
    "EquilibriumGradients",
    "IntegerPart",
    "IntegerValue",
    "LinearSolution",
    "Monotone",
    "Penalised",
    "QuadraticGradients",
    "QuadraticSolution",
    "elastic",
    "elastic_net_layer",
    "equilibrium_layer",
    "integer_value_layer",
    "is_monotone",
    "lasso_layer",
    "linear_layer",
    "quadratic_layer",
    "support_vector_layer",
]
