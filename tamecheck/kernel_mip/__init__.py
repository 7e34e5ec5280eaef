"""The trusted checker of branch-and-bound trees. Standard library and the kernel's reader only."""

from tamecheck.kernel_mip.checker import FORMAT, check

__all__ = ["FORMAT", "check"]
