"""The trusted checker of piecewise linear networks. Standard library and the kernel only."""

from tamecheck.kernel_pwl.checker import FORMAT, STEPS, check

__all__ = ["FORMAT", "STEPS", "check"]
