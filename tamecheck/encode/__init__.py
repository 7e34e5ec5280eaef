"""Networks as formulas: mixed-integer programs, SMT-LIB and symbolic terms."""
