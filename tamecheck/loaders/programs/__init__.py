"""Mixed-integer programs from MPS, LP and JSON files, and back."""
