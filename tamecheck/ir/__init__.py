"""The language: exact numbers, structures, formulas, ops, graphs and boxes."""
