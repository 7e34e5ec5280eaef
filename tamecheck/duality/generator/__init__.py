"""Generator subadditive functions."""
