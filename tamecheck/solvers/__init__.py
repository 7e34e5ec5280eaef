"""The only place that imports solvers; their answers are closed types, never None or bool."""
