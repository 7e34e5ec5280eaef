"""Exact numbers and linear algebra: rationals, balls, matrices, polyhedra."""
