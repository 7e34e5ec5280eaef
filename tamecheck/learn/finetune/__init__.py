"""Robust fine-tuning of the last layer."""
