"""Neural networks as dual functions."""
