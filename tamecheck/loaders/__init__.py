"""Models and input regions from the outside world."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamecheck.loaders.formats import load
    from tamecheck.loaders.loaded import Loaded
    from tamecheck.loaders.text.box import parse_box
    from tamecheck.loaders.text.expression import parse_expression
    from tamecheck.loaders.text.vnnlib import parse_vnnlib, read_vnnlib

__all__ = ["Loaded", "load", "parse_box", "parse_expression", "parse_vnnlib", "read_vnnlib"]


def __getattr__(name: str) -> Any:
    """A name of the package, from where it lives: who reads a file's bytes needs no parser."""
    match name:
        case "Loaded" | "load":
            from tamecheck.loaders import formats as home
        case "parse_box":
            from tamecheck.loaders.text import box as home
        case "parse_expression":
            from tamecheck.loaders.text import expression as home
        case "parse_vnnlib" | "read_vnnlib":
            from tamecheck.loaders.text import vnnlib as home
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)
