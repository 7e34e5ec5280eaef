"""Networks as SMT-LIB formulas."""
