"""Piecewise polynomial regression with proved optimality."""
