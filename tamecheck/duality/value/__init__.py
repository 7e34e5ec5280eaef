"""Value functions, piece by piece."""
