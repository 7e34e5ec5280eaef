"""Models and input regions from the outside world."""

from tamecheck.loaders.formats import load
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.text.box import parse_box
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.loaders.text.vnnlib import parse_vnnlib, read_vnnlib

__all__ = ["Loaded", "load", "parse_box", "parse_expression", "parse_vnnlib", "read_vnnlib"]
