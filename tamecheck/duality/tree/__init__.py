"""Dual functions of branch-and-bound trees."""
