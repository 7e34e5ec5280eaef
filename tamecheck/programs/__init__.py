"""Mixed-integer programs: read exactly, solved with claims that are checked, certified."""

from tamecheck.programs.files import read, read_file, write

__all__ = ["read", "read_file", "write"]
