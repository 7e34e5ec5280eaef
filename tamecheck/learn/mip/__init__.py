"""Training as a mixed-integer program."""
