"""Chvátal functions: sums and roundings of constraints."""
