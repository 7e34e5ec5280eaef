"""Gomory functions."""
