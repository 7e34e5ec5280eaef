"""Optimisation problems and fixed points as layers, differentiated with their hypotheses checked."""

from tamecheck.layers.quadratic import QuadraticGradients, QuadraticSolution, quadratic_layer

__all__ = ["QuadraticGradients", "QuadraticSolution", "quadratic_layer"]
