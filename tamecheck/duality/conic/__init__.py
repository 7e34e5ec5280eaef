"""Dual functions of conic programs."""
