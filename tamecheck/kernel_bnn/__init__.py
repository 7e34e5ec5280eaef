"""The trusted checker of Hamming balls. Standard library and the kernel's reader only."""

from tamecheck.kernel_bnn.checker import FORMAT, check

__all__ = ["FORMAT", "check"]
