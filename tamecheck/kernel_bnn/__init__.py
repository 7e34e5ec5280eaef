"""The trusted checkers of binarized networks. Standard library and the kernel's reader only."""

from tamecheck.kernel_bnn.checker import FORMAT, check
from tamecheck.kernel_bnn.windows import FORMAT as REGION
from tamecheck.kernel_bnn.windows import check as check_region

__all__ = ["FORMAT", "REGION", "check", "check_region"]
