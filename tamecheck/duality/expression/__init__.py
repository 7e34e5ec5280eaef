"""Training a network written as an expression, with its dual."""
