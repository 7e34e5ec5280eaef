"""Optimisation problems and fixed points as layers, with their hypotheses checked."""

from tamecheck.layers.conic import ConicGradients, ConicSolution, conic_layer
from tamecheck.layers.fixed_point import (
    Equilibrium,
    EquilibriumGradients,
    Monotone,
    Penalised,
    elastic_net_layer,
    equilibrium_layer,
    is_monotone,
    lasso_layer,
    support_vector_layer,
)
from tamecheck.layers.functions import torch_module
from tamecheck.layers.integer import IntegerPart, IntegerValue, elastic, integer_value_layer
from tamecheck.layers.linear import LinearSolution, linear_layer
from tamecheck.layers.optimal_set import OptimalSet
from tamecheck.layers.quadratic import QuadraticGradients, QuadraticSolution, quadratic_layer
from tamecheck.layers.smoothed import (
    BlackboxInterpolation,
    FenchelYoungApproximation,
    PerturbedApproximation,
    PointSolutions,
    SpoPlusBound,
    blackbox_layer,
    fenchel_young_loss,
    integer_points,
    perturbed_layer,
    point_solutions,
    points_oracle,
    program_oracle,
    spo_plus_loss,
)
from tamecheck.layers.value import Valued, ValueLayer, from_mip, value_layer

__all__ = [
    "BlackboxInterpolation",
    "ConicGradients",
    "ConicSolution",
    "Equilibrium",
    "EquilibriumGradients",
    "FenchelYoungApproximation",
    "IntegerPart",
    "IntegerValue",
    "LinearSolution",
    "Monotone",
    "OptimalSet",
    "Penalised",
    "PerturbedApproximation",
    "PointSolutions",
    "QuadraticGradients",
    "QuadraticSolution",
    "SpoPlusBound",
    "ValueLayer",
    "Valued",
    "blackbox_layer",
    "conic_layer",
    "elastic",
    "elastic_net_layer",
    "equilibrium_layer",
    "fenchel_young_loss",
    "from_mip",
    "integer_points",
    "integer_value_layer",
    "is_monotone",
    "lasso_layer",
    "linear_layer",
    "perturbed_layer",
    "point_solutions",
    "points_oracle",
    "program_oracle",
    "quadratic_layer",
    "spo_plus_loss",
    "support_vector_layer",
    "value_layer",
]

__getattr__ = torch_module
