"""The trusted checker of certificates. It imports nothing but the standard library."""

from tamecheck.kernel.checker import Report, check

__all__ = ["Report", "check"]
