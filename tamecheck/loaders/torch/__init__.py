"""PyTorch modules as exact graphs."""
