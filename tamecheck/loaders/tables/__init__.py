"""Tables and their schemas: CSV, ARFF, arrays and frames."""
