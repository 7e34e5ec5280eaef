"""Networks as layers over flat vectors, with rigorous linear bounds over boxes."""
